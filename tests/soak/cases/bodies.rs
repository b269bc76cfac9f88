//! Bodies as large as podfit takes them, larger ones, and large ones of the worst shapes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use podfit::admission::Phase;
use tokio::{task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Answer, Link},
    good::Manners,
    hostile::{LARGEST, bodies},
    podfit::Podfit,
    reviews::{Judge, labels},
    soak::{Soak, Watch},
};

pub const CASES: &[Case] = &[case("bodies-at-the-limit", at_the_limit), case("bodies-of-anything", of_anything)];

const PATIENT: Manners = Manners { kept_for: None, is_patient: true };
const TOO_LARGE: (u16, &str) = (413, "the review is larger than 8388608 bytes\n");

fn at_the_limit(soak: &Soak, name: &str) {
    soak.block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, PATIENT).await;
        let review = Judge::default().as_long_as(LARGEST);
        let (body, uid) = review.next();
        let larger = [&body, &b" "[..]].concat();
        let mut link = podfit.connect().await;
        for (what, sent, is_taken) in [
            ("announced", whole(review.path, "", &body), true),
            ("in chunks", chunked(review.path, &body), true),
            ("announced, a byte more", whole(review.path, "", &larger), false),
            ("in chunks, a byte more", chunked(review.path, &larger), false),
        ] {
            link.send(&sent).await.unwrap();
            let answer = link.answer().await.unwrap();
            if is_taken {
                review.check(&uid, &answer);
                watch.count(&review.labels, 1);
            } else {
                assert_eq!((answer.status, answer.text()), TOO_LARGE, "{what}");
                watch.count(&labels("validate", "OTHER", "invalid"), 1);
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
        let mut watch = Watch::begin(&podfit, PATIENT).await;
        let judge = Judge::default();
        let mut link = podfit.connect().await;
        for (what, body) in bodies() {
            for phase in [Phase::Mutate, Phase::Validate] {
                let t0 = Instant::now();
                let review = judge.review(phase, body.as_bytes());
                let lib = t0.elapsed();
                podfit.forget_peak();
                let before = podfit.readings();
                let began = Instant::now();
                let answer = link.post(review.path, body.as_bytes()).await.unwrap();
                let took = began.elapsed();
                println!(
                    "{what:<40} {:>8} {lib:?} {took:?} {} {}",
                    phase.as_str(),
                    podfit.readings().peak - before.memory,
                    podfit.readings().memory
                );
                watch.count(&review.labels, 1);
                let _ = (&answer, Arc::new(1), Duration::ZERO, sleep(Duration::ZERO));
                let _: Option<(Answer, Link, JoinSet<()>)> = None;
            }
        }
        drop(link);
        watch.end(soak, name).await;
    });
}
