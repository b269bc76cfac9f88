//! The `CustomResourceDefinition` of a policy, made of the same schema as files are read by. `podfit policy crd` prints it.
//!
//! The API server refuses what a schema and CEL can say. It keeps keys that it does not know: dropped in silence they would be
//! a policy without the rule that was meant, kept they are a mistake in the status.

use serde_json::{Map, Value as Json, json};

use super::schema::{API_VERSION, KIND, PLURAL, json_schema};

const KEEP_UNKNOWN: &str = "x-kubernetes-preserve-unknown-fields";

/// What the API server estimates the cost of a CEL rule by, where a list or text has no bound of its own.
const MAX_TEXT: u64 = 4096;

/// Where, the rule in CEL, and what it says.
const RULES: [(&[&str], &str, &str); 4] = [
    (
        &["exemptions", "[]", "match"],
        "(has(self.namespaces) && size(self.namespaces) > 0) || has(self.podSelector) || \
         (has(self.containers) && size(self.containers) > 0) || (has(self.images) && size(self.images) > 0)",
        "must give at least one of namespaces, podSelector, containers and images; [\"*\"] is all",
    ),
    (&["exemptions", "[]"], "size(self.rules) > 0", "must name at least one rule"),
    (
        &["resourceLimits"],
        "(has(self.defaults) && has(self.defaults.cpu)) == (has(self.defaultRequests) && has(self.defaultRequests.cpu))",
        "defaults.cpu and defaultRequests.cpu need one another, or the API server makes the request equal to the limit",
    ),
    (
        &["resourceLimits"],
        "(has(self.defaults) && has(self.defaults.memory)) == \
         (has(self.defaultRequests) && has(self.defaultRequests.memory))",
        "defaults.memory and defaultRequests.memory need one another, or the API server makes the request equal to the limit",
    ),
];

/// `apiextensions.k8s.io/v1`.
pub fn custom_resource_definition() -> Json {
    let (group, version) = API_VERSION.split_once('/').unwrap_or_default();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{PLURAL}.{group}"), "labels": {"app.kubernetes.io/name": "podfit"}},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": KIND, "listKind": format!("{KIND}List"), "plural": PLURAL, "singular": "sizingpolicy",
                      "shortNames": ["szp"], "categories": ["podfit"]},
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns(),
                "schema": {"openAPIV3Schema": object_schema()},
            }],
        },
    })
}

fn columns() -> Json {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    json!([
        column("Priority", "integer", ".spec.priority"),
        column("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status"),
        column("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason"),
        column("Exemptions", "string", ".status.conditions[?(@.type==\"ExemptionsCurrent\")].reason"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ])
}

fn object_schema() -> Json {
    let mut schema = json_schema();
    let description = schema["description"].take();
    let mut spec = structural(schema["properties"]["spec"].take());
    for (path, rule, message) in RULES {
        if let Some(at) = at(&mut spec, path) {
            let rules = at.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
            rules.as_array_mut().into_iter().for_each(|rules| rules.push(json!({"rule": rule, "message": message})));
        }
    }
    json!({
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status_schema(),
        },
    })
}

/// The place below these keys; `[]` goes into the elements of a list.
fn at<'s>(schema: &'s mut Json, path: &[&str]) -> Option<&'s mut Map<String, Json>> {
    let mut here = schema;
    for key in path {
        here = match *key {
            "[]" => here.get_mut("items")?,
            key => here.get_mut("properties")?.get_mut(key)?,
        };
    }
    here.as_object_mut()
}

