//! Time passes: a certificate ends, an exemption ends, the clock jumps.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use podfit::certs::{Authority, LOCAL_HOSTS, Validity};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{Case, case};
use crate::{
    good::Manners,
    needs::{Needs, faketime},
    podfit::{Podfit, Start, replace},
    reviews::Judge,
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] =
    &[case("certificate-ends", certificate_ends), Case { needs: Needs::Faketime, ..case("clock-jumps", clock_jumps) }];

/// Whoever is connected is served on. podfit says that it is not ready, until there is a new one.
fn certificate_ends(soak: &Soak, name: &str) {
    block_on(async {
        let hour = SignedDuration::from_hours(1);
        let now = Timestamp::now();
        let authority = Authority::make(Validity { from: now - hour, until: now + hour }).unwrap();
        let issue = |until| authority.issue(&LOCAL_HOSTS, Validity { from: now - hour, until }).unwrap();
        let podfit = Podfit::with(Start { pair: issue(now + SignedDuration::from_secs(4)), ..Start::default() });
        let watch = Watch::begin(&podfit, Manners::default()).await;

        ready(&podfit, 503).await;
        assert!(podfit.admin("/readyz").await.1.starts_with("not ready: certificate expired at "));
        watch.good.wait(100).await;
        // Whole seconds, for a client.
        while podfit.client.stream().await.is_ok() {}

        podfit.place(&issue(now + hour));
        ready(&podfit, 200).await;
        podfit.connect().await;
        watch.end(soak, name).await;
    });
}

async fn ready(podfit: &Podfit, status: u16) {
    let began = Instant::now();
    while podfit.admin("/readyz").await.0 != status {
        assert!(began.elapsed() < Duration::from_secs(20), "/readyz should say {status}");
        sleep(Duration::from_millis(10)).await;
    }
}

const POLICY: &str = "
apiVersion: podfit.dev/v1alpha1
kind: SizingPolicy
metadata: {name: team}
spec:
  imageTag: {}
  podIdentity: {}
  exemptions: [{reason: until today, expires: TODAY, rules: [image-tag], match: {containers: ['*']}}]
";

/// The wall clock alone, as when it is set; time-outs count on another. An exemption ends with its day and a certificate
/// at its second, forth and back; no answer is late, and each is right for one of the two days.
fn clock_jumps(soak: &Soak, name: &str) {
    block_on(async {
        let folder = TempDir::new().unwrap();
        let (clock, policy) = (folder.path().join("clock"), folder.path().join("policy.yaml"));
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let text = POLICY.replace("TODAY", &today.to_string());
        fs::write(&policy, &text).unwrap();
        set(&clock, 0);
        let library = faketime().unwrap();
        let environment = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let arguments = ["--policy", policy.to_str().unwrap()];
        let podfit =
            Podfit::with(Start { folder, arguments: &arguments, environment: &environment, ..Start::default() });
        let judge = |day: Date| Judge::on(day, &text);
        let books = vec![judge(today).usual(), judge(today.tomorrow().unwrap()).usual()];
        let mut watch = Watch::with(&podfit, books, Manners::default()).await;

        let mut link = podfit.connect().await;
        let began = Instant::now();
        let mut number = 0;
        while number == 0 || began.elapsed() < soak.lasting {
            for days in [1, -1, 400, 0, -20_000] {
                set(&clock, days);
                let day = today.checked_add(jiff::Span::new().days(days)).unwrap();
                let review = judge(day).careless();
                review.post(&mut link).await;
                watch.count(&review.labels, 1);
                assert_eq!(podfit.admin("/readyz").await.0, if days > 1 { 503 } else { 200 }, "{days} days");
                number += 1;
            }
        }
        set(&clock, 0);
        drop(link);
        watch.end(soak, name).await;
    });
}

fn set(clock: &Path, days: i64) {
    replace(clock, &format!("{days:+}d\n"));
}
