//! `--write-reports` with the CRDs as others ship them.

use serde_json::{Value, json};

use crate::{
    Bench,
    cluster::path,
    cluster::wait_for,
    pods::{bad_container, pod, with},
};

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/crds");

struct Kind {
    file: &'static str,
    /// Of the reports of a namespace.
    path: fn(&str) -> String,
}

const POLICY_REPORT: Kind = Kind {
    file: "wgpolicyk8s.io_policyreports.yaml",
    path: |namespace| format!("/apis/wgpolicyk8s.io/v1alpha2/namespaces/{namespace}/policyreports/podfit"),
};
const REPORT: Kind = Kind {
    file: "openreports.io_reports.yaml",
    path: |namespace| format!("/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports/podfit"),
};

/// The reports of a case alone, since the others have theirs.
fn scan(bench: &Bench, namespace: &str) -> Vec<String> {
    let printed = bench.podfit(&["scan", "--write-reports", "--namespace", namespace]);
    assert_eq!(printed.error, "", "{}", printed.output);
    printed
        .output
        .lines()
        .filter(|line| line.starts_with("note: ") || line.starts_with("error: "))
        .map(str::to_owned)
        .collect()
}

fn install(bench: &Bench, kind: &Kind) {
    bench.kubectl(&["apply", "--server-side", "-f", &format!("{CRDS}/{}", kind.file)], "");
    wait_for("the CRD", || {
        (bench.cluster().get((kind.path)("shop").trim_end_matches("/podfit")).code == 200).then_some(())
    });
}

pub fn kept(bench: &Bench) {
    let printed = bench.podfit(&["scan", "--write-reports"]);
    assert!(printed.error.starts_with("error: --write-reports: this cluster knows neither "), "{}", printed.error);
    assert_eq!((printed.output.as_str(), printed.code), ("", 2));

    for (kind, word) in [(POLICY_REPORT, "PolicyReport"), (REPORT, "Report")] {
        install(bench, &kind);
        let namespace = format!("{}-case", word.to_lowercase());
        bench.cluster().make_namespace(&namespace, &[].into());
        let bad = with(pod("careless", bad_container()), &json!({"metadata": {"labels": {"app": "careless"}}}));
        bench.cluster().create(&path("pods", &namespace), &bad).object();

        let note = |what: &str| vec![format!("note: {word} objects named podfit: {what}")];
        assert_eq!(scan(bench, &namespace), note("1 written"));
        let report = bench.cluster().get(&(kind.path)(&namespace)).object();
        assert_eq!(report["summary"], json!({"pass": 0, "fail": 3, "warn": 0, "error": 0, "skip": 0}));
        assert_eq!(report["results"][2], result(&namespace));

        assert_eq!(scan(bench, &namespace), note("1 written"));
        let again = bench.cluster().get(&(kind.path)(&namespace)).object();
        assert_eq!(again["metadata"]["resourceVersion"], report["metadata"]["resourceVersion"], "nothing has changed");

        bench.cluster().delete(&format!("{}/careless", path("pods", &namespace)));
        wait_for("the Pod to go", || bench.pods(&namespace).is_empty().then_some(()));
        assert_eq!(scan(bench, &namespace), note("1 deleted, where nothing fails any more"));
        assert_eq!(bench.cluster().get(&(kind.path)(&namespace)).code, 404);
        assert_eq!(scan(bench, &namespace), note("none is needed"));
    }
}

fn result(namespace: &str) -> Value {
    json!({
        "source": "podfit", "policy": "default", "rule": "image-tag", "result": "fail", "scored": true, "severity": "high",
        "message": "container \"app\" uses the image \"example.com/app\", which has no tag, so \"latest\" is implied; \
                    write a fixed tag or a digest",
        "resources": [{"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": "careless"}],
        "properties": {"mode": "Deny", "reason": "image has no fixed tag", "pods": "1", "container": "app"},
    })
}

/// One Pod of 40 containers with long names and images has 120 findings; ten of them more than an object holds.
pub fn bounded(bench: &Bench) {
    install(bench, &REPORT);
    bench.cluster().make_namespace("bounded", &[].into());
    let image = format!("registry.example/{}", ["a".repeat(60).as_str(); 8].join("/"));
    let container = |index: usize| json!({"name": format!("{index:02}{}", "c".repeat(61)), "image": image});
    let containers: Vec<Value> = (0..40).map(container).collect();
    for index in 0..10 {
        let name = format!("{index}{}", "p".repeat(240));
        let pod = with(pod(&name, json!({})), &json!({"spec": {"containers": containers}}));
        bench.cluster().create(&path("pods", "bounded"), &pod).object();
    }
    assert_eq!(scan(bench, "bounded"), ["note: Report objects named podfit: 1 written"]);
    let report = bench.cluster().get(&(REPORT.path)("bounded")).object();
    let results = report["results"].as_array().unwrap();
    let message = "201 findings more; `podfit scan --namespace bounded` lists them";
    assert_eq!((results.len(), &report["summary"]["fail"]), (1_000, &json!(1_200)));
    assert_eq!(results[999]["message"], message);
    println!("a report of 1,000 results has {} bytes", report.to_string().len());
}
