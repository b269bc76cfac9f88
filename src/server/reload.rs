//! Certificate and policies follow their sources, most of them files. Polling, not watching: the kubelet swaps the
//! `..data` symlink of a Secret or `ConfigMap` volume, of which a watch on the file itself hears nothing. The old stays
//! until the new is proved good.

use std::{
    error::Error,
    future::pending,
    iter::successors,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    FromCluster, StartError,
    certificate::{CertificateError, Followed},
    log::{names, one_line, until},
    metrics::{Metrics, Reload, Tally},
};
use crate::{
    certs::Kept,
    policies::{
        Book,
        file::{self, PolicyError, Source, Texts},
    },
    policy::{PolicySet, Standing},
};

/// Why what was read is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Certificate(CertificateError),
    #[error(transparent)]
    Policy(PolicyError),
    #[error(
        "it selects namespaces by label, which only the cluster knows: give --watch-namespaces (PODFIT_WATCH_NAMESPACES) too"
    )]
    NamespaceLabels,
}

/// The policies of a file or folder (none: embedded, or the cluster's alone), and the book that they are part of.
pub struct Policies {
    book: Arc<Book>,
    from_cluster: FromCluster,
    path: Option<PathBuf>,
    seen: Option<Seen<Texts>>,
}

impl Policies {
    /// # Errors
    ///
    /// Where a file cannot be read, or holds a mistake.
    pub fn load(path: Option<PathBuf>, from_cluster: FromCluster) -> Result<Self, StartError> {
        let refused = |path: &Path, source| StartError::Policy { path: path.to_owned(), source };
        let begin = if from_cluster == FromCluster::Nothing { Book::of } else { Book::awaiting };
        let Some(path) = path else {
            let embedded = match from_cluster {
                FromCluster::Policies => Ok(PolicySet::default()),
                _ => file::load_default(),
            };
            let embedded = embedded.map_err(|error| refused("embedded".as_ref(), ReloadError::Policy(error)))?;
            return Ok(Self { book: Arc::new(begin(embedded)), from_cluster, path: None, seen: None });
        };
        let texts = Source { path: path.clone() }.read().map_err(|error| refused(&path, ReloadError::Policy(error)))?;
        let policies = compile(&texts, from_cluster != FromCluster::Nothing).map_err(|error| refused(&path, error))?;
        Ok(Self { book: Arc::new(begin(policies)), from_cluster, path: Some(path), seen: Some(Seen::Good(texts)) })
    }

    pub fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book)
    }

    /// Where they come from, for people.
    pub(super) fn origin(&self) -> String {
        let file = self.path.as_ref().map(|path| path.display().to_string());
        match (file, self.from_cluster) {
            (None, FromCluster::Policies) => "cluster".to_owned(),
            (Some(file), FromCluster::Policies) => format!("{file} and cluster"),
            (file, _) => file.unwrap_or_else(|| "embedded".to_owned()),
        }
    }

    /// One look: takes a good change, and says whether there was one.
    fn look(&mut self) -> Option<Result<(), ReloadError>> {
        let source = Source { path: self.path.clone()? };
        let read = source.read().map_err(ReloadError::Policy);
        let texts = self.seen.as_mut()?.change(read)?;
        let knows_namespaces = self.book.load().watches_namespaces();
        Some(texts.and_then(|texts| compile(texts, knows_namespaces)).map(|policies| self.book.set_files(&policies)))
    }

    fn tally(&self, today: Date) -> Tally {
        let rulebook = self.book.load();
        let policies = rulebook.policies().policies();
        let mut tally = Tally { policies: policies.len(), ..Tally::default() };
        for exemption in policies.iter().flat_map(|policy| &policy.exemptions) {
            match exemption.standing(today) {
                Standing::Active => tally.active += 1,
                Standing::Expiring => tally.expiring += 1,
                Standing::Expired => tally.expired += 1,
            }
        }
        tally
    }
}

/// Looks at the files for ever, `every` so often.
pub(super) async fn poll(mut watched: Watched, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept = watched.certificate.kept();
    loop {
        next(&mut ticks, &mut kept).await;
        // Files may hang (a network volume), and signals and the client of the API server share this thread.
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
            report("policy", &outcome, || names(self.policies.book.load().policies()));
        }
        self.gauged()
    }

    /// At every look, because exemptions expire without any change.
    fn gauged(self) -> Self {
        let (taken, refused) = self.policies.book.counted_changes();
        self.metrics.policies_of_cluster(taken, refused);
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

fn compile(texts: &Texts, knows_namespaces: bool) -> Result<PolicySet, ReloadError> {
    let policies = file::compile(texts).map_err(ReloadError::Policy)?;
    if policies.needs_namespace_labels() && !knows_namespaces {
        Err(ReloadError::NamespaceLabels)
    } else {
        Ok(policies)
    }
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
