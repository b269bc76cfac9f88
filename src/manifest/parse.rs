//! YAML events of `granit-parser` → `Node` trees with spans that `edit` can trust. Called by `manifest` alone.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StrInput, StructureStyle};

use super::scalar;
use crate::node::{Entry, Node, Position, Span, Value};

/// A few lines with aliases of aliases can stand for billions of values: all copies in a file together are bounded. What
/// is no copy is bounded by the file.
const WEIGHT_LIMIT: usize = 1_000_000;
/// Text bytes that weigh as much as one value.
const TEXT_BYTES: usize = 64;
/// Below what `serde_json` reads (127) and what the stack of a thread holds; the deepest CRD has about 40.
const DEPTH_LIMIT: usize = 100;
/// A JSON key may be long; YAML's own bound of 1,024 is for one that is not quoted.
const KEY_LIMIT: usize = 1 << 16;

/// Why a document cannot be read; line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    /// One line.
    pub message: String,
}

pub(super) struct Parsed {
    pub(super) root: Node,
    pub(super) range: Range<usize>,
}

/// All documents, the empty ones too. After an error goes on at the next document marker.
pub(super) fn documents(text: &str) -> Vec<Result<Parsed, SyntaxError>> {
    let options = granit_parser::options! { emit_comments: false, simple_key_max_lookahead: KEY_LIMIT };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { text, parser, anchors: HashMap::new(), weight: 0 };
    let mut documents = Vec::new();
    while let Some(document) = reader.document().transpose() {
        let failed = document.is_err();
        documents.push(document);
        if failed && !matches!(reader.parser.proceed_next_document(), Ok(true)) {
            break;
        }
    }
    documents
}

/// The first byte behind white space, comments, anchors and tags.
pub(super) fn skip_trivia(text: &str, mut offset: usize) -> usize {
    loop {
        let rest = &text[offset..];
        let skipped = match rest.chars().next() {
            Some('#') => rest.find('\n').unwrap_or(rest.len()),
            Some('&' | '!') => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            Some(space) if space.is_whitespace() => space.len_utf8(),
            _ => return offset,
        };
        offset += skipped;
    }
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Anchored>,
    weight: usize,
}

struct Anchored {
    node: Node,
    weight: usize,
    depth: usize,
}

