//! `podfit test`: policy tests. Reads suites, judges their objects as `check` does, and compares what is found with what is
//! expected.

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::{Outcome, input, judge};
use crate::report::{ReportedError, TestReport};

mod files;
mod trial;

/// Runs policy tests: policies, manifests and what is to be found
///
/// Folders are searched for documents of kind `PolicyTest`. Exit status: 0 all is as expected, 1 an expectation failed, 2
/// something could not be judged.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// Files, folders, or `-` for standard input; without any, the current folder
    paths: Vec<PathBuf>,
    /// Runs only the tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Policy file or folder for the suites that name none [default: the embedded policy]
    #[arg(long, value_name = "FILE|DIR")]
    policy: Option<PathBuf>,
    /// The day of tests that name none [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
    /// Format of the report
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Junit,
}

/// What tests are run with where they do not say it themselves.
struct Ground {
    policy: Option<PathBuf>,
    today: Date,
    filter: Option<String>,
}

impl Test {
    pub(super) fn run(self, output: &mut dyn io::Write) -> anyhow::Result<Outcome> {
        let ground =
            Ground { policy: self.policy, today: self.today.unwrap_or_else(judge::today), filter: self.filter };
        let report = run(&self.paths, &ground);
        match self.output {
            Format::Text => report.write_text(super::stdout_appearance(), output)?,
            Format::Junit => report.write_junit(output)?,
        }
        output.flush()?;
        Ok(outcome(&report))
    }
}

fn run(paths: &[PathBuf], ground: &Ground) -> TestReport {
    let mut report = TestReport::default();
    let files = files::read(input::read(paths), &mut report.mistakes);
    for file in files {
        let tested = trial::file(&file, ground, &mut report);
        report.files.push(tested);
        report.mistakes.sources.insert(file.name, file.text);
    }
    if report.tests().next().is_none() && report.mistakes.errors.is_empty() {
        report.mistakes.errors.push(nothing_to_run(paths, ground));
    }
    report
}

/// Silence is no success.
fn nothing_to_run(paths: &[PathBuf], ground: &Ground) -> ReportedError {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let file = if paths.is_empty() { ".".to_owned() } else { paths.join(" ") };
    let message = match &ground.filter {
        Some(filter) => format!("no test's name contains {filter:?}"),
        None => "no document of kind PolicyTest here".to_owned(),
    };
    ReportedError { file, place: None, message }
}

fn outcome(report: &TestReport) -> Outcome {
    let (_, failed, not_judged) = report.numbers();
    match (report.mistakes.errors.len() + not_judged, failed) {
        (0, 0) => Outcome::NothingDenied,
        (0, _) => Outcome::Denied,
        _ => Outcome::NotJudged,
    }
}

#[cfg(test)]
mod tests;
