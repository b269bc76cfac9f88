//! What the webhooks cost, as the API server's own metrics have it. Printed after the last case.

use std::collections::BTreeMap;

use crate::cluster::Cluster;

const METRIC: &str = "apiserver_admission_webhook_admission_duration_seconds_bucket";

pub fn print(cluster: &Cluster) {
    let page = cluster.get_text("/metrics");
    println!("\n{:<24} {:<10} {:>8} {:>10} {:>10}", "webhook", "operation", "calls", "p50 ms", "p99 ms");
    for ((name, operation), buckets) in histograms(&page) {
        let calls = buckets.last().map_or(0.0, |(_, count)| *count);
        let [p50, p99] = [0.5, 0.99].map(|share| 1000.0 * quantile(&buckets, share));
        println!("{name:<24} {operation:<10} {calls:>8} {p50:>10.2} {p99:>10.2}");
    }
    println!();
}

type Histograms = BTreeMap<(String, String), Vec<(f64, f64)>>;

/// Upper bounds in seconds with how many calls took at most so long, by webhook and operation.
pub fn histograms(page: &str) -> Histograms {
    let mut histograms = Histograms::new();
    for line in page.lines().filter(|line| line.starts_with(METRIC)) {
        let (labels, count) = line[METRIC.len()..].rsplit_once(' ').unwrap();
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let bound: f64 = label("le").parse().unwrap();
        let buckets = histograms.entry((label("name"), label("operation"))).or_default();
        // The refused and the others are counted apart.
        match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
            Some((_, sum)) => *sum += count.parse::<f64>().unwrap(),
            None => buckets.push((bound, count.parse().unwrap())),
        }
    }
    histograms
}

/// As Prometheus' `histogram_quantile`: linear within the bucket.
pub fn quantile(buckets: &[(f64, f64)], share: f64) -> f64 {
    let rank = share * buckets.last().map_or(0.0, |(_, count)| *count);
    let (mut below, mut counted) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank {
            let within = if *count > counted { (rank - counted) / (count - counted) } else { 0.0 };
            return if bound.is_finite() { below + (bound - below) * within } else { below };
        }
        (below, counted) = (*bound, *count);
    }
    below
}
