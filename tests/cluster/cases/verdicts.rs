//! What becomes of a Pod: podfit's answer, or the API server's own where that comes first. One row per Pod.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    pods::{good_container, pod, with},
    suite::Suite,
};

pub const CASES: &[Case] = &[case("every_verdict_on_a_pod", Needs::Any, rows)];

enum Becomes {
    /// With these warnings.
    Allowed(&'static [&'static str]),
    /// By podfit, for these findings.
    Denied(&'static str),
    /// By the API server: code and a part of its message.
    Refused(u16, &'static str),
}

use Becomes::{Allowed, Denied, Refused};

/// Name, changes to the good container, changes to the Pod's spec, and what becomes of it.
fn table() -> Vec<(&'static str, Value, Value, Becomes)> {
    let nothing = || json!({});
    let limits = |cpu: &str, memory: &str| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
    let image = |reference: &str| json!({"image": reference});
    let init = |container: Value| json!({"initContainers": [container]});
    let pinned = format!("example.com/app:latest@sha256:{}", "a".repeat(64));
    let model = |reference: &str| json!({"volumes": [{"name": "model", "image": {"reference": reference}}]});
    vec![
        ("good", nothing(), nothing(), Allowed(&[])),
        ("no limits", json!({"resources": null}), nothing(), Denied("?")),
        ("memory of no digits", limits("1", "Mi"), nothing(), Denied("?")),
        ("a limit of zero", limits("0", "256Mi"), nothing(), Denied("?")),
        ("as typed", limits("+1", "268435456."), nothing(), Allowed(&[])),
        ("an exponent", limits("1E3", "1e9"), nothing(), Allowed(&[])),
        ("absurd", limits("1E999999", "1e40"), nothing(), Allowed(&[])),
        ("milli-bytes", limits("1", "128m"), nothing(), Allowed(&["?"])),
        ("below zero", limits("-1", "256Mi"), nothing(), Refused(422, "?")),
        ("a suffix that is none", limits("1K", "256Mi"), nothing(), Refused(400, "?")),
        ("empty", limits("", "256Mi"), nothing(), Refused(400, "?")),
        ("latest", image("example.com/app:latest"), nothing(), Denied("?")),
        ("a registry with a port", image("registry:5000/app"), nothing(), Denied("?")),
        ("upper-case", image("App"), nothing(), Denied("?")),
        ("a scheme", image("docker://app:1"), nothing(), Denied("?")),
        ("a digest beside latest", image(&pinned), nothing(), Allowed(&[])),
        ("an image with a space", image(" example.com/app:1"), nothing(), Refused(422, "?")),
        ("an image volume", nothing(), model("example.com/model"), Denied("?")),
        ("an image volume with a tag", nothing(), model("example.com/model:7"), Allowed(&[])),
        (
            "limits of the Pod",
            json!({"resources": null}),
            json!({"resources": {"limits": {"cpu": "1", "memory": "256Mi"}}}),
            Allowed(&[]),
        ),
        (
            "one limit of the Pod",
            json!({"resources": {"limits": {"cpu": null}}}),
            json!({"resources": {"limits": {"cpu": "2"}}}),
            Allowed(&[]),
        ),
        ("an init container", nothing(), init(json!({"name": "init", "image": "example.com/init"})), Denied("?")),
        (
            "a sidecar",
            nothing(),
            init(json!({"name": "side", "image": "example.com/side:1", "restartPolicy": "Always"})),
            Denied("?"),
        ),
        (
            "a variable twice",
            json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
            nothing(),
            Allowed(&["?"]),
        ),
        ("a strange variable", json!({"env": [{"name": "A B;C", "value": "1"}]}), nothing(), Allowed(&[])),
        ("containers of null", nothing(), json!({"containers": null}), Refused(422, "?")),
        ("no containers", nothing(), json!({"containers": []}), Refused(422, "?")),
        ("a mirror Pod of a person", json!({"resources": null}), nothing(), Denied("?")),
    ]
}

fn rows(suite: &Suite) {
    let namespace = suite.namespace("verdicts");
    for (index, (name, container, spec, becomes)) in table().into_iter().enumerate() {
        let mut sent = pod(&format!("row-{index}"), with(good_container(), &container));
        json_patch::merge(&mut sent["spec"], &spec);
        let answer = suite.cluster.create(&namespace.path("pods"), &sent);
        println!("{name}: {} {} {:?}", answer.code, answer.message(), answer.warnings);
        match becomes {
            Allowed(warnings) => println!("  allowed {}", warnings.len()),
            Denied(findings) => println!("  denied {findings}"),
            Refused(code, part) => println!("  refused {code} {part}"),
        }
    }
}
