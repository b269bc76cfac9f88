//! What holds for every text: reading never panics, and an edit of a block manifest only inserts lines.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::{Fixed, apply, read};
use crate::{
    patch::{Operation, OperationKind},
    pointer,
};

const SEED: &str = "\
# head
a: &a
  - b: \"x\\n\"   # c
    d: |+
      text

  # e
  - 'y'
<<: {f: [1, ~, {g: h}], i: }
j: *a
---
? k
: - - 1
  - >-
    l
...
{\"m\": [\n\t1,\r\n\ttrue]}
";

const PARTS: &[&str] = &[
    "- ", ": ", "\n", "  ", "#", "{", "}", "[", "]", ",", "|", ">", "&a ", "*a", "!!str ", "? ", "---\n", "...\n",
    "\"", "'", "\t", "\r\n", "<<: ", "\u{feff}", "ä", "%", "{{ .x }}", "@", "`", "a", "1", "~", "\\", "\u{2028}", "\0",
];

fn mutated_seed() -> impl Strategy<Value = String> {
    let edit = (0..SEED.len(), 0_usize..6, prop::sample::select(PARTS));
    prop::collection::vec(edit, 1..8).prop_map(|edits| {
        let mut text: Vec<char> = SEED.chars().collect();
        for (at, removed, part) in edits {
            let at = at.min(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, part.chars());
        }
        text.into_iter().collect()
    })
}

fn parts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PARTS), 0..40).prop_map(|parts| parts.concat())
}

/// Every road through this module, on a text that may be anything.
fn exercise(text: &str) {
    let documents = read(text);
    for document in documents.iter().flatten() {
        let value: Value = serde_json::from_str(&document.json).expect("the JSON of a document is JSON");
        for pointer in pointers(&value) {
            let span = document.locate(&pointer);
            assert!(text.get(span.start.offset..span.end.offset).is_some(), "{pointer} in {text:?}");
        }
        document.objects();
    }
    for (index, document) in documents.iter().enumerate() {
        let Ok(document) = document else { continue };
        let value: Value = serde_json::from_str(&document.json).expect("the JSON of a document is JSON");
        for pointer in pointers(&value) {
            let mut patches = vec![Vec::new(); index];
            patches.push(vec![add(&format!("{pointer}/0"), "{\"z\":[\"1\"]}")]);
            let _ = apply(text, &patches);
        }
    }
}

fn add(pointer: &str, value: &str) -> Operation {
    Operation { kind: OperationKind::Add, pointer: pointer.to_owned(), value: value.to_owned() }
}

/// Pointers to all maps and lists.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        _ => return,
    };
    found.push(at.to_owned());
    for (token, child) in children {
        let mut below = at.to_owned();
        pointer::push(&mut below, &token);
        collect(child, &below, found);
    }
}

