//! Manifests: YAML and JSON files, read as kubectl reads them, with the place of every value, and changed by inserting
//! text. The command line and `policies` call this; nothing else in podfit touches YAML.

use std::{borrow::Cow, ops::Range};

use crate::{
    node::{Entry, Node, Span, Value},
    pointer,
};

mod apply;
mod edit;
mod emit;
mod parse;
#[cfg(test)]
mod properties;
mod scalar;

pub use apply::{ApplyError, Fixed, apply};
pub use parse::SyntaxError;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub node: Node,
    /// The same as compact JSON: order and repeated keys as in the text, aliases and merge keys resolved.
    pub json: String,
    /// Where the document stands in the file, in bytes, from the start of its first line.
    pub range: Range<usize>,
}

/// A Kubernetes object of a document: the document itself, or an item of a `List`.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<'a> {
    /// Stands before every pointer into the object: empty, or like `/items/3`.
    pub pointer_prefix: String,
    pub node: &'a Node,
    pub json: Cow<'a, str>,
}

/// Reads all documents of a file; empty ones are left out. A document that is no YAML gives an error in its place, and
/// reading goes on at the next `---`.
pub fn read(text: &str) -> Vec<Result<Document, SyntaxError>> {
    parse::documents(text)
        .into_iter()
        .filter(|parsed| !matches!(parsed, Ok(parsed) if parsed.root.value == Value::Null))
        .map(|parsed| {
            let parse::Parsed { root, range } = parsed?;
            Ok(Document { json: emit::json(&root), node: root, range })
        })
        .collect()
}

/// An object as block YAML, texts of several lines line by line.
pub fn yaml(object: &serde_json::Value) -> String {
    emit::block(object, emit::Layout::default()).join("\n") + "\n"
}

impl Document {
    /// Where a value stands: at most its first line, so that it can be shown. Where the pointer leads to nothing, the
    /// place of the nearest thing above it: its key, or the `name` of a list element.
    pub fn locate(&self, pointer: &str) -> Span {
        let mut node = &self.node;
        let mut heading = element_line(node);
        for token in pointer::tokens(pointer) {
            match child(node, &token) {
                Some(Child::Entry(entry)) => {
                    heading = entry_line(entry);
                    node = &entry.value;
                }
                Some(Child::Item(item)) => {
                    heading = element_line(item);
                    node = item;
                }
                None => return heading,
            }
        }
        first_line(node)
    }

    /// The object of this document, or those in its `List`, at any depth.
    pub fn objects(&self) -> Vec<Object<'_>> {
        let mut objects = Vec::new();
        if let Some(items) = list_items(&self.node) {
            expand(items, "", &mut objects);
        } else {
            let json = Cow::Borrowed(self.json.as_str());
            objects.push(Object { pointer_prefix: String::new(), node: &self.node, json });
        }
        objects
    }
}

enum Child<'a> {
    Entry(&'a Entry),
    Item(&'a Node),
}

fn child<'a>(node: &'a Node, token: &str) -> Option<Child<'a>> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == token).map(Child::Entry),
        Value::List(items) => items.get(token.parse::<usize>().ok()?).map(Child::Item),
        _ => None,
    }
}

/// Recursion is bounded by the depth that the parser allows.
fn expand<'a>(items: &'a [Node], prefix: &str, objects: &mut Vec<Object<'a>>) {
    for (index, node) in items.iter().enumerate() {
        let mut pointer_prefix = format!("{prefix}/items");
        pointer::push_index(&mut pointer_prefix, index);
        match list_items(node) {
            Some(nested) => expand(nested, &pointer_prefix, objects),
            None => objects.push(Object { pointer_prefix, node, json: Cow::Owned(emit::json(node)) }),
        }
    }
}

/// `List` and the typed lists of the API (`PodList`), which kubectl expands alike.
fn list_items(node: &Node) -> Option<&[Node]> {
    let kind = node.get("kind")?.as_text()?;
    match &node.get("items")?.value {
        Value::List(items) if kind.ends_with("List") => Some(items),
        _ => None,
    }
}

fn first_line(node: &Node) -> Span {
    if node.span.start.line == node.span.end.line {
        return node.span;
    }
    match &node.value {
        Value::Map(entries) => entries.first().map_or(node.span, entry_line),
        Value::List(items) => items.first().map_or(node.span, first_line),
        _ => node.span,
    }
}

fn entry_line(entry: &Entry) -> Span {
    let one_line = entry.value.span.end.line == entry.key_span.start.line;
    Span { start: entry.key_span.start, end: if one_line { entry.value.span.end } else { entry.key_span.end } }
}

