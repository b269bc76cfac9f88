//! The manifests as they are checked in, held to podfit's own rules and to what they promise.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{KUSTOMIZATIONS, folder, objects, of_kind, podfit, stdout, text};

#[test]
fn policies_are_valid_one_by_one_and_together() {
    let policies = folder().join("policies");
    assert!(fs::read_dir(&policies).expect("deploy/policies").count() > 4);
    stdout(&podfit(&["policy", "validate", policies.to_str().expect("a path of text")]));
    for kustomization in KUSTOMIZATIONS.into_iter().filter(|name| *name != "overlays/cluster-policies") {
        let mounted = tempfile::tempdir().expect("a folder of our own");
        for (name, policy) in policies_of(kustomization) {
            fs::write(mounted.path().join(name), policy).expect("a file of our own");
        }
        stdout(&podfit(&["policy", "validate", mounted.path().to_str().expect("a path of text")]));
    }
}

/// The strictest policy, extended to podfit's own namespace, which it leaves alone otherwise.
#[test]
fn podfit_keeps_its_own_rules() {
    let scratch = tempfile::tempdir().expect("a folder of our own");
    let strict = text(&folder().join("policies/strict.yaml")).replace("\"podfit-system\"", "\"elsewhere\"");
    assert!(strict.contains("elsewhere"), "{strict}");
    let policy = scratch.path().join("strict.yaml");
    fs::write(&policy, strict).expect("a file of our own");
    for kustomization in KUSTOMIZATIONS {
        let manifests = folder().join(kustomization).join("podfit.yaml");
        let output = podfit(&["check", "-o", "json", "--fail-on", "warn", "--policy", path(&policy), path(&manifests)]);
        let report: Value = serde_json::from_str(&stdout(&output)).expect("a report is JSON");
        let judged = if kustomization == "overlays/backstop" { 2 } else { 1 };
        assert_eq!(report["summary"]["objects"], judged, "{kustomization}: the Deployment and the CronJob are judged");
        let findings = report["findings"].as_array().expect("findings").iter();
        let serious: Vec<_> =
            findings.filter(|finding| finding["mode"] == "Deny" || finding["mode"] == "Warn").collect();
        assert!(serious.is_empty(), "{kustomization}: {serious:?}");
    }
}

