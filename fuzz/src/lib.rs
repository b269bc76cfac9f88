//! What must hold of any text that podfit reads. The targets of `just fuzz` ask it of what libFuzzer finds, for as long as they
//! are let; `tests/fuzz.rs` of every file of the corpus, and `tests/properties` of mutants, at each `cargo test`.

pub mod annotations;
pub mod image;
pub mod manifest;
pub mod policy;
pub mod quantity;
pub mod review;
pub mod strict;
pub mod suite;

use podfit::{
    manifest::{Document, read},
    policy::{Policy, PolicySet, compile},
    reader::Mistake,
};

/// Panics where a promise is broken.
pub type Check = fn(&[u8]);

/// Each kind of text by the name of its target and its folder of the corpus.
pub const TARGETS: [(&str, Check); 7] = [
    ("review", review::check),
    ("annotations", annotations::check),
    ("manifest", manifest::check),
    ("policy", policy::check),
    ("suite", suite::check),
    ("quantity", quantity::check),
    ("image", image::check),
];

/// Injects, asks and forbids all there is.
pub const EVERYTHING: &str = include_str!("../../tests/corpus/policies/everything.yaml");

/// The day of all judgements.
pub const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 22);

/// # Panics
/// Where the text is not one policy without mistakes.
pub fn policies(text: &str) -> PolicySet {
    let documents = documents(text);
    let policies: Vec<Policy> =
        documents.iter().map(|document| compile(&document.node).expect("the policy has no mistakes")).collect();
    PolicySet::new(policies).expect("the policies have names of their own")
}

/// The documents of a text that are YAML.
fn documents(text: &str) -> Vec<Document> {
    read(text).into_iter().flatten().collect()
}

/// # Panics
/// Where a refusal has no reason, or a mistake no place in the text.
fn check_mistakes(text: &str, mistakes: &[Mistake]) {
    assert!(!mistakes.is_empty(), "refused without a reason");
    for mistake in mistakes {
        let (start, end) = (mistake.span.start, mistake.span.end);
        assert!(text.get(start.offset..end.offset).is_some(), "no place: {mistake:?}");
        let line_start = text[..start.offset].rfind('\n').map_or(0, |newline| newline + 1);
        let lines = text[..line_start].matches('\n').count();
        assert!(start.line == lines + 1 || text.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']), "{mistake:?}");
        assert!(!mistake.message.is_empty(), "{mistake:?}");
    }
    assert!(mistakes.is_sorted_by_key(|mistake| mistake.span.start), "not in the order of the text: {mistakes:?}");
}
