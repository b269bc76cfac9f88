//! JSON text: patches, answers and records are written in it directly, without a tree in between.

use std::fmt::{self, Write as _};

/// Appends a JSON string.
pub fn push_text(json: &mut String, text: &str) {
    json.push('"');
    push_escaped(json, text);
    json.push('"');
}

fn push_escaped(json: &mut String, text: &str) {
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

/// Appends what is displayed as a JSON string, without a text in between.
pub struct JsonText<'j>(&'j mut String);

impl<'j> JsonText<'j> {
    pub fn push(json: &'j mut String, displayed: impl fmt::Display) {
        json.push('"');
        let text = JsonText(json);
        let JsonText(json) = text.filled(displayed);
        json.push('"');
    }

    fn filled(mut self, displayed: impl fmt::Display) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self, "{displayed}");
        self
    }
}

impl fmt::Write for JsonText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["", "plain", "a\"b\\c", "tab\tline\nnul\0", "\u{7f}\u{2028}ä😀"] {
            let (mut pushed, mut displayed) = (String::new(), String::new());
            push_text(&mut pushed, text);
            JsonText::push(&mut displayed, text);
            assert_eq!(pushed, displayed);
            assert_eq!(serde_json::from_str::<String>(&pushed).expect("JSON"), text);
        }
    }
}