/// JSON Schema as a CRD takes it: every level typed, no keyword that the API server does not know. Defaults are told, not
/// set: the API server would write them into the object, where they outlive a better one of ours.
fn structural(schema: Json) -> Json {
    let Json::Object(mut schema) = schema else { return schema };
    let given = schema.remove("type");
    match given.as_ref().and_then(Json::as_array).map(Vec::as_slice) {
        Some([_, other]) if other == "integer" => {
            schema.insert("x-kubernetes-int-or-string".to_owned(), json!(true));
        }
        // A text or any number: no type of a CRD.
        Some(_) => drop(schema.insert(KEEP_UNKNOWN.to_owned(), json!(true))),
        None => schema.extend(given.map(|given| ("type".to_owned(), given))),
    }
    tell_default(&mut schema);
    bound(&mut schema);
    schema.remove("propertyNames");
    let is_set = schema.remove("uniqueItems").is_some();
    if is_set && schema.get("items").is_some_and(|items| items["type"] == "string") {
        schema.insert("x-kubernetes-list-type".to_owned(), json!("set"));
    }
    match schema.remove("additionalProperties") {
        Some(Json::Bool(_)) => drop(schema.insert(KEEP_UNKNOWN.to_owned(), json!(true))),
        Some(of) => drop(schema.insert("additionalProperties".to_owned(), structural(of))),
        None => {}
    }
    if let Some(items) = schema.remove("items") {
        schema.insert("items".to_owned(), structural(items));
    }
    if let Some(Json::Object(properties)) = schema.remove("properties") {
        let properties: Map<_, _> = properties.into_iter().map(|(key, of)| (key, structural(of))).collect();
        schema.insert("properties".to_owned(), properties.into());
    }
    Json::Object(schema)
}

fn tell_default(schema: &mut Map<String, Json>) {
    let Some(default) = schema.remove("default") else { return };
    let about = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    let told = format!("{about} Default: {default}.").trim_start().to_owned();
    schema.insert("description".to_owned(), told.into());
}

fn bound(schema: &mut Map<String, Json>) {
    let is_text = schema.get("type").is_some_and(|kind| kind == "string");
    if is_text && !["enum", "maxLength", "format"].iter().any(|keyword| schema.contains_key(*keyword)) {
        schema.insert("maxLength".to_owned(), json!(MAX_TEXT));
    }
}

fn status_schema() -> Json {
    let text = || json!({"type": "string"});
    let count = || json!({"type": "integer"});
    json!({
        "type": "object",
        "description": "Written by podfit.",
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64"},
            "conditions": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {
                    "type": "object",
                    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
                    "properties": {
                        "type": text(), "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                        "reason": text(), "message": text(),
                        "lastTransitionTime": {"type": "string", "format": "date-time"},
                        "observedGeneration": {"type": "integer", "format": "int64"},
                    },
                },
            },
            "exemptions": {
                "type": "object",
                "properties": {"active": count(), "expiring": count(), "expired": count()},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_place() {
        let schema = object_schema();
        let told = schema.to_string().matches("\"rule\":").count();
        assert_eq!(told, RULES.len());
    }

    #[test]
    fn schemas_are_structural() {
        let rows = [
            (
                "an integer with a default",
                json!({"type": "integer", "minimum": 1, "default": 4, "description": "Workers."}),
                json!({"type": "integer", "minimum": 1, "description": "Workers. Default: 4."}),
            ),
            ("a quantity", json!({"type": ["string", "integer"]}), json!({"x-kubernetes-int-or-string": true})),
            ("a factor", json!({"type": ["string", "number"]}), json!({KEEP_UNKNOWN: true})),
            (
                "a set of words",
                json!({"type": "array", "uniqueItems": true, "maxItems": 9, "items": {"type": "string", "enum": ["a"]}}),
                json!({"type": "array", "x-kubernetes-list-type": "set", "maxItems": 9,
                       "items": {"type": "string", "enum": ["a"]}}),
            ),
            (
                "a map of ours",
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}),
                json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 4096}}, KEEP_UNKNOWN: true}),
            ),
            (
                "a map of the user's",
                json!({"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {}}),
                json!({"type": "object", "additionalProperties": {"type": "string", "maxLength": 4096}}),
            ),
        ];
        for (name, schema, expected) in rows {
            assert_eq!(structural(schema), expected, "{name}");
        }
    }
}
