//! A body without `managedFields`: no rule reads them, and they are a third of what kube-apiserver sends of a Pod. To find where
//! they end spares an eighth (10 KB) to a sixth (60 KB) of the instructions of judging it. `admission.rs` calls it before anything
//! is decoded.

use std::sync::LazyLock;

use memchr::{memchr, memmem::Finder};

/// As kube-apiserver writes it: behind other metadata. No text can hold it, for a text's own quotes are escaped.
const BEGIN: &str = r#","managedFields":["#;
/// As kube-apiserver writes it: last in the metadata, and the spec behind it.
const END: &str = r#"]},"spec":{"#;
/// What of the end is the list's.
const LIST_END: usize = "]".len();
/// A larger body is read as it came: what is left would be megabytes beside it.
const MAX_BYTES: usize = 1 << 20;

static BEGINNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGIN));

/// What is left of a body, or nothing where there is nothing to leave out.
///
/// A list is left out where its first `]` is its end: managed fields hold no lists. Were it that of a list within, as many
/// brackets would be left over as were opened before it, and the rest would be no JSON: then the body is to be read as it came.
/// What is wrong within the list alone is not noticed, as nobody reads it.
pub fn without_managed_fields(body: &str) -> Option<String> {
    if body.len() > MAX_BYTES {
        return None;
    }
    let mut lean = String::new();
    let mut rest = body;
    while let Some(from) = BEGINNING.find(rest.as_bytes()) {
        let list = from + BEGIN.len();
        let end = list + memchr(b']', &rest.as_bytes()[list..])?;
        if !rest[end..].starts_with(END) {
            return None;
        }
        lean.reserve(body.len() - lean.len());
        lean.push_str(&rest[..from]);
        rest = &rest[end + LIST_END..];
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
            ("in another order", r#"{"m":{"a":1,"managedFields":[{}],"name":"x","owners":[{}]},"spec":{}}"#, None),
            (
                "of a user's extra",
                r#"{"user":{"extra":{"a":["b"],"managedFields":["c"]}},"object":{"m":{"managedFields":[]},"spec":{}}}"#,
                None,
            ),
            // More is closed than is open: no JSON.
            (
                "an end in the list",
                r#"{"m":{"a":1,"managedFields":[{"b":{"c":[1]},"spec":{}}]},"spec":{}}"#,
                Some(r#"{"m":{"a":1},"spec":{}}]},"spec":{}}"#),
            ),
        ] {
            assert_eq!(without_managed_fields(body).as_deref(), left, "{name}");
        }
        let large = format!(r#"{{"m":{{"a":"{}","managedFields":[]}},"spec":{{}}}}"#, "a".repeat(MAX_BYTES));
        assert_eq!(without_managed_fields(&large), None);
    }
}
