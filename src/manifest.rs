//! Manifests: YAML and JSON files, read as kubectl reads them, with the place of every value, and changed by inserting text.
//! The command line and `policies` call this; nothing else in podfit touches YAML.

use std::{borrow::Cow, ops::Range};

use crate::{
    node::{Entry, Node, Span, Value},
    pointer,
};

mod edit;
mod emit;
mod parse;
mod scalar;

pub use edit::{ApplyError, Fixed, apply};
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
