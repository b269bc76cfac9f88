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
