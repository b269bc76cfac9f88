//! What `podfit export` prints, on a real API server without podfit: that it refuses what podfit refuses, case by case, and that
//! `--check` sees every difference. On a control plane of its own, because no webhook may answer there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../cases/case.rs"]
#[allow(dead_code)] // the shared cases' own tests use the rest
mod case;
mod check;
// Shared with the suites beside it, which use all of them.
#[allow(dead_code)]
mod cluster;
mod equivalence;
mod exported;
mod left_out;
#[allow(dead_code)]
mod plane;
#[allow(dead_code)]
mod pods;
#[allow(dead_code)]
mod process;
#[allow(dead_code)]
mod programs;
mod request;
mod spared;

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use cluster::Cluster;
use plane::ControlPlane;
use programs::Programs;

type Case = (&'static str, fn(&Bench));

/// In this order: the first need a cluster without what the last installs.
const CASES: &[Case] = &[
    ("every_case_is_refused_alike", equivalence::every_case),
    ("exemptions_end_by_the_clock_of_the_api_server", spared::expiry),
    ("what_ends_and_what_a_node_shows_is_never_refused", spared::endings_and_mirrors),
    ("a_pod_of_a_thousand_containers_is_judged", spared::thousand),
    ("a_check_sees_every_difference", check::differences),
    ("a_check_that_cannot_tell_says_so", check::unknown),
    ("the_overlay_refuses_without_podfit", check::overlay),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let programs = Programs::find().filter(|_| !arguments.list);
    let is_left = programs.is_none();
    if is_left {
        println!("left out: the backstop: there is no control plane; tests/cluster/install.sh DIRECTORY builds one");
    }
    let bench = programs.map(|programs| Arc::new(Bench::start(&programs)));
    let trials = CASES.iter().map(|&(name, case)| {
        let bench = bench.clone();
        let run = move || {
            if let Some(bench) = &bench {
                case(bench);
            }
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_left)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Dropped from the top: what talks to the control plane goes first.
pub struct Bench {
    plane: ControlPlane,
    _runtime: Runtime,
}

impl Bench {
    fn start(programs: &Programs) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let plane = ControlPlane::start(programs, runtime.handle());
        Self { plane, _runtime: runtime }
    }

    fn cluster(&self) -> &Cluster {
        &self.plane.cluster
    }
}
