//! What the webhooks cost, as the API server's own metrics have it. Printed after the last case, and for the unhurried part of the
//! load. The API server's buckets begin at 5 ms and are wide, so that only the mean is exact.

use std::collections::BTreeMap;

use crate::cluster::Cluster;

const METRIC: &str = "apiserver_admission_webhook_admission_duration_seconds_";

/// By webhook and operation.
#[derive(Default)]
pub struct Latency(BTreeMap<(String, String), Histogram>);

#[derive(Default)]
struct Histogram {
    seconds: f64,
    /// Upper bounds in seconds, with how many calls took at most so long.
    buckets: Vec<(f64, f64)>,
}

impl Latency {
    pub fn read(cluster: &Cluster) -> Self {
        Self::of(&cluster.get_text("/metrics"))
    }

    fn of(page: &str) -> Self {
        let mut latency = Self::default();
        for (kind, sample) in page.lines().filter_map(|line| line.strip_prefix(METRIC)?.split_once('{')) {
            let (labels, value) = sample.rsplit_once(' ').unwrap();
            let histogram = latency.0.entry((label(labels, "name"), label(labels, "operation"))).or_default();
            // The refused and the others are counted apart.
            match kind {
                "bucket" => histogram.add(label(labels, "le").parse().unwrap(), value.parse().unwrap()),
                "sum" => histogram.seconds += value.parse::<f64>().unwrap(),
                _ => {}
            }
        }
        latency
    }

    /// What came since.
    pub fn since(mut self, before: &Self) -> Self {
        for (key, old) in &before.0 {
            let new = self.0.get_mut(key).unwrap();
            new.seconds -= old.seconds;
            for (bound, count) in &old.buckets {
                new.add(*bound, -count);
            }
        }
        self
    }

    pub fn print(&self) {
        println!(
            "\n{:<24} {:<10} {:>8} {:>8} {:>8} {:>8}",
            "webhook", "operation", "calls", "mean ms", "p50 ms", "p99 ms"
        );
        for ((name, operation), histogram) in &self.0 {
            let calls = histogram.calls();
            let [mean, p50, p99] = [histogram.seconds / calls, histogram.quantile(0.5), histogram.quantile(0.99)]
                .map(|seconds| 1000.0 * seconds);
            println!("{name:<24} {operation:<10} {calls:>8} {mean:>8.2} {p50:>8.2} {p99:>8.2}");
        }
        println!();
    }
}

fn label(labels: &str, name: &str) -> String {
    let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

impl Histogram {
    fn add(&mut self, bound: f64, count: f64) {
        match self.buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
            Some((_, sum)) => *sum += count,
            None => self.buckets.push((bound, count)),
        }
    }

    fn calls(&self) -> f64 {
        self.buckets.last().map_or(0.0, |(_, count)| *count)
    }

    /// As Prometheus' `histogram_quantile`: linear within the bucket.
    fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.calls();
        let (mut below, mut counted) = (0.0, 0.0);
        for (bound, count) in &self.buckets {
            if *count >= rank {
                let within = if *count > counted { (rank - counted) / (count - counted) } else { 0.0 };
                return if bound.is_finite() { below + (bound - below) * within } else { below };
            }
            (below, counted) = (*bound, *count);
        }
        below
    }
}
