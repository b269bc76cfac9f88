//! podfit with a real control plane: etcd, kube-apiserver and kube-controller-manager on loopback, or any cluster. One control
//! plane serves all cases, which is why this file is the test harness itself (`harness = false`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../project/documentation/blocks.rs"]
mod blocks;
mod cases;
#[allow(dead_code)] // the binaries beside this one use the rest
mod cluster;
mod egress;
mod installation;
mod latency;
mod later_webhook;
#[allow(dead_code)]
mod load;
mod plane;
mod pods;
mod process;
#[allow(dead_code)]
mod programs;
mod suite;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use suite::{Left, Suite};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let suite = if arguments.list { Err(Left::listed()) } else { Suite::start() };
    match suite {
        Ok(suite) => run(&arguments, suite),
        Err(left) => {
            println!("left out: {left}");
            let trials = cases::all().into_iter().map(|case| Trial::test(case.name, || Ok(())).with_ignored_flag(true));
            libtest_mimic::run(&arguments, trials.collect()).exit_code()
        }
    }
}

fn run(arguments: &Arguments, suite: Suite) -> ExitCode {
    let suite = Arc::new(suite);
    let (left, cases): (Vec<_>, Vec<_>) = cases::all().into_iter().partition(|case| !suite.can_run(case));
    let trials = cases.into_iter().map(|case| {
        let suite = Arc::clone(&suite);
        Trial::test(case.name, move || {
            suite.run(&case);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(arguments, trials.collect());
    suite.print_latency();
    let left: Vec<_> = left.iter().map(|case| case.name).collect();
    println!("left out: {}", if left.is_empty() { "none".to_owned() } else { left.join(", ") });
    if conclusion.has_failed() {
        suite.print_logs();
    }
    conclusion.exit_code()
}
