//! Workflow commands of GitHub Actions, which it shows beside the lines of a pull request. `report` calls this.
//!
//! Injections are left out: nothing is wrong there, and GitHub shows only ten annotations of a kind per step.

use std::{fmt::Write as _, io};

use super::{Report, ReportedError, ReportedFinding, in_repository, visible};
use crate::policy::Mode;

pub fn write(report: &Report, output: &mut dyn io::Write) -> io::Result<()> {
    for finding in &report.findings {
        if let Some(command) = command(finding.mode) {
            writeln!(output, "{}", of_finding(command, finding))?;
        }
    }
    for note in &report.notes {
        writeln!(output, "::notice title=podfit::{}", data(note))?;
    }
    for error in &report.errors {
        writeln!(output, "{}", of_error(error))?;
    }
    writeln!(output, "{}", report.headline())
}

fn command(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Deny => Some("error"),
        Mode::Warn => Some("warning"),
        Mode::Audit => Some("notice"),
        Mode::Inject | Mode::Disabled => None,
    }
}

fn of_finding(command: &str, finding: &ReportedFinding) -> String {
    let mut line = format!("::{command} ");
    let file = in_repository(finding.file.as_deref());
    if let Some(file) = &file {
        push(&mut line, "file", file);
    }
    if let Some(span) = finding.span.filter(|_| file.is_some()) {
        push(&mut line, "line", &span.start.line.to_string());
        push(&mut line, "endLine", &span.end.line.to_string());
        // GitHub drops an annotation that has columns over several lines.
        if span.start.line == span.end.line {
            push(&mut line, "col", &span.start.column.to_string());
            push(&mut line, "endColumn", &span.end.column.to_string());
        }
    }
    push(&mut line, "title", &format!("{}: {}", finding.rule.id(), finding.reason));
    let message = format!("{}: {} (policy {})", finding.object, finding.message, finding.policy);
    close(line, &message)
}

fn of_error(error: &ReportedError) -> String {
    let mut line = String::from("::error ");
    if let Some(file) = in_repository(Some(&error.file)) {
        push(&mut line, "file", &file);
        if let Some((number, column)) = error.place {
            push(&mut line, "line", &number.to_string());
            push(&mut line, "col", &column.to_string());
        }
    }
    push(&mut line, "title", "podfit could not judge");
    close(line, &error.message)
}

fn push(line: &mut String, key: &str, value: &str) {
    let comma = if line.ends_with(' ') { "" } else { "," };
    let value = data(value).replace(':', "%3A").replace(',', "%2C");
    // Writing to a String cannot fail.
    let _ = write!(line, "{comma}{key}={value}");
}

fn close(mut line: String, message: &str) -> String {
    line.push_str("::");
    line.push_str(&data(message));
    line
}

/// A message on one line; properties escape `:` and `,` besides.
fn data(text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    visible(&escaped).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn findings_become_annotations() {
        let mut output = Vec::new();
        write(&fixture::report(), &mut output).unwrap();
        insta::assert_snapshot!(String::from_utf8(output).unwrap());
    }

    #[test]
    fn nothing_can_start_another_command() {
        let rows = [
            ("several lines", "a\r\n::error::b", "::error a=a%0D%0A%3A%3Aerror%3A%3Ab::a%0D%0A::error::b"),
            ("escapes of its own", "100%0A,x:y", "::error a=100%250A%2Cx%3Ay::100%250A,x:y"),
        ];
        for (name, text, expected) in rows {
            let mut line = String::from("::error ");
            push(&mut line, "a", text);
            assert_eq!(close(line, text), expected, "{name}");
        }
    }
}
