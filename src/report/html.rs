//! One HTML page that needs nothing beside it, for people: to be read, searched, linked to and printed. `report` calls this.
//!
//! Without its script the page is a table of the first findings; the script replaces it by all of them, from the data block.

use std::{cmp::Reverse, io};

use maud::{Markup, PreEscaped, html};

use super::{Report, ReportedError, ReportedFinding, count, file_name, problem_and_help, visible};
use crate::{policy::Mode, rules::Rule};

mod data;
mod page;

pub use page::{Page, number, policy_of_content};

/// Rows of a page without its script, and errors: more of them nobody reads one by one.
const MOST_ROWS: usize = 500;

pub fn write(report: &Report, output: &mut dyn io::Write) -> io::Result<()> {
    let owners = owners(report);
    let data = data::json(report, &owners)?;
    let body = html! {
        (summary(report))
        (filters())
        section #findings aria-label="Findings" { (table(&owners)) }
        (errors(&report.errors))
        (notes(&report.notes))
        script type="application/json" #report { (PreEscaped(data)) }
    };
    let page = Page { title: "podfit report", lead: "", live: false };
    writeln!(output, "{}", page.with(&body).into_string())
}

/// The findings of one object, in the report's order.
type Owner<'a> = &'a [ReportedFinding];

/// What is denied comes first.
fn owners(report: &Report) -> Vec<Owner<'_>> {
    let mut owners: Vec<Owner<'_>> =
        report.findings.chunk_by(|one, next| one.file == next.file && one.object == next.object).collect();
    owners.sort_by_key(|owner| Reverse([Mode::Deny, Mode::Warn, Mode::Audit].map(|mode| number_of(owner, mode))));
    owners
}

fn number_of(findings: &[ReportedFinding], mode: Mode) -> usize {
    findings.iter().filter(|finding| finding.mode == mode).count()
}

fn summary(report: &Report) -> Markup {
    let summary = report.summary();
    html! {
        dl.tiles aria-label="Summary" {
            @if let Some(pods) = summary.pods { (number("Pods", pods, "")) }
            (number(if summary.pods.is_some() { "Owners" } else { "Objects" }, summary.objects, ""))
            @for (mode, number) in MODES.into_iter().zip([summary.deny, summary.warn, summary.audit, summary.inject]) {
                (page::number(word(mode), number, if number > 0 { class(mode) } else { "zero" }))
            }
            (number("Exempted", summary.exempted, ""))
            (number("Skipped", summary.skipped, ""))
            @if report.passed_over > 0 { (number("Passed over", report.passed_over, "")) }
            @if !report.errors.is_empty() { (number("Not judged", report.errors.len(), "deny")) }
        }
    }
}

/// The script shows it.
fn filters() -> Markup {
    let groupings = [("namespace", "Namespace"), ("rule", "Rule"), ("owner", "Owner")];
    html! {
        form #filters role="search" hidden {
            input type="search" name="search" aria-label="Search" placeholder="Search names, images, files, messages";
            p #shown role="status" {}
            fieldset.segments {
                legend { "Group by" }
                @for (value, name) in groupings {
                    label { input type="radio" name="group" value=(value) checked[value == "namespace"]; span { (name) } }
                }
            }
            fieldset.chips {
                legend { "Mode" }
                @for mode in MODES {
                    label class=(class(mode)) { input type="checkbox" name="mode" value=(mode.as_str()); span { (word(mode)) } }
                }
            }
            label.choice {
                span { "Rule" }
                select name="rule" {
                    option value="" { "All rules" }
                    @for rule in Rule::ALL { option value=(rule.id()) { (rule.id()) } }
                }
            }
            button type="reset" { "Reset" }
        }
    }
}

const MODES: [Mode; 4] = [Mode::Deny, Mode::Warn, Mode::Audit, Mode::Inject];

