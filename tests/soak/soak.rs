//! What all cases share: how long the trouble lasts, what must hold after it, and the table that is printed at the end.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{
    good::{Good, Manners, Tally},
    podfit::{Page, Podfit, Readings, wait_for},
    reviews::{Counts, Judge, Review},
};

const PODFIT_SOAK_SECONDS: &str = "PODFIT_SOAK_SECONDS";
const SHORT: Duration = Duration::from_secs(1);

/// What may stay resident of any trouble, in KiB: an allocator keeps some of what it has been given.
const MEMORY_KEPT: u64 = 12 << 10;
/// How long it may take to give it back.
const SETTLING: Duration = Duration::from_secs(15);

pub struct Soak {
    /// How long each case makes trouble.
    pub lasting: Duration,
    lines: Mutex<Vec<String>>,
}

/// podfit under good load, and how it was before.
pub struct Watch<'p> {
    pub good: Good,
    /// Of answers that are no good review's.
    pub counts: Counts,
    /// Of reviews that podfit may have answered for nobody.
    maybe: Counts,
    /// The log may lose lines.
    pub loses_lines: bool,
    /// What may stay resident, in KiB.
    pub memory_kept: u64,
    podfit: &'p Podfit,
    /// Without a connection, or with the last one of the admin port.
    descriptors: usize,
    before: Readings,
    page: Page,
    began: Instant,
}

/// On a runtime of the case's own: what it leaves behind goes with it.
pub fn block_on<T>(case: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(case)
}

impl Soak {
    pub fn new() -> Self {
        let seconds = env::var(PODFIT_SOAK_SECONDS).ok().map(|text| {
            Duration::from_secs(text.parse().unwrap_or_else(|_| panic!("{PODFIT_SOAK_SECONDS} is a number of seconds")))
        });
        Self { lasting: seconds.unwrap_or(SHORT), lines: Mutex::default() }
    }

    pub fn is_long(&self) -> bool {
        self.lasting > SHORT
    }

    /// A line of the table, or beside it.
    pub fn tell(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// A row without what a process that has ended cannot tell.
    pub fn tell_load(&self, name: &str, took: Duration, tally: &Tally) {
        self.tell(row(name, took, tally));
    }

    pub fn print(&self) {
        println!(
            "{:<26} {:>7} {:>7} {:>7} {:>7}  {:<20} files",
            "case", "seconds", "reviews", "p99 ms", "max ms", "MiB, at most, after"
        );
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("{line}");
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
        let first = Good::of(podfit, Arc::clone(&reviews), manners);
        first.wait(200).await;
        first.finish().await;
        wait_for("files after the first reviews", || (podfit.readings().descriptors <= descriptors).then_some(()));
        let page = podfit.metrics().await;
        podfit.forget_peak();
        let before = podfit.readings();
        let good = Good::of(podfit, reviews, manners);
        good.wait(20).await;
        Self {
            good,
            counts: Counts::new(),
            maybe: Counts::new(),
            loses_lines: false,
            memory_kept: MEMORY_KEPT,
            podfit,
            descriptors,
            before,
            page,
            began: Instant::now(),
        }
    }

    pub fn count(&mut self, labels: &str, answers: u64) {
        *self.counts.entry(labels.to_owned()).or_default() += answers;
    }

    pub fn count_all(&mut self, counts: &Counts) {
        for (labels, answers) in counts {
            self.count(labels, *answers);
        }
    }

    pub fn may_count(&mut self, labels: &str, answers: u64) {
        *self.maybe.entry(labels.to_owned()).or_default() += answers;
    }

    /// The good reviews go on for a moment, and then everything is as it was.
    pub async fn end(self, soak: &Soak, name: &str) -> Tally {
        let Self { good, counts, maybe, loses_lines, memory_kept, podfit, descriptors, before, page, began } = self;
        let settling = Instant::now();
        loop {
            good.wait(20).await;
            if podfit.readings().memory <= before.memory + memory_kept || settling.elapsed() > SETTLING {
                break;
            }
        }
        let tally = good.finish().await;
        wait_for("files as before", || (podfit.readings().descriptors <= descriptors).then_some(()));
        let now = podfit.metrics().await;
        assert_counted(&page, &now, [&counts, &tally.counts], &maybe);
        assert_eq!(now.count("podfit_in_flight_reviews"), 0);
        assert!(loses_lines || now.count("podfit_log_lines_lost_total") == 0, "log lines were lost");
        assert_eq!(podfit.admin("/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(podfit.admin("/readyz").await, (200, "ready\n".to_owned()));
        let after = podfit.readings();
        soak.tell(format!("{}  {}", row(name, began.elapsed(), &tally), columns(before, after)));
        let kept = after.memory.saturating_sub(before.memory);
        assert!(kept <= memory_kept, "{} KiB before, {} KiB after", before.memory, after.memory);
        tally
    }
}

/// `podfit_reviews_total` has grown by these answers, and by no more than those that may be.
fn assert_counted(before: &Page, now: &Page, answers: [&Counts; 2], maybe: &Counts) {
    const REVIEWS: &str = "podfit_reviews_total";
    let (before, now) = (before.counts(REVIEWS), now.counts(REVIEWS));
    let of = |counts: &Counts, labels: &str| counts.get(labels).copied().unwrap_or_default();
    for labels in now.keys().chain(answers.iter().flat_map(|counts| counts.keys())) {
        let counted = of(&now, labels) - of(&before, labels);
        let least = of(answers[0], labels) + of(answers[1], labels);
        let most = least + of(maybe, labels);
        assert!((least..=most).contains(&counted), "{REVIEWS}{labels} grew by {counted}, not {least} to {most}");
    }
}

fn row(name: &str, took: Duration, tally: &Tally) -> String {
    let [p99, longest] = [99, 100].map(|percent| 1000.0 * tally.took(percent).as_secs_f64());
    format!("{name:<26} {:>7.1} {:>7} {p99:>7.1} {longest:>7.1}", took.as_secs_f64(), tally.took.len())
}

fn columns(before: Readings, after: Readings) -> String {
    let mebibytes = |kibibytes: u64| format!("{:>6}", tenths((kibibytes * 10) >> 10));
    let memory = [before.memory, after.peak, after.memory].map(mebibytes).concat();
    format!("{memory:<20} {}", after.descriptors)
}

/// As a decimal number.
pub fn tenths(number: u64) -> String {
    format!("{}.{}", number / 10, number % 10)
}
