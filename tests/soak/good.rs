//! Good reviews at a steady rate, for as long as a case makes trouble: every answer is compared, and none may fail.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    client::{Client, Link},
    podfit::Podfit,
    reviews::{Counts, Judge, Review, labels},
};

/// kube-apiserver's own for a webhook that does not say another.
const LONGEST: Duration = Duration::from_secs(10);
const SENDERS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(10);
/// No sender sends so many.
const NUMBERS: u64 = 1 << 40;

/// How the senders of a case behave.
#[derive(Clone, Default)]
pub struct Manners {
    /// Reviews on one connection; none: all.
    pub kept_for: Option<u64>,
    /// Sends again, as the API server does, what is answered with 503 and `Retry-After`.
    pub is_patient: bool,
}

/// A running stream of good reviews.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<Result<Tally, String>>>,
}

struct Shared {
    reviews: Arc<Vec<Vec<Review>>>,
    client: Client,
    target: arc_swap::ArcSwap<SocketAddr>,
    manners: Manners,
    is_over: AtomicBool,
    answered: AtomicU64,
}

/// What became of them.
#[derive(Debug, Default)]
pub struct Tally {
    pub counts: Counts,
    pub took: Vec<Duration>,
    /// Answers that asked for patience.
    pub put_off: u64,
}

impl Load {
    /// The usual reviews under the embedded policy.
    pub fn start(podfit: &Podfit) -> Self {
        Self::of(podfit, Arc::new(vec![Judge::default().usual()]), Manners::default())
    }

    /// Lists of the same reviews under different policies: each answer must be what one of them says.
    pub fn of(podfit: &Podfit, reviews: Arc<Vec<Vec<Review>>>, manners: Manners) -> Self {
        let shared = Arc::new(Shared {
            reviews,
            client: podfit.client.clone(),
            target: arc_swap::ArcSwap::from_pointee(podfit.webhook),
            manners,
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        });
        let senders = (0..SENDERS).map(|sender| tokio::spawn(Arc::clone(&shared).send(sender))).collect();
        Self { shared, senders }
    }

    /// Sends new connections elsewhere.
    pub fn turn_to(&self, podfit: &Podfit) {
        self.shared.target.store(Arc::new(podfit.webhook));
    }

    /// Until so many more have been answered.
    pub async fn wait(&self, more: u64) {
        let end = self.shared.answered.load(Ordering::Relaxed) + more;
        while self.shared.answered.load(Ordering::Relaxed) < end {
            assert!(!self.senders.iter().any(JoinHandle::is_finished), "a sender has given up");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the stream when all that is under way is answered.
    pub async fn finish(self) -> Tally {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for sender in self.senders {
            let tally = sender.await.unwrap().unwrap_or_else(|why| panic!("{why}"));
            all.add(tally);
        }
        all.took.sort_unstable();
        all
    }
}

impl Shared {
    async fn send(self: Arc<Self>, sender: u64) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut link, mut on_link) = (None, 0);
        for number in sender * NUMBERS.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            ticks.tick().await;
            let mut kept: Link = match link.take() {
                Some(kept) => kept,
                None => self.connect().await?,
            };
            let is_last = self.review(&mut kept, number, &mut tally).await?;
            on_link += 1;
            if is_last || self.manners.kept_for == Some(on_link) {
                on_link = 0;
            } else {
                link = Some(kept);
            }
        }
        Ok(tally)
    }

    async fn connect(&self) -> Result<Link, String> {
        let target = **self.target.load();
        self.client.connect(target).await.map_err(|error| format!("connect to {target}: {error}"))
    }

    /// Whether the server closes the connection behind its answer.
    async fn review(&self, link: &mut Link, number: u64, tally: &mut Tally) -> Result<bool, String> {
        let index = usize::try_from(number).unwrap_or_default() % self.reviews[0].len();
        let review = &self.reviews[0][index];
        let body = review.body(number);
        let began = Instant::now();
        loop {
            let answer = link.post(review.path, &body).await.map_err(|error| format!("review {number}: {error}"))?;
            if self.manners.is_patient && answer.status == 503 && answer.has("retry-after: 1") {
                tally.put_off += 1;
                tally.note(labels(&review.path[1..], "OTHER", "failed"));
                sleep(Duration::from_secs(1)).await;
                continue;
            }
            let wrong = self.reviews.iter().map(|book| (&book[index], book[index].check(number, &answer)));
            let mut wrong: Vec<_> = wrong.collect();
            let right = wrong.iter().position(|(_, check)| check.is_ok());
            let Some(right) = right else { return Err(wrong.remove(0).1.unwrap_err()) };
            tally.note(wrong[right].0.labels.clone());
            let took = began.elapsed();
            if took > LONGEST {
                return Err(format!("review {number} took {took:?}"));
            }
            tally.took.push(took);
            self.answered.fetch_add(1, Ordering::Relaxed);
            return Ok(answer.is_last());
        }
    }
}

impl Tally {
    pub fn note(&mut self, labels: String) {
        *self.counts.entry(labels).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (labels, count) in other.counts {
            *self.counts.entry(labels).or_default() += count;
        }
        self.took.extend(other.took);
        self.put_off += other.put_off;
    }

    pub fn longest(&self) -> Duration {
        self.took.last().copied().unwrap_or_default()
    }

    /// The time that 99 of a hundred did not exceed.
    pub fn p99(&self) -> Duration {
        self.took.get(self.took.len() * 99 / 100).copied().unwrap_or_default()
    }
}
