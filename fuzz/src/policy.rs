//! Policies: a text has mistakes, each with its place, or it is a policy under which every promise holds.

use podfit::{
    export::export,
    policy::{PolicySet, Rulebook, compile},
};

use super::{TODAY, check_mistakes, documents, review};

const REVIEWS: [&[u8]; 2] =
    [include_bytes!("../../examples/review.json"), include_bytes!("../../examples/review-careless.json")];

/// # Panics
/// Where a mistake has no place, or a policy without any makes an answer break a promise.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut policies = Vec::new();
    for document in documents(text) {
        match compile(&document.node) {
            Ok(policy) => policies.push(policy),
            Err(mistakes) => check_mistakes(text, &mistakes),
        }
    }
    let Ok(policies) = PolicySet::new(policies) else { return };
    export(&policies, TODAY);
    let rulebook = Rulebook::unwatched(policies);
    for body in REVIEWS {
        review::check_under(&rulebook, body);
    }
}
