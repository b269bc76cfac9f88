//! The exported policies that the chart brings: that they are what `podfit export` prints, and what the chart makes of them.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{chart::template, folder, objects, of_kind, podfit, program, stdout, text};

/// `PODFIT_UPDATE_DOCUMENTATION=1` writes them.
#[test]
fn the_chart_brings_what_podfit_exports_of_its_policies() {
    for preset in ["default", "strict"] {
        let policies = tempfile::tempdir().expect("a folder of our own");
        for policy in [preset, "node-debug"].map(|name| format!("{name}.yaml")) {
            fs::copy(folder().join("policies").join(&policy), policies.path().join(&policy))
                .expect("a file of our own");
        }
        let exported = podfit(&["export", "--policy", policies.path().to_str().expect("a path of text")]);
        let (path, exported) = (checked_in(preset), stdout(&exported));
        if std::env::var_os("PODFIT_UPDATE_DOCUMENTATION").is_some() {
            fs::write(&path, exported).expect("the file can be written");
        } else {
            assert!(text(&path) == exported, "{} is not what podfit exports; just readme writes it", path.display());
        }
    }
}

#[test]
fn namespaces_are_the_charts_own_value() {
    let Some(helm) = program("helm", "the backstop as the chart renders it") else { return };
    for preset in ["default", "strict"] {
        let values = format!("--set=backstop.enabled=true,policies.preset={preset},excludedNamespaces={{a}}");
        let rendered = objects(&stdout(&template(&helm, &["--namespace=elsewhere", &values])));
        let binding = of_kind(&rendered, "ValidatingAdmissionPolicyBinding")[0];
        let selector = &binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"];
        assert_eq!(
            selector[0],
            json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["a", "elsewhere"]})
        );
        assert_eq!(selector[1], json!({"key": "podfit.dev/ignore", "operator": "NotIn", "values": ["true"]}));
        // Nothing else has changed on its way through the chart.
        let exported = objects(&text(&checked_in(preset)));
        let policy = of_kind(&rendered, "ValidatingAdmissionPolicy")[0];
        assert_eq!(policy["spec"], of_kind(&exported, "ValidatingAdmissionPolicy")[0]["spec"], "{preset}");
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    }
}

#[test]
fn objects_of_ones_own_are_left_to_oneself() {
    let Some(helm) = program("helm", "a backstop of one's own policies") else { return };
    let values = "--set=backstop.enabled=true,backstop.objects=false,policies.extra.shop.imageTag.mode=Deny";
    let rendered = objects(&stdout(&template(&helm, &[values])));
    let of_kind = |kind| of_kind(&rendered, kind).len();
    assert_eq!((of_kind("CronJob"), of_kind("ValidatingAdmissionPolicy")), (1, 0));
}

/// What belongs to podfit itself chooses by this label.
#[test]
fn no_service_finds_the_pod_of_the_check() {
    let rendered = objects(&text(&folder().join("overlays/backstop/podfit.yaml")));
    let pod: &Value = &of_kind(&rendered, "CronJob")[0]["spec"]["jobTemplate"]["spec"]["template"];
    let service = of_kind(&rendered, "Service")[0];
    let label = |value: &Value| value["app.kubernetes.io/name"].clone();
    assert_ne!(label(&pod["metadata"]["labels"]), label(&service["spec"]["selector"]));
}

fn checked_in(preset: &str) -> PathBuf {
    folder().join("chart/backstop").join(format!("{preset}.yaml"))
}
