//! What is changed of a configuration, and that nothing else is.

use super::*;

const OLD: &str = "b2xk";
const NEW: &str = "bmV3";

fn configuration(owners: &Value, webhooks: &Value) -> Configuration {
    let mut object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "podfit", "resourceVersion": "7", "ownerReferences": owners},
        "webhooks": webhooks,
    });
    if owners.is_null() {
        object["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    }
    Configuration::of(serde_json::from_value(object).unwrap(), "podfit-system")
}

fn webhook(name: &str, bundle: Option<&str>) -> Value {
    let mut webhook =
        json!({"name": name, "clientConfig": {"service": {"name": "podfit", "namespace": "podfit-system"}}});
    if let Some(bundle) = bundle {
        webhook["clientConfig"]["caBundle"] = json!(bundle);
    }
    webhook
}

fn owner(name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "name": name, "uid": uid})
}

#[test]
fn only_our_bundles_and_our_owner_are_repaired() {
    let ours = Owner { name: "podfit-system".to_owned(), uid: "1".to_owned() };
    let owned = json!([owner("podfit-system", "1")]);
    let other = owner("team", "2");
    let bundle = |index| format!("/webhooks/{index}/clientConfig/caBundle");
    for (name, owners, webhooks, edits) in [
        ("nothing to do", owned.clone(), json!([webhook("validate.podfit.dev", Some(NEW))]), json!([])),
        (
            "just installed",
            Value::Null,
            json!([webhook("validate.podfit.dev", None), webhook("templates.podfit.dev", None)]),
            json!([
                {"op": "add", "path": bundle(0), "value": NEW},
                {"op": "add", "path": bundle(1), "value": NEW},
                {"op": "add", "path": "/metadata/ownerReferences", "value": owned},
            ]),
        ),
        (
            "another bundle",
            owned.clone(),
            json!([webhook("validate.podfit.dev", Some(OLD))]),
            json!([{"op": "add", "path": bundle(0), "value": NEW}]),
        ),
        (
            "somebody's webhook before ours",
            owned.clone(),
            json!([webhook("validate.example.com", Some(OLD)), webhook("validate.podfit.dev", Some(""))]),
            json!([{"op": "add", "path": bundle(1), "value": NEW}]),
        ),
        (
            "another owner stays",
            json!([other]),
            json!([webhook("validate.podfit.dev", Some(NEW))]),
            json!([{"op": "add", "path": "/metadata/ownerReferences", "value": [other, owner("podfit-system", "1")]}]),
        ),
        (
            "the namespace has been made anew",
            json!([owner("podfit-system", "0")]),
            json!([webhook("validate.podfit.dev", Some(NEW))]),
            json!([{"op": "add", "path": "/metadata/ownerReferences", "value": owned}]),
        ),
        ("no webhook at all", owned.clone(), Value::Null, json!([])),
    ] {
        let patch = configuration(&owners, &webhooks).repair(&["n", "ew"], Some(&ours));
        let edits = match edits.as_array().unwrap() {
            edits if edits.is_empty() => None,
            edits => {
                let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"});
                Some(json!([&[version], edits.as_slice()].concat()))
            }
        };
        assert_eq!(patch.map(|patch| json!(patch)), edits, "{name}");
    }
}

#[test]
fn a_configuration_trusts_us_when_all_our_webhooks_do() {
    let (old, new) = (webhook("a.podfit.dev", Some(OLD)), webhook("b.podfit.dev", Some(NEW)));
    let (absent, foreign) = (webhook("c.podfit.dev", None), webhook("validate.example.com", Some(OLD)));
    for (name, webhooks, trusted, bundled) in [
        ("all", json!([new, new]), true, true),
        ("one does not", json!([new, old]), false, true),
        ("one has none", json!([new, absent]), false, true),
        ("none has one", json!([absent]), false, false),
        ("a foreign one is no matter", json!([foreign, new]), true, true),
        ("a foreign one alone", json!([foreign]), true, false),
    ] {
        let configuration = configuration(&Value::Null, &webhooks);
        assert_eq!((configuration.trusts(&["new"]), configuration.has_bundle()), (trusted, bundled), "{name}");
    }
}

#[test]
fn a_configuration_calls_us_by_name_and_namespace() {
    let named = |name: &str, client: Value| json!([{"name": name, "clientConfig": client}]);
    let service = |namespace: &str| json!({"service": {"name": "podfit", "namespace": namespace}});
    for (name, webhooks, calls_us) in [
        ("our Service", named("validate.podfit.dev", service("podfit-system")), true),
        ("an address", named("validate.podfit.dev", json!({"url": "https://127.0.0.1:8443/validate"})), true),
        ("podfit in another namespace", named("validate.podfit.dev", service("team")), false),
        ("another webhook", named("validate.example.com", service("podfit-system")), false),
        ("none", json!([]), false),
    ] {
        assert_eq!(configuration(&Value::Null, &webhooks).calls_us(), calls_us, "{name}");
    }
}
