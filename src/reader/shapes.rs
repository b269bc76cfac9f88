//! What a value may be: each shape reads one from a node, and describes itself for the JSON Schema.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use serde_json::{Map, Value as Json, json};

use super::{Fields, Mistake, alternatives, closest, join, record, refuse_repeated_keys};
use crate::node::{Node, Span, Value};

/// The most elements of a list or a map: policies and their tests are written by people.
const MAX_ELEMENTS: usize = 1_000;

/// The longest piece of a wrong value that a message repeats, in characters.
const MAX_SHOWN: usize = 60;

pub(crate) trait Shape {
    type Value;

    /// Nothing where the value is refused; the mistake then stands in `mistakes`.
    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Self::Value>;

    fn schema(&self) -> Map<String, Json>;
}

/// A shape whose values can be defaults.
pub(crate) trait Shown: Shape {
    fn show(&self, value: &Self::Value) -> Json;
}

/// One of these words, case-sensitive.
pub(crate) struct Words<T: 'static>(pub(crate) &'static [(&'static str, T)]);

/// `true` or `false`.
pub(crate) struct Flag;

/// A whole number of a range, both ends included.
pub(crate) struct Integer<T> {
    pub(crate) min: T,
    pub(crate) max: T,
}

/// A text that `parse` accepts; numbers too where said.
pub(crate) struct Scalar<F> {
    parse: F,
    numbers: Numbers,
    schema: Map<String, Json>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Refused,
    Integers,
    Decimals,
}

/// A list of one shape.
pub(crate) struct List<S> {
    of: S,
    is_set: bool,
}

/// A map with keys of the user's own.
pub(crate) struct MapOf<K, S> {
    pub(crate) key: Scalar<K>,
    pub(crate) of: S,
}

/// A map with keys of ours.
pub(crate) struct Object<F>(pub(crate) F);

/// A map of another's making, as it stands.
pub(crate) struct Tree;

/// A value with its place, for whoever speaks of it later.
pub(crate) struct Spanned<S>(pub(crate) S);

impl<T: Copy + PartialEq> Shape for Words<T> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
        let found = node.as_text().and_then(|text| self.0.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            mistakes.push(mistake(node, path, self.complain(node)));
        }
        found.map(|(_, value)| *value)
    }

    fn schema(&self) -> Map<String, Json> {
        object([("type", json!("string")), ("enum", self.words().collect())])
    }
}

impl<T: Copy + PartialEq> Shown for Words<T> {
    fn show(&self, value: &T) -> Json {
        self.0.iter().find(|(_, of)| of == value).map(|(word, _)| Json::from(*word)).unwrap_or_default()
    }
}

impl<T> Words<T> {
    fn words(&self) -> impl Iterator<Item = &'static str> + use<T> {
        let words = self.0;
        words.iter().map(|(word, _)| *word)
    }

    fn complain(&self, node: &Node) -> String {
        let list = alternatives(self.words());
        match &node.value {
            Value::Bool(_) => {
                let meant = self.meant_by_boolean(node).map(|word| format!("; write `{word}`")).unwrap_or_default();
                format!("must be {list}, not a boolean (as YAML reads an unquoted off, no, on and yes){meant}")
            }
            Value::Text(text) => {
                let meant = self.meant_by(text).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                format!("must be {list}, not `{}`{meant}", shorten(text))
            }
            _ => format!("must be {list}, not {}", node.describe()),
        }
    }

    fn meant_by_boolean(&self, node: &Node) -> Option<&'static str> {
        if node.value == Value::Bool(false) { self.off_word() } else { None }
    }

    fn meant_by(&self, text: &str) -> Option<&'static str> {
        let is_off = ["off", "no", "none", "false", "never"].contains(&text.to_ascii_lowercase().as_str());
        if is_off { self.off_word() } else { closest(text, self.words()) }
    }

    fn off_word(&self) -> Option<&'static str> {
        self.words().find(|word| ["Disabled", "Skip", "Ignore", "Leave"].contains(word))
    }
}

impl Shape for Flag {
    type Value = bool;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<bool> {
        let Value::Bool(value) = node.value else {
            mistakes.push(mistake(node, path, format!("must be true or false, not {}", describe(node))));
            return None;
        };
        Some(value)
    }

    fn schema(&self) -> Map<String, Json> {
        object([("type", json!("boolean"))])
    }
}

impl Shown for Flag {
    fn show(&self, value: &bool) -> Json {
        Json::from(*value)
    }
}

