//! Policy tests: a `PolicyTest` read into values that cannot be wrong, what a judgement found, and the two compared. Pure;
//! `podfit test` reads the files and judges the objects.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::{
    node::{Node, Span},
    policy::{Labels, PolicySet},
};

mod compare;
mod expectation;
mod found;
mod schema;

pub use compare::{Difference, compare};
pub use expectation::{Expectation, Group, expect_block};
pub use found::{Found, found};
pub use schema::{KIND, compile, is_suite, json_schema};

/// The tests of one document, and what they have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    pub name: Option<String>,
    pub policies: Policies,
    /// Labels of namespaces by their names.
    pub namespaces: BTreeMap<String, Labels>,
    pub tests: Vec<Test>,
}

/// Where a suite's policies come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Policies {
    /// Named by nobody: those of the command line, or the embedded one.
    Absent,
    /// A file or folder, as seen from the suite's own folder.
    Path {
        path: String,
        span: Span,
    },
    Inline(PolicySet),
}

/// Some objects, and all that is to be found in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub name: String,
    /// Files and folders, as seen from the suite's own folder.
    pub manifests: Vec<String>,
    pub objects: Vec<Node>,
    /// Of objects that name none.
    pub namespace: Option<String>,
    pub today: Option<Date>,
    /// Whether templates are judged as the webhook answers them.
    pub as_admission: bool,
    pub expected: Expected,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Of the value of `expect`.
    pub span: Span,
    pub expectations: Vec<Expectation>,
    /// Injections are compared only where a test speaks of them.
    pub with_injections: bool,
    /// That no policy matches any of the objects.
    pub unmatched: bool,
}

#[cfg(test)]
mod fixture {
    use super::{Suite, compile};
    use crate::{manifest, policy::Mistake};

    /// The suite of this text, whose kind and version are given.
    pub(super) fn read(text: &str) -> Result<Suite, Vec<Mistake>> {
        let text = format!("apiVersion: podfit.dev/v1alpha1\nkind: PolicyTest\n{text}");
        compile(&manifest::read(&text).remove(0).unwrap().node)
    }
}
