//! Files change under load.

use std::time::{Duration, Instant};

use podfit::{
    certs::{LOCAL_HOSTS, make_pair},
    policy::DEFAULT_POLICY,
};
use tempfile::TempDir;
use tokio::time::{interval, sleep};

use super::{Case, case};
use crate::{
    client::Link,
    good::Manners,
    load::client::Client,
    podfit::{Podfit, Start, replace},
    reviews::{Counts, Judge},
    soak::{Soak, Watch},
};

pub const CASES: &[Case] = &[case("reloads-under-load", reloads)];

/// Some looks of podfit, which come every two seconds.
const SHORTEST: Duration = Duration::from_secs(5);
/// From a change to its being in force: one look, and what a busy machine adds.
const IN_FORCE: Duration = Duration::from_secs(8);

/// Policy and certificate change every 100 ms, the pair not in one go, and now and then to what is no policy. Every answer is
/// under one of the policies, every handshake with one of the pairs, and in the end the last ones are in force.
fn reloads(soak: &Soak, name: &str) {
    soak.block_on(async {
        let strict = DEFAULT_POLICY.replace("name: default", "name: strict");
        let lenient = DEFAULT_POLICY.replace("name: default", "name: lenient").replace("mode: Deny", "mode: Warn");
        let pairs: Vec<_> = (0..4).map(|_| make_pair(&LOCAL_HOSTS, 2).unwrap()).collect();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("policy.yaml");
        replace(&path, &strict);
        let arguments = ["--policy", path.to_str().unwrap()];
        let start = Start { folder, pair: pairs[0].clone(), arguments: &arguments, ..Start::default() };
        let mut podfit = Podfit::with(start);
        let authorities: Vec<_> = pairs.iter().map(|pair| &*pair.ca).collect();
        podfit.client = Client::trusting(podfit.webhook, &authorities);
        let (strictly, leniently) = (Judge::under(&strict), Judge::under(&lenient));
        let manners = Manners { kept_for: Some(5), ..Manners::default() };
        let mut watch = Watch::with(&podfit, vec![strictly.usual(), leniently.usual()], manners).await;

        let began = Instant::now();
        let mut ticks = interval(Duration::from_millis(100));
        let mut changes = 0;
        while began.elapsed() < soak.lasting.max(SHORTEST) {
            ticks.tick().await;
            let policy = [&*strict, &lenient, "kind: [", &strict, &lenient][changes % 5];
            replace(&path, policy);
            podfit.place(&pairs[changes % pairs.len()]);
            changes += 1;
        }
        let last = Instant::now();
        replace(&path, &lenient);
        podfit.place(&pairs[3]);
        watch.counts = in_force(&Client::new(podfit.webhook, &pairs[3].ca), &leniently, &strictly).await;
        let took = last.elapsed();
        assert!(took < IN_FORCE, "the last change was in force after {took:?}");
        let page = podfit.metrics().await;
        for what in ["policy", "certificate"] {
            let taken = page.count(&format!("podfit_{what}_reloads_total{{result=\"taken\"}}"));
            assert!(taken > 0, "no {what} was taken");
        }
        watch.end(soak, name).await;
    });
}

/// Asks until a client who knows the last pair alone is answered by the last policy; what was counted meanwhile.
async fn in_force(client: &Client, last: &Judge, before: &Judge) -> Counts {
    let (last, before) = (last.careless(), before.careless());
    let mut counts = Counts::new();
    loop {
        if let Ok(mut link) = Link::connect(client).await {
            let (body, uid) = last.next();
            let answer = link.post(last.path, &body).await.unwrap();
            let is_last = last.is_right(&uid, &answer);
            let review = if is_last { &last } else { &before };
            review.check(&uid, &answer);
            *counts.entry(review.labels.clone()).or_default() += 1;
            if is_last {
                return counts;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
