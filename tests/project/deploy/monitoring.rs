//! Alerts and dashboard ask for what the server really prints: every metric by its name, every series by its labels.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Child, Command, Stdio},
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

/// The page of a server that runs as a user would start it.
fn metrics() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_podfit"));
    command.arg("serve").args(["--listen=127.0.0.1:0", &format!("--admin-listen=127.0.0.1:{port}"), "--log-level=off"]);
    let _server = Server(command.stderr(Stdio::inherit()).spawn().expect("podfit serves"));
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let output = Command::new("curl").args(["-sf", &format!("http://127.0.0.1:{port}/metrics")]).output();
        let output = output.expect("curl runs");
        if output.status.success() {
            return String::from_utf8(output.stdout).expect("the page is text");
        }
        assert!(Instant::now() < deadline, "the server does not answer: {}", output.status);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
