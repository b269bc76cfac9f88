//! The engine of `podfit fix`: JSON Patch operations → text inserted into the manifest. Every document is read again
//! afterwards and compared with the patch applied to its JSON; where they differ, or where a style has no place for an
//! insertion, that document alone is written anew.

use json_patch::{AddOperation, PatchOperation, ReplaceOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::{
    Document, emit,
    emit::Layout,
    parse::{self, skip_trivia},
};
use crate::{
    node::{self, Entry, Node, Span},
    patch::{Operation, OperationKind},
    pointer,
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

const SHARED: &str = "an edit goes through an alias or a merge key";
const LAYOUT: &str = "its layout has no place for an insertion";

type Changed<T> = Result<T, &'static str>;

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
    let newline = newline_of(source);
    let lines = match source.as_bytes().get(from) {
        Some(b'{' | b'[') => emit::pretty(value, "  "),
        _ => emit::block(value, layout_of(&document.node)),
    };
    let indent = document.node.span.start.column - 1;
    format!("{}{}{}", &source[..from], join(&lines, indent, newline), &source[to..])
}

fn insert_all(source: &str, operations: &[Operation]) -> Changed<String> {
    let mut text = source.to_owned();
    for operation in operations {
        let root = single(&text).ok_or(LAYOUT)?;
        let value = serde_json::from_str(&operation.value).map_err(|_| LAYOUT)?;
        let tokens: Vec<String> = pointer::tokens(&operation.pointer).collect();
        let editor = Editor { text: &text, root: &root, layout: layout_of(&root), newline: newline_of(&text) };
        text = editor.splice(editor.change(operation.kind, &tokens, &value)?);
    }
    Ok(text)
}

fn newline_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The indentation that a document has: that of the first map and the first list under a key.
fn layout_of(root: &Node) -> Layout {
    let (mut map, mut list) = (None, None);
    find_layout(root, &mut map, &mut list);
    let default = Layout::default();
    Layout { map: map.unwrap_or(default.map), list: list.unwrap_or(default.list) }
}

fn find_layout(node: &Node, map: &mut Option<usize>, list: &mut Option<usize>) {
    match &node.value {
        node::Value::List(items) => items.iter().for_each(|item| find_layout(item, map, list)),
        node::Value::Map(entries) => entries.iter().for_each(|entry| {
            let (key, value) = (entry.key_span.start, entry.value.span.start);
            let indent = value.column.checked_sub(key.column).filter(|_| value.line > key.line);
            match entry.value.value {
                node::Value::Map(_) => *map = map.or(indent.filter(|indent| *indent > 0)),
                node::Value::List(_) => *list = list.or(indent),
                _ => {}
            }
            find_layout(&entry.value, map, list);
        }),
        _ => {}
    }
}

/// One operation on one text.
struct Editor<'a> {
    text: &'a str,
    root: &'a Node,
    layout: Layout,
    newline: &'static str,
}

/// New text in the place of the bytes from `start` to `end`.
struct Splice {
    start: usize,
    end: usize,
    text: String,
}

#[derive(PartialEq, Eq)]
enum Style {
    Block,
    Flow,
}

