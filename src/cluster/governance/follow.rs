//! All objects of a kind, and then every change, through whatever an API server does meanwhile. The governance follows
//! policies and namespaces with it.

use std::{fmt::Debug, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _};
use kube::{
    Api, Resource,
    core::ObjectMeta,
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{self, Config, Event},
    },
};
use serde::de::DeserializeOwned;

use crate::cluster::client::{LONGEST_WATCH, causes};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

type Events<K> = Pin<Box<dyn Stream<Item = Result<Event<K>, watcher::Error>> + Send>>;

pub(super) struct Followed<K> {
    events: Events<K>,
    /// Of a list that is being read.
    listed: Vec<K>,
}

pub(super) enum News<K> {
    /// At the start, and whenever changes may have been missed.
    All(Vec<K>),
    Changed(K),
    Gone(K),
}

#[derive(Debug)]
pub(super) struct Trouble(watcher::Error);

impl<K: Resource + Clone + DeserializeOwned + Debug + Send + 'static> Followed<K> {
    pub(super) fn of(api: Api<K>) -> Self {
        let longest = u32::try_from(LONGEST_WATCH.as_secs()).unwrap_or(u32::MAX);
        let events = kube::runtime::watcher(api, Config::default().timeout(longest));
        Self {
            events: Box::pin(events.modify(|object| forget(object.meta_mut())).backoff(Patience::default())),
            listed: Vec::new(),
        }
    }

    /// May be dropped while it waits: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<News<K>, Trouble> {
        loop {
            match self.events.next().await {
                Some(Ok(Event::Init)) => self.listed.clear(),
                Some(Ok(Event::InitApply(object))) => self.listed.push(object),
                Some(Ok(Event::InitDone)) => return Ok(News::All(std::mem::take(&mut self.listed))),
                Some(Ok(Event::Apply(object))) => return Ok(News::Changed(object)),
                Some(Ok(Event::Delete(object))) => return Ok(News::Gone(object)),
                Some(Err(error)) => return Err(Trouble(error)),
                // A watcher never ends.
                None => std::future::pending().await,
            }
        }
    }
}

/// What nobody asks for is most of ten thousand namespaces.
fn forget(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.annotations = None;
}

/// After a failure, how long until the next try: an API server that is back is to be heard of soon.
#[derive(Default)]
struct Patience {
    failures: u32,
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        Some(pause)
    }
}

impl Backoff for Patience {
    /// Never: a list that fails begins with an event that is none, and would reset it each time.
    fn reset(&mut self) {}
}

impl Trouble {
    /// What is wrong, and what to do about it.
    pub(super) fn in_words(&self, resource: &str) -> String {
        use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
        let status = match &self.0 {
            InitialListFailed(kube::Error::Api(status))
            | WatchStartFailed(kube::Error::Api(status))
            | WatchError(status) => Some(status),
            _ => None,
        };
        match (status.map(|status| status.code), &self.0) {
            (Some(404), _) => format!(
                "the cluster knows no {resource}: install it by `podfit policy crd | kubectl apply --server-side -f -`"
            ),
            (Some(403), _) => {
                let said = status.map(|status| status.message.as_str()).unwrap_or_default();
                format!("not allowed to list and watch {resource}: {said}; the roles of deploy/ allow it")
            }
            (_, InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error)) => {
                format!("list and watch {resource}: {}", causes(error))
            }
            (_, error @ (WatchError(_) | NoResourceVersion)) => format!("list and watch {resource}: {error}"),
        }
    }
}
