//! A body without what costs most to decode. `managedFields`, which no rule reads, are a third of what kube-apiserver sends of
//! a Pod, and our own record has thousands of escapes, each of which a reader of JSON stops at. `admission.rs` calls it before
//! anything is decoded.

use std::{ops::Range, sync::LazyLock};

use memchr::{memchr, memmem::Finder};
use smallvec::SmallVec;

use crate::injected::Injected;

/// As kube-apiserver writes it: behind other metadata. No text can hold it, for a text's own quotes are escaped.
const MANAGED: &str = r#","managedFields":["#;
/// As kube-apiserver writes it: last in the metadata, and the spec behind it.
const MANAGED_END: &str = r#"]},"spec":{"#;
const RECORD: &str = r#""podfit.dev/injected":""#;
/// A larger body is read as it came: what is left would be megabytes beside it.
const MAX_BYTES: usize = 1 << 20;

static MANAGED_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MANAGED));
static RECORD_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(RECORD));

#[derive(Debug, PartialEq)]
pub struct Lean<'b> {
    pub body: String,
    /// Where a record was taken out, it is the only one in the body, and an empty text stands in its place.
    pub injected: Option<Injected<'b>>,
}

/// What is left of a body, or nothing where there is nothing to leave out.
pub fn lean(body: &str) -> Option<Lean<'_>> {
    if body.len() > MAX_BYTES {
        return None;
    }
    let managed = managed_fields(body)?;
    // As kube-apiserver writes a Pod, its annotations stand before them.
    let (record, injected) = record(body, managed.first().map_or(body.len(), |cut| cut.start)).unzip();
    if managed.is_empty() && record.is_none() {
        return None;
    }
    let mut left = String::with_capacity(body.len());
    let mut from = 0;
    for cut in record.into_iter().chain(managed) {
        left.push_str(body.get(from..cut.start)?);
        from = cut.end;
    }
    left.push_str(&body[from..]);
    Some(Lean { body: left, injected })
}

/// Where they stand. A list is left out where its first `]` is its end: managed fields hold no lists. Were it that of a list
/// within, as many brackets would be left over as were opened before it, and the rest would be no JSON: then the body is to be
/// read as it came. What is wrong within the list alone is not noticed, as nobody reads it.
fn managed_fields(body: &str) -> Option<SmallVec<[Range<usize>; 3]>> {
    let mut cuts = SmallVec::new();
    let mut from = 0;
    while let Some(at) = MANAGED_FINDER.find(&body.as_bytes()[from..]) {
        let start = from + at;
        let list = start + MANAGED.len();
        let end = list + memchr(b']', &body.as_bytes()[list..])?;
        if !body[end..].starts_with(MANAGED_END) {
            return None;
        }
        from = end + "]".len();
        cuts.push(start..from);
    }
    Some(cuts)
}

/// Where the record stands, where there is one that begins before `end` and is as podfit writes it: so no text ends within it.
fn record(body: &str, end: usize) -> Option<(Range<usize>, Injected<'_>)> {
    let at = RECORD_FINDER.find(&body.as_bytes()[..end])?;
    // Behind a backslash it is within a text that goes on.
    if body[..at].ends_with('\\') {
        return None;
    }
    let start = at + RECORD.len();
    let (injected, rest) = Injected::read_as_written(&body[start..])?;
    let is_only = RECORD_FINDER.find(rest.as_bytes()).is_none();
    is_only.then_some((start..body.len() - rest.len(), injected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_of(body: &str) -> Option<String> {
        lean(body).map(|lean| lean.body)
    }

    #[test]
    fn managed_fields_are_left_out() {
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
            assert_eq!(left_of(body).as_deref(), left, "{name}");
        }
        let large = format!(r#"{{"m":{{"a":"{}","managedFields":[]}},"spec":{{}}}}"#, "a".repeat(MAX_BYTES));
        assert_eq!(left_of(&large), None);
    }

    #[test]
    fn a_record_is_taken_out_where_it_is_the_only_one() {
        const WRITTEN: &str = r#"{\"app\":{\"A\":{\"value\":\"1\",\"source\":\"s\",\"policy\":\"p\"}}}"#;
        for (name, body, left) in [
            ("one", r#"{"podfit.dev/injected":"<>","b":"c"}"#, Some(r#"{"podfit.dev/injected":"","b":"c"}"#)),
            (
                "before managed fields",
                r#"{"m":{"podfit.dev/injected":"<>","managedFields":[{}]},"spec":{}}"#,
                Some(r#"{"m":{"podfit.dev/injected":""},"spec":{}}"#),
            ),
            ("of both objects", r#"[{"podfit.dev/injected":"<>"},{"podfit.dev/injected":"<>"}]"#, None),
            ("beside another", r#"[{"podfit.dev/injected":"<>"},{"podfit.dev/injected":"x"}]"#, None),
            ("within a text", r#"{"a":"\"podfit.dev/injected\":\"<>\""}"#, None),
            ("in a longer key", r#"{"a\"podfit.dev/injected":"<>","podfit.dev/injected": ""}"#, None),
            ("another text", r#"{"podfit.dev/injected":"{\"","b":"}}"}"#, None),
            (
                "an end within it",
                r#"{"podfit.dev/injected":"{\"a","\":{\"A\":{\"source\":\"s\",\"policy\":\"p\"}}}"}"#,
                None,
            ),
            ("more behind it", r#"{"podfit.dev/injected":"<> "}"#, None),
            (
                "in managed fields",
                r#"{"m":{"a":1,"managedFields":[{"podfit.dev/injected":"<>"}]},"spec":{}}"#,
                Some(r#"{"m":{"a":1},"spec":{}}"#),
            ),
            (
                "behind managed fields",
                r#"{"m":{"a":1,"managedFields":[]},"spec":{"podfit.dev/injected":"<>"}}"#,
                Some(r#"{"m":{"a":1},"spec":{"podfit.dev/injected":"<>"}}"#),
            ),
        ] {
            let body = body.replace("<>", WRITTEN);
            let left = left.map(|left| left.replace("<>", WRITTEN));
            assert_eq!(left_of(&body), left, "{name}");
        }
    }
}
