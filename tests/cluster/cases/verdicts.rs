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
    /// By podfit, for these findings: all that stands behind the API server's words.
    Denied(&'static str),
    /// By the API server: code and message, whose `ROW` is the Pod's name.
    Refused(u16, &'static str),
}

use Becomes::{Allowed, Denied, Refused};

const NO_LIMITS: &str = "(1) container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m [rule resource-limits, policy default] \
    (2) container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi [rule resource-limits, policy default]";

/// Name, changes to the good container, changes to the Pod, and what becomes of it.
fn table() -> Vec<(&'static str, Value, Value, Becomes)> {
    let nothing = || json!({});
    let limits = |cpu: &str, memory: &str| json!({"resources": {"limits": {"cpu": cpu, "memory": memory}}});
    let image = |reference: &str| json!({"image": reference});
    let init = |container: Value| json!({"spec": {"initContainers": [container]}});
    let model = |reference: &str| json!({"spec": {"volumes": [{"name": "model", "image": {"reference": reference}}]}});
    let of_pod = |limits: Value| json!({"spec": {"resources": {"limits": limits}}});
    let twice = json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]});
    let pinned = format!("example.com/app:latest@sha256:{}", "a".repeat(64));
    vec![
        ("good", nothing(), nothing(), Allowed(&[])),
        ("no limits", json!({"resources": null}), nothing(), Denied(NO_LIMITS)),
        (
            "memory of no digits",
            limits("1", "Mi"),
            nothing(),
            Denied(
                "container \"app\" has the memory limit 0, which means no limit; write an amount such as 256Mi [rule resource-limits, policy default]",
            ),
        ),
        (
            "a limit of zero",
            limits("0", "256Mi"),
            nothing(),
            Denied(
                "container \"app\" has the CPU limit 0, which means no limit; write an amount such as 500m [rule resource-limits, policy default]",
            ),
        ),
        ("as typed", limits("+1", "268435456."), nothing(), Allowed(&[])),
        ("an exponent", limits("1E3", "1e9"), nothing(), Allowed(&[])),
        ("absurd", limits("1E999999", "1e40"), nothing(), Allowed(&[])),
        (
            "milli-bytes",
            limits("1", "128m"),
            nothing(),
            Allowed(&[
                "spec.containers[0].resources.limits[memory]: fractional byte value \"128m\" is invalid, must be an integer",
                "spec.containers[0].resources.requests[memory]: fractional byte value \"128m\" is invalid, must be an integer",
            ]),
        ),
        (
            "below zero",
            limits("-1", "256Mi"),
            nothing(),
            Refused(
                422,
                "Pod \"ROW\" is invalid: [spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0, \
             spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0]",
            ),
        ),
        (
            "a suffix that is none",
            limits("1K", "256Mi"),
            nothing(),
            Refused(400, "Pod in version \"v1\" cannot be handled as a Pod: unable to parse quantity's suffix"),
        ),
        (
            "empty",
            limits("", "256Mi"),
            nothing(),
            Refused(
                400,
                "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            ),
        ),
        (
            "latest",
            image("example.com/app:latest"),
            nothing(),
            Denied(
                "container \"app\" uses the image \"example.com/app:latest\", whose tag \"latest\" is not fixed; write a fixed tag or a digest [rule image-tag, policy default]",
            ),
        ),
        (
            "a registry with a port",
            image("registry:5000/app"),
            nothing(),
            Denied(
                "container \"app\" uses the image \"registry:5000/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest [rule image-tag, policy default]",
            ),
        ),
        (
            "upper-case",
            image("App"),
            nothing(),
            Denied(
                "container \"app\" has the image \"App\": upper case in the repository; write it in lower case [rule image-tag, policy default]",
            ),
        ),
        (
            "a scheme",
            image("docker://app:1"),
            nothing(),
            Denied(
                "container \"app\" has the image \"docker://app:1\": a URL; leave out everything up to `://` [rule image-tag, policy default]",
            ),
        ),
        ("a digest beside latest", image(&pinned), nothing(), Allowed(&[])),
        (
            "an image with a space",
            image(" example.com/app:1"),
            nothing(),
            Refused(
                422,
                "Pod \"ROW\" is invalid: spec.containers[0].image: Invalid value: \" example.com/app:1\": must not have leading or trailing whitespace",
            ),
        ),
        (
            "an image volume",
            nothing(),
            model("example.com/model"),
            Denied(
                "volume \"model\" uses the image \"example.com/model\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest [rule image-tag, policy default]",
            ),
        ),
        ("an image volume with a tag", nothing(), model("example.com/model:7"), Allowed(&[])),
        ("limits of the Pod", json!({"resources": null}), of_pod(json!({"cpu": "1", "memory": "256Mi"})), Allowed(&[])),
        ("a limit of each", json!({"resources": {"limits": {"cpu": null}}}), of_pod(json!({"cpu": "2"})), Allowed(&[])),
        (
            "an init container",
            nothing(),
            init(json!({"name": "app", "image": "example.com/init"})),
            Refused(422, "Pod \"ROW\" is invalid: spec.initContainers[0].name: Duplicate value: \"app\""),
        ),
        (
            "an init container without a CPU limit",
            nothing(),
            init(json!({"name": "init", "image": "example.com/init:1", "resources": {"limits": {"memory": "1Gi"}}})),
            Denied(
                "init container \"init\" has no CPU limit; set resources.limits.cpu, such as 500m [rule resource-limits, policy default]",
            ),
        ),
        (
            "a sidecar without a CPU limit",
            nothing(),
            init(
                json!({"name": "side", "image": "example.com/side:1", "restartPolicy": "Always", "resources": {"limits": {"memory": "1Gi"}}}),
            ),
            Denied(
                "sidecar \"side\" has no CPU limit; set resources.limits.cpu, such as 500m [rule resource-limits, policy default]",
            ),
        ),
        (
            "a probe of a sidecar",
            nothing(),
            init(with(
                good_container(),
                &json!({
            "name": "side", "restartPolicy": "Always", "readinessProbe": {"tcpSocket": {"port": "nobody"}}}),
            )),
            Allowed(&[]),
        ),
        ("a restart policy of a regular container", json!({"restartPolicy": "Always"}), nothing(), Allowed(&[])),
        (
            "a variable twice",
            twice,
            nothing(),
            Allowed(&[
                "spec.containers[0].env[5]: hides previous definition of \"A\", which may be dropped when using apply",
            ]),
        ),
        ("a strange variable", json!({"env": [{"name": "A B;C", "value": "1"}]}), nothing(), Allowed(&[])),
        ("containers of null", nothing(), json!({"spec": {"containers": null}}), Refused(422, NO_CONTAINERS)),
        ("no containers", nothing(), json!({"spec": {"containers": []}}), Refused(422, NO_CONTAINERS)),
        (
            "a mirror Pod of a person",
            json!({"resources": null}),
            json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "abc"}}, "spec": {"nodeName": "n1"}}),
            Denied(NO_LIMITS),
        ),
    ]
}

const NO_CONTAINERS: &str = "Pod \"ROW\" is invalid: spec.containers: Required value";

fn rows(suite: &Suite) {
    let namespace = suite.namespace("verdicts");
    for (index, (name, container, changes, becomes)) in table().into_iter().enumerate() {
        let pod_name = format!("row-{index}");
        let sent = with(pod(&pod_name, with(good_container(), &container)), &changes);
        let answer = suite.cluster.create(&namespace.path("pods"), &sent);
        let (code, message, warnings) = match becomes {
            Allowed(warnings) => (201, String::new(), warnings),
            Denied(findings) => {
                (403, format!("admission webhook \"validate.podfit.dev\" denied the request: {findings}"), &[][..])
            }
            Refused(code, message) => (code, message.replace("ROW", &pod_name), &[][..]),
        };
        assert_eq!(
            (answer.code, answer.message(), &answer.warnings[..]),
            (code, message.as_str(), &owned(warnings)[..]),
            "{name}"
        );
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
