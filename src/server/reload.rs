//! Certificate and policies follow their sources, most of them files. Polling, not watching: the kubelet swaps the
//! `..data` symlink of a Secret or `ConfigMap` volume, of which a watch on the file itself hears nothing. The old stays
//! until the new is proved good.

use std::{error::Error, future::pending, iter::successors, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    StartError,
    certificate::{CertificateError, Followed},
    log::{names, one_line, until},
    metrics::{Metrics, Reload, Tally},
};
use crate::{
    certs::Kept,
    policies::file::{self, PolicyError, Source, Texts},
    policy::PolicySet,
};

/// Why what was read is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Certificate(CertificateError),
    #[error(transparent)]
    Policy(PolicyError),
    #[error("it selects namespaces by label, and the server does not know the namespaces' labels")]
    NamespaceLabels,
}

/// The policies in force, with the file or folder they come from (none: embedded).
pub(super) struct Policies {
    current: Arc<ArcSwap<PolicySet>>,
    source: Option<(Source, Seen<Texts>)>,
}

impl Policies {
    pub(super) fn load(path: Option<PathBuf>) -> Result<Self, StartError> {
        let Some(path) = path else {
            let embedded = file::load_default()
                .map_err(|error| StartError::Policy { path: "embedded".into(), source: ReloadError::Policy(error) })?;
            return Ok(Self { current: Arc::new(ArcSwap::from_pointee(embedded)), source: None });
        };
        let refused = |source| StartError::Policy { path: path.clone(), source };
        let source = Source { path: path.clone() };
        let texts = source.read().map_err(|error| refused(ReloadError::Policy(error)))?;
        let policies = compile(&texts).map_err(refused)?;
        Ok(Self { current: Arc::new(ArcSwap::from_pointee(policies)), source: Some((source, Seen::Good(texts))) })
    }

    pub(super) fn current(&self) -> Arc<ArcSwap<PolicySet>> {
        Arc::clone(&self.current)
    }

    /// One look: takes a good change, and says whether there was one.
    fn look(&mut self) -> Option<Result<(), ReloadError>> {
        let (source, seen) = self.source.as_mut()?;
        let read = source.read().map_err(ReloadError::Policy);
        Some(seen.change(read)?.and_then(compile).map(|policies| self.current.store(Arc::new(policies))))
    }

    fn tally(&self, today: Date) -> Tally {
        let policies = self.current.load();
        let exemptions = || policies.policies().iter().flat_map(|policy| &policy.exemptions);
        let expired = exemptions().filter(|exemption| exemption.expires.is_some_and(|last| last < today)).count();
        Tally { policies: policies.policies().len(), active: exemptions().count() - expired, expired }
    }
}

/// Looks at the files for ever, `every` so often.
pub(super) async fn poll(mut watched: Watched, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept = watched.certificate.kept();
    loop {
        next(&mut ticks, &mut kept).await;
        // Files may hang (a network volume), and a worker that waits for one answers no review.
        let Ok(back) = tokio::task::spawn_blocking(move || watched.look()).await else { return };
        watched = back;
    }
}

/// A tick, or at once when a keeper has something new.
async fn next(ticks: &mut Interval, kept: &mut Option<watch::Receiver<Kept>>) {
    let changed = async {
        let Some(kept) = kept else { return pending().await };
        if kept.changed().await.is_err() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        _ = ticks.tick() => {}
        () = changed => {}
    }
}

/// Today in UTC: exemptions end with a UTC day.
pub(super) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Everything that follows a file, and where changes are counted.
pub(super) struct Watched {
    certificate: Followed,
    policies: Policies,
    metrics: Arc<Metrics>,
}

impl Watched {
    pub(super) fn new(certificate: Followed, policies: Policies, metrics: Arc<Metrics>) -> Self {
        Self { certificate, policies, metrics }.gauged()
    }

    fn look(mut self) -> Self {
        if let Some(outcome) = self.certificate.look(Timestamp::now()) {
            self.metrics.certificate_reloads(Reload::of(&outcome));
            report("certificate", &outcome, || until(self.certificate.resolver().not_after()));
        }
        if let Some(outcome) = self.policies.look() {
            self.metrics.policy_reloads(Reload::of(&outcome));
            report("policy", &outcome, || names(&self.policies.current.load()));
        }
        self.gauged()
    }

    /// At every look, because exemptions expire without any change.
    fn gauged(self) -> Self {
        self.metrics.in_force(&self.policies.tally(today()), self.certificate.resolver().not_after());
        self
    }
}

/// What the last look read, good or not, so that one change is judged, counted and logged once.
pub(super) enum Seen<T> {
    Good(T),
    Unreadable(String),
}

impl<T: PartialEq> Seen<T> {
    pub(super) fn change(&mut self, read: Result<T, ReloadError>) -> Option<Result<&T, ReloadError>> {
        match read {
            Ok(new) if matches!(self, Self::Good(old) if *old == new) => None,
            Ok(new) => {
                *self = Self::Good(new);
                let Self::Good(new) = self else { return None };
                Some(Ok(new))
            }
            Err(error) => {
                let text = with_causes(&error);
                let known = matches!(self, Self::Unreadable(old) if *old == text);
                *self = Self::Unreadable(text);
                (!known).then_some(Err(error))
            }
        }
    }
}

fn compile(texts: &Texts) -> Result<PolicySet, ReloadError> {
    let policies = file::compile(texts).map_err(ReloadError::Policy)?;
    if policies.needs_namespace_labels() { Err(ReloadError::NamespaceLabels) } else { Ok(policies) }
}

fn report(what: &str, outcome: &Result<(), ReloadError>, now: impl FnOnce() -> String) {
    match outcome {
        Ok(()) => tracing::info!("{what} taken: {}", now()),
        Err(error) => {
            tracing::warn!(error = %one_line(&with_causes(error)), "changed {what} refused, the old one stays");
        }
    }
}

pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