impl Editor<'_> {
    /// Splices come in the order of the text.
    fn splice(&self, splices: Vec<Splice>) -> String {
        let mut text = self.text.to_owned();
        for splice in splices.into_iter().rev() {
            text.replace_range(splice.start..splice.end, &splice.text);
        }
        text
    }

    fn change(&self, kind: OperationKind, tokens: &[String], value: &Value) -> Changed<Vec<Splice>> {
        let (last, above) = tokens.split_last().ok_or(LAYOUT)?;
        let parent = self.walk(above)?;
        match (&parent.value, self.style(parent)?) {
            // `env: []` has no line to insert at: it becomes a list with one item.
            (node::Value::List(items), _) if items.is_empty() && !above.is_empty() => {
                self.change(OperationKind::Replace, above, &json!([value]))
            }
            (node::Value::Map(entries), _) if entries.is_empty() && !above.is_empty() => {
                self.change(OperationKind::Replace, above, &json!({ last: value }))
            }
            (node::Value::Map(entries), style) => match entries.iter().find(|entry| entry.key == *last) {
                Some(entry) => self.replace_entry(parent, entry, &style, value),
                None if style == Style::Flow => Ok(vec![self.add_flow_entry(parent, entries, last, value)]),
                None => Ok(vec![self.add_entry(parent, last, value)]),
            },
            (node::Value::List(items), style) => {
                let index = if last == "-" { items.len() } else { last.parse().map_err(|_| LAYOUT)? };
                match (kind, style) {
                    (OperationKind::Add, Style::Block) => Ok(vec![self.add_item(parent, items, index, value)]),
                    (OperationKind::Add, Style::Flow) => Ok(vec![self.add_flow_item(parent, items, index, value)]),
                    (OperationKind::Replace, style) => self.replace_item(parent, items, index, &style, value),
                }
            }
            _ => Err(LAYOUT),
        }
    }

    /// The container at a pointer. Text outside of its parent is shared with another place.
    fn walk(&self, tokens: &[String]) -> Changed<&Node> {
        let mut node = self.root;
        for token in tokens {
            let child = match super::child(node, token).ok_or(LAYOUT)? {
                super::Child::Entry(entry) => &entry.value,
                super::Child::Item(item) => item,
            };
            node = inside(node, child.span).then_some(child).ok_or(SHARED)?;
        }
        Ok(node)
    }

    fn style(&self, node: &Node) -> Changed<Style> {
        let rest = &self.text[node.span.start.offset..];
        match rest.as_bytes().first() {
            Some(b'{' | b'[') => Ok(Style::Flow),
            Some(b'*') => Err(SHARED),
            Some(b'?') if rest[1..].starts_with(char::is_whitespace) => Err(LAYOUT),
            _ => Ok(Style::Block),
        }
    }

    fn add_entry(&self, map: &Node, key: &str, value: &Value) -> Splice {
        let indent = map.span.start.column - 1;
        let at = self.block_end(map.span.end.offset, indent);
        let lines = emit::entry(key, value, self.layout);
        self.insert(at, format!("{}{}", self.newline, join(&lines, indent, self.newline)))
    }

    fn add_item(&self, list: &Node, items: &[Node], index: usize, value: &Value) -> Splice {
        let indent = list.span.start.column - 1;
        let lines = join(&emit::item(value, self.layout), indent, self.newline);
        if let Some(before) = index.checked_sub(1).and_then(|index| items.get(index)) {
            let at = self.block_end(before.span.end.offset, indent + 1);
            return self.insert(at, format!("{}{lines}", self.newline));
        }
        let dash = list.span.start.offset;
        let line = self.line_start(dash);
        if self.text[line..dash].trim().is_empty() {
            self.insert(self.above_comments(line), format!("{lines}{}", self.newline))
        } else {
            // The list begins behind another dash: `- - a`.
            self.insert(dash, format!("{}{}{:indent$}", lines.trim_start(), self.newline, ""))
        }
    }

    fn replace_entry(&self, map: &Node, entry: &Entry, style: &Style, value: &Value) -> Changed<Vec<Splice>> {
        if !inside(map, entry.key_span) || !inside(map, entry.value.span) {
            return Err(SHARED);
        }
        let old = entry.value.span;
        if *style == Style::Flow {
            return self.replace_flow(map, &entry.value, value);
        }
        let indent = entry.key_span.start.column - 1;
        let key_end = entry.key_span.end.offset;
        let colon = key_end + self.text[key_end..].find(':').ok_or(LAYOUT)?;
        let mut lines = emit::entry("", value, self.layout);
        let first = lines.remove(0).split_once(':').map(|(_, first)| first.to_owned()).unwrap_or_default();
        if lines.is_empty() {
            return Ok(vec![Splice { start: colon + 1, end: old.end.offset, text: first }]);
        }
        let below = format!("{}{}", self.newline, join(&lines, indent, self.newline));
        if old.end.line > entry.key_span.start.line {
            return Ok(vec![Splice { start: colon + 1, end: old.end.offset, text: first + &below }]);
        }
        // A comment behind the old value stays on the line of its key.
        let line_end = self.line_end(old.end.offset);
        let removed = Splice { start: colon + 1, end: old.end.offset, text: first };
        Ok(vec![removed, self.insert(line_end, below)])
    }

    fn replace_item(
        &self,
        list: &Node,
        items: &[Node],
        index: usize,
        style: &Style,
        value: &Value,
    ) -> Changed<Vec<Splice>> {
        let item = items.get(index).ok_or(LAYOUT)?;
        if *style == Style::Flow {
            return self.replace_flow(list, item, value);
        }
        let dash = match index.checked_sub(1) {
            Some(before) => skip_trivia(self.text, items[before].span.end.offset),
            None => list.span.start.offset,
        };
        let lines = join(&emit::item(value, self.layout), list.span.start.column - 1, self.newline);
        Ok(vec![Splice { start: dash, end: item.span.end.offset, text: lines.trim_start().to_owned() }])
    }

    fn add_flow_entry(&self, map: &Node, entries: &[Entry], key: &str, value: &Value) -> Splice {
        let Some(last) = entries.last() else {
            return self.insert(map.span.start.offset + 1, format!("{}: {}", emit::quoted(key), emit::flow(value)));
        };
        let as_json = self.text[last.key_span.start.offset..].starts_with('"');
        let key = if as_json { emit::quoted(key) } else { emit::text(key) };
        let at = last.value.span.end.offset;
        match self.own_line(last.key_span.start.offset) {
            Some(margin) => {
                let lines = emit::pretty_entry(&key, value, self.flow_indent(map, margin));
                self.insert(at, format!(",{}{}", self.newline, self.with_margin(&lines, margin)))
            }
            None => self.insert(at, format!(", {key}: {}", emit::flow(value))),
        }
    }

    fn add_flow_item(&self, list: &Node, items: &[Node], index: usize, value: &Value) -> Splice {
        let Some(neighbour) = items.get(index).or(items.last()) else {
            return self.insert(list.span.start.offset + 1, emit::flow(value));
        };
        let (first, separator) = match self.own_line(neighbour.span.start.offset) {
            Some(margin) => {
                let lines = emit::pretty(value, self.flow_indent(list, margin));
                let text = self.with_margin(&lines, margin);
                (text[margin.len()..].to_owned(), format!(",{}{margin}", self.newline))
            }
            None => (emit::flow(value), ", ".to_owned()),
        };
        if index < items.len() {
            self.insert(neighbour.span.start.offset, first + &separator)
        } else {
            self.insert(neighbour.span.end.offset, separator + &first)
        }
    }

    fn replace_flow(&self, parent: &Node, old: &Node, value: &Value) -> Changed<Vec<Splice>> {
        let (start, end) = (old.span.start.offset, old.span.end.offset);
        if start == end {
            return Err(LAYOUT);
        }
        let line = &self.text[self.line_start(start)..];
        let margin = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        let parent_line = parent.span.start.line < old.span.start.line;
        let text = if parent_line && emit::is_block(value) {
            let lines = emit::pretty(value, self.flow_indent(parent, margin));
            self.with_margin(&lines, margin)[margin.len()..].to_owned()
        } else {
            emit::flow(value)
        };
        Ok(vec![Splice { start, end, text }])
    }

    fn insert(&self, at: usize, text: String) -> Splice {
        Splice { start: at, end: at, text }
    }

    /// The end of the line on which a block ends, and of the comments right below that are indented as its own.
    fn block_end(&self, end: usize, indent: usize) -> usize {
        let mut at = self.line_end(end);
        while let Some(below) = self.line_below(at) {
            let line = &self.text[below..self.line_end(below)];
            let comment = line.trim_start_matches(' ');
            let own = indent > 0 && line.len() - comment.len() >= indent;
            if !(own && comment.starts_with('#')) {
                break;
            }
            at = self.line_end(below);
        }
        at
    }

    /// Comments right above a list's first item stay with that item.
    fn above_comments(&self, mut line: usize) -> usize {
        while let Some(end) = line.checked_sub(1) {
            let above = self.line_start(end);
            if !self.text[above..end].trim_start().starts_with('#') {
                break;
            }
            line = above;
        }
        line
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |line_end| line_end + 1)
    }

    /// Before the line break, where there is one.
    fn line_end(&self, offset: usize) -> usize {
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |length| offset + length);
        if end > offset && self.text[..end].ends_with('\r') { end - 1 } else { end }
    }

    fn line_below(&self, line_end: usize) -> Option<usize> {
        self.text[line_end..].find('\n').map(|length| line_end + length + 1)
    }

    /// The white space before a part of a flow container that begins its line.
    fn own_line(&self, offset: usize) -> Option<&str> {
        let margin = &self.text[self.line_start(offset)..offset];
        margin.bytes().all(|byte| byte == b' ' || byte == b'\t').then_some(margin)
    }

    /// One step of indentation: how much further right the parts stand than the line of their bracket.
    fn flow_indent<'m>(&self, container: &Node, margin: &'m str) -> &'m str {
        let line = &self.text[self.line_start(container.span.start.offset)..];
        let outer = line.len() - line.trim_start_matches([' ', '\t']).len();
        margin.get(outer..).filter(|step| !step.is_empty()).unwrap_or("  ")
    }

    fn with_margin(&self, lines: &[String], margin: &str) -> String {
        lines.iter().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join(self.newline)
    }
}

fn inside(parent: &Node, child: Span) -> bool {
    parent.span.start.offset <= child.start.offset && child.end.offset <= parent.span.end.offset
}

fn join(lines: &[String], indent: usize, newline: &str) -> String {
    lines.iter().map(|line| emit::indented(line, indent)).collect::<Vec<_>>().join(newline)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
        };
        (side('+'), side('-'))
    }

    const X: &str = r#"{"name":"X","value":"2"}"#;

    #[test]
    fn edits_insert_text() {
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)], &'a str);
        let rows: &[Row] = &[
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
                &[("add", "/env", r#"[1]"#)],
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
                &[(
                    "add",
                    "/x",
                    r#"{"a":"yes","b":"0644","c":"a: b","true":"1e3","d":"- x","e":"","f":"500m","g":"y"}"#,
                )],
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
                "pointers with escapes",
                &[("add", "/metadata/annotations/podfit.dev~1in~0jected", r#""{\"a\":1}""#)],
                "
 metadata:
   annotations:
     a/b: c
+    podfit.dev/in~jected: \"{\\\"a\\\":1}\"
",
            ),
        ];
        for (name, edits, diff) in rows {
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
        let rows: &[(&str, &[(&str, &str, &str)], &str, &str, &str)] = &[
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
