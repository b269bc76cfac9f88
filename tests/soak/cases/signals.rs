//! What a kubelet, a debugger or an operator does to the process.

use std::time::{Duration, Instant};

use podfit::certs::{LOCAL_HOSTS, make_pair};
use tokio::{task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Link, is_closed, request_head},
    good::{Good, Manners},
    podfit::{Podfit, Start, wait_for},
    reviews::Judge,
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[case("sigterm-under-load", terminated), case("sigstop-and-sigcont", stopped)];

/// How long connections are still accepted after SIGTERM.
const LINGER: Duration = Duration::from_secs(5);

/// A good review may not take ten seconds.
const LONGEST_STOP: Duration = Duration::from_secs(3);

/// The cluster sends on for as long as it has not heard. Nothing is lost, and what is half sent is answered after all.
fn terminated(soak: &Soak, name: &str) {
    block_on(async {
        let pair = make_pair(&LOCAL_HOSTS, 2).unwrap();
        let [mut podfit, successor] = [(); 2].map(|()| Podfit::with(Start { pair: pair.clone(), ..Start::default() }));
        let good = Good::start(&podfit);
        good.wait(100).await;
        let mut idle = podfit.connect().await;
        let mut busy = JoinSet::new();
        for _link in 0..10 {
            busy.spawn(in_two_pieces(podfit.connect().await, LINGER + Duration::from_secs(1)));
        }

        let began = Instant::now();
        podfit.process.terminate();
        wait_for_drain(&podfit).await;
        good.wait(100).await;
        // A third of the linger is more than endpoints take, and less than podfit allows them.
        sleep(LINGER / 3).await;
        good.turn_to(&successor);
        assert_eq!(idle.rest().await.unwrap(), b"", "an idle connection is closed in order");
        let lingered = began.elapsed();
        assert!(lingered >= LINGER, "closed after {lingered:?}");
        busy.join_all().await;
        wait_for("the end", || podfit.process.exit_code().map(|code| assert_eq!(code, 0)));
        good.wait(100).await;
        let log = podfit.process.log();
        assert!(log.contains("\"stopping\"") && !log.contains("stopped with connections still open"), "{log}");
        assert!(podfit.client.stream().await.is_err_and(|error| !is_closed(&error)));
        let tally = good.finish().await;
        soak.tell_load(name, began.elapsed(), &tally);
    });
}

async fn wait_for_drain(podfit: &Podfit) {
    while podfit.admin("/readyz").await != (503, "not ready: draining\n".to_owned()) {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn in_two_pieces(mut link: Link, pause: Duration) {
    let review = Judge::default().deletion();
    let (body, uid) = review.next();
    let (first, second) = body.split_at(body.len() / 2);
    link.send(request_head(review.path, body.len()).as_bytes()).await.unwrap();
    link.send(first).await.unwrap();
    sleep(pause).await;
    link.send(second).await.unwrap();
    let answer = link.answer().await.unwrap();
    review.check(&uid, &answer);
    assert!(answer.is_last(), "{}", answer.headers);
}

/// Everything waits, and goes on: new connections too, and bodies half sent.
fn stopped(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let review = Judge::default().deletion();
        let began = Instant::now();
        let mut stops = 0;
        while stops == 0 || began.elapsed() < soak.lasting {
            let mut half = podfit.connect().await;
            let (body, uid) = review.next();
            half.send(request_head(review.path, body.len()).as_bytes()).await.unwrap();
            half.send(&body[..99]).await.unwrap();
            podfit.process.signal("STOP");
            wait_for("the stop", || podfit.is_stopped().then_some(()));
            half.send(&body[99..]).await.unwrap();
            let client = podfit.client.clone();
            let new = tokio::spawn(async move { Link::connect(&client).await.unwrap() });
            sleep(soak.lasting.min(LONGEST_STOP)).await;
            assert!(!new.is_finished());
            podfit.process.signal("CONT");
            review.check(&uid, &half.answer().await.unwrap());
            review.post(&mut new.await.unwrap()).await;
            watch.good.wait(20).await;
            stops += 1;
        }
        watch.count(&review.labels, 2 * stops);
        watch.end(soak, name).await;
    });
}
