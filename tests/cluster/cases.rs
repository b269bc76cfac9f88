//! The table of cases. Each is a function that has the suite to itself for reading, in a namespace of its own.

use crate::suite::Suite;

mod denials;
mod deploy;
mod documentation;
mod figures;
mod governance;
mod injections;
mod later;
mod mirror;
mod outages;
mod templates;
mod updates;
mod verdicts;
mod workloads;

#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub needs: Needs,
    pub run: fn(&Suite),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Any cluster with podfit in it under `policies.yaml`.
    Any,
    /// A control plane of ours: the API server calls into this process, or its logs are read.
    Local,
    /// The same, and no other case beside it.
    LocalAlone,
}

/// Takes minutes, and shows figures: only with it.
const PODFIT_FIGURES: &str = "PODFIT_FIGURES";

pub fn all() -> Vec<Case> {
    let figures = if std::env::var_os(PODFIT_FIGURES).is_some() { figures::CASES } else { &[] };
    [
        workloads::CASES,
        denials::CASES,
        deploy::CASES,
        documentation::CASES,
        governance::CASES,
        injections::CASES,
        later::CASES,
        mirror::CASES,
        outages::CASES,
        templates::CASES,
        updates::CASES,
        verdicts::CASES,
        figures,
    ]
    .concat()
}

/// A row of the table.
const fn case(name: &'static str, needs: Needs, run: fn(&Suite)) -> Case {
    Case { name, needs, run }
}
