//! Stand-in: `serve` and `certs`.

use clap::{Parser, Subcommand};
use podfit::cli::{certs::Certs, serve::Serve};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Serve),
    Certs(Certs),
}

fn main() -> std::process::ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Certs(certs) => certs.run(),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            std::process::ExitCode::from(2)
        }
    }
}