/// The Pod is as kubectl 1.36 makes it (`generateNodeDebugPod`); nobody else's goes through.
#[test]
fn the_pod_of_kubectl_debug_node_is_exempt_in_its_namespaces_only() {
    let scratch = tempfile::tempdir().expect("a folder of our own");
    let policies = scratch.path().join("policies");
    fs::create_dir(&policies).expect("a folder of our own");
    for policy in ["default.yaml", "node-debug.yaml"] {
        fs::copy(folder().join("policies").join(policy), policies.join(policy)).expect("a file of our own");
    }
    for (namespace, label, denied) in [
        ("default", "app.kubernetes.io/managed-by: kubectl-debug", false),
        ("default", "app.kubernetes.io/managed-by: Helm", true),
        ("shop", "app.kubernetes.io/managed-by: kubectl-debug", true),
    ] {
        let manifest = scratch.path().join("pod.yaml");
        fs::write(&manifest, format!("{NODE_DEBUGGER}  namespace: {namespace}\n  labels: {{{label}}}\n"))
            .expect("a file of our own");
        let output = podfit(&["check", "--policy", path(&policies), path(&manifest)]);
        assert_eq!(
            output.status.code(),
            Some(i32::from(denied)),
            "{namespace} {label}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

const NODE_DEBUGGER: &str = "\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: debugger
      image: busybox
      stdin: true
      tty: true
      terminationMessagePolicy: File
      volumeMounts: [{name: host-root, mountPath: /host}]
  nodeName: node-1
  hostNetwork: true
  hostPID: true
  hostIPC: true
  restartPolicy: Never
  tolerations: [{operator: Exists}]
  volumes: [{name: host-root, hostPath: {path: /}}]
metadata:
  name: node-debugger-node-1-x2x4z
";

#[test]
fn mutate_fails_open_everywhere() {
    for (kustomization, objects) in installed() {
        let webhooks = &of_kind(&objects, "MutatingWebhookConfiguration")[0]["webhooks"];
        assert_eq!(webhooks[0]["failurePolicy"], "Ignore", "{kustomization}");
        assert_eq!(webhooks[1], Value::Null, "{kustomization}");
        let validate = &of_kind(&objects, "ValidatingWebhookConfiguration")[0]["webhooks"][0]["failurePolicy"];
        let expected = if kustomization == "overlays/high-availability" { "Fail" } else { "Ignore" };
        assert_eq!(validate, expected, "{kustomization}");
    }
}

/// What is followed has no names beforehand: all namespaces by their metadata, and all policies with their status.
const OF_ALL: [(&str, &[&str]); 3] =
    [("namespaces", &["list", "watch"]), ("sizingpolicies", &["list", "watch"]), ("sizingpolicies/status", &["patch"])];

/// `create` too: podfit creates by server-side apply, whose request has a name. Only what the check of the backstop looks for
/// may have any name, and it may only look.
#[test]
fn every_permission_names_its_object_or_only_follows() {
    for (kustomization, objects) in installed() {
        for role in of_kind(&objects, "Role").into_iter().chain(of_kind(&objects, "ClusterRole")) {
            for rule in role["rules"].as_array().expect("rules") {
                let is_check = role["metadata"]["name"] == "podfit-backstop" && rule["verbs"] == json!(["list"]);
                let of_all = |&(resource, verbs): &(&str, &[&str])| {
                    rule["resources"] == json!([resource]) && rule["verbs"] == json!(verbs)
                };
                let names = rule["resourceNames"].as_array().map_or(0, Vec::len);
                assert!(is_check || names == 1 || OF_ALL.iter().any(of_all), "{kustomization}: {rule}");
                assert!(!rule.to_string().contains('*'), "{kustomization}: {rule}");
            }
        }
    }
}

/// Kubernetes applies Pod Security to the Pods of the namespace; this is what `restricted` asks.
#[test]
fn the_pods_are_restricted() {
    for (kustomization, objects) in installed() {
        let namespace = of_kind(&objects, "Namespace")[0];
        assert_eq!(
            namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted",
            "{kustomization}"
        );
        let deployments = of_kind(&objects, "Deployment").into_iter().map(|object| &object["spec"]["template"]);
        let jobs =
            of_kind(&objects, "CronJob").into_iter().map(|object| &object["spec"]["jobTemplate"]["spec"]["template"]);
        for pod in deployments.chain(jobs).map(|template| &template["spec"]) {
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{kustomization}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{kustomization}");
            let container = &pod["containers"][0]["securityContext"];
            assert_eq!(container["allowPrivilegeEscalation"], false, "{kustomization}");
            assert_eq!(container["readOnlyRootFilesystem"], true, "{kustomization}");
            assert_eq!(container["capabilities"]["drop"][0], "ALL", "{kustomization}");
        }
    }
}

/// An apply must not call podfit before it is there.
#[test]
fn nothing_that_podfit_is_called_for_comes_after_the_webhook_configurations() {
    for (kustomization, objects) in installed() {
        let kinds = objects.iter().map(|object| object["kind"].as_str().expect("a kind"));
        let after: Vec<_> = kinds.skip_while(|kind| !kind.ends_with("WebhookConfiguration")).skip(2).collect();
        let is_harmless =
            |kind: &str| matches!(kind, "Certificate" | "Issuer") || kind.starts_with("ValidatingAdmissionPolicy");
        assert!(after.iter().all(|kind| is_harmless(kind)), "{kustomization}: {after:?}");
    }
}

fn installed() -> Vec<(&'static str, Vec<Value>)> {
    let read = |kustomization| objects(&text(&folder().join(kustomization).join("podfit.yaml")));
    KUSTOMIZATIONS.into_iter().map(|kustomization| (kustomization, read(kustomization))).collect()
}

fn policies_of(kustomization: &str) -> Vec<(String, String)> {
    let objects = objects(&text(&folder().join(kustomization).join("podfit.yaml")));
    let maps = of_kind(&objects, "ConfigMap").into_iter();
    let data = maps.flat_map(|map| map["data"].as_object().expect("policies by file").clone());
    data.map(|(name, policy)| (name, policy.as_str().expect("policies are text").to_owned())).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
