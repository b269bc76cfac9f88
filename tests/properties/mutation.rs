//! Bodies and texts, bent: by bytes, by tokens, and by the shapes that have broken parsers before.
//!
//! Our own rather than a fuzzing engine: without its instrumentation, which only `just fuzz` builds, an engine mutates blindly
//! too, and these mutations know JSON. Its seeds are real bodies, so most mutants get through to the rules.

use std::ops::Range;

use super::choices::Random;

/// Grows no further: the loop is for odd shapes, large ones have their own test.
const LONGEST: usize = 64 << 10;

/// One to six mutations of a seed; `others` give what is spliced in.
pub fn mutated(seed: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(6) {
        mutate(&mut bytes, others, random);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let place = random.below(bytes.len() + 1);
    match random.below(14) {
        0 => {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => bytes.truncate(place),
        2 => {
            let range = range(bytes, random);
            drop(bytes.drain(range));
        }
        3 => {
            let copy = bytes[range(bytes, random)].to_vec();
            bytes.splice(place..place, copy);
        }
        4 => {
            let other = random.pick(others);
            let part = other[range(other, random)].to_vec();
            bytes.splice(place..place, part);
        }
        5 => {
            let count = random.below(12);
            let noise = random.bytes(count);
            bytes.splice(place..place, noise);
        }
        6 => nest(bytes, random),
        7 => repeat_a_token(bytes, random),
        8 => swap_tokens(bytes, random),
        _ => replace_a_token(bytes, random),
    }
}

/// At most 200 bytes, so that what stands around them stays.
fn range(bytes: &[u8], random: &mut Random) -> Range<usize> {
    let start = random.below(bytes.len() + 1);
    start..(start + random.below(200)).min(bytes.len())
}

/// Texts with their quotes, numbers and words: enough of a grammar for JSON, and of use for YAML.
fn tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._/".contains(&byte);
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        if bytes[at] == b'"' {
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at = (at + 1).min(bytes.len());
        } else {
            at += bytes[at..].iter().position(|&byte| !is_word(byte)).unwrap_or(bytes.len() - at);
        }
        if at > start { tokens.push(start..at) } else { at += 1 }
    }
    tokens
}

fn token(bytes: &[u8], random: &mut Random) -> Range<usize> {
    let tokens = tokens(bytes);
    if tokens.is_empty() { 0..0 } else { random.pick(&tokens).clone() }
}

const ODD_TOKENS: [&str; 40] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e400",
    "1e-400",
    "18446744073709551616",
    "9223372036854775807",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "{\"\":null}",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\u{2028}\"",
    "\"1E999999\"",
    "\"1e4294967296\"",
    "\"Mi\"",
    "\"-1\"",
    "\"app:latest@sha256:\"",
    "\"$(POD_NAME)\"",
    "\"~/~1\"",
    "\"go,rust\"",
    "\"UPDATE\"",
    "\"CREATE\"",
    "\"Pod\"",
    "\"Deployment\"",
    "\"apps\"",
    "\"resize\"",
    "\"env\"",
    "\"name\"",
    "\"podfit.dev/injected\"",
    "\"{\\\"app\\\":{\\\"GOMAXPROCS\\\":{\\\"value\\\":\\\"4\\\",\\\"source\\\":\\\"\\\",\\\"policy\\\":\\\"\\\"}}}\"",
];

fn replace_a_token(bytes: &mut Vec<u8>, random: &mut Random) {
    let old = token(bytes, random);
    let new = if random.below(3) == 0 {
        bytes[token(bytes, random)].to_vec()
    } else {
        random.pick(&ODD_TOKENS).as_bytes().to_vec()
    };
    bytes.splice(old, new);
}

/// A token with what follows it up to the next comma, once more: repeated keys, longer lists.
fn repeat_a_token(bytes: &mut Vec<u8>, random: &mut Random) {
    let start = token(bytes, random).start;
    let end = bytes[start..].iter().position(|&byte| byte == b',').map_or(bytes.len(), |comma| start + comma + 1);
    let again = bytes[start..end.min(start + 300)].repeat(1 + random.below(30));
    bytes.splice(start..start, again);
}

fn swap_tokens(bytes: &mut Vec<u8>, random: &mut Random) {
    let (one, other) = (token(bytes, random), token(bytes, random));
    if one.end <= other.start {
        let (first, second) = (bytes[one.clone()].to_vec(), bytes[other.clone()].to_vec());
        bytes.splice(other, first);
        bytes.splice(one, second);
    }
}

/// A value, many levels down.
fn nest(bytes: &mut Vec<u8>, random: &mut Random) {
    let (open, close) = *random.pick(&[("[", "]"), ("{\"a\":", "}"), ("- ", ""), ("&a [*a,", "]")]);
    let depth = *random.pick(&[2, 100, 127, 128, 129, 2_000]);
    let value = token(bytes, random);
    let nested = [open.repeat(depth).as_bytes(), &bytes[value.clone()], close.repeat(depth).as_bytes()].concat();
    bytes.splice(value, nested);
}
