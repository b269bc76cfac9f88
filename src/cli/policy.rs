//! `podfit policy`: the embedded policy, the check of policy files, the schema for editors.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Outcome;
use crate::{
    manifest,
    policies::{self, PolicyError},
    policy,
    report::{Report, ReportedError},
    suite,
};

/// Shows and validates policies
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the embedded policy, a good start for one's own
    Default,
    /// Reports every mistake of policy files or folders, with line and column
    Validate {
        /// Policy files, or folders of policy files
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Prints the JSON Schema of a policy, or of tests of policies, for editors
    Schema {
        #[arg(value_enum, default_value_t = Of::Policy)]
        of: Of,
    },
    /// Prints the custom resource definition, for `kubectl apply --server-side -f -`
    Crd,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    Policy,
    Test,
}

impl Policy {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Default => output.write_all(policy::DEFAULT_POLICY.as_bytes())?,
            Command::Schema { of: Of::Policy } => writeln!(output, "{:#}", policy::json_schema())?,
            Command::Schema { of: Of::Test } => writeln!(output, "{:#}", suite::json_schema())?,
            Command::Crd => writeln!(output, "{}", manifest::block(&policy::custom_resource_definition()))?,
            Command::Validate { paths } => return validate(&paths, output),
        }
        Ok(Outcome::NothingDenied)
    }
}

fn validate(paths: &[PathBuf], output: &mut dyn Write) -> anyhow::Result<Outcome> {
    let mut report = Report::default();
    for path in paths {
        match policies::load(path) {
            Ok(set) => {
                for policy in set.policies() {
                    writeln!(output, "{}: policy {} is valid", path.display(), policy.name)?;
                }
            }
            Err(error) => report.add_mistakes(&error),
        }
    }
    output.flush()?;
    report.write_errors(super::stdout_appearance(), output)?;
    Ok(if report.errors.is_empty() { Outcome::NothingDenied } else { Outcome::NotJudged })
}

impl Report {
    pub(super) fn add_mistakes(&mut self, error: &PolicyError) {
        for mistake in error.mistakes() {
            if let Some(text) = error.text(&mistake.file) {
                self.sources.insert(mistake.file.clone(), text.to_owned());
            }
            let message = if mistake.path.is_empty() {
                mistake.message.clone()
            } else {
                format!("{}: {}", mistake.path, mistake.message)
            };
            let place = mistake.span.map(|span| (span.start.line, span.start.column));
            self.errors.push(ReportedError { file: mistake.file.clone(), place, message });
        }
    }
}
