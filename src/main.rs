//! The program: everything is in `podfit::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    podfit::cli::run(std::env::args_os())
}