/// A block manifest: each part has what stands above it and behind it.
#[derive(Debug, Clone)]
enum Part {
    Scalar(&'static str),
    Lines(&'static str),
    List(Vec<(Around, Part)>),
    Map(Vec<(Around, Part)>),
}

#[derive(Debug, Clone)]
struct Around {
    above: &'static str,
    behind: &'static str,
}

fn part() -> impl Strategy<Value = Part> {
    let scalars: &[&str] = &["1", "text", "\"q # q\"", "'- x'", "two words", "true", "\"yes\"", "[1, a]", "{b: c}"];
    let lines: &[&str] = &["|\nx\n", "|\nx\n\n y\n\n", "|+\nx\n\n", ">-\nx\ny\n", "|2-\n x\n", "\"x\ny\"\n"];
    let leaf = prop_oneof![
        3 => prop::sample::select(scalars).prop_map(Part::Scalar),
        1 => prop::sample::select(lines).prop_map(Part::Lines),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let children = prop::collection::vec((around(), inner), 1..4);
        (any::<bool>(), children)
            .prop_map(|(list, children)| if list { Part::List(children) } else { Part::Map(children) })
    })
}

fn around() -> impl Strategy<Value = Around> {
    let above: &[&str] = &["", "", "", "# above", "# one\n# two", "\n", "\n# apart", "# apart\n"];
    let behind: &[&str] = &["", "", " # behind", "   "];
    (prop::sample::select(above), prop::sample::select(behind)).prop_map(|(above, behind)| Around { above, behind })
}

fn write_above(around: &Around, indent: usize, out: &mut String) {
    for line in around.above.split('\n').filter(|_| !around.above.is_empty()) {
        let indent = if line.is_empty() { 0 } else { indent };
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

/// Writes a part behind its key or dash, which ends the text so far without a space.
fn write_value(part: &Part, behind: &str, indent: usize, list_indent: usize, out: &mut String) {
    match part {
        Part::Scalar(text) => {
            let _ = writeln!(out, " {text}{behind}");
        }
        Part::Lines(text) => {
            for (index, line) in text.lines().enumerate() {
                let indent = if line.is_empty() { 0 } else { indent + 2 };
                let _ = if index == 0 { writeln!(out, " {line}") } else { writeln!(out, "{:indent$}{line}", "") };
            }
        }
        Part::List(_) => {
            let _ = writeln!(out, "{behind}");
            write_part(part, indent + list_indent, list_indent, out);
        }
        Part::Map(_) => {
            let _ = writeln!(out, "{behind}");
            write_part(part, indent + 2, list_indent, out);
        }
    }
}

fn write_part(part: &Part, indent: usize, list_indent: usize, out: &mut String) {
    match part {
        Part::List(items) => {
            for (around, item) in items {
                write_above(around, indent, out);
                let _ = write!(out, "{:indent$}-", "");
                match item {
                    // The first key or item stands behind the dash, without what would be above it.
                    Part::Map(_) | Part::List(_) if around.behind.is_empty() => {
                        let mut below = String::new();
                        write_part(&without_first_above(item), indent + 2, list_indent, &mut below);
                        let _ = write!(out, " {}", below.trim_start_matches(' '));
                    }
                    _ => write_value(item, around.behind, indent, list_indent.max(2), out),
                }
            }
        }
        Part::Map(entries) => {
            for (index, (around, value)) in entries.iter().enumerate() {
                write_above(around, indent, out);
                let _ = write!(out, "{:indent$}k{index}:", "");
                write_value(value, around.behind, indent, list_indent, out);
            }
        }
        Part::Scalar(_) | Part::Lines(_) => {}
    }
}

fn without_first_above(part: &Part) -> Part {
    let mut part = part.clone();
    if let Part::List(children) | Part::Map(children) = &mut part
        && let Some((around, _)) = children.first_mut()
    {
        around.above = "";
    }
    part
}

fn block_manifest() -> impl Strategy<Value = String> {
    let list_indent = prop::sample::select(&[0_usize, 2, 4][..]);
    (prop::collection::vec((around(), part()), 1..4), list_indent, any::<bool>()).prop_map(
        |(entries, list_indent, crlf)| {
            let mut text = String::new();
            write_part(&Part::Map(entries), 0, list_indent, &mut text);
            if crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}

/// Whether taking lines out of `longer` gives `shorter`, byte for byte.
fn has_lines_of(longer: &str, shorter: &str) -> bool {
    let mut rest = longer.split_inclusive('\n');
    shorter.split_inclusive('\n').all(|line| rest.any(|other| other == line))
}

fn is_one_insertion(longer: &str, shorter: &str) -> bool {
    let before = longer.bytes().zip(shorter.bytes()).take_while(|(one, other)| one == other).count();
    let behind = longer.bytes().rev().zip(shorter.bytes().rev()).take_while(|(one, other)| one == other).count();
    before + behind >= shorter.len()
}

fn patched(json: &str, operation: &Operation) -> Value {
    let mut value: Value = serde_json::from_str(json).expect("the JSON of a document is JSON");
    let patch = serde_json::json!([{
        "op": operation.kind.as_str(),
        "path": operation.pointer,
        "value": serde_json::from_str::<Value>(&operation.value).expect("the value is JSON"),
    }]);
    let patch: json_patch::Patch = serde_json::from_value(patch).expect("the patch is one");
    json_patch::patch(&mut value, &patch).expect("the patch applies");
    value
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        exercise(&text);
    }

    #[test]
    fn no_heap_of_indicators_makes_reading_panic(text in parts()) {
        exercise(&text);
    }

    #[test]
    fn no_damaged_manifest_makes_reading_panic(text in mutated_seed()) {
        exercise(&text);
    }

    #[test]
    fn edits_of_block_manifests_only_insert_lines(
        text in block_manifest(),
        choice in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in prop::sample::select(&["1", "{\"a\":{\"b\":[\"x\",{}]},\"c\":\"yes\"}", "[[1],{\"a\":\"l\\nm\\n\"}]"][..]),
    ) {
        let documents = read(&text);
        prop_assert_eq!(documents.len(), 1);
        let document = documents[0].as_ref().expect("what is generated is YAML");
        let root: Value = serde_json::from_str(&document.json).expect("the JSON of a document is JSON");
        let containers = pointers(&root);
        let container = &containers[choice.index(containers.len())];
        let token = match root.pointer(container) {
            Some(Value::Array(items)) => place.index(items.len() + 1).to_string(),
            _ => "new".to_owned(),
        };
        let operation = add(&format!("{container}/{token}"), value);
        let Fixed { text: edited, reemitted } = apply(&text, &[vec![operation.clone()]]).expect("the patch applies");
        prop_assert_eq!(reemitted, vec![]);
        let read_back = read(&edited);
        let json = &read_back[0].as_ref().expect("what was edited is YAML").json;
        prop_assert_eq!(serde_json::from_str::<Value>(json).expect("JSON"), patched(&document.json, &operation));
        let flow = [serde_json::json!([1, "a"]), serde_json::json!({"b": "c"})];
        let in_flow = root.pointer(container).is_some_and(|container| flow.contains(container));
        prop_assert!(in_flow || is_one_insertion(&edited, &text), "{}", edited);
        // A list behind another dash has no line of its own to insert before.
        prop_assert!(in_flow || text.contains("- -") || has_lines_of(&edited, &text), "{}", edited);
    }
}
