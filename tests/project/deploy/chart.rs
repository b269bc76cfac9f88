//! The chart, by helm: that what is checked in is what it renders, what its values do and which it refuses.

use std::{collections::BTreeMap, path::Path, process::Output};

use serde_json::{Value, json};

use super::{folder, objects, of_kind, podfit, program, stdout, text, with_program};

#[test]
fn what_is_checked_in_is_what_the_chart_renders() {
    let Some(helm) = program("helm", "deploy/ as the chart renders it") else { return };
    let rendered = tempfile::tempdir().expect("a folder of our own");
    let mut command = with_program("bash", &helm);
    stdout(&command.arg(folder().join("render.sh")).arg(rendered.path()).output().expect("bash runs"));
    let found = files(rendered.path());
    assert!(found.len() > 10, "render.sh wrote {found:?}");
    let checked_in: BTreeMap<_, _> = files(&folder()).into_iter().filter(|(path, _)| is_rendered(path)).collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), checked_in.keys().collect::<Vec<_>>(), "just deploy writes them");
    for (path, text) in found {
        assert!(text == checked_in[&path], "deploy/{path} is not what the chart renders; just deploy writes it");
    }
}

#[test]
fn the_crd_is_the_one_that_podfit_prints() {
    let printed = stdout(&podfit(&["policy", "crd"]));
    for path in ["chart/crds/sizingpolicies.yaml", "overlays/cluster-policies/crd.yaml"] {
        assert!(text(&folder().join(path)) == printed, "deploy/{path} is another; just deploy writes it");
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = &objects(&text(&folder().join("chart/Chart.yaml")))[0];
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn excluded_namespaces_are_one_value() {
    let Some(helm) = program("helm", "the value excludedNamespaces") else { return };
    let arguments = [
        "--namespace=elsewhere",
        "--set=excludedNamespaces={a,b}",
        "--set=policies.preset=default,policies.httpServices=true",
    ];
    let objects = objects(&stdout(&template(&helm, &arguments)));
    let expected = json!(["a", "b", "elsewhere"]);
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let selector = &of_kind(&objects, kind)[0]["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
        let names = json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": expected});
        assert_eq!(*selector, names, "{kind}");
    }
    let policies: Vec<Value> = of_kind(&objects, "ConfigMap")[0]["data"]
        .as_object()
        .expect("policies by file")
        .values()
        .flat_map(|policy| super::objects(policy.as_str().expect("policies are text")))
        .filter(|policy| policy["metadata"]["name"] != "node-debug")
        .collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        assert_eq!(policy["spec"]["match"]["excludeNamespaces"], expected);
    }
}

#[test]
fn values_do_what_they_say() {
    let Some(helm) = program("helm", "the values of the chart") else { return };
    for (values, kind, pointer, expected) in VALUES {
        let objects = objects(&stdout(&template(&helm, &["--set", values])));
        let found = of_kind(&objects, kind)[0].pointer(pointer).cloned().unwrap_or_default();
        let expected: Value = serde_json::from_str(expected).expect("JSON of our own");
        assert_eq!(found, expected, "{values}: {kind} {pointer}");
    }
}

/// Values, then what stands in which object, as JSON.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("", "MutatingWebhookConfiguration", "/webhooks/0/failurePolicy", r#""Ignore""#),
    ("", "ValidatingWebhookConfiguration", "/webhooks/0/failurePolicy", r#""Ignore""#),
    (CLOSED, "MutatingWebhookConfiguration", "/webhooks/0/failurePolicy", r#""Ignore""#),
    (CLOSED, "ValidatingWebhookConfiguration", "/webhooks/0/failurePolicy", r#""Fail""#),
    ("timeoutSeconds=2", "MutatingWebhookConfiguration", "/webhooks/0/timeoutSeconds", "2"),
    ("replicas=2", "PodDisruptionBudget", "/spec/maxUnavailable", "1"),
    ("replicas=2", "Deployment", "/spec/template/spec/topologySpreadConstraints/0/maxSkew", "1"),
    ("replicas=1", "Deployment", "/spec/template/spec/topologySpreadConstraints", "null"),
    ("priorityClass.create=true", "Deployment", "/spec/template/spec/priorityClassName", r#""podfit""#),
    ("priorityClass.name=high", "Deployment", "/spec/template/spec/priorityClassName", r#""high""#),
    ("image.repository=a.example/b,image.tag=1.0", "Deployment", IMAGE, r#""a.example/b:1.0""#),
    (
        "image.tag=1.0,image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "Deployment",
        IMAGE,
        r#""podfit:1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
    ),
    ("networkPolicy.metricsFrom=null", "NetworkPolicy", "/spec/ingress/1", "null"),
    ("certificates.source=cert-manager", "NetworkPolicy", "/spec/egress", "null"),
    ("certificates.source=cert-manager", "NetworkPolicy", "/spec/policyTypes", r#"["Ingress","Egress"]"#),
    (
        "certificates.source=cert-manager",
        "ValidatingWebhookConfiguration",
        "/metadata/annotations/cert-manager.io~1inject-ca-from",
        r#""podfit-system/podfit""#,
    ),
    (OWN_ISSUER, "Certificate", "/spec/issuerRef/name", r#""ours""#),
    (
        OWN_SECRET,
        "ValidatingWebhookConfiguration",
        "/webhooks/0/clientConfig/caBundle",
        r#""LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t""#,
    ),
    (OWN_SECRET, "Deployment", "/spec/template/spec/volumes/1/secret/secretName", r#""pair""#),
    ("monitoring.serviceMonitor.enabled=true", "ServiceMonitor", "/spec/endpoints/0/port", r#""admin""#),
    (
        "monitoring.prometheusRule.enabled=true,monitoring.prometheusRule.labels.release=prometheus",
        "PrometheusRule",
        "/metadata/labels/release",
        r#""prometheus""#,
    ),
    ("policies.preset=none,policies.httpServices=true", "ConfigMap", "/data/audit.yaml", "null"),
    (
        "policies.fromCluster=true",
        "Deployment",
        "/spec/template/spec/containers/0/args/4",
        r#""--policies-from-cluster""#,
    ),
    (
        "policies.watchNamespaces=true",
        "Deployment",
        "/spec/template/spec/containers/0/args/4",
        r#""--watch-namespaces""#,
    ),
    (
        "policies.watchNamespaces=true,certificates.source=cert-manager",
        "ClusterRole",
        "/rules/0/verbs",
        r#"["list","watch"]"#,
    ),
    (
        "policies.watchNamespaces=true,certificates.source=cert-manager",
        "NetworkPolicy",
        "/spec/egress/0/ports/0/port",
        "443",
    ),
    ("policies.nodeDebugNamespaces=null", "ConfigMap", "/data/node-debug.yaml", "null"),
    (
        "policies.extra.shop.imageTag.mode=Deny",
        "ConfigMap",
        "/data/shop.yaml",
        r#""apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: shop\nspec:\n  imageTag:\n    mode: Deny\n""#,
    ),
];

const CLOSED: &str = "validate.failurePolicy=Fail,replicas=2";
const IMAGE: &str = "/spec/template/spec/containers/0/image";
const OWN_ISSUER: &str = "certificates.source=cert-manager,certificates.certManager.issuerRef.name=ours";
const OWN_SECRET: &str =
    "certificates.source=secret,certificates.secret.name=pair,certificates.secret.caBundle=-----BEGIN CERTIFICATE-----";

#[test]
fn podfit_has_no_permission_where_others_keep_its_certificates() {
    let Some(helm) = program("helm", "permissions beside self-managed certificates") else { return };
    let objects = objects(&stdout(&template(&helm, &["--set=certificates.source=cert-manager"])));
    for kind in ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"] {
        assert!(of_kind(&objects, kind).is_empty(), "{kind}");
    }
    assert_eq!(of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn wrong_values_are_refused() {
    let Some(helm) = program("helm", "the values that the chart refuses") else { return };
    for (argument, parts) in [
        ("mutate.failurePolicy=Fail", ["additional properties", "mutate"]),
        ("replica=2", ["additional properties", "replica"]),
        ("replicas=0", ["replicas", "minimum"]),
        ("replicas=two", ["replicas", "integer"]),
        ("validate.failurePolicy=fail", ["/validate/failurePolicy", "'Ignore', 'Fail'"]),
        ("validate.failurePolicy=Fail", ["validate.failurePolicy Fail", "set replicas to 2 or more"]),
        ("timeoutSeconds=30", ["timeoutSeconds", "maximum"]),
        ("image.tag=latest", ["/image/tag", "not"]),
        ("image.repository=podfit@sha256:1", ["/image/repository", "pattern"]),
        ("image.digest=sha256:1", ["/image/digest", "pattern"]),
        ("excludedNamespaces={Kube_System}", ["/excludedNamespaces/0", "pattern"]),
        ("excludedNamespaces=kube-system", ["excludedNamespaces", "array"]),
        ("policies.preset=none", ["policies.preset none", "give one in policies.extra"]),
        ("policies.preset=lenient", ["/policies/preset", "'audit'"]),
        ("policies.extra.audit.imageTag.mode=Warn", ["invalid propertyName", "audit"]),
        ("certificates.source=vault", ["/certificates/source", "'cert-manager'"]),
        (
            "certificates.source=secret,certificates.secret.caBundle=-----BEGIN CERTIFICATE-----",
            ["certificates.secret.name", "name the kubernetes.io/tls Secret"],
        ),
        ("certificates.source=secret,certificates.secret.name=pair", ["certificates.secret.caBundle", "PEM"]),
        ("certificates.secret.caBundle=LS0t", ["/certificates/secret/caBundle", "pattern"]),
        ("resources.limits.cpu=null", ["/resources/limits", "cpu"]),
        ("resources.limits.memory=64MB", ["/resources/limits/memory", "pattern"]),
        ("backstop.enabled=true", ["backstop.enabled", "only default and strict refuse"]),
        (
            "backstop.enabled=true,policies.preset=default,policies.nodeDebugNamespaces={a}",
            ["backstop.objects to false", "podfit export"],
        ),
        (
            "backstop.enabled=true,policies.preset=strict,policies.extra.shop.imageTag.mode=Deny",
            ["backstop.objects to false", "policies.extra"],
        ),
        ("backstop.schedule=", ["/backstop/schedule", "minLength"]),
        ("listenAddress=::", ["listenAddress", "pattern"]),
        ("logLevel=verbose", ["logLevel", "'debug'"]),
        ("monitoring.serviceMonitor.enabled=yes", ["/monitoring/serviceMonitor/enabled", "boolean"]),
        ("networkPolicy.apiServerPorts={0}", ["/networkPolicy/apiServerPorts/0", "minimum"]),
    ] {
        let output = template(&helm, &["--set", argument]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{argument} was taken");
        for part in parts {
            assert!(message.contains(part), "{argument}: {part} is not in {message}");
        }
    }
}

pub fn template(helm: &Path, arguments: &[&str]) -> Output {
    let mut command = with_program("helm", helm);
    command.args(["template", "podfit", "--namespace=podfit-system"]).arg(folder().join("chart"));
    command.args(arguments).output().expect("helm runs")
}

/// Texts by path below the folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.expect("the folder is readable"));
    let below = |path: &Path| path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
    entries.filter(|entry| entry.file_type().is_file()).map(|entry| (below(entry.path()), text(entry.path()))).collect()
}

fn is_rendered(path: &str) -> bool {
    path.ends_with("/podfit.yaml")
        || path.ends_with("/crd.yaml")
        || path.starts_with("policies/")
        || path.starts_with("dashboards/")
}
