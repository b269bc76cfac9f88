//! Connections that send the same review side by side: as fast as they are answered, or at a rate. Every answer is compared,
//! and the first that is wrong or does not come is the end: the way of errors is not to be measured.

use std::{
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

use crate::load::{
    client::{Client, Connection},
    review::Review,
};

/// kube-apiserver's own for a webhook that does not say another.
const LONGEST: Duration = Duration::from_secs(10);

/// Kept connections to one server.
pub struct Crowd(Vec<Connection>);

/// How long the answers of one run took, sorted.
pub struct Times(Vec<Duration>);

impl Crowd {
    pub async fn connect(client: &Client, count: usize) -> Self {
        let mut connections = Vec::with_capacity(count);
        for _one in 0..count {
            connections.push(client.connect().await.unwrap());
        }
        Self(connections)
    }

    /// One review on each connection, one after another.
    pub async fn in_turn(&mut self, review: &Review) {
        for connection in &mut self.0 {
            ask(connection, review).await;
        }
    }

    /// So many reviews: each connection sends its next once the last is answered.
    pub async fn closed(&mut self, review: &Arc<Review>, reviews: u64) -> Times {
        self.run(review, reviews, |_| Instant::now()).await
    }

    /// So many a second, whether or not the last ones are answered, as long as a connection is free.
    pub async fn open(&mut self, review: &Arc<Review>, per_second: u32, lasting: Duration) -> Times {
        let (start, step) = (Instant::now(), Duration::from_secs(1) / per_second);
        let reviews = lasting.as_nanos() / step.as_nanos();
        let due = move |number: u64| start + step.saturating_mul(u32::try_from(number).unwrap());
        self.run(review, u64::try_from(reviews).unwrap(), due).await
    }

    async fn run<D>(&mut self, review: &Arc<Review>, reviews: u64, due: D) -> Times
    where
        D: Fn(u64) -> Instant + Clone + Send + 'static,
    {
        let sent = Arc::new(AtomicU64::new(0));
        let mut senders = JoinSet::new();
        for connection in self.0.drain(..) {
            let (review, sent, due) = (Arc::clone(review), Arc::clone(&sent), due.clone());
            let next = move || Some(sent.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < reviews).map(&due);
            senders.spawn(send(connection, review, next));
        }
        let mut times = Vec::new();
        for (connection, took) in senders.join_all().await {
            self.0.push(connection);
            times.extend(took);
        }
        times.sort_unstable();
        Times(times)
    }
}

impl Times {
    /// The time that so many of a hundred answers did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

/// On one connection, for as long as there is a time for the next review.
async fn send(
    mut connection: Connection,
    review: Arc<Review>,
    next: impl Fn() -> Option<Instant>,
) -> (Connection, Vec<Duration>) {
    let mut times = Vec::new();
    while let Some(due) = next() {
        // What was due while the last answer was awaited has waited since; that a clock rang late is ours alone.
        let start = if due > Instant::now() {
            sleep_until(due.into()).await;
            Instant::now()
        } else {
            due
        };
        timeout(LONGEST, ask(&mut connection, &review)).await.expect("an answer in time");
        times.push(start.elapsed());
    }
    (connection, times)
}

async fn ask(connection: &mut Connection, review: &Review) {
    let (body, uid) = review.next();
    let answer = connection.post(&review.path, body).await.unwrap();
    assert!(review.is_right(&uid, answer.status, &answer.body), "{uid}: {answer:?}");
}
