//! Wildcards of a policy: `*` is any run of characters, `/` included. Selectors, exemptions and forbidden tags use them.

use std::fmt;

use memchr::memchr;

/// A wildcard over a whole string, case-sensitive. Matching takes time linear in text and pattern: no backtracking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

/// Why a text is no wildcard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("must not be empty; `*` matches everything")]
    Empty,
    #[error("must have at most {} characters", Pattern::MAX_LENGTH)]
    TooLong,
    #[error("must not have blanks or control characters")]
    Blank,
}

impl Pattern {
    /// In bytes. The longest image reference (name 255, tag 128, digest) fits.
    pub const MAX_LENGTH: usize = 512;

    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(PatternError::Blank);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, text: &str) -> bool {
        // Most patterns have no wildcard.
        let Some(first) = memchr(b'*', self.0.as_bytes()) else { return self.0 == text };
        let (head, rest) = (&self.0[..first], &self.0[first + 1..]);
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(between) = text.strip_prefix(head).and_then(|text| text.strip_suffix(tail)) else { return false };
        // The leftmost place is always as good as a later one, so every character is passed once.
        middle.split('*').try_fold(between, |text, piece| text.split_once(piece).map(|(_, after)| after)).is_some()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_text() {
        let rows = [
            ("no wildcard", "latest", "latest", true),
            ("case counts", "latest", "LATEST", false),
            ("no wildcard, longer text", "latest", "latest-1", false),
            ("everything", "*", "anything/at:all", true),
            ("everything, nothing there", "*", "", true),
            ("prefix", "legacy-*", "legacy-shop", true),
            ("prefix, empty run", "legacy-*", "legacy-", true),
            ("prefix elsewhere", "legacy-*", "my-legacy-shop", false),
            ("suffix", "*-rc", "1.2-rc", true),
            ("suffix elsewhere", "*-rc", "1.2-rc1", false),
            ("slashes are characters", "vendor.example/*", "vendor.example/a/b:1", true),
            ("head and tail must not overlap", "ab*ba", "aba", false),
            ("head and tail touch", "ab*ba", "abba", true),
            ("middle pieces in order", "a*b*c*d", "a-b-c-d", true),
            ("middle pieces out of order", "a*b*c*d", "a-c-b-d", false),
            ("the last piece is anchored", "*a*b", "aab-b", true),
            ("a piece may not reuse the tail", "*b*b", "b", false),
            ("doubled stars are one", "a**b", "a-b", true),
            ("not only ASCII", "*ü*", "für", true),
            ("an empty text", "a*", "", false),
        ];
        for (name, pattern, text, expected) in rows {
            assert_eq!(Pattern::parse(pattern).map(|pattern| pattern.matches(text)), Ok(expected), "{name}");
        }
    }

    #[test]
    fn many_wildcards_on_a_long_text_stay_linear() {
        let pattern = Pattern::parse(&"a*".repeat(256)).unwrap();
        let text = "a".repeat(1_000_000);
        assert!(pattern.matches(&text));
        assert!(!Pattern::parse(&format!("{}b", "a*".repeat(255))).unwrap().matches(&text));
    }

    #[test]
    fn what_is_no_pattern() {
        let long = "a".repeat(Pattern::MAX_LENGTH + 1);
        let rows = [
            ("empty", "", PatternError::Empty),
            ("a blank", "a b", PatternError::Blank),
            ("a control character", "a\u{7}", PatternError::Blank),
            ("too long", &long, PatternError::TooLong),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Pattern::parse(text), Err(expected), "{name}");
        }
    }
}
