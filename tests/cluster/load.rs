//! Pod creations at a steady rate while something happens to podfit, both webhooks failing closed: what was refused, and what it
//! cost. `cases/outages.rs` says what may be refused.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, JoinSet},
    time::interval,
};

use crate::cluster::{Call, Cluster};

pub const PER_SECOND: u32 = 200;
/// A machine that cannot keep the rate shows a lower one, instead of time-outs that are its own.
const AT_ONCE: usize = 20;

/// A running stream of creations.
pub struct Load {
    is_over: Arc<AtomicBool>,
    started: Arc<AtomicUsize>,
    task: JoinHandle<Vec<Creation>>,
    cluster: Cluster,
}

/// How one creation went.
struct Creation {
    ended: Instant,
    took: Duration,
    /// Why it failed.
    failure: Option<String>,
}

pub struct Tally {
    pub creations: usize,
    /// Messages with how often each came.
    pub failures: BTreeMap<String, usize>,
    /// From the first failure to the last.
    pub blocked: Duration,
    took: Vec<Duration>,
    lasted: Duration,
}

impl Load {
    pub fn start(cluster: &Cluster, pods: &str, pod: &Value, per_second: u32) -> Self {
        let (is_over, started) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let ticks = Duration::from_secs(1) / per_second;
        let stream =
            stream(cluster.clone(), pods.to_owned(), pod.clone(), ticks, Arc::clone(&is_over), Arc::clone(&started));
        Self { is_over, started, task: cluster.runtime().spawn(stream), cluster: cluster.clone() }
    }

    /// Lets as many more creations begin.
    pub fn wait(&self, more: usize) {
        let end = self.started.load(Ordering::Relaxed) + more;
        while self.started.load(Ordering::Relaxed) < end {
            assert!(!self.task.is_finished(), "the load ended early");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the stream and waits for what is under way.
    pub fn finish(self, start: Instant) -> Tally {
        self.is_over.store(true, Ordering::Relaxed);
        let creations = self.cluster.runtime().block_on(self.task).unwrap();
        let failed = || creations.iter().filter(|creation| creation.failure.is_some()).map(|creation| creation.ended);
        let blocked = failed().max().zip(failed().min()).map_or(Duration::ZERO, |(last, first)| last - first);
        let mut failures = BTreeMap::new();
        for failure in creations.iter().filter_map(|creation| creation.failure.clone()) {
            *failures.entry(failure).or_default() += 1;
        }
        let mut took: Vec<Duration> = creations.iter().map(|creation| creation.took).collect();
        took.sort();
        Tally { creations: took.len(), failures, blocked, took, lasted: start.elapsed() }
    }
}

async fn stream(
    cluster: Cluster,
    pods: String,
    pod: Value,
    ticks: Duration,
    is_over: Arc<AtomicBool>,
    started: Arc<AtomicUsize>,
) -> Vec<Creation> {
    let (pods, pod) = (Arc::new(pods), Arc::new(pod));
    // A late tick is made up for, or the rate that is asked for could never be reached.
    let mut ticks = interval(ticks);
    let (mut creations, permits) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        started.fetch_add(1, Ordering::Relaxed);
        creations.spawn(create(cluster.clone(), Arc::clone(&pods), Arc::clone(&pod), permit));
    }
    creations.join_all().await
}

async fn create(cluster: Cluster, pods: Arc<String>, pod: Arc<Value>, _permit: OwnedSemaphorePermit) -> Creation {
    let start = Instant::now();
    let call = Call { method: Method::POST, path: pods.to_string(), body: Some(&pod), ..Call::default() };
    let failure = match cluster.try_call(call).await {
        Ok(answer) if answer.code == 201 => None,
        Ok(answer) => Some(format!("{} {}", answer.code, answer.message())),
        Err(error) => Some(error.to_string()),
    };
    Creation { ended: Instant::now(), took: start.elapsed(), failure }
}

impl Tally {
    pub fn failed(&self) -> usize {
        self.failures.values().sum()
    }

    /// One row of the table of events.
    pub fn row(&self, event: &str) -> String {
        let rate = f64::from(u32::try_from(self.creations).unwrap()) / self.lasted.as_secs_f64();
        let [p50, p99, longest] = [50, 99, 100].map(|percent| 1000.0 * self.took(percent).as_secs_f64());
        let failed = self.failed();
        format!("{event:<24} {:>9} {rate:>6.0}/s {failed:>6} {p50:>8.1} {p99:>8.1} {longest:>8.1}", self.creations)
    }

    pub fn heading() -> String {
        format!(
            "{:<24} {:>9} {:>8} {:>6} {:>8} {:>8} {:>8}",
            "event", "creations", "rate", "failed", "p50 ms", "p99 ms", "max ms"
        )
    }

    /// The time that so many of a hundred creations did not exceed.
    fn took(&self, percent: usize) -> Duration {
        let index = self.took.len().saturating_sub(1) * percent / 100;
        self.took.get(index).copied().unwrap_or_default()
    }
}
