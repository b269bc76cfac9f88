//! Labels and annotations, as `object.rs` reads them of metadata.

use std::{borrow::Cow, cell::OnceCell, fmt};

use memchr::memchr;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Text, spend_one_element};

/// Labels and annotations that most Pods have.
const USUAL_PAIRS: usize = 8;
/// Characters of a key in an error; a label's or annotation's has no more than a prefix of 253 and a name of 63.
const LONGEST_SHOWN_KEY: usize = 317;

/// Labels or annotations: sorted by key, no key twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs<'a>(Vec<(Cow<'a, str>, PairValue<'a>)>);

impl Pairs<'_> {
    pub fn get(&self, key: &str) -> Option<&str> {
        Some(self.0[self.index(key)?].1.as_str())
    }
    /// Whether there is such a key, whatever it holds.
    pub fn has(&self, key: &str) -> bool {
        self.index(key).is_some()
    }
    fn index(&self, key: &str) -> Option<usize> {
        self.0.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(key)).ok()
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }
    /// Those whose key begins so, without a look at the others.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let first = self.0.partition_point(|(key, _)| key.as_ref() < prefix);
        let keys = self.0[first..].iter().take_while(move |(key, _)| key.starts_with(prefix));
        keys.map(|(key, value)| (key.as_ref(), value.as_str()))
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Bytes of all keys and values, as the API server counts annotations.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.as_str().len()).sum()
    }
    /// The same, where it may be more: nothing is unescaped for it.
    pub fn size_at_most(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.length_at_most()).sum()
    }
}

/// A value of `Pairs`, unescaped where somebody asks for it: annotations hold kilobytes of JSON that nobody does.
#[derive(Debug, Clone)]
enum PairValue<'a> {
    Plain(Cow<'a, str>),
    Escaped { json: &'a str, plain: OnceCell<String> },
}

impl PairValue<'_> {
    /// Of half a surrogate pair, which the API server never writes, nothing is read.
    fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Escaped { json, plain } => plain.get_or_init(|| serde_json::from_str(json).unwrap_or_default()),
        }
    }
    fn length_at_most(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Escaped { json, .. } => json.len(),
        }
    }
}

impl PartialEq for PairValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for PairValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        let text = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Ok(match text {
            Some(text) if memchr(b'\\', text.as_bytes()).is_none() => Self::Plain(Cow::Borrowed(text)),
            Some(_) => Self::Escaped { json, plain: OnceCell::new() },
            None => {
                let text = serde_json::from_str::<Text<'de>>(json).map_err(|error| error.to_string());
                // The place would be that within the value.
                let why = |error: &str| D::Error::custom(error.split(" at line ").next().unwrap_or_default());
                Self::Plain(text.map_err(|error| why(&error))?.0)
            }
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of texts")
    }
    fn visit_unit<E>(self) -> Result<Pairs<'de>, E> {
        Ok(Pairs::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs: Vec<(Cow<'de, str>, PairValue<'de>)> = Vec::with_capacity(USUAL_PAIRS);
        while let Some((Text(key), value)) = map.next_entry()? {
            spend_one_element().map_err(A::Error::custom)?;
            pairs.push((key, value));
        }
        pairs.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let key: String = pair[0].0.chars().take(LONGEST_SHOWN_KEY).collect();
            return Err(A::Error::custom(format_args!("key {key:?} stands twice")));
        }
        Ok(Pairs(pairs))
    }
}
