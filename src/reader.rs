//! Reads a tree into typed values and collects every mistake on the way. `policy` and `suite` say with it which keys there are;
//! the same calls write the JSON Schema, so that keys, words and defaults cannot drift from what is accepted.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use crate::node::{Entry, Node, Span, Value};

mod shapes;
mod suggest;

pub(crate) use shapes::{
    Flag, Integer, List, MapOf, Object, Scalar, Shape, Shown, Spanned, Tree, Words, constant, shorten,
};
pub(crate) use suggest::closest;

/// Something wrong in a policy, or in a test of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub span: Span,
    /// Such as `spec.runtimeSizing.headroomPercent`; empty for the document.
    pub path: String,
    /// What is wrong and what to write instead; reads on after `path: `.
    pub message: String,
}

/// The keys of one map. Each call names a key that is known here; `finish` refuses all others.
pub(crate) struct Fields<'r> {
    entries: &'r [Entry],
    /// Where to point at for a key that is missing.
    at: Span,
    path: &'r str,
    mistakes: &'r mut Vec<Mistake>,
    known: Vec<&'static str>,
    is_open: bool,
    /// Written down only for the schema, and then nothing is read.
    recorded: Option<Recorded>,
}

#[derive(Default)]
struct Recorded {
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

impl<'r> Fields<'r> {
    pub(crate) fn new(entries: &'r [Entry], at: Span, path: &'r str, mistakes: &'r mut Vec<Mistake>) -> Self {
        refuse_repeated_keys(entries, path, mistakes);
        Self { entries, at, path, mistakes, known: Vec::new(), is_open: false, recorded: None }
    }

    /// Nothing where the key is absent, null or an empty text, or where its value is refused.
    pub(crate) fn optional<S: Shape>(&mut self, key: &'static str, about: &str, shape: &S) -> Option<S::Value> {
        self.record(key, about, shape, None);
        self.read(key, shape)
    }

    /// As `optional`, but its absence is a mistake.
    pub(crate) fn required<S: Shape>(&mut self, key: &'static str, about: &str, shape: &S) -> Option<S::Value> {
        self.record(key, about, shape, None);
        self.mark_required(key);
        if !self.has(&[key]) {
            self.refuse(&[key], "is required");
        }
        self.read(key, shape)
    }

    /// The default where the key is absent, null or an empty text. An empty list is a given one.
    pub(crate) fn or<S: Shown>(&mut self, key: &'static str, about: &str, shape: &S, default: S::Value) -> S::Value {
        self.record(key, about, shape, Some(shape.show(&default)));
        self.read(key, shape).unwrap_or(default)
    }

    /// A map whose keys have their own defaults: an absent one is read as an empty one.
    pub(crate) fn object<T>(&mut self, key: &'static str, about: &str, read: impl Fn(&mut Fields<'_>) -> T) -> T {
        let shape = Object(read);
        self.record(key, about, &shape, None);
        let path = join(self.path, key);
        let read = self.read(key, &shape);
        read.unwrap_or_else(|| (shape.0)(&mut Fields::new(&[], self.at, &path, self.mistakes)))
    }

    /// Says in the schema that a key is required; whoever reads it says so of a text.
    pub(crate) fn mark_required(&mut self, key: &'static str) {
        if let Some(recorded) = &mut self.recorded {
            recorded.required.push(key);
        }
    }

    /// A key that others own: accepted, never looked at.
    pub(crate) fn ignored(&mut self, key: &'static str, about: &str) {
        self.known.push(key);
        if let Some(recorded) = &mut self.recorded {
            recorded.properties.insert(key.to_owned(), json!({ "description": about }));
        }
    }

    /// A mistake at the value below these keys, or at this map where there is none.
    pub(crate) fn refuse(&mut self, keys: &[&str], message: impl Into<String>) {
        let span = self.given(keys).map_or(self.at, |node| node.span);
        let path = keys.iter().fold(self.path.to_owned(), |path, key| join(&path, key));
        self.mistakes.push(Mistake { span, path, message: message.into() });
    }

