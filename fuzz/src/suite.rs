//! Tests of policies: a text has mistakes, each with its place, or it is a suite.

use podfit::suite::{compile, is_suite};

use super::{check_mistakes, documents};

/// # Panics
/// Where a mistake has no place, or what is a suite is not seen as one.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    for document in documents(text) {
        match compile(&document.node) {
            Ok(suite) => {
                assert!(is_suite(&document.node));
                assert!(!suite.tests.is_empty(), "a suite of no tests proves nothing");
            }
            Err(mistakes) => check_mistakes(text, &mistakes),
        }
    }
}
