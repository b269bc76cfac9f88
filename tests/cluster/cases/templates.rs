//! Workloads are warned of what their Pods would be refused for; `templates: Deny` refuses them.

use serde_json::{Value, json};

use super::{Case, Needs, case, denials::DENIAL};
use crate::{
    pods::{bad_container, good_container, with, workload},
    suite::Suite,
};

pub const CASES: &[Case] = &[
    case("every_kind_of_workload_is_warned", Needs::Any, kinds),
    case("kubectl_shows_the_warnings_of_a_template", Needs::Any, kubectl),
    case("a_template_is_denied_where_the_policy_says_so", Needs::Any, denied),
];

/// Of the bad container of a Deployment.
const WARNINGS: [&str; 3] = [
    "spec.template.spec.containers[0].resources.limits.cpu: container \"app\" has no CPU limit; set resources.limits.cpu, such as 500m [resource-limits]",
    "spec.template.spec.containers[0].resources.limits.memory: container \"app\" has no memory limit; set resources.limits.memory, such as 256Mi [resource-limits]",
    "spec.template.spec.containers[0].image: container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest [image-tag]",
];

fn kinds(suite: &Suite) {
    for (container, warnings) in [(bad_container(), &WARNINGS[..]), (good_container(), &[])] {
        let namespace = suite.namespace("templates");
        for (resource, object) in every_kind(&container) {
            let answer = suite.cluster.create(&namespace.path(resource), &object);
            let prefix = match resource {
                "podtemplates" => "template.",
                "cronjobs" => "spec.jobTemplate.spec.template.",
                _ => "spec.template.",
            };
            let expected: Vec<_> =
                warnings.iter().map(|warning| warning.replacen("spec.template.", prefix, 1)).collect();
            assert_eq!(answer.warnings, expected, "{resource}");
            answer.object();
        }
    }
}

fn every_kind(container: &Value) -> Vec<(&'static str, Value)> {
    let pod = |restart: &str| json!({"restartPolicy": restart, "containers": [container]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": pod("Always")});
    let job = json!({"template": {"spec": pod("Never")}});
    let of_core =
        |kind: &str, rest: Value| with(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "web"}}), &rest);
    let of_batch = |kind: &str, spec: Value| json!({"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec});
    vec![
        ("deployments", workload("Deployment", "web", container.clone())),
        ("replicasets", workload("ReplicaSet", "web", container.clone())),
        ("statefulsets", workload("StatefulSet", "web", container.clone())),
        ("daemonsets", workload("DaemonSet", "web", container.clone())),
        ("replicationcontrollers", of_core("ReplicationController", json!({"spec": {"template": template}}))),
        ("podtemplates", of_core("PodTemplate", json!({"template": template}))),
        ("jobs", of_batch("Job", job.clone())),
        ("cronjobs", of_batch("CronJob", json!({"schedule": "0 4 * * *", "jobTemplate": {"spec": job}}))),
    ]
}

fn kubectl(suite: &Suite) {
    let namespace = suite.namespace("templates");
    let manifest = workload("Deployment", "web", bad_container()).to_string();
    let shown: String = WARNINGS.map(|warning| format!("Warning: {warning}\n")).concat();
    let as_errors = format!("{shown}error: 3 warnings received\n");
    for (more, code, output, error) in [
        (&["--dry-run=server"][..], 0, "deployment.apps/web created (server dry run)\n", shown.as_str()),
        (
            &["--dry-run=server", "--warnings-as-errors"],
            1,
            "deployment.apps/web created (server dry run)\n",
            &as_errors,
        ),
        (&[], 0, "deployment.apps/web created\n", &shown),
        (&[], 0, "deployment.apps/web unchanged\n", ""),
    ] {
        let arguments = [&["apply", "-n", &namespace.name, "-f", "-"], more].concat();
        let printed = suite.cluster.kubectl(&arguments, &manifest);
        assert_eq!((printed.code, printed.output.as_str(), printed.error.as_str()), (code, output, error), "{more:?}");
    }
}

/// A blank image stands for one that a trigger fills in: the API takes it in templates alone.
fn denied(suite: &Suite) {
    let namespace = suite.namespace("strict");
    let create = |container: Value| {
        suite.cluster.create(&namespace.path("deployments"), &workload("Deployment", "web", container))
    };
    let answer = create(bad_container());
    assert_eq!((answer.code, answer.message()), (403, DENIAL.replace("policy default", "policy strict").as_str()));
    let blank = create(with(good_container(), &json!({"image": " "})));
    assert_eq!(blank.warnings, [""; 0]);
    blank.object();
}