type Spanned<'t> = (Event<'t>, granit_parser::Span);

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Option<Parsed>, SyntaxError> {
        let start = loop {
            match self.parser.next_event().transpose().map_err(|error| syntax_error(&error))? {
                None => return Ok(None),
                Some((Event::DocumentStart(..), span)) => break position(&span.start).offset,
                Some(_) => {}
            }
        };
        self.anchors.clear();
        let first = self.next()?;
        let root = self.node(first, 0, None)?;
        let (_, end) = self.next()?;
        let start = self.text[..start].rfind('\n').map_or(0, |line_end| line_end + 1);
        Ok(Some(Parsed { root, range: start..position(&end.end).offset }))
    }

    fn next(&mut self) -> Result<Spanned<'t>, SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(spanned)) => Ok(spanned),
            Some(Err(error)) => Err(syntax_error(&error)),
            None => Err(SyntaxError { line: 1, column: 1, message: "the document has no end".to_owned() }),
        }
    }

    /// `slot` is where the value of a key may begin: just behind its colon.
    fn node(&mut self, (event, span): Spanned<'t>, depth: usize, slot: Option<Position>) -> Result<Node, SyntaxError> {
        if depth > DEPTH_LIMIT {
            return Err(error_at(&span.start, "nested too deeply"));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Alias(id) => return self.alias(id, &span, depth),
            Event::SequenceStart(style, ..) => self.list(style, &span, depth, slot)?,
            Event::MappingStart(style, ..) => self.map(style, &span, depth)?,
            scalar => self.scalar(&scalar, &span, slot)?,
        };
        if let Some(id) = anchor {
            let (weight, depth) = measure(&node);
            self.spend(weight, &span)?;
            self.anchors.insert(id, Anchored { node: node.clone(), weight, depth });
        }
        Ok(node)
    }

    fn spend(&mut self, weight: usize, span: &granit_parser::Span) -> Result<(), SyntaxError> {
        self.weight += weight;
        if self.weight > WEIGHT_LIMIT {
            Err(error_at(&span.start, "aliases stand for too many values"))
        } else {
            Ok(())
        }
    }

    /// The alias keeps its own place; what is in it keeps the place where it is written.
    fn alias(&mut self, id: usize, span: &granit_parser::Span, depth: usize) -> Result<Node, SyntaxError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(error_at(&span.start, "an alias inside what it stands for"));
        };
        if depth + anchored.depth > DEPTH_LIMIT {
            return Err(error_at(&span.start, "nested too deeply"));
        }
        let weight = anchored.weight;
        self.spend(weight, span)?;
        let value = self.anchors[&id].node.value.clone();
        Ok(Node { value, span: span_of(span) })
    }

    fn list(
        &mut self,
        style: StructureStyle,
        start: &granit_parser::Span,
        depth: usize,
        slot: Option<Position>,
    ) -> Result<Node, SyntaxError> {
        let mut span = span_of(start);
        if let (StructureStyle::Block, Some(slot)) = (style, slot) {
            // A list that is not indented is reported to start behind its first dash.
            span.start = self.advance(slot, skip_trivia(self.text, slot.offset));
        }
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let last = items.last().map(|item: &Node| item.span.end);
                    span.end = container_end(style, &end, last, span.start);
                    return Ok(Node { value: Value::List(items), span });
                }
                item => items.push(self.node(item, depth + 1, None)?),
            }
        }
    }

    fn map(&mut self, style: StructureStyle, start: &granit_parser::Span, depth: usize) -> Result<Node, SyntaxError> {
        let mut span = span_of(start);
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let mut last = None;
        loop {
            let (event, key_span) = match self.next()? {
                (Event::MappingEnd, end) => {
                    span.end = container_end(style, &end, last, span.start);
                    add_merged(&mut entries, merged);
                    return Ok(Node { value: Value::Map(entries), span });
                }
                key => key,
            };
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.key((event, key_span), depth)?;
            let key_span = span_of(&key_span);
            let slot = self.behind_colon(key_span.end);
            let first = self.next()?;
            let value_start = first.1.start;
            let value = self.node(first, depth + 1, slot)?;
            last = Some(value.span.end);
            if merge {
                merge_into(&mut merged, value).map_err(|message| error_at(&value_start, message))?;
            } else {
                entries.push(Entry { key, key_span, value });
            }
        }
    }

    fn key(&mut self, key: Spanned<'t>, depth: usize) -> Result<String, SyntaxError> {
        let start = key.1.start;
        match self.node(key, depth + 1, None)?.value {
            Value::Text(text) | Value::Number(text) => Ok(text),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Null => Err(error_at(&start, "an empty key")),
            // What `{{ .Values.image }}` looks like to a YAML reader.
            Value::List(_) | Value::Map(_) => Err(error_at(&start, "a list or a map where a key belongs")),
        }
    }

    fn scalar(
        &mut self,
        event: &Event<'t>,
        span: &granit_parser::Span,
        slot: Option<Position>,
    ) -> Result<Node, SyntaxError> {
        let Event::Scalar(text, style, _, tag) = event else {
            return Err(error_at(&span.start, "no value where one belongs"));
        };
        let place = span_of(span);
        let empty = place.start == place.end && *style == ScalarStyle::Plain;
        // The parser reports an absent value as `~`.
        let text = if empty { "" } else { text.as_ref() };
        let value = match (tag, style) {
            (Some(tag), _) => scalar::resolve_tagged(tag.core_suffix(), text),
            (None, ScalarStyle::Plain) => scalar::resolve(text),
            (None, _) => Ok(Value::Text(text.to_owned())),
        };
        let value = value.map_err(|message| error_at(&span.start, message))?;
        let span = match (style, slot) {
            (ScalarStyle::Plain, Some(slot)) if empty && slot.offset > place.start.offset => {
                Span { start: slot, end: slot }
            }
            (ScalarStyle::Literal | ScalarStyle::Folded, _) => self.block_scalar(place, text),
            _ => place,
        };
        Ok(Node { value, span })
    }

    /// A block scalar is reported to reach to the next token. It ends with its last line that counts.
    fn block_scalar(&self, place: Span, value: &str) -> Span {
        let source = &self.text[place.start.offset..place.end.offset];
        let kept = if value.ends_with("\n\n") { source.trim_end_matches([' ', '\t']) } else { source.trim_end() };
        let length = match kept.strip_suffix('\n') {
            Some(line) => line.strip_suffix('\r').unwrap_or(line).len(),
            None => kept.len(),
        };
        Span { start: place.start, end: self.advance(place.start, place.start.offset + length) }
    }

    fn behind_colon(&self, key_end: Position) -> Option<Position> {
        let rest = &self.text[key_end.offset..];
        let unspaced = rest.trim_start_matches([' ', '\t']);
        let colon = key_end.offset + rest.len() - unspaced.len();
        unspaced.starts_with(':').then(|| self.advance(key_end, colon + 1))
    }

    fn advance(&self, from: Position, offset: usize) -> Position {
        let between = &self.text[from.offset..offset];
        let lines = between.matches('\n').count();
        let column = match between.rfind('\n') {
            Some(line_end) => between[line_end + 1..].chars().count() + 1,
            None => from.column + between.chars().count(),
        };
        Position { offset, line: from.line + lines, column }
    }
}

