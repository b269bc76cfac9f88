//! What a kubelet, a debugger or an operator does to the process.

use std::time::{Duration, Instant};

use podfit::certs::{LOCAL_HOSTS, make_pair};
use tokio::{task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Link, request_head},
    good::{Load, Manners},
    podfit::{Podfit, Start, is_closed, wait_for},
    reviews::Judge,
    soak::{Soak, Watch},
};

pub const CASES: &[Case] = &[case("sigterm-under-load", terminated), case("sigstop-and-sigcont", stopped)];

/// How long connections are still accepted after SIGTERM.
const LINGER: Duration = Duration::from_secs(5);

/// The cluster sends on for as long as it has not heard. Nothing is lost, and what is half sent is answered after all.
fn terminated(soak: &Soak, name: &str) {
    soak.block_on(async {
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        let [mut podfit, successor] = [(); 2].map(|()| Podfit::with(Start { pair: pair.clone(), ..Start::default() }));
        let load = Load::start(&podfit);
        load.wait(100).await;
        let mut idle = podfit.client.connect(podfit.webhook).await.unwrap();
        let mut busy = JoinSet::new();
        for number in 0..10 {
            let link = podfit.client.connect(podfit.webhook).await.unwrap();
            busy.spawn(in_two_pieces(link, number, LINGER + Duration::from_secs(1)));
        }

        let began = Instant::now();
        podfit.signal("TERM");
        wait_for_drain(&podfit).await;
        load.wait(100).await;
        // A third of the linger is more than endpoints take, and less than podfit allows them.
        sleep(LINGER / 3).await;
        load.turn_to(&successor);
        assert_eq!(idle.rest().await.unwrap(), b"", "an idle connection is closed in order");
        let lingered = began.elapsed();
        assert!(lingered >= LINGER, "closed after {lingered:?}");
        busy.join_all().await;
        assert!(podfit.wait().success());
        load.wait(100).await;
        let log = podfit.log();
        assert!(log.contains("\"stopping\"") && !log.contains("stopped with connections still open"), "{log}");
        assert!(podfit.client.connect(podfit.webhook).await.is_err_and(|error| !is_closed(&error)));
        let tally = load.finish().await;
        soak.tell_load(name, began.elapsed(), &tally);
    });
}

async fn wait_for_drain(podfit: &Podfit) {
    while podfit.admin("/readyz").await != (503, "not ready: draining\n".to_owned()) {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn in_two_pieces(mut link: Link, number: u64, pause: Duration) {
    let review = Judge::default().deletion();
    let body = review.body(number);
    let (first, second) = body.split_at(body.len() / 2);
    link.send(request_head(review.path, body.len()).as_bytes()).await.unwrap();
    link.send(first).await.unwrap();
    sleep(pause).await;
    link.send(second).await.unwrap();
    let answer = link.answer().await.unwrap();
    review.check(number, &answer).unwrap();
    assert!(answer.is_last(), "{}", answer.headers);
}

/// Everything waits, and goes on: new connections too, and bodies half sent.
fn stopped(soak: &Soak, name: &str) {
    soak.block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let review = Judge::default().deletion();
        let began = Instant::now();
        let mut number = 0;
        while number == 0 || began.elapsed() < soak.lasting {
            let mut half = podfit.client.connect(podfit.webhook).await.unwrap();
            let body = review.body(number);
            half.send(request_head(review.path, body.len()).as_bytes()).await.unwrap();
            half.send(&body[..99]).await.unwrap();
            podfit.signal("STOP");
            wait_for("the stop", || podfit.is_stopped().then_some(()));
            half.send(&body[99..]).await.unwrap();
            let (client, webhook) = (podfit.client.clone(), podfit.webhook);
            let new = tokio::spawn(async move { client.connect(webhook).await.unwrap() });
            sleep(soak.lasting.min(Duration::from_secs(3))).await;
            assert!(!new.is_finished());
            podfit.signal("CONT");
            review.check(number, &half.answer().await.unwrap()).unwrap();
            review.post(&mut new.await.unwrap(), number + 1).await;
            number += 2;
            watch.load.wait(20).await;
        }
        watch.count(review.labels.clone(), number);
        watch.end(soak, name).await;
    });
}