impl<T: Copy + PartialOrd + FromStr + Display + Into<Json>> Shape for Integer<T> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
        let parsed = match &node.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        };
        let value = parsed.filter(|value| (self.min..=self.max).contains(value));
        if value.is_none() {
            let message = format!("must be a whole number from {} to {}, not {}", self.min, self.max, describe(node));
            mistakes.push(mistake(node, path, message));
        }
        value
    }

    fn schema(&self) -> Map<String, Json> {
        object([("type", json!("integer")), ("minimum", self.min.into()), ("maximum", self.max.into())])
    }
}

impl<T: Copy + PartialOrd + FromStr + Display + Into<Json>> Shown for Integer<T> {
    fn show(&self, value: &T) -> Json {
        (*value).into()
    }
}

impl<F> Scalar<F> {
    /// `parse` refuses with a message that reads on after the path: "must ...".
    pub(crate) fn new(parse: F) -> Self {
        Self { parse, numbers: Numbers::Refused, schema: Map::new() }
    }

    pub(crate) fn or_integer(self) -> Self {
        Self { numbers: Numbers::Integers, ..self }
    }

    pub(crate) fn or_decimal(self) -> Self {
        Self { numbers: Numbers::Decimals, ..self }
    }

    /// A further keyword of JSON Schema that `parse` enforces, for editors.
    pub(crate) fn with(mut self, keyword: &str, value: impl Into<Json>) -> Self {
        self.schema.insert(keyword.to_owned(), value.into());
        self
    }

    fn text<'n>(&self, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Text(text) => Some(text),
            Value::Number(text) if self.numbers == Numbers::Decimals => Some(text),
            Value::Number(text) if self.numbers == Numbers::Integers && is_integer(text) => Some(text),
            _ => None,
        }
    }

    fn kinds(&self) -> (&'static str, Json) {
        match self.numbers {
            Numbers::Refused => ("a text", json!("string")),
            Numbers::Integers => ("a text or a whole number", json!(["string", "integer"])),
            Numbers::Decimals => ("a text or a number", json!(["string", "number"])),
        }
    }
}

impl<T, E: Display, F: Fn(&str) -> Result<T, E>> Shape for Scalar<F> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
        let Some(text) = self.text(node) else {
            let quote = if self.numbers == Numbers::Refused { "; put it in quotes" } else { "" };
            let hint = if matches!(node.value, Value::Bool(_) | Value::Number(_)) { quote } else { "" };
            mistakes.push(mistake(node, path, format!("must be {}, not {}{hint}", self.kinds().0, describe(node))));
            return None;
        };
        (self.parse)(text).map_err(|error| mistakes.push(mistake(node, path, error.to_string()))).ok()
    }

    fn schema(&self) -> Map<String, Json> {
        let mut schema = object([("type", self.kinds().1)]);
        schema.extend(self.schema.clone());
        schema
    }
}

impl<T: Display, E: Display, F: Fn(&str) -> Result<T, E>> Shown for Scalar<F> {
    fn show(&self, value: &T) -> Json {
        Json::from(value.to_string())
    }
}

/// This text and no other.
pub(crate) fn constant(expected: &'static str) -> Scalar<impl Fn(&str) -> Result<(), String>> {
    let parse = move |text: &str| {
        if text == expected { Ok(()) } else { Err(format!("must be `{expected}`, not `{}`", shorten(text))) }
    };
    Scalar::new(parse).with("const", expected)
}

impl<S> List<S> {
    pub(crate) fn of(of: S) -> Self {
        Self { of, is_set: false }
    }

    /// A list in which no element may stand twice.
    pub(crate) fn set(of: S) -> Self {
        Self { of, is_set: true }
    }
}

impl<S: Shape<Value: PartialEq>> Shape for List<S> {
    type Value = Vec<S::Value>;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Self::Value> {
        let Value::List(items) = &node.value else {
            mistakes.push(mistake(node, path, format!("must be a list, not {}", describe(node))));
            return None;
        };
        if items.len() > MAX_ELEMENTS {
            mistakes.push(mistake(node, path, format!("must have at most {MAX_ELEMENTS} elements")));
            return None;
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match self.of.read(item, &path, mistakes) {
                Some(value) if self.is_set && values.contains(&value) => {
                    mistakes.push(mistake(item, &path, "is in the list already".to_owned()));
                }
                value => values.extend(value),
            }
        }
        Some(values)
    }

    fn schema(&self) -> Map<String, Json> {
        let mut schema = object([("type", json!("array")), ("items", self.of.schema().into())]);
        schema.insert("maxItems".to_owned(), json!(MAX_ELEMENTS));
        if self.is_set {
            schema.insert("uniqueItems".to_owned(), json!(true));
        }
        schema
    }
}

