//! Good reviews at a steady rate, for as long as a case makes trouble: every answer is compared, and none may fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    client::Link,
    load::client::Client,
    podfit::Podfit,
    reviews::{Counts, Judge, Review, labels},
};

/// kube-apiserver's own for a webhook that does not say another.
const LONGEST: Duration = Duration::from_secs(10);
/// `Retry-After`.
pub const LATER: Duration = Duration::from_secs(1);
pub const SENDERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// How the senders of a case behave.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Reviews on one connection; none: all.
    pub kept_for: Option<u32>,
    /// Sends again, as the API server does, what is answered with 503 and `Retry-After`.
    pub is_patient: bool,
}

/// A running stream of good reviews.
pub struct Good {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<Result<Tally, String>>>,
}

struct Shared {
    /// The same reviews under different policies: each answer must be what one of them says.
    reviews: Arc<Vec<Vec<Review>>>,
    client: ArcSwap<Client>,
    manners: Manners,
    is_over: AtomicBool,
    answered: AtomicU64,
}

/// What became of them.
#[derive(Default)]
pub struct Tally {
    pub counts: Counts,
    /// Shortest first.
    pub took: Vec<Duration>,
    /// Answers that asked for patience.
    pub put_off: u64,
}

impl Good {
    /// The usual reviews under the embedded policy.
    pub fn start(podfit: &Podfit) -> Self {
        Self::of(podfit, Arc::new(vec![Judge::default().usual()]), Manners::default())
    }

    pub fn of(podfit: &Podfit, reviews: Arc<Vec<Vec<Review>>>, manners: Manners) -> Self {
        let shared = Arc::new(Shared {
            reviews,
            client: ArcSwap::from_pointee(podfit.client.clone()),
            manners,
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        });
        let senders = (0..SENDERS).map(|sender| tokio::spawn(Arc::clone(&shared).send(sender))).collect();
        Self { shared, senders }
    }

    /// Makes new connections elsewhere.
    pub fn turn_to(&self, podfit: &Podfit) {
        self.shared.client.store(Arc::new(podfit.client.clone()));
    }

    /// Until so many more have been answered.
    pub async fn wait(&self, more: u64) {
        let end = self.shared.answered.load(Ordering::Relaxed) + more;
        while self.shared.answered.load(Ordering::Relaxed) < end {
            if self.senders.iter().any(JoinHandle::is_finished) {
                // It has something to say, which `finish` tells.
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the stream when all that is under way is answered.
    pub async fn finish(self) -> Tally {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for sender in self.senders {
            all.add(sender.await.unwrap().unwrap_or_else(|why| panic!("{why}")));
        }
        all.took.sort_unstable();
        all
    }
}

impl Shared {
    /// Each sender begins with another review.
    async fn send(self: Arc<Self>, sender: usize) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut link, mut reviews_on_link) = (None, 0);
        for index in (0..self.reviews[0].len()).cycle().skip(sender) {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            ticks.tick().await;
            let mut kept = match link.take() {
                Some(kept) => kept,
                None => self.connect().await?,
            };
            let is_last = self.review(&mut kept, index, &mut tally).await?;
            reviews_on_link += 1;
            if is_last || self.manners.kept_for == Some(reviews_on_link) {
                reviews_on_link = 0;
            } else {
                link = Some(kept);
            }
        }
        Ok(tally)
    }

    async fn connect(&self) -> Result<Link, String> {
        Link::connect(&self.client.load()).await.map_err(|error| format!("a new connection: {error}"))
    }

    /// Whether the server closes the connection behind its answer.
    async fn review(&self, link: &mut Link, index: usize, tally: &mut Tally) -> Result<bool, String> {
        let reviews: Vec<_> = self.reviews.iter().map(|reviews| &reviews[index]).collect();
        let (body, uid) = reviews[0].next();
        let began = Instant::now();
        loop {
            let answer = link.post(reviews[0].path, &body).await.map_err(|error| format!("{uid}: {error}"))?;
            let took = began.elapsed();
            if took > LONGEST {
                return Err(format!("{uid} took {took:?}"));
            }
            if let Some(right) = reviews.iter().find(|review| review.is_right(&uid, &answer)) {
                tally.note(right.labels.clone());
                tally.took.push(took);
                self.answered.fetch_add(1, Ordering::Relaxed);
                return Ok(answer.is_last());
            }
            if !(self.manners.is_patient && answer.status == 503 && answer.has("retry-after: 1")) {
                return Err(format!("{uid}: {}", reviews[0].complain(&answer)));
            }
            tally.put_off += 1;
            tally.note(labels(&reviews[0].path[1..], "OTHER", "failed"));
            sleep(LATER).await;
        }
    }
}

impl Tally {
    fn note(&mut self, labels: String) {
        *self.counts.entry(labels).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (labels, count) in other.counts {
            *self.counts.entry(labels).or_default() += count;
        }
        self.took.extend(other.took);
        self.put_off += other.put_off;
    }

    /// The time that so many of a hundred did not exceed.
    pub fn took(&self, percent: usize) -> Duration {
        let index = self.took.len().saturating_sub(1) * percent / 100;
        self.took.get(index).copied().unwrap_or_default()
    }
}
