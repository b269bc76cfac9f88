//! JSON text: patches, answers and records are written in it directly, without a tree in between; reviews are read from it.

use std::fmt::Write as _;

pub mod compact;

/// Appends a JSON string.
pub fn push_text(json: &mut String, text: &str) {
    json.push('"');
    push_escaped(json, text);
    json.push('"');
}

/// What stands between the quotes of a JSON string.
pub fn push_escaped(json: &mut String, text: &str) {
    if is_plain(text) {
        return json.push_str(text);
    }
    let mut rest = text;
    while let Some(length) = rest.bytes().position(|byte| IS_ESCAPED[usize::from(byte)]) {
        json.push_str(&rest[..length]);
        let byte = rest.as_bytes()[length];
        if byte < 0x20 {
            // Writing to a String cannot fail.
            let _ = write!(json, "\\u{byte:04x}");
        } else {
            json.push('\\');
            json.push(char::from(byte));
        }
        rest = &rest[length + 1..];
    }
    json.push_str(rest);
}

/// Eight bytes at a time, without a way out at the first one that is escaped: most texts have none.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let escaped = if let Some(last) = bytes.last_chunk() {
        // What is left over by whole words is within the last eight bytes.
        let words = bytes.as_chunks().0.iter().chain([last]);
        words.fold(0, |found, word| found | places_of_escaped(u64::from_le_bytes(*word)))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        places_of_escaped(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)))
    } else {
        return !bytes.iter().any(|byte| IS_ESCAPED[usize::from(*byte)]);
    };
    escaped == 0
}

/// The places of bytes that a JSON string cannot hold as they are.
fn places_of_escaped(word: u64) -> u64 {
    // With one bit turned a quote is a space, and a space no control character: so one bound finds both.
    places_below(0x21, word ^ (EACH * 2)) | places_of(b'\\', word)
}

/// One in each byte of a word.
const EACH: u64 = u64::MAX / 0xff;

fn places_of(byte: u8, word: u64) -> u64 {
    places_below(1, word ^ (EACH * u64::from(byte)))
}

/// Mycroft's test: the high bit of each byte of ASCII under a bound of up to 0x80. Above the lowest of these some more may be
/// set, since subtraction borrows.
fn places_below(bound: u64, word: u64) -> u64 {
    word.wrapping_sub(EACH * bound) & !word & EACH << 7
}

/// Whether no byte is under a space. Without a way out at the first one, the look goes faster.
pub fn has_no_controls(text: &str) -> bool {
    text.bytes().fold(u8::MAX, u8::min) >= b' '
}

/// Appends a number, as an index or a count.
pub fn push_number(json: &mut String, number: usize) {
    if number >= 10 {
        push_number(json, number / 10);
    }
    json.push(char::from(b"0123456789"[number % 10]));
}

/// Bytes that a JSON string cannot hold as they are: control characters, the quote, the backslash.
const IS_ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// JSON inside a JSON string, appended to other JSON: its own quotes are escaped once, what its texts hold twice.
#[derive(Debug)]
pub struct NestedJson<'j> {
    json: &'j mut String,
}

impl<'j> NestedJson<'j> {
    pub fn begin(json: &'j mut String) -> Self {
        json.push('"');
        Self { json }
    }

    /// JSON between texts, with the texts' quotes: each escaped already.
    pub fn raw(&mut self, json: &str) {
        self.json.push_str(json);
    }

    /// A text between its quotes, or a part of one.
    pub fn text(&mut self, text: &str) {
        if is_plain(text) {
            self.json.push_str(text);
        } else {
            let mut once = String::with_capacity(text.len() + 8);
            push_escaped(&mut once, text);
            push_escaped(self.json, &once);
        }
    }

    pub fn end(self) {
        self.json.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_seen_at_any_place() {
        for character in (0..=0x7f_u8).map(char::from).chain(['ä', '😀', '\u{80}', '\u{a2}']) {
            for (before, behind) in (0..17).flat_map(|length| (0..=length).map(move |before| (before, length - before)))
            {
                for around in ["a", " "] {
                    let text = format!("{}{character}{}", around.repeat(before), around.repeat(behind));
                    let is_escaped = text.bytes().any(|byte| IS_ESCAPED[usize::from(byte)]);
                    assert_eq!(is_plain(&text), !is_escaped, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["", "plain", "a\"b\\c", "tab\tline\nnul\0", "\u{7f}\u{2028}ä😀"] {
            let mut pushed = String::new();
            push_text(&mut pushed, text);
            assert_eq!(serde_json::from_str::<String>(&pushed).expect("JSON"), text);
            let mut json = String::new();
            let mut nested = NestedJson::begin(&mut json);
            nested.raw(r#"[\""#);
            nested.text(text);
            nested.raw(r#"\",\""#);
            nested.text(text);
            nested.raw(r#"\"]"#);
            nested.end();
            let inner: String = serde_json::from_str(&json).expect("JSON");
            assert_eq!(serde_json::from_str::<[String; 2]>(&inner).expect("JSON in JSON"), [text, text]);
        }
    }
}
