//! Operations → splices of the text: a key or an item is inserted on lines of its own, or between the brackets of its
//! flow container. Called by `apply`, which reads the result again and so proves it.

use serde_json::{Value, json};

use super::{
    emit::{self, Layout},
    parse::skip_trivia,
};
use crate::{
    node::{self, Entry, Node, Span},
    patch::{Operation, OperationKind},
    pointer,
};

pub(super) const SHARED: &str = "an edit goes through an alias or a merge key";
pub(super) const LAYOUT: &str = "its layout has no place for an insertion";

/// The reason is for the user whose layout is lost.
pub(super) type Changed<T> = Result<T, &'static str>;

/// The text of one document after operations on containers that do not hold one another.
pub(super) fn edited(text: &str, root: &Node, operations: &[&Operation]) -> Changed<String> {
    let editor = Editor { text, root, layout: Layout::of(root), newline: newline_of(text) };
    let mut splices = Vec::new();
    for operation in operations {
        let tokens: Vec<String> = pointer::tokens(&operation.pointer).map(std::borrow::Cow::into_owned).collect();
        let value = serde_json::from_str(&operation.value).map_err(|_| LAYOUT)?;
        splices.extend(editor.change(operation.kind, &tokens, &value)?);
    }
    spliced(text, splices).ok_or(LAYOUT)
}

/// Nothing where two splices overlap.
fn spliced(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| splice.start);
    let (mut edited, mut copied) = (String::with_capacity(text.len()), 0);
    for splice in splices {
        edited.push_str(text.get(copied..splice.start)?);
        edited.push_str(&splice.text);
        copied = splice.end;
    }
    Some(edited + text.get(copied..)?)
}

pub(super) fn newline_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Turns each operation on a text into splices.
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

impl Splice {
    fn insertion(at: usize, text: String) -> Self {
        Self { start: at, end: at, text }
    }
}

#[derive(PartialEq, Eq)]
enum Style {
    Block,
    Flow,
}

impl Editor<'_> {
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
        Splice::insertion(at, format!("{}{}", self.newline, emit::join(&lines, indent, self.newline)))
    }

    fn add_item(&self, list: &Node, items: &[Node], index: usize, value: &Value) -> Splice {
        let indent = list.span.start.column - 1;
        let lines = emit::join(&emit::item(value, self.layout), indent, self.newline);
        if let Some(before) = index.checked_sub(1).and_then(|index| items.get(index)) {
            let at = self.block_end(before.span.end.offset, indent + 1);
            return Splice::insertion(at, format!("{}{lines}", self.newline));
        }
        let dash = list.span.start.offset;
        let line = self.line_start(dash);
        if self.text[line..dash].trim().is_empty() {
            Splice::insertion(self.above_comments(line), format!("{lines}{}", self.newline))
        } else {
            // The list begins behind another dash: `- - a`.
            Splice::insertion(dash, format!("{}{}{:indent$}", lines.trim_start(), self.newline, ""))
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
        let below = format!("{}{}", self.newline, emit::join(&lines, indent, self.newline));
        if old.end.line > entry.key_span.start.line {
            return Ok(vec![Splice { start: colon + 1, end: old.end.offset, text: first + &below }]);
        }
        // A comment behind the old value stays on the line of its key.
        let line_end = self.line_end(old.end.offset);
        let removed = Splice { start: colon + 1, end: old.end.offset, text: first };
        Ok(vec![removed, Splice::insertion(line_end, below)])
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
        let lines = emit::join(&emit::item(value, self.layout), list.span.start.column - 1, self.newline);
        Ok(vec![Splice { start: dash, end: item.span.end.offset, text: lines.trim_start().to_owned() }])
    }

    fn add_flow_entry(&self, map: &Node, entries: &[Entry], key: &str, value: &Value) -> Splice {
        let Some(last) = entries.last() else {
            return Splice::insertion(
                map.span.start.offset + 1,
                format!("{}: {}", emit::quoted(key), emit::flow(value)),
            );
        };
        let as_json = self.text[last.key_span.start.offset..].starts_with('"');
        let key = if as_json { emit::quoted(key) } else { emit::text(key) };
        let at = last.value.span.end.offset;
        match self.own_line(last.key_span.start.offset) {
            Some(margin) => {
                let lines = emit::pretty_entry(&key, value, self.flow_indent(map, margin));
                Splice::insertion(at, format!(",{}{}", self.newline, self.with_margin(&lines, margin)))
            }
            None => Splice::insertion(at, format!(", {key}: {}", emit::flow(value))),
        }
    }

    fn add_flow_item(&self, list: &Node, items: &[Node], index: usize, value: &Value) -> Splice {
        let Some(neighbour) = items.get(index).or(items.last()) else {
            return Splice::insertion(list.span.start.offset + 1, emit::flow(value));
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
            Splice::insertion(neighbour.span.start.offset, first + &separator)
        } else {
            Splice::insertion(neighbour.span.end.offset, separator + &first)
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
