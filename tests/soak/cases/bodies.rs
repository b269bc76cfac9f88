//! Bodies as large as podfit takes them, larger ones, and large ones of the worst shapes.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use podfit::admission::Phase;
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{Case, case};
use crate::{
    client::{Answer, Link, request_head},
    good::{LATER, Manners},
    hostile::{LARGEST, bodies},
    podfit::Podfit,
    reviews::{Counts, Judge, Judged, labels},
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[
    case("bodies-at-the-limit", at_the_limit),
    case("largest-bodies-at-once", at_once),
    case("bodies-of-anything", of_anything),
];

const PATIENT: Manners = Manners { kept_for: None, is_patient: true };
const TOO_LARGE: (u16, &str) = (413, "the review is larger than 8388608 bytes\n");
/// Debug build and busy machine allowed for; kube-apiserver waits for ten seconds.
const LONGEST: Duration = Duration::from_secs(20);
/// What one such body may take, in KiB.
const MOST_MEMORY: u64 = 48 << 10;

fn at_the_limit(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, PATIENT).await;
        let review = Judge::default().as_long_as(LARGEST);
        let (body, uid) = review.next();
        let larger = [&body, &b" "[..]].concat();
        let mut link = podfit.connect().await;
        for (what, sent, is_taken) in [
            ("announced", announced(review.path, &body), true),
            ("in chunks", chunked(review.path, &body), true),
            ("announced, a byte more", announced(review.path, &larger), false),
            ("in chunks, a byte more", chunked(review.path, &larger), false),
            ("announced, three times as much", announced(review.path, &larger.repeat(3)), false),
        ] {
            // All on one connection: it is kept, whatever came of the last one.
            link.send(&sent).await.unwrap();
            let answer = link.answer().await.unwrap();
            if is_taken {
                review.check(&uid, &answer);
                watch.count(&review.labels, 1);
            } else {
                assert_eq!((answer.status, answer.text()), TOO_LARGE, "{what}");
                watch.count(&labels("validate", "OTHER", "invalid"), 1);
            }
        }
        // Who asks first need not send it.
        let head = request_head(review.path, larger.len()).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
        link.send(head.as_bytes()).await.unwrap();
        assert_eq!(link.answer().await.unwrap().status, 413);
        watch.count(&labels("validate", "OTHER", "invalid"), 1);
        drop(link);
        watch.end(soak, name).await;
    });
}

fn announced(path: &str, body: &[u8]) -> Vec<u8> {
    [request_head(path, body.len()).as_bytes(), body].concat()
}

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

/// There is room for one: the others are put off, and each has its turn.
fn at_once(soak: &Soak, name: &str) {
    let senders = if soak.is_long() { 16 } else { 4 };
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, PATIENT).await;
        let review = Arc::new(Judge::default().as_long_as(LARGEST));
        let began = Instant::now();
        let mut sending = JoinSet::new();
        for _sender in 0..senders {
            let (mut link, review) = (podfit.connect().await, Arc::clone(&review));
            sending.spawn(async move {
                let (body, uid) = review.next();
                let (answer, put_off) = insist(&mut link, review.path, &body).await;
                review.check(&uid, &answer);
                put_off
            });
        }
        let put_off = sending.join_all().await.iter().sum();
        let took = began.elapsed().as_secs_f64();
        watch.count(&review.labels, senders);
        watch.count(&labels("validate", "OTHER", "failed"), put_off);
        let good = watch.end(soak, name).await.put_off;
        soak.tell(format!(
            "{name}: {senders} in {took:.1} s, put off {put_off} times, good ones beside them {good} times"
        ));
    });
}

/// Sends again what is put off; how often it was.
async fn insist(link: &mut Link, path: &str, body: &[u8]) -> (Answer, u64) {
    let mut put_off = 0;
    loop {
        let answer = link.post(path, body).await.unwrap();
        if !(answer.status == 503 && answer.has("retry-after: 1")) {
            return (answer, put_off);
        }
        put_off += 1;
        sleep(LATER).await;
    }
}

/// A body that is meant to hurt, and its answer.
struct Giant {
    what: String,
    body: Vec<u8>,
    judged: Judged,
}

/// Each is answered in time, as the library answers it. One by one they tell how much memory each takes; sixteen at once
/// they are put off, and each has its turn.
fn of_anything(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, PATIENT).await;
        let (mut giants, mut measured) = (giants(soak.is_long()), Vec::new());
        let (mut link, mut most) = (podfit.connect().await, (0, String::new()));
        while let Some(giant) = giants.recv().await {
            let (took, memory) = measure(&podfit, &mut link, &giant).await;
            watch.count(&giant.judged.labels, 1);
            most = most.max((memory, giant.what.clone()));
            if soak.is_long() {
                soak.tell(format!("{name}: {memory:>6} KiB and {:>5} ms for {}", took.as_millis(), giant.what));
                measured.push(giant);
            }
        }
        soak.tell(format!("{name}: at most {} KiB, for {}", most.0, most.1));
        drop(link);
        sixteen_at_once(&podfit, measured, &mut watch).await;
        watch.end(soak, name).await;
    });
}

/// Judged while others are sent, and no more of them at once than memory is there for.
fn giants(in_both_phases: bool) -> mpsc::Receiver<Giant> {
    let phases: &[_] = if in_both_phases { &[Phase::Mutate, Phase::Validate] } else { &[Phase::Validate] };
    let (sender, giants) = mpsc::channel(2);
    spawn_blocking(move || {
        let judge = Judge::default();
        for (name, body) in bodies() {
            for phase in phases {
                let judged = judge.judge(*phase, &body);
                let what = format!("{} {name}", judged.path);
                if sender.blocking_send(Giant { what, body: body.clone(), judged }).is_err() {
                    return;
                }
            }
        }
    });
    giants
}

/// How long its answer takes, and how much memory, in KiB.
async fn measure(podfit: &Podfit, link: &mut Link, giant: &Giant) -> (Duration, u64) {
    podfit.forget_peak();
    let before = podfit.readings().memory;
    let began = Instant::now();
    let answer = link.post(giant.judged.path, &giant.body).await.unwrap();
    let took = began.elapsed();
    giant.judged.check(&giant.what, &answer);
    assert!(took < LONGEST, "{}: {took:?}", giant.what);
    let memory = podfit.readings().peak.saturating_sub(before);
    assert!(memory <= MOST_MEMORY, "{}: {memory} KiB", giant.what);
    (took, memory)
}

async fn sixteen_at_once(podfit: &Podfit, giants: Vec<Giant>, watch: &mut Watch<'_>) {
    let waiting = Arc::new(Mutex::new(giants));
    let mut senders = JoinSet::new();
    for _sender in 0..16 {
        senders.spawn(send_all(podfit.connect().await, Arc::clone(&waiting)));
    }
    for counts in senders.join_all().await {
        watch.count_all(&counts);
    }
}

async fn send_all(mut link: Link, waiting: Arc<Mutex<Vec<Giant>>>) -> Counts {
    let mut counts = Counts::new();
    let next = || waiting.lock().unwrap().pop();
    while let Some(giant) = next() {
        let (answer, put_off) = insist(&mut link, giant.judged.path, &giant.body).await;
        giant.judged.check(&giant.what, &answer);
        *counts.entry(labels(&giant.judged.path[1..], "OTHER", "failed")).or_default() += put_off;
        *counts.entry(giant.judged.labels).or_default() += 1;
    }
    counts
}
