//! Clients that take their time: bytes one by one, bodies that never end, answers that nobody reads, connections half open.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Case, case};
use crate::{
    client::{Link, is_closed, read_answer, request_head},
    good::Manners,
    podfit::Podfit,
    reviews::{Judge, Review, labels},
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[
    case("slow-heads-and-bodies", slow_heads_and_bodies),
    case("slow-readers", slow_readers),
    case("half-open", half_open),
    Case { is_long: true, ..case("idle-for-five-minutes", idle) },
];

/// `Bounds.body` and `Bounds.handshake`.
const BOUND: Duration = Duration::from_secs(10);
/// `Bounds.idle`.
const IDLE: Duration = Duration::from_mins(5);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(10);

fn slow_heads_and_bodies(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let review = Arc::new(Judge::default().deletion());
        // A body gets ten seconds, a head five minutes.
        let time = soak.lasting.min(BOUND * 3 / 4);
        let mut clients = JoinSet::new();
        for _client in 0..100 {
            clients.spawn(byte_by_byte(podfit.connect().await, Arc::clone(&review), time));
        }
        for (count, path, bound) in [(50, "/validate?timeout=1s", BOUND / 10 * 9 / 10), (10, "/validate", BOUND)] {
            for _client in 0..count {
                clients.spawn(never_whole(podfit.connect().await, path, bound));
            }
        }
        clients.join_all().await;
        watch.count(&review.labels, 100);
        watch.count(&labels("validate", "OTHER", "failed"), 60);
        watch.end(soak, name).await;
    });
}

async fn byte_by_byte(mut link: Link, review: Arc<Review>, time: Duration) {
    let (body, uid) = review.next();
    let bytes = [request_head(review.path, body.len()).as_bytes(), &body].concat();
    let pause = time / u32::try_from(bytes.len()).unwrap();
    for byte in bytes {
        link.send(&[byte]).await.unwrap();
        sleep(pause).await;
    }
    review.check(&uid, &link.answer().await.unwrap());
}

/// Sends a byte now and then, and is told in the end.
async fn never_whole(mut link: Link, path: &str, bound: Duration) {
    let began = Instant::now();
    link.send(request_head(path, 1000).as_bytes()).await.unwrap();
    while timeout(Duration::from_millis(100), link.wait()).await.is_err() {
        link.send(b" ").await.unwrap();
    }
    let answer = link.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (503, "the review did not arrive in time\n"));
    assert!(answer.has("retry-after: 1"), "{}", answer.headers);
    let took = began.elapsed();
    assert!(bound <= took && took < bound + SLACK, "{took:?}");
    assert_eq!(link.rest().await.unwrap_or_default(), b"", "the connection ends");
}

/// Many reviews at once, and nobody who reads: what is written must stop somewhere, and be right when it is read.
fn slow_readers(soak: &Soak, name: &str) {
    const READERS: usize = 20;
    const REVIEWS: usize = 400;
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let review = Arc::new(Judge::default().patched());
        let mut clients = JoinSet::new();
        for _reader in 0..READERS {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let link = podfit.client.handshake(socket.connect(podfit.webhook).await.unwrap()).await.unwrap();
            clients.spawn(reads_late(Link::of(link), Arc::clone(&review), REVIEWS, soak.lasting));
        }
        clients.join_all().await;
        watch.count(&review.labels, (READERS * REVIEWS) as u64);
        watch.end(soak, name).await;
    });
}

async fn reads_late(link: Link, review: Arc<Review>, reviews: usize, late: Duration) {
    let (mut reader, mut writer) = link.split();
    let (path, sent) = (review.path, (0..reviews).map(|_| review.next()).collect::<Vec<_>>());
    let bodies: Vec<_> = sent.iter().map(|(body, _)| body.clone()).collect();
    let writing = tokio::spawn(async move {
        for body in bodies {
            writer.write_all(request_head(path, body.len()).as_bytes()).await.unwrap();
            writer.write_all(&body).await.unwrap();
        }
        writer.flush().await.unwrap();
        writer
    });
    sleep(late).await;
    for (_, uid) in sent {
        review.check(&uid, &read_answer(&mut reader).await.unwrap());
    }
    writing.await.unwrap();
}

