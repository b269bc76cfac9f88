//! What all cases share: how long the trouble lasts, what must hold after it, and the table that is printed at the end.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{
    cases::Case,
    good::{Load, Manners, Tally},
    podfit::{Page, Podfit, Readings, wait_for},
    reviews::{Counts, Judge, Review},
};

const PODFIT_SOAK_SECONDS: &str = "PODFIT_SOAK_SECONDS";
const SHORT: Duration = Duration::from_secs(1);

/// What may stay resident of any trouble, in KiB: an allocator keeps what it has been given for a while.
const MEMORY_KEPT: u64 = 24 << 10;

pub struct Soak {
    /// How long each case makes trouble.
    pub lasting: Duration,
    rows: Mutex<Vec<String>>,
}

/// podfit under good load, and how it was before.
pub struct Watch<'p> {
    pub load: Load,
    /// Of answers that are no good review's.
    pub counts: Counts,
    /// Of those that podfit may have judged for nobody.
    maybe: Counts,
    /// Whether the log may.
    pub loses_lines: bool,
    podfit: &'p Podfit,
    /// Without a connection, or that one which asked for it.
    descriptors: usize,
    before: Readings,
    page: Page,
    began: Instant,
}

impl Soak {
    pub fn new() -> Self {
        let seconds = env::var(PODFIT_SOAK_SECONDS).ok().map(|text| {
            Duration::from_secs(text.parse().unwrap_or_else(|_| panic!("{PODFIT_SOAK_SECONDS} is a number of seconds")))
        });
        Self { lasting: seconds.unwrap_or(SHORT), rows: Mutex::default() }
    }

    pub fn is_long(&self) -> bool {
        self.lasting > SHORT
    }

    pub fn run(&self, case: &Case) {
        (case.run)(self, case.name);
    }

    pub fn block_on<T>(&self, case: impl Future<Output = T>) -> T {
        Runtime::new().unwrap().block_on(case)
    }

    /// A row without what a process that has ended cannot tell.
    pub fn tell_load(&self, name: &str, took: Duration, tally: &Tally) {
        self.tell(load_row(name, took, tally));
    }

    /// A line of the table.
    pub fn tell(&self, line: String) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub fn print(&self) {
        println!(
            "{:<28} {:>8} {:>8} {:>8} {:>8} {:>22} {:>5}",
            "case", "seconds", "reviews", "p99 ms", "max ms", "MiB before, peak, after", "files"
        );
        for row in self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("{row}");
        }
    }
}

impl<'p> Watch<'p> {
    pub async fn begin(podfit: &'p Podfit, manners: Manners) -> Self {
        Self::with(podfit, vec![Judge::default().usual()], manners).await
    }

    /// The first reviews grow what every server needs once: stacks, tables, buffers.
    pub async fn with(podfit: &'p Podfit, reviews: Vec<Vec<Review>>, manners: Manners) -> Self {
        let reviews = Arc::new(reviews);
        // It has its files when it answers, which is later than the first line of its log.
        podfit.admin("/livez").await;
        let descriptors = podfit.readings().descriptors;
        let first = Load::of(podfit, Arc::clone(&reviews), manners.clone());
        first.wait(200).await;
        first.finish().await;
        wait_for("files after the first reviews", || (podfit.readings().descriptors <= descriptors).then_some(()));
        let page = podfit.metrics().await;
        podfit.forget_peak();
        let before = podfit.readings();
        let load = Load::of(podfit, reviews, manners);
        load.wait(20).await;
        Self {
            load,
            counts: Counts::new(),
            maybe: Counts::new(),
            loses_lines: false,
            podfit,
            descriptors,
            before,
            page,
            began: Instant::now(),
        }
    }

    pub fn count(&mut self, labels: String, answers: u64) {
        *self.counts.entry(labels).or_default() += answers;
    }

    pub fn may_count(&mut self, labels: &str, answers: u64) {
        *self.maybe.entry(labels.to_owned()).or_default() += answers;
    }

    /// The good load goes on for a moment, and then everything is as it was.
    pub async fn end(self, soak: &Soak, name: &str) -> Tally {
        let Self { load, mut counts, maybe, podfit, before, descriptors, .. } = self;
        load.wait(20).await;
        let tally = load.finish().await;
        for (labels, count) in &tally.counts {
            *counts.entry(labels.clone()).or_default() += count;
        }
        wait_for("files as before", || (podfit.readings().descriptors <= descriptors).then_some(()));
        let page = podfit.metrics().await;
        let (mut counted, was) = (page.labelled("podfit_reviews_total"), self.page.labelled("podfit_reviews_total"));
        counted.iter_mut().for_each(|(labels, count)| *count -= was.get(labels).copied().unwrap_or_default());
        counted.retain(|_, count| *count > 0);
        for (labels, most) in maybe {
            let more =
                counted.get(&labels).copied().unwrap_or_default() - counts.get(&labels).copied().unwrap_or_default();
            *counts.entry(labels).or_default() += more.min(most);
        }
        counts.retain(|_, count| *count > 0);
        assert_eq!(counted, counts, "podfit_reviews_total");
        assert_eq!(page.count("podfit_in_flight_reviews"), 0);
        assert!(self.loses_lines || page.count("podfit_log_lines_lost_total") == 0, "log lines were lost");
        assert_eq!(podfit.admin("/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(podfit.admin("/readyz").await, (200, "ready\n".to_owned()));
        let after = podfit.readings();
        soak.tell(row(name, self.began.elapsed(), &tally, before, after));
        let kept = after.memory.saturating_sub(before.memory);
        assert!(kept <= MEMORY_KEPT, "{} KiB before, {} KiB after", before.memory, after.memory);
        tally
    }
}

fn row(name: &str, took: Duration, tally: &Tally, before: Readings, after: Readings) -> String {
    let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
    let memory = [before.memory, after.peak, after.memory].map(|memory| format!("{:.1}", mebibytes(memory))).join(" ");
    format!("{} {memory:>22} {:>5}", load_row(name, took, tally), after.descriptors)
}

fn load_row(name: &str, took: Duration, tally: &Tally) -> String {
    let [p99, longest] = [tally.p99(), tally.longest()].map(|took| 1000.0 * took.as_secs_f64());
    format!("{name:<28} {:>8.1} {:>8} {p99:>8.1} {longest:>8.1}", took.as_secs_f64(), tally.took.len())
}
