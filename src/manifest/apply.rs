//! The engine of `podfit fix`: JSON Patch operations → text inserted into the manifest. Every document is read again
//! afterwards and compared with the patch applied to its JSON; where they differ, or where a style has no place for an
//! insertion, that document alone is written anew.

use std::collections::HashSet;

use json_patch::{AddOperation, PatchOperation, ReplaceOperation, jsonptr::PointerBuf};
use serde_json::Value;

use super::{
    Document,
    edit::{self, Changed, LAYOUT},
    emit::{self, Layout},
    parse,
};
use crate::{
    node::Node,
    patch::{Operation, OperationKind},
};

/// A file with its patches applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    pub text: String,
    /// The documents whose comments and layout are lost, by index, each with the reason.
    pub reemitted: Vec<(usize, &'static str)>,
}

/// Why a patch cannot be applied. `document` counts from 0, as [`super::read`] returns them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error("document {document} cannot be changed: there is none, it is no YAML, or it is nested too deeply")]
    NoDocument { document: usize },
    #[error("{kind} {pointer} does not apply: {reason}", kind = .kind.as_str())]
    Operation { document: usize, kind: OperationKind, pointer: String, reason: String },
    #[error("document {document} cannot be written without a change of its meaning")]
    Unwritable { document: usize },
}

/// Applies `patches[index]` to each document `index` of [`super::read`]; pointers start at the document's root, and list
/// indices stand as the operations before have left them. Documents without operations keep every byte.
///
/// # Errors
/// Where an operation does not apply; nothing is changed then.
pub fn apply(text: &str, patches: &[Vec<Operation>]) -> Result<Fixed, ApplyError> {
    let documents = super::read(text);
    let mut fixed = Fixed { text: text.to_owned(), reemitted: Vec::new() };
    // From the last to the first, so that the places of those before stay right.
    for (index, operations) in patches.iter().enumerate().rev().filter(|(_, operations)| !operations.is_empty()) {
        let Some(Ok(document)) = documents.get(index) else { return Err(ApplyError::NoDocument { document: index }) };
        let (edited, why) = apply_one(text, index, document, operations)?;
        fixed.text.replace_range(document.range.clone(), &edited);
        fixed.reemitted.extend(why.map(|why| (index, why)));
    }
    fixed.reemitted.reverse();
    Ok(fixed)
}

fn apply_one(
    text: &str,
    index: usize,
    document: &Document,
    operations: &[Operation],
) -> Result<(String, Option<&'static str>), ApplyError> {
    let expected = patched(index, &document.json, operations)?;
    let source = &text[document.range.clone()];
    let why = match insert_all(source, operations) {
        Ok(edited) if value_of(&edited).as_ref() == Some(&expected) => return Ok((edited, None)),
        Ok(_) => LAYOUT,
        Err(why) => why,
    };
    let edited = reemit(source, document, &expected);
    match value_of(&edited) {
        Some(value) if value == expected => Ok((edited, Some(why))),
        _ => Err(ApplyError::Unwritable { document: index }),
    }
}

/// What the document must say afterwards, by an implementation that is not ours.
fn patched(document: usize, json: &str, operations: &[Operation]) -> Result<Value, ApplyError> {
    let mut value: Value = serde_json::from_str(json).map_err(|_| ApplyError::NoDocument { document })?;
    for operation in operations {
        let failed = |reason: String| ApplyError::Operation {
            document,
            kind: operation.kind,
            pointer: operation.pointer.clone(),
            reason,
        };
        let step = patch_operation(operation).map_err(failed)?;
        json_patch::patch(&mut value, &[step]).map_err(|error| failed(error.kind.to_string()))?;
    }
    Ok(value)
}

fn patch_operation(operation: &Operation) -> Result<PatchOperation, String> {
    let path = PointerBuf::parse(operation.pointer.as_str()).map_err(|error| error.to_string())?;
    let value = serde_json::from_str(&operation.value).map_err(|error| format!("its value is no JSON: {error}"))?;
    Ok(match operation.kind {
        OperationKind::Add => PatchOperation::Add(AddOperation { path, value }),
        OperationKind::Replace => PatchOperation::Replace(ReplaceOperation { path, value }),
    })
}

