//! More connections than there are places or files.

use std::{fs, time::Duration};

use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

use super::{Case, case};
use crate::{
    client::{Link, is_closed},
    good::{Manners, SENDERS},
    needs::Needs,
    podfit::{Podfit, Start, wait_for},
    reviews::Judge,
    soak::{Soak, Watch},
};

pub const CASES: &[Case] = &[
    Case { needs: Needs::OpenFiles(CONNECTIONS + 600), ..case("ten-thousand-connections", connections) },
    case("open-files-exhausted", open_files),
];

/// `Bounds.connections`.
const CONNECTIONS: usize = 4096;
const CALLERS: usize = 10_000;

/// Each of the first gets a place and keeps it. The next are closed on at once, until somebody goes.
fn connections(soak: &Soak, name: &str) {
    soak.block_on(async {
        let podfit = Podfit::start();
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let before = podfit.readings();
        let mut callers = JoinSet::new();
        let (mut kept, mut sent_away) = (Vec::new(), 0);
        for _caller in 0..CALLERS {
            if callers.len() == 64 {
                take(callers.join_next().await.unwrap().unwrap(), &mut kept, &mut sent_away);
            }
            let client = podfit.client.clone();
            callers.spawn(async move { Link::connect(&client).await });
        }
        for caller in callers.join_all().await {
            take(caller, &mut kept, &mut sent_away);
        }
        assert_eq!((kept.len(), sent_away), (CONNECTIONS - SENDERS, CALLERS - CONNECTIONS + SENDERS));
        let each = (podfit.readings().memory - before.memory) as f64 / kept.len() as f64;
        soak.tell(format!("{name}: {each:.1} KiB for an idle connection"));

        watch.good.wait(200).await;
        let review = Judge::default().deletion();
        for link in &mut kept {
            review.post(link).await;
        }
        watch.count(&review.labels, kept.len() as u64);
        drop(kept);
        wait_for("a place", || (podfit.readings().descriptors < CONNECTIONS).then_some(()));
        review.post(&mut podfit.connect().await).await;
        watch.count(&review.labels, 1);
        let log = podfit.process.log();
        assert!(log.contains("all connections are taken") && log.contains("connections are accepted again"), "{log}");
        watch.end(soak, name).await;
    });
}

fn take(caller: std::io::Result<Link>, kept: &mut Vec<Link>, sent_away: &mut usize) {
    match caller {
        Ok(link) => kept.push(link),
        Err(error) => {
            assert!(is_closed(&error), "{error}");
            *sent_away += 1;
        }
    }
}

/// Whoever is connected is served on; whoever comes waits until there is a file for him, and so do changes of the policy.
fn open_files(soak: &Soak, name: &str) {
    soak.block_on(async {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("policy.yaml"), podfit::policy::DEFAULT_POLICY).unwrap();
        let arguments = ["--policy", "policy.yaml"];
        let podfit = Podfit::with(Start { folder, arguments: &arguments, open_files: 64, ..Start::default() });
        let watch = Watch::begin(&podfit, Manners::default()).await;
        let mut crowd = Vec::new();
        for _caller in 0..200 {
            crowd.push(TcpStream::connect(podfit.webhook).await.unwrap());
        }
        wait_for("the last file", || podfit.process.log().contains("Too many open files").then_some(()));
        watch.good.wait(200).await;
        sleep(soak.lasting.min(Duration::from_secs(5))).await;
        drop(crowd);
        podfit.connect().await;
        println!("{}", podfit.process.log());
        watch.end(soak, name).await;
    });
}
