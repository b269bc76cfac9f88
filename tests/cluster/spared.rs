//! What no shared case can show: days that end, objects that end, nodes, and the size of what CEL can judge.

use hyper::Method;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use podfit::{
    export, manifest,
    policy::{PolicySet, compile},
};
use serde_json::{Value, json};

use crate::{
    Bench,
    cluster::{Answer, Call, Cluster, path, wait_for},
    exported::{self, MEANT},
    pods::{bad_container, good_container, pod, with},
};

/// Exported long before, so that nothing is over yet. Of an UPDATE the API server does not tell the time.
pub fn expiry(bench: &Bench) {
    let cluster = bench.cluster();
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let yesterday = today.checked_sub(1.day()).unwrap();
    let tomorrow = today.checked_add(1.day()).unwrap();
    for (name, last, refused) in [("over", yesterday, true), ("not-over", tomorrow, false)] {
        let exemption = format!("{{reason: r, expires: {last}, rules: [image-tag], match: {{containers: [app]}}}}");
        install(cluster, name, &format!("{{imageTag: {{}}, exemptions: [{exemption}]}}"));
        let web = labelled(pod(name, bad_container()), name);
        assert_eq!(is_refused(&create(cluster, &web)), refused, "{name}");
        let old = labelled(pod(&format!("{name}-old"), good_container()), name);
        cluster.create(&path("pods", "default"), &old).object();
        let change = json!({"spec": {"containers": [{"name": "app", "image": "example.com/app"}]}});
        let changed = cluster.patch(&format!("{}/{name}-old", path("pods", "default")), &change);
        assert!(!is_refused(&changed), "{name}: {}", changed.message());
    }
}

/// What must go away goes, and a mirror Pod is the node's own word alone.
pub fn endings_and_mirrors(bench: &Bench) {
    let cluster = bench.cluster();
    install(cluster, "spared", "{resourceLimits: {}, imageTag: {}}");
    let pods = path("pods", "default");
    let ending = with(pod("ending", good_container()), &json!({"metadata": {"finalizers": ["example.com/wait"]}}));
    cluster.create(&pods, &labelled(ending, "spared")).object();
    cluster.delete(&format!("{pods}/ending")).object();
    let bad = json!({"spec": {"containers": [{"name": "app", "image": "example.com/app"}]}});
    cluster.patch(&format!("{pods}/ending"), &bad).object();
    cluster.patch(&format!("{pods}/ending"), &json!({"metadata": {"finalizers": null}})).object();

    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}});
    let node = cluster.create("/api/v1/nodes", &node).object();
    let owner =
        json!({"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"], "controller": true});
    let metadata = json!({"annotations": {"kubernetes.io/config.mirror": "abc"}, "ownerReferences": [owner]});
    let mirror = with(pod("mirror", bad_container()), &json!({"metadata": metadata, "spec": {"nodeName": "n1"}}));
    let mirror = labelled(mirror, "spared");
    assert!(is_refused(&create(cluster, &mirror)));
    let user = Some(("system:node:n1", "system:nodes"));
    // The API server hears of a new node a moment later.
    wait_for("a mirror Pod of a node", || {
        let path = format!("{pods}?dryRun=All");
        let call = Call { method: Method::POST, path, body: Some(&mirror), user, ..Call::default() };
        (cluster.call(call).code == 201).then_some(())
    });
}

/// With the last container at fault, by the rules that cost most.
pub fn thousand(bench: &Bench) {
    let cluster = bench.cluster();
    let exemption = "{reason: r, rules: [resource-limits, image-tag], match: {images: ['vendor.example/*']}}";
    install(
        cluster,
        "thousand",
        &format!("{{resourceLimits: {{}}, imageTag: {{}}, probes: {{mode: Deny}}, exemptions: [{exemption}]}}"),
    );
    let mut containers: Vec<Value> = (0..1_000)
        .map(|index| {
            with(
                good_container(),
                &json!({"name": format!("app-{index}"), "image": "registry.example.com/team/application:1.27.3"}),
            )
        })
        .collect();
    let all_good = labelled(with(pod("large", json!({})), &json!({"spec": {"containers": containers}})), "thousand");
    create(cluster, &all_good).object();
    containers[999] = bad_container();
    let one_bad = with(all_good, &json!({"spec": {"containers": containers}}));
    let refused = create(cluster, &one_bad);
    assert!(
        refused.message().contains(r#"container "app" has no CPU limit"#),
        "{} {}",
        refused.code,
        refused.message()
    );
}

fn install(cluster: &Cluster, name: &str, spec: &str) {
    let text =
        format!("{{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {{name: {name}}}, spec: {spec}}}");
    let policy = compile(&manifest::read(&text).remove(0).unwrap().node).unwrap();
    let long_ago = Date::constant(2020, 1, 1);
    let exported = export::export(&PolicySet::new(vec![policy]).unwrap(), long_ago);
    exported::install(cluster, &[(name.to_owned(), exported.objects)]);
}

fn labelled(object: Value, name: &str) -> Value {
    with(object, &json!({"metadata": {"labels": {MEANT: name}}}))
}

/// By a dry run.
fn create(cluster: &Cluster, object: &Value) -> Answer {
    cluster.create(&format!("{}?dryRun=All", path("pods", "default")), object)
}

fn is_refused(answer: &Answer) -> bool {
    answer.code == 403 && answer.message().contains("denied request")
}
