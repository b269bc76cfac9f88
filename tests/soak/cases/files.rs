//! Files change under load.

use std::time::{Duration, Instant};

use podfit::certs::{LOCAL_HOSTS, make_pair};
use tokio::time::interval;

use super::{Case, case};
use crate::{
    good::Manners,
    load::client::Client,
    podfit::{Podfit, Start},
    policies::{Policy, in_force, put},
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[case("reloads-under-load", reloads)];

/// Some looks of podfit, which come every two seconds.
const SHORTEST: Duration = Duration::from_secs(5);
/// From a change to its being in force: one look, and what a busy machine adds.
const IN_FORCE: Duration = Duration::from_secs(8);

/// Policy and certificate change every 100 ms, the pair not in one go, and now and then to what is no policy. Every answer is
/// under one of the policies, every handshake with one of the pairs, and in the end the last ones are in force.
fn reloads(soak: &Soak, name: &str) {
    block_on(async {
        let (strict, lenient) = (Policy::strict(), Policy::lenient());
        let pairs: Vec<_> = (0..4).map(|_| make_pair(&LOCAL_HOSTS, 2).unwrap()).collect();
        let mut podfit = Podfit::with(Start { pair: pairs[0].clone(), ..strict.start() });
        let authorities: Vec<_> = pairs.iter().map(|pair| &*pair.ca).collect();
        podfit.client = Client::trusting(podfit.webhook, &authorities);
        let manners = Manners { kept_for: Some(5), ..Manners::default() };
        let mut watch = Watch::with(&podfit, vec![strict.usual(), lenient.usual()], manners).await;

        let began = Instant::now();
        let mut ticks = interval(Duration::from_millis(100));
        let mut changes = 0;
        while began.elapsed() < soak.lasting.max(SHORTEST) {
            ticks.tick().await;
            put(&podfit, [&*strict.text, &lenient.text, "kind: [", &strict.text, &lenient.text][changes % 5]);
            podfit.place(&pairs[changes % pairs.len()]);
            changes += 1;
        }
        let last = Instant::now();
        put(&podfit, &lenient.text);
        podfit.place(&pairs[3]);
        watch.counts = in_force(&Client::new(podfit.webhook, &pairs[3].ca), &lenient, &strict).await;
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
