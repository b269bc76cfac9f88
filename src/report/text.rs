//! Text for people: each finding with the lines it is about, as a compiler shows them, and what to write instead. `report`
//! calls this.

use std::io;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, Title, level};

use super::{
    Appearance, Report, ReportedError, ReportedFinding, count, excerpt::Excerpt, file_name, problem_and_help, visible,
};
use crate::{node::Span, policy::Mode};

pub fn write(report: &Report, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
    let mut show = |group| show(group, appearance, output);
    for findings in report.findings.chunk_by(|one, next| one.file == next.file && one.object == next.object) {
        for finding in findings.iter().filter(|finding| finding.mode != Mode::Inject) {
            show(finding_group(report, finding))?;
        }
        let injections: Vec<_> = findings.iter().filter(|finding| finding.mode == Mode::Inject).collect();
        for injections in injections.chunk_by(|one, next| one.container == next.container && one.policy == next.policy)
        {
            show(injection_group(injections))?;
        }
    }
    for note in &report.notes {
        show(Group::with_title(Level::NOTE.primary_title(visible(note))))?;
    }
    write_errors(report, appearance, output)?;
    writeln!(output, "{}", report.headline())
}

pub fn write_errors(report: &Report, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
    report.errors.iter().try_for_each(|error| show(error_group(report, error), appearance, output))
}

pub(super) fn show(group: Group<'_>, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
    let renderer = if appearance.colour { Renderer::styled() } else { Renderer::plain() };
    writeln!(output, "{}\n", renderer.render(&[group]))
}

fn finding_group<'a>(report: &'a Report, finding: &'a ReportedFinding) -> Group<'a> {
    let level = severity(finding.mode);
    let message = visible(&finding.message);
    let policy = finding.policy_says();
    let (Some(excerpt), Some(file)) = (report.excerpt(finding), &finding.file) else {
        let title = format!("{}: {message} ({policy})", finding.object);
        let group = Group::with_title(level.primary_title(visible(&title).into_owned()).id(finding.rule.id()));
        return group.elements(origin(finding));
    };
    let (problem, help) = problem_and_help(&message);
    let help = help.map(|help| Level::HELP.message(help.to_owned()));
    let about = format!("{}, {policy}", finding.object);
    level
        .primary_title(problem.to_owned())
        .id(finding.rule.id())
        .element(snippet(&excerpt, file_name(file), Some(finding.reason)))
        .elements(help)
        .element(Level::NOTE.message(visible(&about).into_owned()))
}

/// All edits of one container under one title: a line each, since nothing is wrong that would have to be shown.
fn injection_group<'a>(injections: &[&'a ReportedFinding]) -> Group<'a> {
    let first = injections[0];
    let number = count(injections.len(), "injection");
    let container = first.container.as_ref().map(|name| format!("container {name:?} of ")).unwrap_or_default();
    let title = format!("{number} for {container}{}, policy {}", first.object, first.policy);
    let title = level::HELP.with_name("fix").primary_title(visible(&title).into_owned());
    let lines =
        injections.iter().map(|finding| Level::NOTE.with_name(finding.rule.id()).message(visible(finding.edits())));
    Group::with_title(title).elements(origin(first)).elements(lines)
}

pub(super) fn error_group<'a>(report: &'a Report, error: &'a ReportedError) -> Group<'a> {
    let title = Level::ERROR.primary_title(visible(&error.message));
    let file = file_name(&error.file);
    let Some((line, column)) = error.place else {
        return title.element(Origin::path(file));
    };
    let excerpt = report.sources.get(&error.file).and_then(|source| Excerpt::of_place(source, line, column));
    match excerpt {
        Some(excerpt) => title.element(snippet(&excerpt, file, None)),
        None => title.element(Origin::path(file).line(line).char_column(column)),
    }
}

/// A title with the line that a span of a file is about.
pub(super) fn at_span<'a>(title: Title<'a>, report: &'a Report, file: &str, span: Span) -> Group<'a> {
    let excerpt = report.sources.get(file).and_then(|source| Excerpt::of_span(source, span));
    let file = file_name(file);
    match excerpt {
        Some(excerpt) => title.element(snippet(&excerpt, file, None)),
        None => title.element(Origin::path(file).line(span.start.line).char_column(span.start.column)),
    }
}

fn severity(mode: Mode) -> Level<'static> {
    match mode {
        Mode::Deny => Level::ERROR,
        Mode::Warn => Level::WARNING,
        Mode::Audit | Mode::Inject | Mode::Disabled => Level::NOTE,
    }
}

/// The place alone, where there is one to name.
fn origin(finding: &ReportedFinding) -> Option<Origin<'static>> {
    let origin = Origin::path(file_name(finding.file.as_ref()?));
    Some(match finding.span {
        Some(span) => origin.line(span.start.line).char_column(span.start.column),
        None => origin,
    })
}

fn snippet<'a>(
    excerpt: &Excerpt<'a>,
    file: String,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let mut text = visible(excerpt.before).into_owned();
    let start = text.len();
    text.push_str(&visible(excerpt.marked));
    let end = text.len();
    text.push_str(&visible(excerpt.after));
    let annotation = AnnotationKind::Primary.span(start..end).label(label);
    Snippet::source(text).line_start(excerpt.line).path(file).annotation(annotation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{excerpt::LONGEST_LINE_BYTES, fixture};

    #[test]
    fn findings_are_shown_with_their_lines() {
        insta::assert_snapshot!(text(&fixture::report(), false));
    }

    #[test]
    fn colours_are_the_only_escape_sequences() {
        let coloured = text(&fixture::report(), true);
        assert!(coloured.starts_with("\u{1b}[1m"), "{coloured:?}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), text(&fixture::report(), false));
    }

    #[test]
    fn places_that_cannot_be_shown_are_named() {
        let mut report = fixture::report();
        report.sources.insert("-".into(), "x".into());
        report.sources.insert("./deploy/the api.yaml".into(), "x ".repeat(LONGEST_LINE_BYTES));
        report.findings.retain(|finding| finding.mode != Mode::Inject);
        report.errors[0].place = Some((99, 7));
        insta::assert_snapshot!(text(&report, false));
    }

    #[test]
    fn errors_alone_have_no_last_line() {
        let mut output = Vec::new();
        fixture::report().write_errors(Appearance { colour: false }, &mut output).unwrap();
        let whole = text(&fixture::report(), false);
        let errors = whole.split_once("error: a tab").unwrap().1.rsplit_once("\n\n").unwrap().0;
        assert_eq!(String::from_utf8(output).unwrap(), format!("error: a tab{errors}\n\n"));
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        assert_eq!(text(&Report::default(), false), "no objects judged\n");
    }

    fn text(report: &Report, colour: bool) -> String {
        let mut output = Vec::new();
        write(report, Appearance { colour }, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}
