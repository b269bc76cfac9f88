//! Load and failure: podfit as a process of its own, and in every case good reviews beside whatever goes wrong. Their answers are
//! compared byte by byte with what the library says, and after the trouble memory, files and metrics are looked at.
//! `PODFIT_SOAK_SECONDS` lengthens the trouble of each case (`just soak`); `PODFIT_PROGRAM` names another podfit than the one
//! just built. This file is the test harness itself (`harness = false`), so that it can tell what was left out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod cases;
mod client;
mod good;
#[path = "../properties/hostile.rs"]
mod hostile;
#[allow(dead_code)] // benches/server uses the rest
#[path = "../load/mod.rs"]
mod load;
mod needs;
mod podfit;
mod policies;
#[path = "../properties/request.rs"]
mod request;
mod reviews;
#[allow(dead_code)] // the benches use the rest
#[path = "../../benches/review/bodies.rs"]
mod shapes;
mod soak;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use soak::Soak;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    needs::raise_open_files();
    let soak = Arc::new(Soak::new());
    let is_long = soak.is_long();
    // Most cases wait most of the time; alone they show better figures.
    arguments.test_threads.get_or_insert(if is_long { 1 } else { 4 });
    let mut left = Vec::new();
    let mut trials = Vec::new();
    for case in cases::all() {
        let missing = case.needs.missing();
        left.extend(missing.map(|missing| format!("{} ({missing})", case.name)));
        let soak = Arc::clone(&soak);
        let trial = Trial::test(case.name, move || {
            (case.run)(&soak, case.name);
            Ok(())
        });
        trials.push(trial.with_ignored_flag(missing.is_some() || case.is_long && !is_long));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    soak.print();
    println!("soak: left out: {}", if left.is_empty() { "none".to_owned() } else { left.join(", ") });
    conclusion.exit_code()
}
