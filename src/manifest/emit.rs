//! Values → text: JSON of a document, and the block and flow YAML that `edit` inserts. Called within `manifest`.

use std::fmt::Write as _;

use serde_json::Value;

use super::scalar;
use crate::node::{self, Node};

/// How far a document indents what stands under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) map: usize,
    pub(super) list: usize,
}

impl Layout {
    /// The indentation that a document has: that of its first map and its first list under a key.
    pub(super) fn of(root: &Node) -> Self {
        let (mut map, mut list) = (None, None);
        find_layout(root, &mut map, &mut list);
        let default = Self::default();
        Self { map: map.unwrap_or(default.map), list: list.unwrap_or(default.list) }
    }
}

impl Default for Layout {
    /// As kubectl prints.
    fn default() -> Self {
        Self { map: 2, list: 0 }
    }
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

/// A tree as compact JSON.
pub(super) fn json(node: &Node) -> String {
    let mut text = String::new();
    write_json(node, &mut text);
    text
}

fn write_json(node: &Node, out: &mut String) {
    match &node.value {
        node::Value::Null => out.push_str("null"),
        node::Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        node::Value::Number(number) => out.push_str(number),
        node::Value::Text(text) => out.push_str(&json_text(text)),
        node::Value::List(items) => {
            joined(out, "[]", items, ",", write_json);
        }
        node::Value::Map(entries) => joined(out, "{}", entries, ",", |entry, out| {
            out.push_str(&json_text(&entry.key));
            out.push(':');
            write_json(&entry.value, out);
        }),
    }
}

/// A value on one line, valid as JSON and as flow YAML.
pub(super) fn flow(value: &Value) -> String {
    let mut text = String::new();
    write_flow(value, &mut text);
    text
}

fn write_flow(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => joined(out, "[]", items, ", ", write_flow),
        Value::Object(entries) => joined(out, "{}", entries, ", ", |(key, value), out| {
            out.push_str(&quoted(key));
            out.push_str(": ");
            write_flow(value, out);
        }),
        Value::String(text) => out.push_str(&quoted(text)),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn joined<T>(
    out: &mut String,
    brackets: &str,
    parts: impl IntoIterator<Item = T>,
    separator: &str,
    mut write: impl FnMut(T, &mut String),
) {
    let (open, close) = brackets.split_at(1);
    out.push_str(open);
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        write(part, out);
    }
    out.push_str(close);
}

/// A value as JSON over several lines, without indentation of its own.
pub(super) fn pretty(value: &Value, indent: &str) -> Vec<String> {
    match value {
        Value::Array(items) if !items.is_empty() => {
            let parts = items.iter().map(|item| pretty(item, indent)).collect();
            bracketed("[]", parts, indent)
        }
        Value::Object(entries) if !entries.is_empty() => {
            let parts = entries.iter().map(|(key, value)| pretty_entry(&quoted(key), value, indent)).collect();
            bracketed("{}", parts, indent)
        }
        scalar => vec![flow(scalar)],
    }
}

/// `key` is written as it is given.
pub(super) fn pretty_entry(key: &str, value: &Value, indent: &str) -> Vec<String> {
    let mut lines = pretty(value, indent);
    lines[0].insert_str(0, &format!("{key}: "));
    lines
}

fn bracketed(brackets: &str, parts: Vec<Vec<String>>, indent: &str) -> Vec<String> {
    let (open, close) = brackets.split_at(1);
    let last = parts.len() - 1;
    let mut lines = vec![open.to_owned()];
    for (index, mut part) in parts.into_iter().enumerate() {
        if let Some(end) = part.last_mut().filter(|_| index < last) {
            end.push(',');
        }
        lines.extend(part.into_iter().map(|line| format!("{indent}{line}")));
    }
    lines.push(close.to_owned());
    lines
}

/// A map or list that is not empty, as lines of block YAML; a scalar as its only line.
pub(super) fn block(value: &Value, layout: Layout) -> Vec<String> {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().flat_map(|(key, value)| entry(key, value, layout)).collect()
        }
        Value::Array(items) if !items.is_empty() => items.iter().flat_map(|value| item(value, layout)).collect(),
        other => vec![inline(other)],
    }
}

/// A key and its value as lines of block YAML.
pub(super) fn entry(key: &str, value: &Value, layout: Layout) -> Vec<String> {
    let key = text(key);
    let (indent, lines) = match value {
        Value::Object(entries) if !entries.is_empty() => (layout.map, block(value, layout)),
        Value::Array(items) if !items.is_empty() => (layout.list, block(value, layout)),
        Value::String(long) if is_literal(long) => return literal(&format!("{key}: "), long, layout.map),
        _ => return vec![format!("{key}: {}", inline(value))],
    };
    let mut entry = vec![format!("{key}:")];
    entry.extend(lines.into_iter().map(|line| indented(&line, indent)));
    entry
}

/// A list item as lines of block YAML, the dash included.
pub(super) fn item(value: &Value, layout: Layout) -> Vec<String> {
    if let Value::String(long) = value
        && is_literal(long)
    {
        return literal("- ", long, 2);
    }
    let mut lines: Vec<String> = block(value, layout).iter().map(|line| indented(line, 2)).collect();
    lines[0].replace_range(..2, "- ");
    lines
}

pub(super) fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Lines as one text, each indented, without a line break at the end.
pub(super) fn join(lines: &[String], indent: usize, newline: &str) -> String {
    lines.iter().map(|line| indented(line, indent)).collect::<Vec<_>>().join(newline)
}

/// White space at the end of a line helps nobody: an empty line stays empty.
fn indented(line: &str, columns: usize) -> String {
    if line.is_empty() { String::new() } else { format!("{:columns$}{line}", "") }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        other => flow(other),
    }
}

/// A text on one line, in quotes only where it needs them.
pub(super) fn text(text: &str) -> String {
    // JSON in a text reads better without a backslash before every quote.
    if scalar::is_plain(text) {
        text.to_owned()
    } else if text.contains('"')
        && !text.contains('\'')
        && !text.chars().any(needs_escape)
        && !text.contains(char::is_control)
    {
        format!("'{text}'")
    } else {
        quoted(text)
    }
}

/// Whether a text can be shown line by line without a loss.
fn is_literal(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.chars().any(|character| character != '\n' && character != '\t' && needs_escape(character))
}

fn literal(opening: &str, text: &str, indent: usize) -> Vec<String> {
    let (chomping, body) = match text.strip_suffix('\n') {
        None => ("-", text),
        Some(body) if body.ends_with('\n') => ("+", body),
        Some(body) => ("", body),
    };
    let mut lines = vec![format!("{opening}|{chomping}")];
    lines.extend(body.split('\n').map(|line| indented(line, indent)));
    lines
}

/// In double quotes: JSON, with what YAML 1.1 takes for a line break or does not allow escaped too.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in json_text(text).chars() {
        if needs_escape(character) {
            // Writing to a String cannot fail.
            let _ = write!(quoted, "\\u{:04x}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

fn needs_escape(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
