//! Connections that send the same review side by side: as fast as they are answered, or at a rate. Every answer is compared.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use super::{
    client::{Client, Connection},
    review::Review,
};

/// kube-apiserver's own for a webhook that does not say another.
const LONGEST: Duration = Duration::from_secs(10);
/// Wrong answers that are kept to be shown.
const SHOWN: usize = 3;

/// Kept connections to one server.
pub struct Crowd {
    client: Client,
    connections: Vec<Connection>,
}

#[derive(Clone, Copy)]
pub enum Until {
    Sent(u64),
    Passed(Duration),
}

/// How the reviews of one run went.
#[derive(Default)]
pub struct Tally {
    pub statuses: BTreeMap<u16, u64>,
    /// Without an answer: messages with how often each came.
    pub failures: BTreeMap<String, u64>,
    pub wrong: u64,
    /// The first few of them.
    pub shown: Vec<String>,
    pub lasted: Duration,
    took: Vec<Duration>,
}

impl Crowd {
    pub async fn connect(client: &Client, count: usize) -> Self {
        let mut connections = Vec::with_capacity(count);
        for _one in 0..count {
            connections.push(client.connect().await.unwrap());
        }
        Self { client: client.clone(), connections }
    }

    /// One review on each connection, one after another.
    pub async fn in_turn(&mut self, review: &Review) {
        for connection in &mut self.connections {
            let (body, uid) = review.next();
            let answer = connection.post(&review.path, body).await.unwrap();
            assert!(review.is_right(&uid, answer.status, &answer.body), "{answer:?}");
        }
    }

    /// Each connection sends its next review once the last is answered.
    pub async fn closed(&mut self, review: &Arc<Review>, until: Until) -> Tally {
        let (most, end) = match until {
            Until::Sent(count) => (count, None),
            Until::Passed(time) => (u64::MAX, Some(Instant::now() + time)),
        };
        let now = move |_| Some(Instant::now()).filter(|now| end.is_none_or(|end| *now < end));
        self.run(review, most, now).await
    }

    /// So many a second, whether or not the last ones are answered, as long as a connection is free.
    pub async fn open(&mut self, review: &Arc<Review>, per_second: u32, lasting: Duration) -> Tally {
        let (start, step) = (Instant::now(), Duration::from_secs(1) / per_second);
        let most = lasting.as_nanos() / step.as_nanos();
        let due = move |number: u64| Some(start + step.saturating_mul(u32::try_from(number).unwrap()));
        self.run(review, u64::try_from(most).unwrap(), due).await
    }

    async fn run<D>(&mut self, review: &Arc<Review>, most: u64, due: D) -> Tally
    where
        D: Fn(u64) -> Option<Instant> + Clone + Send + 'static,
    {
        let (start, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut senders = JoinSet::new();
        for connection in self.connections.drain(..) {
            let (client, review, sent, due) = (self.client.clone(), Arc::clone(review), Arc::clone(&sent), due.clone());
            let next =
                move || Some(sent.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < most).and_then(&due);
            senders.spawn(send(client, connection, review, next));
        }
        let mut tally = Tally::default();
        while let Some(sender) = senders.join_next().await {
            let (connection, part) = sender.unwrap();
            self.connections.push(connection);
            tally.add(part);
        }
        tally.lasted = start.elapsed();
        tally.took.sort_unstable();
        tally
    }
}

/// On one connection, and on a new one after a failure, for as long as there is a time for the next review.
async fn send(
    client: Client,
    mut connection: Connection,
    review: Arc<Review>,
    next: impl Fn() -> Option<Instant>,
) -> (Connection, Tally) {
    let mut tally = Tally::default();
    while let Some(due) = next() {
        // What was due while the last answer was awaited has waited since; that a clock rang late is ours alone.
        let start = if due > Instant::now() {
            sleep_until(due.into()).await;
            Instant::now()
        } else {
            due
        };
        let (body, uid) = review.next();
        match timeout(LONGEST, connection.post(&review.path, body)).await {
            Ok(Ok(answer)) => {
                tally.took.push(start.elapsed());
                *tally.statuses.entry(answer.status).or_default() += 1;
                if !review.is_right(&uid, answer.status, &answer.body) {
                    tally.note_wrong(format!("{uid}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
                }
                continue;
            }
            Ok(Err(error)) => tally.note_failure(format!("{:#}", anyhow::Error::from(error))),
            Err(_) => tally.note_failure("no answer in time".to_owned()),
        }
        match client.connect().await {
            Ok(new) => connection = new,
            Err(error) => {
                tally.note_failure(format!("{error:#}"));
                break;
            }
        }
    }
    (connection, tally)
}

impl Tally {
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// The time that so many of a hundred answers did not exceed.
    pub fn took(&self, percent: usize) -> Duration {
        let index = self.took.len().saturating_sub(1) * percent / 100;
        self.took.get(index).copied().unwrap_or_default()
    }

    /// Panics unless every review was answered, and rightly: the way of errors is not to be measured.
    pub fn all_right(self) -> Self {
        assert!(self.failures.is_empty(), "{:?}", self.failures);
        assert!(self.wrong == 0, "{} wrong answers, as {:?}", self.wrong, self.shown);
        assert!(self.answered() > 0, "nothing was answered");
        self
    }

    fn add(&mut self, part: Self) {
        for (status, count) in part.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (failure, count) in part.failures {
            *self.failures.entry(failure).or_default() += count;
        }
        self.wrong += part.wrong;
        self.shown.extend(part.shown);
        self.shown.truncate(SHOWN);
        self.took.extend(part.took);
    }

    fn note_failure(&mut self, failure: String) {
        *self.failures.entry(failure).or_default() += 1;
    }

    fn note_wrong(&mut self, answer: String) {
        self.wrong += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(answer);
        }
    }
}