fn value_of(text: &str) -> Option<Value> {
    serde_json::from_str(&emit::json(&single(text)?)).ok()
}

/// The root of a text of one document.
fn single(text: &str) -> Option<Node> {
    let mut documents = parse::documents(text);
    match (documents.pop()?, documents.is_empty()) {
        (Ok(parsed), true) => Some(parsed.root),
        _ => None,
    }
}

/// A document in JSON's own style stays JSON, so that a `.json` file stays one.
fn reemit(source: &str, document: &Document, value: &Value) -> String {
    let from = document.node.span.start.offset - document.range.start;
    let to = document.node.span.end.offset - document.range.start;
    let newline = edit::newline_of(source);
    let lines = match source.as_bytes().get(from) {
        Some(b'{' | b'[') => emit::pretty(value, "  "),
        _ => emit::block(value, Layout::of(&document.node)),
    };
    let indent = document.node.span.start.column - 1;
    format!("{}{}{}", &source[..from], emit::join(&lines, indent, newline), &source[to..])
}

/// Reads the text again between operations that may touch each other, so that an edit always sees what the last has left.
fn insert_all(source: &str, operations: &[Operation]) -> Changed<String> {
    let mut text = source.to_owned();
    let mut waiting: Vec<&Operation> = operations.iter().collect();
    while !waiting.is_empty() {
        let root = single(&text).ok_or(LAYOUT)?;
        let (now, later) = apart(waiting);
        text = edit::edited(&text, &root, &now)?;
        waiting = later;
    }
    Ok(text)
}

