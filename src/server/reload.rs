//! Certificate and policies follow their files. Polling, not watching: the kubelet swaps the `..data` symlink of a Secret
//! or `ConfigMap` volume, of which a watch on the file itself hears nothing. The old stays until the new is proved good.

use std::{error::Error, iter::successors, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    StartError,
    certificate::{Certificate, CertificateError, Files, Loaded, PairBytes, Resolver},
    log::one_line,
    metrics::{Metrics, Reload, Tally},
};
use crate::{
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
    loop {
        ticks.tick().await;
        // Files may hang (a network volume), and a worker that waits for one answers no review.
        let Ok(back) = tokio::task::spawn_blocking(move || watched.look()).await else { return };
        watched = back;
    }
}

/// Today in UTC: exemptions end with a UTC day.
pub(super) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Everything that follows a file, and where changes are counted.
pub(super) struct Watched {
    pair: Pair,
    policies: Policies,
    metrics: Arc<Metrics>,
}

impl Watched {
    pub(super) fn new(certificate: Loaded, policies: Policies, metrics: Arc<Metrics>) -> Self {
        Self { pair: Pair::new(certificate), policies, metrics }.gauged()
    }

    fn look(mut self) -> Self {
        if let Some(outcome) = self.pair.look() {
            self.metrics.certificate_reloads(Reload::of(&outcome));
            report("certificate", &outcome);
        }
        if let Some(outcome) = self.policies.look() {
            self.metrics.policy_reloads(Reload::of(&outcome));
            report("policy", &outcome);
        }
        self.gauged()
    }

    /// At every look, because exemptions expire without any change.
    fn gauged(self) -> Self {
        self.metrics.in_force(&self.policies.tally(today()), self.pair.resolver.not_after());
        self
    }
}

struct Pair {
    resolver: Arc<Resolver>,
    source: Option<(Files, Seen<PairBytes>)>,
}

impl Pair {
    fn new(loaded: Loaded) -> Self {
        let source = loaded.source.map(|(files, bytes)| (files, Seen::Good(bytes)));
        Self { resolver: loaded.resolver, source }
    }

    fn look(&mut self) -> Option<Result<(), ReloadError>> {
        let (files, seen) = self.source.as_mut()?;
        let bytes = seen.change(files.read().map_err(ReloadError::Certificate))?;
        let taken = bytes.and_then(|bytes| Certificate::of_bytes(bytes).map_err(ReloadError::Certificate));
        Some(taken.map(|certificate| self.resolver.swap(certificate)))
    }
}

/// What the last look read, good or not, so that one change is judged, counted and logged once.
enum Seen<T> {
    Good(T),
    Unreadable(String),
}

impl<T: PartialEq> Seen<T> {
    fn change(&mut self, read: Result<T, ReloadError>) -> Option<Result<&T, ReloadError>> {
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

fn report(what: &str, outcome: &Result<(), ReloadError>) {
    match outcome {
        Ok(()) => tracing::info!("{what} reloaded"),
        Err(error) => {
            tracing::warn!(error = %one_line(&with_causes(error)), "changed {what} refused, the old one stays");
        }
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
