//! Mangled reviews, for a second: what `just fuzz` does for as long as it is let.

#[path = "../fuzz/any_body.rs"]
mod any_body;

use proptest::{prelude::*, sample::Index};

const SEEDS: [&[u8]; 2] =
    [include_bytes!("../examples/review.json"), include_bytes!("../examples/review-careless.json")];

/// Words at which a reader of Pods may stumble.
const WORDS: [&str; 16] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "true",
    "\"$(\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"500m\"",
    ",",
    ":",
    "}",
    "\"name\":",
];

/// One change: of so many bytes at a place, by other text.
#[derive(Debug, Clone)]
struct Change {
    at: Index,
    length: usize,
    text: Text,
}

#[derive(Debug, Clone)]
enum Text {
    Nothing,
    Word(&'static str),
    Bytes(Vec<u8>),
    /// A piece of the body itself, from another place.
    Copy(Index, usize),
}

impl Change {
    fn apply(&self, body: &mut Vec<u8>) {
        let piece = |at: &Index, length: usize| {
            let start = at.index(body.len() + 1);
            start..body.len().min(start + length)
        };
        let text = match &self.text {
            Text::Nothing => Vec::new(),
            Text::Word(word) => word.as_bytes().to_vec(),
            Text::Bytes(bytes) => bytes.clone(),
            Text::Copy(at, length) => body[piece(at, *length)].to_vec(),
        };
        let range = piece(&self.at, self.length);
        body.splice(range, text);
    }
}

/// Replaces whole JSON values too, since most cuts at random places leave no JSON at all.
fn replace_value(body: &[u8], at: Index, word: &str) -> Vec<u8> {
    let mut review: serde_json::Value = serde_json::from_slice(body).expect("a seed is JSON");
    let pointers = pointers(&review, String::new());
    let value = review.pointer_mut(&pointers[at.index(pointers.len())]).expect("the pointer is the review's own");
    *value = serde_json::from_str(word).unwrap_or_default();
    review.to_string().into_bytes()
}

fn pointers(value: &serde_json::Value, pointer: String) -> Vec<String> {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    let mut all: Vec<String> = match value {
        serde_json::Value::Object(object) => {
            object.iter().flat_map(|(key, value)| pointers(value, format!("{pointer}/{}", escaped(key)))).collect()
        }
        serde_json::Value::Array(list) => {
            list.iter().enumerate().flat_map(|(index, value)| pointers(value, format!("{pointer}/{index}"))).collect()
        }
        _ => Vec::new(),
    };
    all.push(pointer);
    all
}

fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![
        Just(Text::Nothing),
        prop::sample::select(&WORDS[..]).prop_map(Text::Word),
        prop::collection::vec(any::<u8>(), 1..4).prop_map(Text::Bytes),
        (any::<Index>(), 1..400_usize).prop_map(|(at, length)| Text::Copy(at, length)),
    ];
    (any::<Index>(), 0..40_usize, text).prop_map(|(at, length, text)| Change { at, length, text })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mangled_bytes(seed in prop::sample::select(&SEEDS[..]), changes in prop::collection::vec(change(), 1..6)) {
        let mut body = seed.to_vec();
        for change in &changes {
            change.apply(&mut body);
        }
        any_body::check(&body);
    }

    #[test]
    fn mangled_values(
        seed in prop::sample::select(&SEEDS[..]),
        changes in prop::collection::vec((any::<Index>(), prop::sample::select(&WORDS[..12])), 1..6),
    ) {
        let body = changes.into_iter().fold(seed.to_vec(), |body, (at, word)| replace_value(&body, at, word));
        any_body::check(&body);
    }
}

#[test]
fn seeds_and_scraps() {
    for body in SEEDS.into_iter().chain([&b""[..], b"{", b"null", b"[]", b"\xff\xfe", b"{\"request\":null}"]) {
        any_body::check(body);
    }
}
