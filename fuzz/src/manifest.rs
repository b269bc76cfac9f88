//! Manifests as `podfit check` reads them and `podfit fix` writes them.

use std::sync::LazyLock;

use podfit::{
    fitting::Pod,
    manifest::{ApplyError, Document, Object, apply, read},
    patch::{self, Operation, OperationKind},
    policy::{PolicySet, Subject},
    review::review,
    workload::{Kind, Workload},
};
use serde_json::Value;

use super::{EVERYTHING, TODAY, documents, policies};

static POLICIES: LazyLock<PolicySet> = LazyLock::new(|| policies(EVERYTHING));

/// # Panics
/// Where reading or fixing the manifests breaks a promise.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = read(text);
    for document in read.iter().flatten() {
        check_places(text, document);
    }
    let patches: Vec<Vec<Operation>> =
        read.iter().map(|document| document.as_ref().map(operations).unwrap_or_default()).collect();
    let fixed = match apply(text, &patches) {
        // Deeper than `Value` goes.
        Err(ApplyError::NoDocument { .. }) => return,
        fixed => fixed.expect("what is to be injected can be"),
    };
    let again = documents(&fixed.text);
    assert_eq!(again.len(), read.iter().flatten().count(), "documents came or went: {}", fixed.text);
    assert_eq!(podfit::manifest::read(&fixed.text).len(), read.len(), "errors came or went: {}", fixed.text);
    for document in &again {
        assert_eq!(operations(document), [], "fixed twice is fixed once: {}", fixed.text);
    }
    let replaces = patches.iter().flatten().any(|operation| operation.kind == OperationKind::Replace);
    // An earlier record makes way for the new one.
    let is_recorded = read.iter().flatten().any(|document| document.json.contains("podfit.dev/injected"));
    if fixed.reemitted.is_empty() && !replaces && !is_recorded {
        check_layout(text, &fixed.text);
    }
}

fn check_places(text: &str, document: &Document) {
    serde_json::from_str::<serde::de::IgnoredAny>(&document.json).expect("the JSON of a document is JSON");
    assert!(text.get(document.range.clone()).is_some(), "{:?}", document.range);
    for object in document.objects() {
        for pointer in ["", "/metadata/name", "/spec/containers/0/image", "/spec/template/spec/containers/0/env"] {
            let span = document.locate(&format!("{}{pointer}", object.pointer_prefix));
            assert!(text.get(span.start.offset..span.end.offset).is_some(), "{pointer}: {span:?}");
        }
    }
}

/// All that is to be injected into a document, as `podfit fix` asks for it.
fn operations(document: &Document) -> Vec<Operation> {
    document.objects().iter().filter_map(of_object).flatten().collect()
}

fn of_object(object: &Object<'_>) -> Option<Vec<Operation>> {
    let text = |key| object.node.get(key).and_then(|node| node.as_text());
    let group = text("apiVersion")?.rsplit_once('/').map_or("", |(group, _)| group);
    let workload = Workload::decode(Kind::of(group, text("kind")?)?, &object.json).ok()?;
    let pod = Pod::read(&workload);
    let subject = Subject { namespace: "shop", namespace_labels: None, pod_labels: &workload.pod_metadata().labels };
    let in_force = POLICIES.in_force(&subject);
    let verdict = review(&in_force, &pod, TODAY);
    let mut operations = patch::operations(&verdict, &pod);
    for operation in &mut operations {
        operation.pointer.insert_str(0, &object.pointer_prefix);
        serde_json::from_str::<Value>(&operation.value).expect("the value of an operation is JSON");
    }
    Some(operations)
}

/// Where nothing was written anew, all that stood in the text still stands there in its order, comments as whole lines. Only
/// what means nothing makes way for what is injected, with its anchor.
fn check_layout(before: &str, after: &str) {
    let nothing = ["null", "Null", "NULL", "~", "[]", "{}"];
    let meaningful = nothing.iter().fold(before.to_owned(), |text, nothing| text.replace(nothing, ""));
    let mut rest = after.chars();
    let stays = meaningful.chars().all(|one| rest.any(|other| other == one));
    assert!(stays || meaningful.contains('&'), "something went: {after}");
    // A line of a quoted text may look like one, and have an insertion behind its end.
    let is_comment =
        |line: &&str| line.trim_start().starts_with('#') && !line.contains(['"', '\'', '{', '[', ']', '}']);
    let mut rest = after.lines().filter(is_comment);
    assert!(before.lines().filter(is_comment).all(|one| rest.any(|other| other == one)), "a comment went: {after}");
}
