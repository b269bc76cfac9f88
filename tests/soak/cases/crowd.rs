//! More connections than there are places or files.

use std::io;

use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Link, is_closed},
    good::{Manners, SENDERS},
    needs::Needs,
    podfit::{Podfit, Start, wait_for},
    policies::{Policy, in_force, put},
    reviews::Judge,
    soak::{Soak, Watch, block_on, tenths},
};

pub const CASES: &[Case] = &[
    Case { needs: Needs::OpenFiles(CONNECTIONS + 600), ..case("ten-thousand-connections", connections) },
    case("open-files-exhausted", open_files),
];

/// `Bounds.connections`.
const CONNECTIONS: usize = 4096;
/// What the allocator does not give back, in KiB: free, but in the middle of its heap, and used again by the next ones.
const KEPT_OF_EACH: u64 = 28;
/// Open files that podfit may have.
const FEW: usize = 64;

/// Each of the first gets a place and keeps it. The next are closed on at once, until somebody goes.
fn connections(soak: &Soak, name: &str) {
    block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let before = podfit.readings();
        let mut callers = JoinSet::new();
        let (mut kept, mut sent_away) = (Vec::new(), 0);
        let all = if soak.is_long() { 10_000 } else { CONNECTIONS + 500 };
        for _caller in 0..all {
            if callers.len() == 64 {
                take(callers.join_next().await.unwrap().unwrap(), &mut kept, &mut sent_away);
            }
            let client = podfit.client.clone();
            callers.spawn(async move { Link::connect(&client).await });
        }
        for caller in callers.join_all().await {
            take(caller, &mut kept, &mut sent_away);
        }
        assert_eq!((kept.len(), sent_away), (CONNECTIONS - SENDERS, all - CONNECTIONS + SENDERS));
        let each = tenths((podfit.readings().memory - before.memory) * 10 / kept.len() as u64);
        soak.tell(format!("{name}: {each} KiB for an idle connection"));

        watch.good.wait(200).await;
        let review = Judge::default().deletion();
        for link in &mut kept {
            review.post(link).await;
        }
        watch.count(&review.labels, kept.len() as u64);
        watch.memory_kept += KEPT_OF_EACH * kept.len() as u64;
        drop(kept);
        wait_for("a place", || (podfit.readings().descriptors < CONNECTIONS).then_some(()));
        review.post(&mut podfit.connect().await).await;
        watch.count(&review.labels, 1);
        let log = podfit.process.log();
        assert!(log.contains("all connections are taken") && log.contains("connections are accepted again"), "{log}");
        watch.end(soak, name).await;
    });
}

fn take(caller: io::Result<Link>, kept: &mut Vec<Link>, sent_away: &mut usize) {
    match caller {
        Ok(link) => kept.push(link),
        Err(error) => {
            assert!(is_closed(&error), "{error}");
            *sent_away += 1;
        }
    }
}

/// With few of them there are few places, and always a file for a probe or a policy. Where there is none after all, whoever is
/// connected is served on, and whoever comes waits; so does a change of the policy.
fn open_files(soak: &Soak, name: &str) {
    block_on(async {
        let (strict, lenient) = (Policy::strict(), Policy::lenient());
        let podfit = Podfit::with(Start { open_files: FEW, ..strict.start() });
        let mut watch = Watch::with(&podfit, vec![strict.usual(), lenient.usual()], Manners::default()).await;
        let crowd = crowd(&podfit, FEW).await;
        wait_for("the last place", || podfit.process.log().contains("all connections are taken").then_some(()));
        watch.good.wait(200).await;
        assert_eq!(podfit.admin("/livez").await.0, 200);
        put(&podfit, &lenient.text);
        wait_for("a look at the policy", || podfit.process.log().contains("policy taken").then_some(()));
        drop(crowd);
        watch.count_all(&in_force(&podfit.client, &lenient, &strict).await);
        assert!(!podfit.process.log().contains("Too many open files"));

        // Below those that are open: there is no number for another.
        podfit.limit_open_files(3);
        let client = podfit.client.clone();
        let waiting = tokio::spawn(async move { Link::connect(&client).await.unwrap() });
        put(&podfit, &strict.text);
        wait_for("a look at the policy", || podfit.process.log().contains("changed policy refused").then_some(()));
        sleep(soak.lasting).await;
        watch.good.wait(200).await;
        assert!(!waiting.is_finished() && podfit.process.log().contains("Too many open files"));

        podfit.limit_open_files(FEW);
        drop(waiting.await.unwrap());
        watch.count_all(&in_force(&podfit.client, &strict, &lenient).await);
        watch.end(soak, name).await;
    });
}

/// So many connections that say nothing.
async fn crowd(podfit: &Podfit, callers: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _caller in 0..callers {
        crowd.push(TcpStream::connect(podfit.webhook).await.unwrap());
    }
    crowd
}