impl<S: Shown<Value: PartialEq>> Shown for List<S> {
    fn show(&self, values: &Self::Value) -> Json {
        values.iter().map(|value| self.of.show(value)).collect()
    }
}

impl<E: Display, K: Fn(&str) -> Result<String, E>, S: Shape> Shape for MapOf<K, S> {
    type Value = Vec<(String, S::Value)>;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Self::Value> {
        let Value::Map(entries) = &node.value else {
            mistakes.push(mistake(node, path, format!("must be a map, not {}", describe(node))));
            return None;
        };
        if entries.len() > MAX_ELEMENTS {
            mistakes.push(mistake(node, path, format!("must have at most {MAX_ELEMENTS} entries")));
            return None;
        }
        refuse_repeated_keys(entries, path, mistakes);
        let mut values = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = join(path, &entry.key);
            let key = (self.key.parse)(&entry.key)
                .map_err(|error| {
                    mistakes.push(Mistake {
                        span: entry.key_span,
                        path: path.clone(),
                        message: format!("the key {error}"),
                    });
                })
                .ok();
            let value = self.of.read(&entry.value, &path, mistakes);
            values.extend(key.zip(value));
        }
        Some(values)
    }

    fn schema(&self) -> Map<String, Json> {
        let mut schema = object([("type", json!("object")), ("additionalProperties", self.of.schema().into())]);
        if !self.key.schema.is_empty() {
            schema.insert("propertyNames".to_owned(), self.key.schema.clone().into());
        }
        schema.insert("maxProperties".to_owned(), json!(MAX_ELEMENTS));
        schema
    }
}

impl<E: Display, K: Fn(&str) -> Result<String, E>, S: Shown> Shown for MapOf<K, S> {
    fn show(&self, values: &Self::Value) -> Json {
        values.iter().map(|(key, value)| (key.clone(), self.of.show(value))).collect::<Map<_, _>>().into()
    }
}

impl<T, F: Fn(&mut Fields<'_>) -> T> Shape for Object<F> {
    type Value = T;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
        let Value::Map(entries) = &node.value else {
            mistakes.push(mistake(node, path, format!("must be a map, not {}", describe(node))));
            return None;
        };
        // A whole map as a span would cover the screen; its first key says as well where it is.
        let at = entries.first().map_or(node.span, |entry| entry.key_span);
        let mut fields = Fields::new(entries, at, path, mistakes);
        let value = (self.0)(&mut fields);
        fields.finish();
        Some(value)
    }

    fn schema(&self) -> Map<String, Json> {
        record(&self.0)
    }
}

impl Shape for Tree {
    type Value = Node;

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
        if matches!(node.value, Value::Map(_)) {
            return Some(node.clone());
        }
        mistakes.push(mistake(node, path, format!("must be a map, not {}", describe(node))));
        None
    }

    fn schema(&self) -> Map<String, Json> {
        object([("type", json!("object"))])
    }
}

impl<S: Shape> Shape for Spanned<S> {
    type Value = (Span, S::Value);

    fn read(&self, node: &Node, path: &str, mistakes: &mut Vec<Mistake>) -> Option<Self::Value> {
        Some((node.span, self.0.read(node, path, mistakes)?))
    }

    fn schema(&self) -> Map<String, Json> {
        self.0.schema()
    }
}

fn mistake(node: &Node, path: &str, message: String) -> Mistake {
    Mistake { span: node.span, path: path.to_owned(), message }
}

fn object<const N: usize>(entries: [(&str, Json); N]) -> Map<String, Json> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What was found, with the value where that is short and one thing.
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Number(text) => shorten(text).to_string(),
        Value::Text(text) => format!("the text `{}`", shorten(text)),
        Value::Bool(value) => format!("the boolean {value}"),
        _ => node.describe().to_owned(),
    }
}

fn is_integer(number: &str) -> bool {
    number.strip_prefix('-').unwrap_or(number).bytes().all(|byte| byte.is_ascii_digit())
}

/// A wrong value as messages repeat it: bounded, and on one line.
pub(crate) fn shorten(text: &str) -> impl Display {
    fmt::from_fn(move |formatter| {
        for character in text.chars().take(MAX_SHOWN) {
            write!(formatter, "{}", if character.is_control() { ' ' } else { character })?;
        }
        if text.chars().nth(MAX_SHOWN).is_some() { formatter.write_str("...") } else { Ok(()) }
    })
}