/// Whoever says nothing for five minutes, or never ends a head, is closed on then and not before. Meanwhile memory is flat.
fn idle(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let review = Judge::default().deletion();
        let mut clients = JoinSet::new();
        for _client in 0..20 {
            clients.spawn(is_closed_in_time(podfit.connect().await, ""));
            clients.spawn(is_closed_in_time(podfit.connect().await, "POST /validate HTTP/1.1\r\nhost: "));
            let mut link = podfit.connect().await;
            review.post(&mut link).await;
            clients.spawn(is_closed_in_time(link, ""));
        }
        watch.count(&review.labels, 20);
        sleep(IDLE / 2).await;
        let half = podfit.readings().memory;
        clients.join_all().await;
        let end = podfit.readings().memory;
        assert!(end < half + (2 << 10), "{half} KiB after half of the time, {end} KiB at the end");
        watch.end(soak, name).await;
    });
}

/// Says a letter now and then if it has begun.
async fn is_closed_in_time(mut link: Link, begins: &str) {
    let began = Instant::now();
    link.send(begins.as_bytes()).await.unwrap();
    while timeout(IDLE / 20, link.wait()).await.is_err() {
        assert!(began.elapsed() < IDLE + SLACK, "still open");
        if !begins.is_empty() {
            link.send(b"a").await.unwrap();
        }
    }
    let took = began.elapsed();
    // Its clock began a little earlier than ours.
    assert!(took + Duration::from_secs(1) >= IDLE, "closed after {took:?}");
    assert_eq!(link.rest().await.unwrap_or_default(), b"");
}

/// The record header of a `ClientHello` of 512 bytes, and how it begins.
const CLIENT_HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// Connections that begin and do not go on, or do not end as they should.
fn half_open(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let mut clients = JoinSet::new();
        for sent in [&b""[..], &CLIENT_HELLO[..3], CLIENT_HELLO] {
            for _client in 0..50 {
                clients.spawn(stops_in_the_handshake(podfit.webhook, sent));
            }
        }
        for _round in 0..10 {
            leave(&podfit, &mut watch).await;
        }
        clients.join_all().await;
        watch.end(soak, name).await;
    });
}

async fn stops_in_the_handshake(webhook: SocketAddr, sent: &[u8]) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(webhook).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut rest = Vec::new();
    let end = timeout(BOUND + SLACK, stream.read_to_end(&mut rest)).await;
    let took = began.elapsed();
    assert!(end.is_ok() && took >= BOUND, "closed after {took:?}");
}

/// In the middle of a request or behind it: says that no more will come, or is gone.
async fn leave(podfit: &Podfit, watch: &mut Watch<'_>) {
    let review = Judge::default().deletion();
    let broken = labels(&review.path[1..], "OTHER", "invalid");
    let (body, uid) = review.next();
    let head = request_head(review.path, body.len()).into_bytes();
    let bytes = [&head[..], &body].concat();
    for end in [0, head.len() / 2, head.len(), head.len() + body.len() / 2, bytes.len()] {
        let mut silent = podfit.connect().await;
        silent.send(&bytes[..end]).await.unwrap();
        silent.finish().await.unwrap();
        let mut gone = podfit.connect().await;
        gone.send(&bytes[..end]).await.unwrap();
        drop(gone);
        let answer = silent.answer().await;
        if end == bytes.len() {
            // It may be taken for gone before it is answered.
            if let Ok(answer) = answer {
                review.check(&uid, &answer);
            }
            watch.may_count(&review.labels, 2);
        } else if end >= head.len() {
            assert_eq!(answer.unwrap().status, 400);
            watch.count(&broken, 2);
        } else {
            assert!(answer.is_err_and(|error| is_closed(&error)));
        }
    }
}
