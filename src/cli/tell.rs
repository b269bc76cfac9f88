//! How a report is told, and what it means for the exit status: for `check` and `scan`.

use std::io;

use clap::{Args, ValueEnum};

use super::Outcome;
use crate::report::{Format, Report};

#[derive(Debug, Args)]
pub(super) struct TellArguments {
    /// Format of the report
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// The mildest finding that makes the exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Deny)]
    fail_on: FailOn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Deny,
    Warn,
}

impl TellArguments {
    pub(super) fn tell(&self, report: &Report, output: &mut dyn io::Write) -> anyhow::Result<Outcome> {
        report.write(self.output, super::stdout_appearance(), output)?;
        output.flush()?;
        let summary = report.summary();
        let denied = summary.deny + if self.fail_on == FailOn::Warn { summary.warn } else { 0 };
        Ok(match (report.errors.is_empty(), denied) {
            (false, _) => Outcome::NotJudged,
            (true, 0) => Outcome::NothingDenied,
            (true, _) => Outcome::Denied,
        })
    }
}
