//! What a person and a program read when podfit refuses a Pod.

use serde_json::{Value, json};

use super::{Case, Needs, case};
use crate::{
    cluster::wait_for,
    pods::{bad_container, pod},
    suite::Suite,
};

pub const CASES: &[Case] = &[
    case("kubectl_shows_every_finding_of_a_denial", Needs::Any, kubectl),
    case("a_program_reads_the_causes_of_a_denial", Needs::Any, causes),
    case("the_audit_log_tells_findings_and_mutations", Needs::Local, audit),
];

/// Of the bad container.
pub const DENIAL: &str = "admission webhook \"validate.podfit.dev\" denied the request: (1) container \"app\" has no CPU limit; \
     set resources.limits.cpu, such as 500m [rule resource-limits, policy default] (2) container \"app\" has no memory limit; set \
     resources.limits.memory, such as 256Mi [rule resource-limits, policy default] (3) container \"app\" uses the image \
     \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest [rule image-tag, policy default]";

fn kubectl(suite: &Suite) {
    let namespace = suite.namespace("denials");
    let manifest = pod("web", bad_container()).to_string();
    let shown = format!("Error from server (Forbidden): error when creating \"STDIN\": {DENIAL}\n");
    for more in [&[][..], &["--dry-run=server"]] {
        let arguments = [&["create", "-n", &namespace.name, "-f", "-"], more].concat();
        let printed = suite.cluster.kubectl(&arguments, &manifest);
        assert_eq!((printed.code, printed.output.as_str(), printed.error.as_str()), (1, "", shown.as_str()));
    }
    assert_eq!(suite.cluster.get(&format!("{}/web", namespace.path("pods"))).code, 404);
}

fn causes(suite: &Suite) {
    let namespace = suite.namespace("denials");
    let answer = suite.cluster.create(&namespace.path("pods"), &pod("web", bad_container()));
    let limit = |resource: &str, name: &str, example: &str| {
        json!({
            "reason": "FieldValueRequired",
            "message": format!("container \"app\" has no {name} limit; set resources.limits.{resource}, such as {example}"),
            "field": format!("spec.containers[0].resources.limits.{resource}"),
        })
    };
    let image = json!({
        "reason": "FieldValueForbidden",
        "message": "container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest",
        "field": "spec.containers[0].image",
    });
    let causes = [limit("cpu", "CPU", "500m"), limit("memory", "memory", "256Mi"), image];
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": DENIAL, "reason": "Forbidden",
        "details": {"name": "web", "kind": "Pod", "causes": causes}, "code": 403,
    });
    assert_eq!((answer.code, answer.body, answer.warnings), (403, status, vec![]));
}

fn audit(suite: &Suite) {
    let namespace = suite.namespace("denials");
    suite.cluster.create(&namespace.path("pods"), &pod("web", bad_container()));
    let annotations = wait_for("the event in the audit log", || {
        let log = suite.local().plane.audit_log();
        // Its last line may be half written.
        let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = events.find(|event| event["objectRef"]["namespace"] == *namespace.name)?;
        Some(event["annotations"].clone())
    });
    assert_eq!(annotations["validate.podfit.dev/findings"], "Deny:resource-limits/app Deny:image-tag/app");
    let mutation = annotations["mutation.webhook.admission.k8s.io/round_0_index_0"].as_str().unwrap();
    let expected = json!({"configuration": "podfit", "webhook": "mutate.podfit.dev", "mutated": true});
    assert_eq!(serde_json::from_str::<Value>(mutation).unwrap(), expected);
}