/// What stands for a list element or a whole document: its name, if it has one.
fn element_line(node: &Node) -> Span {
    match child(node, "name") {
        Some(Child::Entry(entry)) => entry_line(entry),
        _ => first_line(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The JSON of each document, or its error.
    fn texts(input: &str) -> Vec<String> {
        read(input).into_iter().map(|document| document.map_or_else(|error| error.to_string(), |it| it.json)).collect()
    }

    #[test]
    fn documents_mean_what_they_mean_to_kubectl() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("nothing", "", &[]),
            ("comments and empty documents", "# c\n---\n---\n# x\n...\n---\n~\n", &[]),
            ("documents", "a: 1\n--- # b\nb: 2\n...\n---\n{c: 3}\n", &[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]),
            (
                "byte order mark and CRLF",
                "\u{feff}a: 1\r\nb:\r\n- |\r\n  x\r\n  y\r\n",
                &["{\"a\":1,\"b\":[\"x\\ny\\n\"]}"],
            ),
            (
                "scalars",
                "{a: yes, b: 0644, c: '0644', d: !!str 1, e: ~, f: , g: !!int '2', h: !x 3, i: 1.50, j: ä}",
                &[r#"{"a":true,"b":420,"c":"0644","d":"1","e":null,"f":null,"g":2,"h":"3","i":1.50,"j":"ä"}"#],
            ),
            ("keys", "1: a\nyes: b\n0x10: c\n'1': d\n", &[r#"{"1":"a","true":"b","16":"c","1":"d"}"#]),
            ("repeated keys", "{a: 1, b: 2, a: 3}", &[r#"{"a":1,"b":2,"a":3}"#]),
            (
                "JSON with tabs, escapes and no white space",
                "{\n\t\"a\":[1,{}],\"b\":\"\\ud83d\\ude00\\/\\u0041\",\"c\":null\n}\n",
                &[r#"{"a":[1,{}],"b":"😀/A","c":null}"#],
            ),
            (
                "aliases and merge keys",
                "a: &a {x: 1, w: 2}\nb: *a\nc:\n  <<: [*a, {w: 3, z: 4}]\n  x: 5\nd: {'<<': 1}\n",
                &[r#"{"a":{"x":1,"w":2},"b":{"x":1,"w":2},"c":{"x":5,"w":2,"z":4},"d":{"<<":1}}"#],
            ),
            (
                "an error, and the documents around it",
                "a: 1\n---\nb: c: d\n---\ne: 1\n",
                &[r#"{"a":1}"#, "line 3, column 5: mapping values are not allowed in this context", r#"{"e":1}"#],
            ),
            (
                "a Helm template",
                "a: {{ .Values.a }}\n---\n{{- if .b }}\nc: 1\n{{- end }}\n",
                &[
                    "line 1, column 5: a list or a map where a key belongs",
                    "line 3, column 3: \"-\" is only valid inside a block",
                ],
            ),
            ("an unknown alias", "a: *b\n", &["line 1, column 4: while parsing node, found unknown anchor"]),
            ("an alias in itself", "a: &a [*a]\n", &["line 1, column 8: an alias inside what it stands for"]),
            ("a merge of no map", "<<: 1\n", &["line 1, column 5: a merge key takes a map"]),
            ("an empty key", ": 1\n", &["line 1, column 1: an empty key"]),
            ("infinity", "a: .inf\n", &["line 1, column 4: a number that JSON cannot hold; quote it if it is a text"]),
            ("a tag that does not fit", "a: !!int x\n", &["line 1, column 10: a value that its tag does not allow"]),
        ];
        for (name, input, expected) in rows {
            assert_eq!(texts(input), *expected, "{name}");
        }
    }

    #[test]
    fn bombs_are_bounded() {
        let level = |level: usize| {
            let aliases = vec![format!("*a{level}"); 10].join(", ");
            format!("a{0}: &a{0} [{aliases}]\n", level + 1)
        };
        let bomb =
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned() + &(0..20).map(level).collect::<Vec<_>>().concat();
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 10_000].join(", "));
        let deep_flow = "[".repeat(100_000);
        let deep_block = (0..1_000).map(|depth| " ".repeat(depth) + "a:\n").collect::<Vec<_>>().concat();
        let nested = |level: usize| format!("a{0}: &a{0} [[*a{level}]]\n", level + 1);
        let deep_aliases = "a0: &a0 1\n".to_owned() + &(0..300).map(nested).collect::<Vec<_>>().concat();
        let rows = [
            ("aliases of aliases", bomb, "aliases stand for too many values"),
            ("a long text many times", long, "aliases stand for too many values"),
            ("brackets", deep_flow, "nested too deeply"),
            ("indentation", deep_block, "nested too deeply"),
            ("depth by aliases", deep_aliases, "nested too deeply"),
        ];
        for (name, input, expected) in rows {
            let messages: Vec<String> = read(&input).into_iter().filter_map(|it| Some(it.err()?.message)).collect();
            assert_eq!(messages, [expected], "{name}");
        }
    }

    const POD: &str = "\
# a Pod
kind: Pod
metadata: {name: a, labels: {b: c}}
spec:
  containers:
  - name: app
    image: ä:1 # tag
    resources:
      limits: &limits
        cpu: 1
    env:
  - image: b
    name: side
    args:
      - one
      - - two
    resources:
      limits: *limits
";

    #[test]
    fn pointers_lead_to_lines_and_columns() {
        let rows = [
            ("/kind", "2:7-2:10 Pod"),
            ("/metadata", "3:11-3:36 {name: a, labels: {b: c}}"),
            ("/metadata/labels/b", "3:33-3:34 c"),
            ("/metadata/annotations/x", "3:1-3:36 metadata: {name: a, labels: {b: c}}"),
            ("/spec/containers/0/image", "7:12-7:15 ä:1"),
            ("/spec/containers/0", "6:5-6:14 name: app"),
            ("/spec/containers/0/livenessProbe/httpGet", "6:5-6:14 name: app"),
            ("/spec/containers/0/resources", "9:7-9:13 limits"),
            ("/spec/containers/0/resources/requests", "8:5-8:14 resources"),
            ("/spec/containers/0/env", "11:9-11:9 "),
            ("/spec/containers/0/env/0", "11:5-11:9 env:"),
            ("/spec/containers/1", "12:5-12:13 image: b"),
            ("/spec/containers/1/env", "13:5-13:15 name: side"),
            ("/spec/containers/1/args/0", "15:9-15:12 one"),
            ("/spec/containers/1/args/1/0", "16:11-16:14 two"),
            ("/spec/containers/1/resources/limits", "18:15-18:22 *limits"),
            ("/spec/containers/1/resources/limits/cpu", "10:14-10:15 1"),
            ("/spec/containers/7/image", "5:3-5:13 containers"),
            ("/spec/volumes", "4:1-4:5 spec"),
            ("/status", "2:1-2:10 kind: Pod"),
            ("", "2:1-2:10 kind: Pod"),
        ];
        let documents = read(POD);
        let document = documents[0].as_ref().expect("the manifest is YAML");
        for (pointer, expected) in rows {
            let Span { start, end } = document.locate(pointer);
            let text = &POD[start.offset..end.offset];
            let place = format!("{}:{}-{}:{} {text}", start.line, start.column, end.line, end.column);
            assert_eq!(place, expected, "{pointer}");
        }
    }

    #[test]
    fn spans_end_where_the_text_ends() {
        let rows = [
            ("clipped block scalar", "a:\n  b: |\n    x\n    y\n\n# c\nd: 1\n", "/a/b", "x\n    y"),
            ("kept block scalar", "a: |+\n  x\n\n\nd: 1\n", "/a", "x\n\n"),
            ("folded, CRLF", "a: >\r\n  x\r\n\r\nd: 1\r\n", "/a", "x"),
            ("a list", "a:\n- 1\n# c\n-\n# d\nb: 1\n", "/a", "- 1\n# c\n-"),
            ("a list behind an anchor", "a: &a # c\n- 1\n", "/a", "- 1"),
            ("a map", "- a: 1\n  b: {c: 1}  # d\n\n- c\n", "/0", "a: 1\n  b: {c: 1}"),
        ];
        for (name, input, pointer, expected) in rows {
            let documents = read(input);
            let mut node = &documents[0].as_ref().expect("the text is YAML").node;
            for token in pointer::tokens(pointer) {
                node = match child(node, &token).expect("the pointer leads to a value") {
                    Child::Entry(entry) => &entry.value,
                    Child::Item(item) => item,
                };
            }
            assert_eq!(&input[node.span.start.offset..node.span.end.offset], expected, "{name}");
        }
    }

    #[test]
    fn lists_are_their_items() {
        let rows: &[(&str, &[(&str, &str)])] = &[
            ("kind: Pod\nitems: [1]\n", &[("", r#"{"kind":"Pod","items":[1]}"#)]),
            ("kind: List\n", &[("", r#"{"kind":"List"}"#)]),
            ("kind: List\nitems: []\n", &[]),
            (
                "kind: List\nitems:\n- kind: Pod\n- kind: PodList\n  items: [{a: 1}]\n",
                &[("/items/0", r#"{"kind":"Pod"}"#), ("/items/1/items/0", r#"{"a":1}"#)],
            ),
        ];
        for (input, expected) in rows {
            let documents = read(input);
            let objects = documents[0].as_ref().expect("the text is YAML").objects();
            let found: Vec<(&str, &str)> =
                objects.iter().map(|object| (object.pointer_prefix.as_str(), object.json.as_ref())).collect();
            assert_eq!(found, *expected, "{input}");
        }
    }
}
