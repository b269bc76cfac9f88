//! podfit beside the bare server of `examples/bare-server.rs`: the same reviews over TLS, in rounds that take turns. `just
//! bench-server` prints the tables of README; CI asks with `--check` whether a ratio went far beyond what is promised.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::{env, process::ExitCode};

use tokio::runtime::{Builder, Runtime};

#[allow(dead_code)] // the bench of the review uses the rest
#[path = "../review/bodies.rs"]
mod bodies;
mod cases;
mod container;
mod cpu;
mod crowd;
mod giants;
mod latency;
#[allow(dead_code)] // the soak suite uses the rest
#[path = "../../tests/load/mod.rs"]
mod load;
mod memory;
mod programs;
mod server;
mod spread;
mod start;
mod table;

use programs::Programs;
use table::Row;

/// As many as kube-apiserver keeps busy on a busy day.
const CONNECTIONS: usize = 16;

fn main() -> ExitCode {
    // Cargo's own word for a bench.
    let asked: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let asked: Vec<_> = asked.iter().map(String::as_str).collect();
    let programs = Programs::find();
    // A thread for the client, and the other core for the server.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    match asked.as_slice() {
        [] => everything(&programs, &runtime, 100_000),
        ["--whole"] => everything(&programs, &runtime, 1_000_000),
        ["--container"] => print(container::rows(&programs, &runtime)),
        ["--check"] => return cpu::check(&programs, &runtime),
        _ => panic!(
            "write nothing, --whole for a million reviews, --container for that part alone, or --check for CI's short form: {asked:?}"
        ),
    }
    ExitCode::SUCCESS
}

fn everything(programs: &Programs, runtime: &Runtime, reviews: u64) {
    println!("{}", Row::HEADING);
    print(cpu::rows(programs, runtime));
    print(latency::rows(programs, runtime));
    print(memory::rows(programs, runtime, reviews));
    print(start::rows(programs, runtime));
    print([programs.sizes()]);
    print(container::rows(programs, runtime));
    print(giants::rows(programs, runtime));
}

fn print(rows: impl IntoIterator<Item = Row>) {
    rows.into_iter().for_each(|row| println!("{row}"));
}