    /// A mistake at one element of a list.
    pub(crate) fn refuse_element(&mut self, key: &str, index: usize, message: String) {
        let span = self.elements(key).get(index).map_or(self.at, |node| node.span);
        let path = format!("{}[{index}]", join(self.path, key));
        self.mistakes.push(Mistake { span, path, message });
    }

    /// A mistake of the map as a whole.
    pub(crate) fn refuse_all(&mut self, message: &str) {
        self.mistakes.push(Mistake { span: self.at, path: self.path.to_owned(), message: message.to_owned() });
    }

    /// Other keys belong to others: accepted, never looked at.
    pub(crate) fn ignore_others(&mut self) {
        self.is_open = true;
    }

    /// Refuses the keys that nobody has named.
    pub(crate) fn finish(self) {
        if self.is_open {
            return;
        }
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let path = join(self.path, &entry.key);
            self.mistakes.push(Mistake { span: entry.key_span, path, message: unknown_key(&entry.key, &self.known) });
        }
    }

    /// Whether there is anything below these keys, right or wrong.
    pub(crate) fn has(&self, keys: &[&str]) -> bool {
        self.given(keys).is_some()
    }

    /// Whether a key holds anything but an empty list or map, right or wrong.
    pub(crate) fn has_elements(&self, key: &str) -> bool {
        self.given(&[key]).is_some_and(|node| match &node.value {
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            _ => true,
        })
    }

    /// The elements of a list as they are; none where there is no list.
    pub(crate) fn elements(&self, key: &str) -> &'r [Node] {
        match self.given(&[key]).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// What is not absent, null or an empty text.
    fn given(&self, keys: &[&str]) -> Option<&'r Node> {
        let (first, rest) = keys.split_first()?;
        let entries = self.entries;
        let top = entries.iter().find(|entry| entry.key == *first).map(|entry| &entry.value)?;
        let node = rest.iter().try_fold(top, |node, key| node.get(key))?;
        let is_empty = matches!(node.value, Value::Null) || node.as_text() == Some("");
        (!is_empty).then_some(node)
    }

    fn read<S: Shape>(&mut self, key: &'static str, shape: &S) -> Option<S::Value> {
        self.known.push(key);
        let node = self.given(&[key])?;
        shape.read(node, &join(self.path, key), self.mistakes)
    }

    fn record<S: Shape>(&mut self, key: &str, about: &str, shape: &S, default: Option<Json>) {
        let Some(recorded) = &mut self.recorded else { return };
        let mut schema = shape.schema();
        schema.insert("description".to_owned(), Json::from(about));
        schema.extend(default.map(|default| ("default".to_owned(), default)));
        recorded.properties.insert(key.to_owned(), Json::from(schema));
    }
}

/// The schema of a map, from the calls that read it.
pub(crate) fn record<T>(read: impl Fn(&mut Fields<'_>) -> T) -> Map<String, Json> {
    let mut unheard = Vec::new();
    let mut fields = Fields::new(&[], Span::default(), "", &mut unheard);
    fields.recorded = Some(Recorded::default());
    read(&mut fields);
    let is_open = fields.is_open;
    let Recorded { properties, required } = fields.recorded.unwrap_or_default();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), Json::from("object"));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Json::from(required));
    }
    schema.insert("properties".to_owned(), Json::from(properties));
    schema.insert("additionalProperties".to_owned(), Json::from(is_open));
    schema
}

/// `a, b or c`.
pub(crate) fn alternatives<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    match words.pop() {
        Some(last) if words.is_empty() => last.to_owned(),
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => String::new(),
    }
}

fn refuse_repeated_keys(entries: &[Entry], path: &str, mistakes: &mut Vec<Mistake>) {
    let mut seen = HashSet::new();
    for entry in entries.iter().filter(|entry| !seen.insert(entry.key.as_str())) {
        let message = "is given twice; keep one".to_owned();
        mistakes.push(Mistake { span: entry.key_span, path: join(path, &entry.key), message });
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let list = alternatives(known.iter().copied());
    match closest(key, known.iter().copied()) {
        Some(meant) => format!("is not known; did you mean `{meant}`? Known here: {list}"),
        None => format!("is not known; known here: {list}"),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else if key.contains(['.', '/']) {
        format!("{path}[{key}]")
    } else {
        format!("{path}.{key}")
    }
}
