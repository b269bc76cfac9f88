//! The command line: arguments, one match over the commands, exit codes. A thin caller of the core.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    policies::PolicyError,
    report::{Appearance, Report},
};

mod certs;
mod check;
#[cfg(feature = "cluster")]
mod connect;
mod explain;
mod export;
mod fix;
mod input;
mod judge;
mod policy;
mod rules;
#[cfg(feature = "cluster")]
mod scan;
mod serve;
mod tell;
mod test;

/// What a run has come to; the larger one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    NothingDenied,
    /// Something is denied, or differs.
    Denied,
    /// Something could not be judged.
    NotJudged,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NothingDenied => Self::SUCCESS,
            Outcome::Denied => Self::from(1),
            Outcome::NotJudged => Self::from(2),
        }
    }
}

/// podfit fits every container's runtime to its Pod's limits, and refuses Pods that cannot be fitted.
#[derive(Debug, Parser)]
#[command(name = "podfit", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Fix(fix::Fix),
    Explain(explain::Explain),
    #[cfg(feature = "cluster")]
    Scan(scan::Scan),
    Test(test::Test),
    Export(export::Export),
    Rules(rules::Rules),
    Policy(policy::Policy),
    Certs(certs::Certs),
    /// Prints the completions of a shell
    Completions {
        shell: clap_complete::Shell,
    },
}

/// Runs the program with its arguments; answers are on standard output, troubles on standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = command(arguments.first()).try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| <Arguments as clap::FromArgMatches>::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to be done where the help text cannot be written.
            let _ = error.print();
            return if error.use_stderr() { Outcome::NotJudged.into() } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(arguments.command) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            // Nothing is left to be done where even this cannot be written.
            let _ = tell(&error);
            Outcome::NotJudged.into()
        }
    }
}

/// The mistakes of policies are shown where they stand, everything else on one line.
fn tell(error: &anyhow::Error) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    match error.chain().find_map(|cause| cause.downcast_ref::<PolicyError>()) {
        Some(mistakes) => {
            let mut report = Report::default();
            report.add_mistakes(mistakes);
            report.write_errors(appearance(stderr.is_terminal()), &mut stderr)
        }
        None => writeln!(stderr, "error: {error:#}"),
    }
}

fn dispatch(command: Command) -> anyhow::Result<Outcome> {
    let output = &mut io::BufWriter::new(WhileRead { to: io::stdout().lock(), is_closed: false });
    let outcome = match command {
        Command::Serve(serve) => serve.run().map(|()| Outcome::NothingDenied),
        Command::Check(check) => check.run(output),
        Command::Fix(fix) => fix.run(output),
        Command::Explain(explain) => explain.run(output),
        #[cfg(feature = "cluster")]
        Command::Scan(scan) => scan.run(output),
        Command::Test(test) => test.run(output),
        Command::Export(export) => export.run(output),
        Command::Rules(rules) => rules.run(output),
        Command::Policy(policy) => policy.run(output),
        Command::Certs(certs) => certs.run().map(|()| Outcome::NothingDenied),
        Command::Completions { shell } => {
            // The generator panics where it cannot write, so it writes to memory.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_of("podfit"), "podfit", &mut script);
            output.write_all(&script)?;
            Ok(Outcome::NothingDenied)
        }
    }?;
    output.flush()?;
    Ok(outcome)
}

/// Named `kubectl-podfit` it speaks of itself as users call it.
fn command(program: Option<&OsString>) -> clap::Command {
    let file = program.and_then(|program| std::path::Path::new(program).file_stem());
    if file.is_some_and(|file| file == "kubectl-podfit") {
        return command_of("kubectl podfit");
    }
    command_of("podfit")
}

fn command_of(name: &'static str) -> clap::Command {
    Arguments::command().name(name).bin_name(name)
}

/// Whoever reads may have had enough, as `| head` does: the rest is lost on purpose, and the exit status is as judged.
struct WhileRead<W> {
    to: W,
    is_closed: bool,
}

impl<W: io::Write> WhileRead<W> {
    fn unless_closed<T>(&mut self, instead: T, write: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.is_closed {
            return Ok(instead);
        }
        match write(&mut self.to) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(instead)
            }
            written => written,
        }
    }
}

impl<W: io::Write> io::Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(bytes.len(), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), |to| to.flush())
    }
}

/// Colour on a terminal only, and not where `NO_COLOR` says otherwise (no-color.org).
pub(crate) fn appearance(is_terminal: bool) -> Appearance {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Appearance { colour: is_terminal && !refused }
}

pub(crate) fn stdout_appearance() -> Appearance {
    appearance(io::stdout().is_terminal())
}
