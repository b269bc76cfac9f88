//! Reads the record from the JSON string that holds it, as podfit wrote it there: three hundred lines have thousands of escapes,
//! and a reader of JSON stops at each of them, once for the string and once for what it holds. What stands there in any other
//! way is left to that reader. `injected.rs` calls it.

use std::borrow::Cow;

use memchr::memchr2;

use super::{Injected, Name, Record, Records, Sorted};
use crate::{json::has_no_controls, object::Text};

/// Of one container, mostly.
const USUAL_LINES: usize = 8;

/// The record that a text begins with, and what follows it.
pub(super) fn read(text: &str) -> Option<(Injected<'_>, &str)> {
    let mut reader = Reader(text);
    let injected = reader.map(|reader| reader.map(Reader::record).map(Records))?;
    // As a JSON string.
    has_no_controls(&text[..text.len() - reader.0.len()]).then_some((Injected(injected), reader.0))
}

/// What is not read yet.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn take(&mut self, part: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(part)?;
        Some(())
    }

    fn map<T>(&mut self, value: impl Fn(&mut Self) -> Option<T>) -> Option<Sorted<'t, T>> {
        self.take(r#"{\""#)?;
        let mut pairs: Vec<(Name<'t>, T)> = Vec::with_capacity(USUAL_LINES);
        loop {
            let name = Name::from(self.text()?.0);
            if pairs.last().is_some_and(|(last, _)| *last >= name) {
                return None;
            }
            self.take(":")?;
            pairs.push((name, value(self)?));
            if self.take("}").is_some() {
                return Some(Sorted(pairs));
            }
            self.take(r#",\""#)?;
        }
    }

    fn record(&mut self) -> Option<Record<'t>> {
        self.take("{")?;
        let mut value = None;
        if self.take(r#"\"value\":\""#).is_some() {
            value = Some(self.text()?);
            self.take(",")?;
        }
        let kept = if self.take(r#"\"kept\":"#).is_some() { self.number()? } else { 0 };
        self.take(r#"\"source\":\""#)?;
        let source = self.text()?;
        self.take(r#",\"policy\":\""#)?;
        let policy = self.text()?;
        self.take("}")?;
        Some(Record { value, kept, source, policy })
    }

    /// From behind its quote to behind the one that ends it; none where it has an escape of its own, or where the string that
    /// all of it stands in ends.
    fn text(&mut self) -> Option<Text<'t>> {
        let (text, rest) = self.0.split_at(memchr2(b'\\', b'"', self.0.as_bytes())?);
        self.0 = rest.strip_prefix(r#"\""#)?;
        Some(Text(Cow::Borrowed(text)))
    }

    fn number(&mut self) -> Option<usize> {
        let (digits, rest) = self.0.split_once(',')?;
        self.0 = rest;
        // Rust reads a sign and leading zeros, too.
        if digits.starts_with(['+', '0']) { None } else { digits.parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_json_reads_it() {
        let rows = [
            (r#"{"app":{"A":{"source":"s","policy":"p"}}}"#, true),
            (
                r#"{"a":{"A":{"value":"1","source":"s","policy":"p"},"B":{"value":"-x 1","kept":3,"source":"s","policy":"p"}}}"#,
                true,
            ),
            (r#"{"a":{"A":{"source":"limits.cpu=3","policy":"p"}},"b":{"A":{"source":"é","policy":"p"}}}"#, true),
            // Podfit writes none of these.
            ("{}", false),
            (r#"{"a":{}}"#, false),
            (r#"{"a":{"A":{"source":"a \"b\"","policy":"p"}}}"#, false),
            (r#"{"a":{"A":{"policy":"p","source":"s"}}}"#, false),
            (r#"{"a":{"A":{"source":"s","policy":"p","more":1}}}"#, false),
            (r#"{"b":{"A":{"source":"s","policy":"p"}},"a":{"A":{"source":"s","policy":"p"}}}"#, false),
            (r#"{"a":{"A":{"source":"s","policy":"p"},"A":{"source":"s","policy":"p"}}}"#, false),
            (r#"{"a":{"A":{"kept":-1,"source":"s","policy":"p"}}}"#, false),
            (r#"{"a":{"A":{"kept":0,"source":"s","policy":"p"}}}"#, false),
            (r#"{"a":{"A":{"source":"s","policy":"p"}}} "#, false),
            (r#"{"a":{"A":{"source":"s","policy":"p"}}"#, false),
        ];
        for (json, is_read) in rows {
            let quoted = serde_json::to_string(json).expect("a text");
            let written = read(&quoted[1..]).filter(|(_, rest)| *rest == "\"").map(|(injected, _)| injected);
            let expected = is_read.then(|| serde_json::from_str(json).expect("a record"));
            assert_eq!(written, expected, "{json}");
        }
    }

    #[test]
    fn what_no_json_string_holds_is_not_read() {
        let written = |source: &str| format!(r#"{{\"a\":{{\"A\":{{\"source\":\"{source}\",\"policy\":\"p\"}}}}}}""#);
        let is_read = |source| read(&written(source)).is_some();
        assert_eq!(["s", "\u{1}", "\n", "\""].map(is_read), [true, false, false, false]);
    }
}
