//! A sink of the log that takes nothing, or is gone. Lines are lost and counted; reviews are not.

use std::{
    io::{BufRead, BufReader},
    process::ChildStderr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use super::{Case, case};
use crate::{
    client::Link,
    good::Manners,
    podfit::{Podfit, Start, wait_for},
    reviews::{Judge, Review, labels},
    soak::{Soak, Watch, block_on},
};

pub const CASES: &[Case] = &[case("log-pipe-full", pipe_full), case("log-pipe-closed", pipe_closed)];

/// `WAITING_LINES` of the log, which wait for its sink.
const WAITING_LINES: u64 = 1024;

/// A pipe that nobody reads: when it is full the lines that wait become too many. Read again, it goes on with whole lines,
/// and what came and what was lost are all there were.
fn pipe_full(soak: &Soak, name: &str) {
    block_on(async {
        let (mut podfit, pipe) = Podfit::with_pipe(Start::default());
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let mut refuser = Refuser::connect(&podfit).await;
        refuser.until_lines_are_lost(&podfit, soak).await;

        let reader = Reader::start(pipe);
        wait_for("the lines that waited", || (reader.read.load(Ordering::Relaxed) > WAITING_LINES).then_some(()));
        let lost = lines(&podfit).await.lost;
        refuser.send(100).await;
        assert_eq!(lines(&podfit).await.lost, lost, "lines are lost while somebody reads");

        refuser.end(&mut watch);
        watch.loses_lines = true;
        watch.end(soak, name).await;
        let Lines { refused, lost } = lines(&podfit).await;
        podfit.terminate();
        // One more, "stopping".
        assert_eq!(reader.lines.join().unwrap() + lost, refused + 1);
    });
}

/// The reader of a full pipe goes away.
fn pipe_closed(soak: &Soak, name: &str) {
    block_on(async {
        let (mut podfit, pipe) = Podfit::with_pipe(Start::default());
        let mut watch = Watch::begin(&podfit, Manners::default()).await;
        let mut refuser = Refuser::connect(&podfit).await;
        refuser.until_lines_are_lost(&podfit, soak).await;

        drop(pipe);
        refuser.send(100).await;
        refuser.end(&mut watch);
        watch.loses_lines = true;
        watch.end(soak, name).await;
        // All but what the pipe has taken before.
        let Lines { refused, lost } = lines(&podfit).await;
        assert!(refused - lost < WAITING_LINES, "{refused} lines, {lost} lost");
        podfit.terminate();
    });
}

/// Makes lines: one for each review refused.
struct Refuser {
    link: Link,
    review: Review,
    sent: u64,
}

impl Refuser {
    async fn connect(podfit: &Podfit) -> Self {
        Self { link: podfit.connect().await, review: Judge::default().careless(), sent: 0 }
    }

    async fn send(&mut self, reviews: u64) {
        for _review in 0..reviews {
            self.review.post(&mut self.link).await;
        }
        self.sent += reviews;
    }

    async fn until_lines_are_lost(&mut self, podfit: &Podfit, soak: &Soak) {
        let began = Instant::now();
        while lines(podfit).await.lost < 100 || began.elapsed() < soak.lasting {
            self.send(100).await;
        }
    }

    fn end(self, watch: &mut Watch<'_>) {
        watch.count(&self.review.labels, self.sent);
    }
}

/// As they are counted.
struct Lines {
    refused: u64,
    lost: u64,
}

async fn lines(podfit: &Podfit) -> Lines {
    let page = podfit.metrics().await;
    let refused = page.counts("podfit_reviews_total").remove(&labels("validate", "CREATE", "denied"));
    Lines { refused: refused.unwrap_or_default(), lost: page.count("podfit_log_lines_lost_total") }
}

/// Reads whole lines for as long as there are any.
struct Reader {
    read: Arc<AtomicU64>,
    lines: JoinHandle<u64>,
}

impl Reader {
    fn start(pipe: ChildStderr) -> Self {
        let read = Arc::new(AtomicU64::new(0));
        let of_thread = Arc::clone(&read);
        let lines = thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let line = line.unwrap();
                serde_json::from_str::<serde_json::Value>(&line).unwrap_or_else(|_| panic!("no whole line: {line}"));
                of_thread.fetch_add(1, Ordering::Relaxed);
            }
            of_thread.load(Ordering::Relaxed)
        });
        Self { read, lines }
    }
}
