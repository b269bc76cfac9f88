//! What becomes of a Pod: podfit's answer, or the API server's own where that comes first. One row of `verdicts.yaml` per Pod.

use podfit::manifest;
use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    pods::{good_container, pod, with},
    suite::Suite,
};

pub const CASES: &[Case] = &[case("every_verdict_on_a_pod", Needs::Any, rows)];

const ROWS: &str = include_str!("verdicts.yaml");

fn rows(suite: &Suite) {
    let (namespace, minor) = (suite.namespace("verdicts"), suite.cluster.minor());
    let rows: Value = serde_json::from_str(&manifest::read(ROWS).remove(0).unwrap().json).unwrap();
    let is_known = |row: &&Value| row["since"].as_u64().is_none_or(|since| since <= minor);
    for (index, row) in rows["rows"].as_array().unwrap().iter().filter(is_known).enumerate() {
        let name = format!("row-{index}");
        let changed = |change: &Value, of: Value| if change.is_null() { of } else { with(of, change) };
        let sent = changed(&row["pod"], pod(&name, changed(&row["container"], good_container())));
        let answer = suite.cluster.create(&namespace.path("pods"), &sent);
        let (code, message, warnings) = becomes(row, &name);
        let got = json!([answer.code, answer.message(), answer.warnings]);
        assert_eq!(got, json!([code, message, warnings]), "{}", row["name"]);
    }
}

/// Code, message and warnings of the answer.
fn becomes(row: &Value, name: &str) -> (u64, String, Value) {
    let message = row["message"].as_str().unwrap_or_default().replace("$ROW", name);
    match row["denied"].as_str() {
        Some(findings) => {
            (403, format!("admission webhook \"validate.podfit.dev\" denied the request: {findings}"), json!([]))
        }
        None if row["refused"].is_u64() => (row["refused"].as_u64().unwrap(), message, json!([])),
        None => (201, String::new(), row["warnings"].as_array().cloned().unwrap_or_default().into()),
    }
}
