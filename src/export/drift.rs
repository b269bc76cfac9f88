//! Whether what is installed is what would be exported now.

use serde_json::{Map, Value};

/// Every difference in words, in the order of the export; then what is installed beyond it. Labels and annotations are left to
/// whoever installs. Empty fields are as absent ones, since the API server adds them.
pub fn differences(exported: &[Value], installed: &[Value]) -> Vec<String> {
    let mut differences = Vec::new();
    for wanted in exported {
        let Some(found) = installed.iter().find(|found| is_same(wanted, found)) else {
            differences.push(format!("{}: is not installed", named(wanted)));
            continue;
        };
        let mut places = Vec::new();
        compare("spec", &compact(&wanted["spec"]), &compact(&found["spec"]), &mut places);
        differences.extend(places.iter().map(|place| format!("{}: {place} differs", named(wanted))));
    }
    let unasked = installed.iter().filter(|found| !exported.iter().any(|wanted| is_same(wanted, found)));
    differences.extend(unasked.map(|found| format!("{}: is installed, and no policy asks for it", named(found))));
    differences
}

fn is_same(one: &Value, other: &Value) -> bool {
    one["kind"] == other["kind"] && one["metadata"]["name"] == other["metadata"]["name"]
}

fn named(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// Without what says nothing.
fn compact(value: &Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().map(compact).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), compact(value)));
            Value::Object(entries.filter(|(_, value)| !is_empty(value)).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The places that differ: whole, where one side has none, or lists have other lengths.
fn compare(place: &str, wanted: &Value, found: &Value, places: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let more = found.keys().filter(|key| !wanted.contains_key(*key));
            for key in wanted.keys().chain(more) {
                let [wanted, found] = [wanted, found].map(|map| map.get(key).unwrap_or(&Value::Null));
                compare(&format!("{place}.{key}"), wanted, found, places);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{place}[{index}]"), wanted, found, places);
            }
        }
        _ if wanted != found => places.push(place.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_named() {
        let object =
            |kind: &str, name: &str, spec: Value| json!({"kind": kind, "metadata": {"name": name}, "spec": spec});
        let wanted = || object("Policy", "a", json!({"list": [{"x": 1}, {"x": 2}], "map": {"k": "v"}}));
        let rows: [(&str, Vec<Value>, &[&str]); 8] = [
            ("the same", vec![wanted()], &[]),
            (
                "with what says nothing",
                vec![object(
                    "Policy",
                    "a",
                    json!({"list": [{"x": 1}, {"x": 2}], "map": {"k": "v", "e": {}}, "n": null, "l": []}),
                )],
                &[],
            ),
            ("nothing", vec![], &["Policy/a: is not installed"]),
            (
                "another value",
                vec![object("Policy", "a", json!({"list": [{"x": 1}, {"x": 3}], "map": {"k": "v"}}))],
                &["Policy/a: spec.list[1].x differs"],
            ),
            (
                "a longer list",
                vec![object("Policy", "a", json!({"list": [{"x": 1}, {"x": 2}, {"x": 3}], "map": {"k": "v"}}))],
                &["Policy/a: spec.list differs"],
            ),
            (
                "one key more and one less",
                vec![object("Policy", "a", json!({"list": [{"x": 1}, {"x": 2}], "map": {"m": true}}))],
                &["Policy/a: spec.map.k differs", "Policy/a: spec.map.m differs"],
            ),
            ("no spec", vec![object("Policy", "a", Value::Null)], &["Policy/a: spec differs"]),
            (
                "something else too",
                vec![object("Binding", "a", json!({})), wanted()],
                &["Binding/a: is installed, and no policy asks for it"],
            ),
        ];
        for (name, installed, expected) in rows {
            assert_eq!(differences(&[wanted()], &installed), expected, "{name}");
        }
    }
}