/// Takes the operations on containers that do not hold one another, and none before one that it must follow. A `List` of
/// a thousand objects would otherwise be read a thousand times.
fn apart(operations: Vec<&Operation>) -> (Vec<&Operation>, Vec<&Operation>) {
    let (mut containers, mut above) = (HashSet::new(), HashSet::new());
    operations.into_iter().partition(|operation| {
        let container = operation.pointer.rsplit_once('/').map_or("", |(container, _)| container);
        let ancestors = || container.match_indices('/').map(|(end, _)| &container[..end]);
        let alone = !above.contains(container)
            && !containers.contains(container)
            && !ancestors().any(|it| containers.contains(it));
        containers.insert(container);
        above.extend(ancestors());
        alone
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::edit::SHARED;

    fn operations(rows: &[(&str, &str, &str)]) -> Vec<Operation> {
        rows.iter()
            .map(|(kind, pointer, value)| Operation {
                kind: if *kind == "add" { OperationKind::Add } else { OperationKind::Replace },
                pointer: (*pointer).to_owned(),
                value: (*value).to_owned(),
            })
            .collect()
    }

    /// The text before and after a diff: each line is kept (` `), inserted (`+`) or removed (`-`).
    fn sides(diff: &str) -> (String, String) {
        let side = |skipped: char| {
            let lines = diff.lines().skip(1).filter(|line| !line.starts_with(skipped));
            lines.fold(String::new(), |text, line| text + line.get(1..).unwrap_or_default() + "\n")
        };
        (side('+'), side('-'))
    }

    const X: &str = r#"{"name":"X","value":"2"}"#;

    /// A name, operations and a diff.
    type Row = (&'static str, &'static [(&'static str, &'static str, &'static str)], &'static str);

    const EDITS: &[Row] = &[
        (
            "a key behind the last entry of its mapping",
            &[("add", "/spec/containers/0/env", r#"[{"name":"GOMAXPROCS","value":"2"}]"#)],
            "
 spec:
   containers:
   - name: app   # the app
     image: a:1
+    env:
+    - name: GOMAXPROCS
+      value: \"2\"

   # the sidecar
   - name: side
     image: b:1
 status: {}
",
        ),
        (
            "a key behind the mapping's own trailing comments",
            &[("add", "/a/c", "1")],
            "
 a:
   b: 1
   # d: 2
+  c: 1
 # about e
 e: 2
",
        ),
        (
            "a key at the top level, before what follows",
            &[("add", "/b", r#"{"c":{"d":[]},"e":{}}"#)],
            "
 # head
 a: 1
+b:
+  c:
+    d: []
+  e: {}
 # tail
",
        ),
        (
            "under an empty value, with its comment",
            &[("add", "/a/env", r#"[{"name":"X","value":"2"}]"#)],
            "
 a:
   env:  # none yet
+  - name: X
+    value: \"2\"
   b: 1
",
        ),
        (
            "under null",
            &[("add", "/env", "[1]")],
            "
-env: null # none
+env: # none
+- 1
 b: 1
",
        ),
        (
            "under a tilde, a map",
            &[("add", "/limits", r#"{"cpu":"500m"}"#)],
            "
-limits: ~
+limits:
+  cpu: 500m
 b: 1
",
        ),
        (
            "a key into an empty map",
            &[("add", "/resources/limits", r#"{"cpu":1}"#)],
            "
-resources: {}
+resources:
+  limits:
+    cpu: 1
",
        ),
        (
            "an item into an empty list",
            &[("add", "/env/0", X), ("add", "/env/1", r#"{"name":"Z"}"#)],
            "
-env: []  # none
+env:  # none
+- name: X
+  value: \"2\"
+- name: Z
",
        ),
        (
            "items at the front, behind comments of the key, before comments of the first item",
            &[("add", "/env/0", X), ("add", "/env/1", r#"{"name":"Z"}"#)],
            "
 env:   # all of them
+  - name: X
+    value: \"2\"
+  - name: Z
   # first
   - name: A
     value: a
",
        ),
        (
            "items in the middle and at the end of a list that is not indented",
            &[("add", "/env/1", r#""x""#), ("add", "/env/-", r#""z""#)],
            "
 env:
 - a
   # of a
+- x
 # of b

 - b  # b
+- z
 # of c
 c: 1
",
        ),
        (
            "lists and maps are indented as the document does it",
            &[("add", "/a/d", r#"{"e":[{"f":{"g":1}}]}"#)],
            "
 a:
     b:
         - c: 1
+    d:
+        e:
+            - f:
+                  g: 1
",
        ),
        (
            "a list in a list",
            &[("add", "/0/1", r#"["x","w"]"#), ("add", "/0/2/0", r#""z""#)],
            "
 - - a
+  - - x
+    - w
-  - - b
+  - - z
+    - b
",
        ),
        (
            "an item of its own line under a bare dash",
            &[("add", "/a/1", "1"), ("add", "/a/0/c", "2")],
            "
 a:
 -
   b: 1
+  c: 2
+- 1
 - # two
   b: 2
",
        ),
        (
            "behind a block scalar, clipped",
            &[("add", "/a/c", "1")],
            "
 a:
   b: |
     text

     more
+  c: 1

 d: 1
",
        ),
        (
            "behind a block scalar that keeps its blank lines",
            &[("add", "/a/c", "1")],
            "
 a:
   b: |+
     text


+  c: 1
 d: 1
",
        ),
        (
            "behind a folded one at the end, a quoted and a plain one over two lines",
            &[("add", "/a/d", "1"), ("add", "/e", "1")],
            "
 a:
   b: \"x
     y\"
   c: p
     q # not c
+  d: 1
 f: >-
   z
+e: 1
",
        ),
        (
            "before a document end marker",
            &[("add", "/b", "1")],
            "
 a: 1
+b: 1
 ...
 # end
",
        ),
        (
            "replaced scalars",
            &[("replace", "/a", r#""3""#), ("replace", "/b", "true"), ("replace", "/c/0", r#""y""#)],
            "
-a: 2  # two
-b: 'x'
+a: \"3\"  # two
+b: true
 c:
-- x # x
+- \"y\" # x
",
        ),
        (
            "a replaced list item",
            &[("replace", "/env/1", X)],
            "
 env:
   - name: A
   - name: X
-    value: \"1\"
+    value: \"2\"
   # B
   - name: B
",
        ),
        (
            "a replaced text over several lines, and one that becomes such",
            &[("replace", "/a", r#""x""#), ("replace", "/b", r#""l\nm\n""#)],
            "
-a: |
-  one
-  two
-b: 1
+a: x
+b: |
+  l
+  m
 c: 1
",
        ),
        (
            "flow style on one line",
            &[
                ("add", "/args/0", r#""x""#),
                ("add", "/args/-", r#""z""#),
                ("add", "/limits/cpu", r#""1""#),
                ("add", "/none/a", r#"{"k":"v"}"#),
                ("add", "/envs/0/env", r#"[{"name":"X"}]"#),
                ("replace", "/limits/memory", r#""2Gi""#),
            ],
            "
-args: [a, b]  # args
-limits: {memory: 1Gi}
-none: {}
-envs: [{name: a, env: []}]
+args: [\"x\", a, b, \"z\"]  # args
+limits: {memory: \"2Gi\", cpu: \"1\"}
+none:
+  a:
+    k: v
+envs: [{name: a, env: [{\"name\": \"X\"}]}]
",
        ),
        (
            "pretty JSON",
            &[
                ("add", "/spec/env/0", r#"{"name":"X","value":"2"}"#),
                ("add", "/spec/env/2", r#"{"name":"Z"}"#),
                ("add", "/spec/none/0", r#"{"a":[1,{}]}"#),
                ("add", "/spec/probe", r#"{"port":1}"#),
            ],
            "
 {
   \"spec\": {
     \"env\": [
       {
+        \"name\": \"X\",
+        \"value\": \"2\"
+      },
+      {
         \"name\": \"A\"
+      },
+      {
+        \"name\": \"Z\"
       }
     ],
-    \"none\": []
+    \"none\": [
+      {
+        \"a\": [
+          1,
+          {}
+        ]
+      }
+    ],
+    \"probe\": {
+      \"port\": 1
+    }
   }
 }
",
        ),
        (
            "JSON indented by tabs",
            &[("add", "/a/c", "[1]")],
            "
 {
 \t\"a\": {
-\t\t\"b\": 1
+\t\t\"b\": 1,
+\t\t\"c\": [
+\t\t\t1
+\t\t]
 \t}
 }
",
        ),
        ("a whole document of one empty map", &[("add", "/a", "1")], "\n-{}\n+{\"a\": 1}\n"),
        (
            "quotes where a text would be read as something else",
            &[("add", "/x", r#"{"a":"yes","b":"0644","c":"a: b","true":"1e3","d":"- x","e":"","f":"500m","g":"y"}"#)],
            "
 a: 1
+x:
+  a: \"yes\"
+  b: \"0644\"
+  c: \"a: b\"
+  \"true\": \"1e3\"
+  d: \"- x\"
+  e: \"\"
+  f: 500m
+  g: \"y\"
",
        ),
        (
            "an anchor that nothing else uses, tags, and a merge key beside the new key",
            &[("add", "/a/c", "1"), ("add", "/e/g", "1")],
            "
 a: &a
   b: !!str 1
+  c: 1
 d: &d {x: 1}
 e:
   <<: *d
   f: 1
+  g: 1
",
        ),
        (
            "operations on several containers, some on what an earlier one has made or moved",
            &[
                ("add", "/c/0/env", "[]"),
                ("add", "/c/1/x", "1"),
                ("add", "/c/0/env/-", X),
                ("add", "/c/0", "{}"),
                ("add", "/c/2/w/-", "2"),
                ("replace", "/c/2/x", "3"),
                ("add", "/d", "4"),
            ],
            "
 c:
+- {}
 - a: 1
+  env:
+  - name: X
+    value: \"2\"
 - w:
   - 1
+  - 2
+  x: 3
+d: 4
",
        ),
        (
            "pointers with escapes",
            &[("add", "/metadata/annotations/podfit.dev~1in~0jected", r#""{\"a\":1}""#)],
            "
 metadata:
   annotations:
     a/b: c
+    podfit.dev/in~jected: '{\"a\":1}'
",
        ),
    ];

    #[test]
    fn edits_insert_text() {
        for (name, edits, diff) in EDITS {
            let (input, expected) = sides(diff);
            let fixed = apply(&input, &[operations(edits)]);
            assert_eq!(fixed, Ok(Fixed { text: expected, reemitted: vec![] }), "{name}");
        }
    }

    #[test]
    fn line_ends_and_file_ends_stay() {
        let edits = operations(&[("add", "/a/0", X), ("add", "/b", "1")]);
        let rows = [
            (
                "CRLF",
                "a:\r\n# c\r\n- 1 # d\r\n\r\n",
                "a:\r\n- name: X\r\n  value: \"2\"\r\n# c\r\n- 1 # d\r\nb: 1\r\n\r\n",
            ),
            ("no line end", "a:\n- 1", "a:\n- name: X\n  value: \"2\"\n- 1\nb: 1"),
            ("no line end, a comment", "a:\n- 1 # x", "a:\n- name: X\n  value: \"2\"\n- 1 # x\nb: 1"),
            ("a byte order mark", "\u{feff}a:\n- 1\n", "\u{feff}a:\n- name: X\n  value: \"2\"\n- 1\nb: 1\n"),
            ("JSON on a line", r#"{"a":[1]}"#, r#"{"a":[{"name": "X", "value": "2"}, 1], "b": 1}"#),
            ("JSON without items", r#"{"a":[]}"#, r#"{"a":[{"name": "X", "value": "2"}], "b": 1}"#),
        ];
        for (name, input, expected) in rows {
            let fixed = apply(input, std::slice::from_ref(&edits));
            assert_eq!(fixed, Ok(Fixed { text: expected.to_owned(), reemitted: vec![] }), "{name}");
        }
    }

    #[test]
    fn each_document_has_its_own_patch() {
        let input = "# one\na: 1\n---\n# empty\n---\nb: [\n--- # three\n  c: 1\n  d: 2\n# four\n---\ne: 1\n";
        let expected =
            "# one\na: 1\nx: 1\n---\n# empty\n---\nb: [\n--- # three\n  c: 1\n  d: 2\n  x: 1\n# four\n---\ne: 1\n";
        let edits = operations(&[("add", "/x", "1")]);
        let fixed = apply(input, &[edits.clone(), vec![], edits]);
        assert_eq!(fixed, Ok(Fixed { text: expected.to_owned(), reemitted: vec![] }));
    }

    #[test]
    fn a_style_without_a_place_is_written_anew() {
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)], &'a str, &'a str, &'a str);
        let rows: &[Row] = &[
            (
                "through an alias",
                &[("add", "/b/y", "1")],
                "# head\na: &a\n  x: 1 # lost\nb: *a\n# tail\n",
                "# head\na:\n  x: 1\nb:\n  x: 1\n  \"y\": 1\n# tail\n",
                SHARED,
            ),
            (
                "through a merge key",
                &[("add", "/b/env/0", "1")],
                "a: &a\n  env: [0]\nb:\n  <<: *a\n",
                "a:\n  env:\n  - 0\nb:\n  env:\n  - 1\n  - 0\n",
                SHARED,
            ),
            (
                "where an anchor is",
                &[("add", "/a/y", "1")],
                "a: &a {x: 1}\nb: *a\n",
                "a:\n  x: 1\n  \"y\": 1\nb:\n  x: 1\n",
                LAYOUT,
            ),
            (
                "an explicit key",
                &[("add", "/b", "\"l\\n\\nm\"")],
                "? a\n: - 1\n",
                "a:\n- 1\nb: |-\n  l\n\n  m\n",
                LAYOUT,
            ),
            (
                "flow without a value",
                &[("replace", "/a", "1")],
                "{a: , b: {}}\n",
                "{\n  \"a\": 1,\n  \"b\": {}\n}\n",
                LAYOUT,
            ),
        ];
        for (name, edits, input, expected, why) in rows {
            let fixed = apply(input, &[operations(edits)]);
            assert_eq!(fixed, Ok(Fixed { text: (*expected).to_owned(), reemitted: vec![(0, *why)] }), "{name}");
        }
    }

    #[test]
    fn an_operation_that_does_not_apply_is_named() {
        let rows = [
            ("add", "/x/y", "1", "a: 1\n", "add /x/y does not apply: path is invalid"),
            ("add", "/a/2", "1", "a: [1]\n", "add /a/2 does not apply: path is invalid"),
            ("replace", "/b", "1", "a: 1\n", "replace /b does not apply: path is invalid"),
            (
                "add",
                "/b",
                "1",
                "a: [",
                "document 0 cannot be changed: there is none, it is no YAML, or it is nested too deeply",
            ),
        ];
        for (kind, pointer, value, input, expected) in rows {
            let message = apply(input, &[operations(&[(kind, pointer, value)])]).map_err(|error| error.to_string());
            assert_eq!(message, Err(expected.to_owned()), "{pointer}");
        }
    }
}