fn table(owners: &[Owner<'_>]) -> Markup {
    let number = owners.iter().map(|owner| owner.len()).sum::<usize>();
    if number == 0 {
        return html! { p.nothing { "No findings." } };
    }
    html! {
        table.stacked {
            caption { "Findings, those that are denied first" }
            thead { tr { @for name in ["Mode", "Object", "Finding", "Rule", "Policy", "Place"] { th scope="col" { (name) } } } }
            tbody { @for finding in owners.iter().copied().flatten().take(MOST_ROWS) { (row(finding)) } }
        }
        (more(number, "finding"))
    }
}

fn row(finding: &ReportedFinding) -> Markup {
    let (problem, help) = problem_and_help(&finding.message);
    html! {
        tr {
            td data-label="Mode" { span class={ "mode " (class(finding.mode)) } { (word(finding.mode)) } }
            td data-label="Object" { (visible(&finding.object.to_string())) }
            td data-label="Finding" {
                (visible(problem))
                @if let Some(help) = help { p.help { (visible(help)) } }
            }
            td data-label="Rule" { (finding.rule.id()) }
            td data-label="Policy" { (visible(&finding.policy_says())) }
            td data-label="Place" {
                (place(finding.file.as_deref(), finding.span.map(|span| span.start.line)))
                @if let Some(pods) = finding.pods { (count(pods, "Pod")) }
            }
        }
    }
}

/// What is left out without the script.
fn more(number: usize, word: &str) -> Markup {
    html! {
        @if number > MOST_ROWS {
            p.nothing { "and " (count(number - MOST_ROWS, &format!("more {word}"))) " (-o json and -o text have all)" }
        }
    }
}

fn errors(errors: &[ReportedError]) -> Markup {
    html! {
        @if !errors.is_empty() {
            section aria-labelledby="errors" {
                h2 #errors { "Could not be judged" }
                ul.lines {
                    @for error in errors.iter().take(MOST_ROWS) {
                        li {
                            span.file { (place(Some(&error.file), error.place.map(|(line, _)| line))) }
                            " " (visible(&error.message))
                        }
                    }
                }
                (more(errors.len(), "error"))
            }
        }
    }
}

fn notes(notes: &[String]) -> Markup {
    html! {
        @if !notes.is_empty() {
            section aria-labelledby="notes" {
                h2 #notes { "Notes" }
                ul.lines { @for note in notes.iter().take(MOST_ROWS) { li { (visible(note)) } } }
                (more(notes.len(), "note"))
            }
        }
    }
}

/// `file:line`, as far as they are known.
fn place(file: Option<&str>, line: Option<usize>) -> String {
    match (file.map(file_name), line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file,
        (None, _) => String::new(),
    }
}

/// The class of a mode's colour.
pub fn class(mode: Mode) -> &'static str {
    match mode {
        Mode::Deny => "deny",
        Mode::Warn => "warn",
        Mode::Audit => "audit",
        Mode::Inject => "inject",
        Mode::Disabled => "",
    }
}

/// What a finding of a mode has come to.
pub fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Deny => "Denied",
        Mode::Warn => "Warned",
        Mode::Audit => "Audited",
        Mode::Inject => "Injected",
        Mode::Disabled => "Disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_whole_page_stands_alone() {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("sha256-[^']*", "sha256-...");
        settings.add_filter("(?s)<style>.*</style>", "<style>page.css</style>");
        settings.add_filter("(?s)<script>.*</script>", "<script>page.js</script>");
        settings.add_filter(
            "><(/?(?:head|body|header|main|footer|section|form|fieldset|dl|div|table|tr|ul|li|script|style))\\b",
            ">\n<$1",
        );
        settings.bind(|| insta::assert_snapshot!(page(&fixture::report())));
    }

    #[test]
    fn an_empty_report_says_so() {
        assert!(page(&Report::default()).contains("<p class=\"nothing\">No findings.</p>"));
    }

    #[test]
    fn what_is_denied_comes_first_and_the_rest_is_counted() {
        let mut report = fixture::report();
        let findings = || fixture::report().findings;
        report.findings = (0..100).flat_map(|_| findings().into_iter().rev()).collect();
        let page = page(&report);
        let first = page.split_once("<tbody>").unwrap().1;
        assert!(first.starts_with("<tr><td data-label=\"Mode\"><span class=\"mode inject\">Injected"), "{first:.200}");
        assert_eq!(page.matches("<td data-label=\"Mode\">").count(), MOST_ROWS);
        assert!(page.contains("and 300 more findings"));
    }

    fn page(report: &Report) -> String {
        let mut output = Vec::new();
        write(report, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}
