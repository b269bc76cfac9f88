//! Rubbish at a thousand a second: bodies that are no review, requests that are no HTTP, bytes that are no TLS.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use podfit::admission::Phase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Case, case};
use crate::{
    client::request_head,
    good::Manners,
    podfit::Podfit,
    reviews::{Counts, Judge, Review, labels},
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[case("malformed", malformed)];

/// Each sends a hundred a second.
const SENDERS_OF_BODIES: usize = 8;
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

fn malformed(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Arc::new(Podfit::start());
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let began = Instant::now();
        let end = began + soak.lasting;
        let reviews = Arc::new(no_reviews());
        let mut senders = vec![
            tokio::spawn(send_no_http(Arc::clone(&podfit), end)),
            tokio::spawn(send_no_tls(Arc::clone(&podfit), end)),
        ];
        for sender in 0..SENDERS_OF_BODIES {
            senders.push(tokio::spawn(send_no_reviews(Arc::clone(&podfit), Arc::clone(&reviews), sender, end)));
        }
        let mut all = 0;
        for sender in senders {
            let (counts, sent) = sender.await.unwrap();
            all += sent;
            watch.count_all(&counts);
        }
        soak.tell(format!("{name}: {:.0} a second", f64::from(all) / began.elapsed().as_secs_f64()));
        watch.end(soak, name).await;
    });
}

/// On one connection, which none of them may end.
async fn send_no_reviews(podfit: Arc<Podfit>, reviews: Arc<Vec<Review>>, first: usize, end: Instant) -> (Counts, u32) {
    let mut link = podfit.connect().await;
    let (mut counts, mut sent) = (Counts::new(), 0);
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for review in reviews.iter().cycle().skip(first) {
        if Instant::now() > end {
            break;
        }
        ticks.tick().await;
        review.post(&mut link).await;
        *counts.entry(review.labels.clone()).or_default() += 1;
        sent += 1;
    }
    (counts, sent)
}

fn no_reviews() -> Vec<Review> {
    let judge = Judge::default();
    let careless = judge.careless().next().0;
    let text = str::from_utf8(&careless).unwrap();
    let bodies = [
        Vec::new(),
        b"rubbish".to_vec(),
        b"\0\xff\xfe".to_vec(),
        b"[[[[[[[[".to_vec(),
        b"{\"kind\":\"AdmissionReview\"}".to_vec(),
        text.replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1").into(),
        text.replacen("\"uid\"", "\"uid\":\"other\",\"uid\"", 1).into(),
        text.replace("\"app:latest\"", "{}").into(),
        text.replace("\"spec\":{", "\"spec\":{\"containers\":7,").into(),
        careless[..200].to_vec(),
        careless[..careless.len() / 2].to_vec(),
        [&careless[..careless.len() / 2], b"\xff", &careless[careless.len() / 2..]].concat(),
    ];
    let phases = [Phase::Mutate, Phase::Validate].into_iter();
    phases.flat_map(|phase| bodies.clone().map(|body| judge.review(phase, &body))).collect()
}

/// Requests that HTTP does not know, or podfit: each on a connection of its own.
async fn send_no_http(podfit: Arc<Podfit>, end: Instant) -> (Counts, u32) {
    const BAD: &[Option<u16>] = &[Some(400)];
    let with = |headers: &str| format!("POST /validate HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n");
    // hyper closes on who says HTTP/2 after he has chosen HTTP/1.1; of who still writes it may close under the answer.
    let rows = [
        ("rubbish\r\n\r\n".to_owned(), BAD),
        ("POST /validate HTTP/9.9\r\n\r\n".to_owned(), BAD),
        ("POST /validate\0 HTTP/1.1\r\n\r\n".to_owned(), BAD),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[None]),
        (with("no header"), BAD),
        (with("content-length: -1"), BAD),
        (with("content-length: 1\r\ncontent-length: 2"), BAD),
        (with(&format!("x: {}", "x".repeat(300_000))), &[Some(431), None]),
        (request_head("/", 0), &[Some(404)]),
        ("GET /validate HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(), &[Some(405)]),
        (with("transfer-encoding: chunked\r\n\r\nzz"), BAD),
    ];
    let mut sent = 0;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        for (request, right) in &rows {
            ticks.tick().await;
            let mut link = podfit.connect().await;
            let answer = match link.send(request.as_bytes()).await {
                Ok(()) => link.answer().await,
                Err(error) => Err(error),
            };
            let status = answer.ok().map(|answer| answer.status);
            assert!(right.contains(&status), "{status:?} to {request:.80}");
            sent += 1;
        }
    }
    // The last of the rows begins as a review.
    let broken = u64::from(sent) / rows.len() as u64;
    (Counts::from([(labels("validate", "OTHER", "invalid"), broken)]), sent)
}

/// Each is hung up on, with no more than an alert.
async fn send_no_tls(podfit: Arc<Podfit>, end: Instant) -> (Counts, u32) {
    let rows: [&[u8]; 5] = [
        b"POST /validate HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\xff\xff\x01\0\0\0",
        b"\x15\x03\x03\0\x02\x02\x28",
        b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10",
    ];
    let mut sent = 0;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for row in rows.iter().cycle() {
        if Instant::now() > end {
            break;
        }
        ticks.tick().await;
        let mut stream = TcpStream::connect(podfit.webhook).await.unwrap();
        stream.write_all(row).await.unwrap();
        let mut answer = Vec::new();
        let closed = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok() && (answer.is_empty() || answer[0] == 0x15), "{row:?}: {closed:?} {answer:?}");
        sent += 1;
    }
    (Counts::new(), sent)
}
