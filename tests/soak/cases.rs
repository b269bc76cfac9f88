//! The table of cases: one way in which clients, the machine or its keepers misbehave each.

use crate::{needs::Needs, soak::Soak};

mod bodies;
mod clock;
mod crowd;
mod files;
mod log;
mod malformed;
mod signals;
mod slow;

#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub needs: Needs,
    /// Takes minutes however short the trouble.
    pub is_long: bool,
    /// With its name, for the table.
    pub run: fn(&Soak, &str),
}

/// The longest first, so that none is awaited alone in the end.
pub fn all() -> Vec<Case> {
    [bodies::CASES, slow::CASES, crowd::CASES, signals::CASES, files::CASES, clock::CASES, log::CASES, malformed::CASES]
        .concat()
}

/// A row of the table.
const fn case(name: &'static str, run: fn(&Soak, &str)) -> Case {
    Case { name, needs: Needs::Nothing, is_long: false, run }
}
