//! Alerts and dashboard ask for what the server really prints: every metric by its name, every series by its labels.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener},
    process::{Child, Command},
    time::{Duration, Instant},
};

use super::{folder, text};

#[test]
fn every_metric_that_is_asked_for_is_one_of_the_servers() {
    let page = metrics();
    let known = names_on(&page);
    for file in ["chart/alerts.yaml", "dashboards/podfit.json"] {
        let asked = selectors(&text(&folder().join(file)));
        assert!(asked.len() > 4, "{file}: {asked:?}");
        for (name, labels) in asked {
            assert!(known.contains(&name), "{file}: the server has no {name}, only {known:?}");
            let has = |line: &str| line.starts_with(&name) && labels.iter().all(|label| line.contains(label));
            assert!(labels.is_empty() || page.lines().any(has), "{file}: the server has no {name}{{{labels:?}}}");
        }
    }
}

/// Metrics by the names that a query knows them by, from the types that the page gives.
fn names_on(page: &str) -> BTreeSet<String> {
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    families
        .flat_map(|(name, kind)| match kind {
            "counter" => vec![format!("{name}_total")],
            "info" => vec![format!("{name}_info")],
            "histogram" => ["bucket", "count", "sum"].map(|end| format!("{name}_{end}")).to_vec(),
            _ => vec![name.to_owned()],
        })
        .collect()
}

/// Names that begin with `podfit_`, each with the `label="value"` pairs that its selector asks for.
fn selectors(text: &str) -> Vec<(String, Vec<String>)> {
    let text = text.replace("\\\"", "\"");
    let starts = text.match_indices("podfit_").map(|(start, _)| &text[start..]);
    starts
        .map(|rest| {
            let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
            let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
            let labels = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
            (name.to_owned(), labels.split_terminator(',').map(str::to_owned).collect())
        })
        .collect()
}

/// The page of a server that has judged a review: the library leaves out what was never counted.
fn metrics() -> String {
    let [webhook, admin] = [free_port(), free_port()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_podfit"));
    command.arg("serve").args([format!("--listen={webhook}"), format!("--admin-listen={admin}")]);
    let _server = Server(command.arg("--log-level=off").spawn().expect("podfit serves"));
    let review = concat!("@", env!("CARGO_MANIFEST_DIR"), "/examples/review.json");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        curl(&["--insecure", "--data-binary", review, &format!("https://{webhook}/mutate")]);
        let page = curl(&[&format!("http://{admin}/metrics")]).unwrap_or_default();
        if page.contains("podfit_skipped_total") {
            return page;
        }
        assert!(Instant::now() < deadline, "no skip was counted: {page}");
    }
}

fn curl(arguments: &[&str]) -> Option<String> {
    let output = Command::new("curl").args(["--silent", "--fail"]).args(arguments).output().expect("curl runs");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("the page is text"))
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
