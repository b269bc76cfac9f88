//! Bodies as large as podfit takes them, larger ones, and large ones of the worst shapes.

use std::time::{Duration, Instant};

use podfit::admission::Phase;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Answer, Link, request_head},
    good::Manners,
    hostile::{LARGEST, bodies},
    podfit::Podfit,
    reviews::{Judge, Review, labels},
    soak::{Soak, Watch},
};

pub const CASES: &[Case] = &[case("bodies-at-the-limit", at_the_limit), case("bodies-of-anything", of_anything)];

/// kube-apiserver's own for a webhook that does not say another; in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

fn at_the_limit(soak: &Soak, name: &str) {
    soak.block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners { is_patient: true, ..Manners::default() }).await;
        let review = Judge::default().as_long_as(LARGEST);
        let body = review.body(1);
        let larger = [&body[..], b" "].concat();
        let mut link = podfit.client.connect(podfit.webhook).await.unwrap();
        for (what, sent, is_taken) in [
            ("announced", whole(review.path, "", &body), true),
            ("in chunks", chunked(review.path, &body), true),
            ("announced, a byte more", whole(review.path, "", &larger), false),
            ("in chunks, a byte more", chunked(review.path, &larger), false),
        ] {
            link.send(&sent).await.unwrap();
            let answer = link.answer().await.unwrap();
            if is_taken {
                review.check(1, &answer).unwrap();
                watch.count(review.labels.clone(), 1);
            } else {
                assert_eq!(
                    (answer.status, answer.text()),
                    (413, "the review is larger than 8388608 bytes\n"),
                    "{what}"
                );
                watch.count(labels("validate", "OTHER", "invalid"), 1);
            }
            println!("{what} {}", answer.headers);
        }
        drop(link);
        watch.end(soak, name).await;
    });
}

fn whole(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// In chunks of 64 KiB.
fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(64 << 10) {
        text.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend(chunk);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n\r\n");
    text
}

/// Each is answered in time, as the library answers it.
fn of_anything(soak: &Soak, name: &str) {
    soak.block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners { is_patient: true, ..Manners::default() }).await;
        let judge = Judge::default();
        let mut link = podfit.client.connect(podfit.webhook).await.unwrap();
        for (what, body) in bodies() {
            for phase in [Phase::Mutate, Phase::Validate] {
                let review = judge.review(phase, body.clone().into());
                podfit.forget_peak();
                let before = podfit.readings();
                let began = Instant::now();
                let answer = link.post(review.path, body.as_bytes()).await.unwrap();
                let took = began.elapsed();
                review.check(0, &answer).unwrap();
                println!(
                    "{what:<40} {:>8} {took:?} {} {}",
                    phase.as_str(),
                    podfit.readings().peak - before.memory,
                    podfit.readings().memory
                );
                watch.count(review.labels.clone(), 1);
            }
        }
        let _: (JoinSet<()>, Option<(Answer, Link, Review)>) = (JoinSet::new(), None);
        let _ = (sleep(LONGEST), request_head("", 0));
        drop(link);
        watch.end(soak, name).await;
    });
}
