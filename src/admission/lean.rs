//! A body without `managedFields`: no rule reads them, they are a third of what kube-apiserver sends of a Pod, and to find
//! where they end costs a fiftieth of decoding them. `admission.rs` calls it before anything is decoded.

use memchr::memmem::Finder;

/// As kube-apiserver writes it: last in the metadata, and the spec behind it. No text can hold either, for its own quotes are
/// escaped.
const BEGIN: &str = r#","managedFields":["#;
const END: &str = r#"]},"spec":{"#;
/// What of the end is the list's.
const LIST_END: usize = "]".len();

/// What is left of a body, or nothing where there is nothing to leave out.
///
/// Of a body that is JSON the rest means the same, or is no JSON: whatever else the list holds that looks like its end stands
/// deeper in it, so that as many brackets are left over as were opened before. Then the body is to be read as it came. What is
/// wrong within the list alone is not noticed, as nobody reads it.
pub fn without_managed_fields(body: &str) -> Option<String> {
    let begin = Finder::new(BEGIN);
    let end = Finder::new(END);
    let mut lean = String::new();
    let mut rest = body;
    while let Some(from) = begin.find(rest.as_bytes()) {
        let Some(length) = end.find(&rest.as_bytes()[from..]) else { break };
        if lean.is_empty() {
            lean.reserve(body.len() - length);
        }
        lean.push_str(&rest[..from]);
        rest = &rest[from + length + LIST_END..];
    }
    if lean.is_empty() {
        return None;
    }
    lean.push_str(rest);
    Some(lean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_body() {
        for (name, body, left) in [
            (
                "one",
                r#"{"metadata":{"name":"a","managedFields":[{"f:a":{}}]},"spec":{"a":[1]}}"#,
                Some(r#"{"metadata":{"name":"a"},"spec":{"a":[1]}}"#),
            ),
            (
                "of both objects",
                r#"[{"metadata":{"a":1,"managedFields":[]},"spec":{}},{"metadata":{"b":1,"managedFields":[2]},"spec":{}}]"#,
                Some(r#"[{"metadata":{"a":1},"spec":{}},{"metadata":{"b":1},"spec":{}}]"#),
            ),
            ("in a text", r#"{"metadata":{"a":",\"managedFields\":[1]},\"spec\":{"},"spec":{}}"#, None),
            ("a label", r#"{"metadata":{"labels":{"a":"b","managedFields":"[c"}},"spec":{}}"#, None),
            ("the only field", r#"{"metadata":{"managedFields":[]},"spec":{}}"#, None),
            ("no spec behind it", r#"{"metadata":{"a":1,"managedFields":[]},"template":{}}"#, None),
            ("another layout", r#"{"metadata":{"a":1, "managedFields": []}, "spec": {}}"#, None),
            // What is left is no JSON, since more was opened than closed.
            (
                "a spec in the list",
                r#"{"m":{"a":1,"managedFields":[{"b":[1]},"spec":{}]},"spec":{}}"#,
                Some(r#"{"m":{"a":1},"spec":{}]},"spec":{}}"#),
            ),
        ] {
            assert_eq!(without_managed_fields(body).as_deref(), left, "{name}");
        }
    }
}
