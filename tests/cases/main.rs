//! The shared cases: every `tests/cases/<folder>/<case>.yaml` runs through the core, the webhook (in process and over TLS) and
//! the command line, and means the same in all of them. `case.rs` says what a file may hold.

#![allow(clippy::unwrap_used, clippy::panic)]

mod case;
mod command_line;
mod core;
mod view;
mod webhook;

use std::{collections::BTreeMap, fmt::Debug};

use case::{Case, Ground};

/// Cases that are judged under the same policies, namespace, labels and day share a server and a process.
fn by_ground(cases: &[Case]) -> BTreeMap<&Ground, Vec<&Case>> {
    let mut groups: BTreeMap<&Ground, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry(&case.ground).or_default().push(case);
    }
    groups
}

/// Everything that differs, of all cases at once.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq<U> + Debug, U: Debug>(&mut self, case: &Case, what: &str, found: &T, expected: &U) {
        if found != expected {
            self.0.push(format!("{}: {what}\n     found: {found:#?}\n  expected: {expected:#?}", case.name));
        }
    }

    fn check(self) {
        assert!(self.0.is_empty(), "{} differences\n\n{}\n", self.0.len(), self.0.join("\n\n"));
    }
}