/// A block container is reported to end at the next token, which may be lines further down.
fn container_end(
    style: StructureStyle,
    end: &granit_parser::Span,
    last: Option<Position>,
    start: Position,
) -> Position {
    match style {
        StructureStyle::Flow => position(&end.end),
        StructureStyle::Block => last.unwrap_or(start),
    }
}

fn merge_into(merged: &mut Vec<Entry>, value: Node) -> Result<(), &'static str> {
    match value.value {
        Value::Map(entries) => merged.extend(entries),
        Value::List(items) => {
            for item in items {
                let Value::Map(entries) = item.value else { return Err("a merge key takes maps") };
                merged.extend(entries);
            }
        }
        _ => return Err("a merge key takes a map"),
    }
    Ok(())
}

/// A key of the map itself wins over a merged one, an earlier merged one over a later.
fn add_merged(entries: &mut Vec<Entry>, merged: Vec<Entry>) {
    if merged.is_empty() {
        return;
    }
    let mut keys: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    entries.extend(merged.into_iter().filter(|entry| keys.insert(entry.key.clone())));
}

/// Weight and depth of a whole tree.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Value::List(items) => items.iter().map(measure).collect(),
        Value::Map(entries) => entries.iter().map(|entry| measure(&entry.value)).collect(),
        _ => Vec::new(),
    };
    let weight = children.iter().map(|child| child.0).sum::<usize>();
    let depth = children.iter().map(|child| child.1 + 1).max().unwrap_or(0);
    (own_weight(node) + weight, depth)
}

fn own_weight(node: &Node) -> usize {
    match &node.value {
        Value::Text(text) | Value::Number(text) => 1 + text.len() / TEXT_BYTES,
        Value::Map(entries) => entries.iter().fold(1, |weight, entry| weight + entry.key.len() / TEXT_BYTES),
        _ => 1,
    }
}

fn syntax_error(error: &ScanError) -> SyntaxError {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => error_at(error.marker(), "nested too deeply"),
        kind => error_at(error.marker(), &kind.to_string()),
    }
}

fn error_at(marker: &Marker, message: &str) -> SyntaxError {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    SyntaxError { line: marker.line(), column: marker.col() + 1, message }
}

fn span_of(span: &granit_parser::Span) -> Span {
    Span { start: position(&span.start), end: position(&span.end) }
}

fn position(marker: &Marker) -> Position {
    // Parsing from a `&str` always knows the byte.
    Position { offset: marker.byte_offset().unwrap_or_default(), line: marker.line(), column: marker.col() + 1 }
}
