//! Text of a scan for people: a line for each finding of each owner, which `grep` and `sort` understand, and how many owners and
//! Pods each rule is about. `report` calls this.

use std::{collections::BTreeMap, io};

use clap::builder::styling::{AnsiColor, Style};

use super::{Appearance, ObjectName, Report, ReportedFinding, text, visible};
use crate::{policy::Mode, rules::Rule};

pub fn write(report: &Report, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
    let findings: Vec<_> = report.findings.iter().filter(|finding| finding.mode != Mode::Inject).collect();
    if !findings.is_empty() {
        let rows = findings.iter().map(|finding| row(finding)).collect();
        table(&["NAMESPACE", "OWNER", "PODS", "MODE", "RULE", "FINDING"], rows, appearance, output)?;
        table(&["RULE", "MODE", "OWNERS", "PODS"], totals(&findings), appearance, output)?;
    }
    for note in &report.notes {
        writeln!(output, "note: {}\n", visible(note))?;
    }
    text::write_errors(report, appearance, output)?;
    writeln!(output, "{}", report.headline())
}

#[derive(Clone)]
enum Cell {
    Text(String),
    Number(usize),
    Mode(Mode),
}

fn row(finding: &ReportedFinding) -> Vec<Cell> {
    let owner = format!("{}/{}", finding.object.kind, finding.object.name);
    vec![
        Cell::Text(finding.object.namespace.clone().unwrap_or_default()),
        Cell::Text(owner),
        Cell::Number(finding.pods.unwrap_or_default()),
        Cell::Mode(finding.mode),
        Cell::Text(finding.rule.id().to_owned()),
        Cell::Text(format!("{} ({})", finding.message, finding.policy_says())),
    ]
}

/// By rule, the strictest mode first. An owner's Pods count once for a rule, however many findings of it they have.
fn totals(findings: &[&ReportedFinding]) -> Vec<Vec<Cell>> {
    let mut owners: BTreeMap<_, BTreeMap<&ObjectName, usize>> = BTreeMap::new();
    for finding in findings {
        let pods = owners.entry((finding.rule, std::cmp::Reverse(finding.mode))).or_default();
        let most = pods.entry(&finding.object).or_default();
        *most = finding.pods.unwrap_or_default().max(*most);
    }
    let total = |((rule, mode), owners): ((Rule, std::cmp::Reverse<Mode>), BTreeMap<&ObjectName, usize>)| {
        let pods = owners.values().sum();
        vec![Cell::Text(rule.id().to_owned()), Cell::Mode(mode.0), Cell::Number(owners.len()), Cell::Number(pods)]
    };
    owners.into_iter().map(total).collect()
}

/// Aligned columns; the last may be as long as it likes.
fn table(heading: &[&str], rows: Vec<Vec<Cell>>, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
    let heading = heading.iter().map(|word| Cell::Text((*word).to_owned())).collect();
    let rows: Vec<Vec<Cell>> = [heading].into_iter().chain(rows).collect();
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].text().chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| {
            let is_last = column + 1 == columns;
            cell.padded(if is_last && !cell.is_number() { 0 } else { *width }, appearance)
        });
        writeln!(output, "{}", cells.collect::<Vec<_>>().join("  "))?;
    }
    writeln!(output)
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => visible(text).into_owned(),
            Self::Number(number) => number.to_string(),
            Self::Mode(mode) => mode.as_str().to_owned(),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    fn padded(&self, width: usize, appearance: Appearance) -> String {
        let text = self.text();
        match self {
            Self::Text(_) => format!("{text:width$}"),
            Self::Number(_) => format!("{text:>width$}"),
            Self::Mode(mode) => {
                let style = if appearance.colour { style(*mode) } else { Style::new() };
                format!("{style}{text:width$}{style:#}")
            }
        }
    }
}

fn style(mode: Mode) -> Style {
    match mode {
        Mode::Deny => AnsiColor::BrightRed.on_default().bold(),
        Mode::Warn => AnsiColor::Yellow.on_default().bold(),
        Mode::Audit | Mode::Inject | Mode::Disabled => AnsiColor::BrightGreen.on_default().bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{JudgedObject, fixture};

    #[test]
    fn findings_are_a_table_and_rules_are_counted() {
        insta::assert_snapshot!(text(&scan(), false));
    }

    #[test]
    fn colour_is_for_modes_alone() {
        let coloured = text(&scan(), true);
        assert!(coloured.contains("\u{1b}[1m\u{1b}[91mDeny \u{1b}[0m"), "{coloured:?}");
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        let report = Report { pods: Some(3), ..Report::default() };
        assert_eq!(text(&report, false), "no objects judged\n");
        let owner = || JudgedObject { object: fixture::object("Pod", "a"), file: None, pods: Some(1), patch: vec![] };
        let report = Report { pods: Some(3), objects: vec![owner(), owner()], passed_over: 1, ..Report::default() };
        assert_eq!(text(&report, false), "3 Pods of 2 owners: nothing to do; 1 passed over\n");
    }

    /// The findings of the fixture as a scan has them.
    fn scan() -> Report {
        let mut report = fixture::report();
        report.findings.retain(|finding| finding.mode != Mode::Inject);
        for (index, finding) in report.findings.iter_mut().enumerate() {
            (finding.file, finding.span, finding.pods) = (None, None, Some(12 - index));
        }
        report.counted = BTreeMap::from([(Mode::Inject, 40)]);
        report.pods = Some(33);
        report
    }

    fn text(report: &Report, colour: bool) -> String {
        let mut output = Vec::new();
        write(report, Appearance { colour }, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}
