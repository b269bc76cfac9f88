//! `JUnit` XML for CI systems: a suite per object with a case per rule, so that a rule's history can be followed. What is
//! denied is a failure, everything else is told in the case's output; what could not be judged is an error. Of policy tests
//! a suite per file with its tests. `report` calls this.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    io,
};

use super::{
    Failure, ObjectName, Report, ReportedError, ReportedFinding, TestReport, TestResult, TestedFile, in_repository,
};
use crate::{policy::Mode, rules::Rule};

/// What names an object in a report: two documents of a file may share it, and then share a suite.
type Key<'a> = (Option<&'a str>, &'a ObjectName);

pub fn write(report: &Report, output: &mut dyn io::Write) -> io::Result<()> {
    let mut findings: HashMap<Key<'_>, Vec<&ReportedFinding>> = HashMap::new();
    for finding in &report.findings {
        findings.entry((finding.file.as_deref(), &finding.object)).or_default().push(finding);
    }
    let mut seen = HashSet::new();
    let keys = report.objects.iter().map(|judged| (judged.file.as_deref(), &judged.object));
    let mut suites: Vec<Suite> = keys
        .filter(|key| seen.insert(*key))
        .map(|key| Suite::of_object(key, findings.get(&key).map_or(&[], Vec::as_slice)))
        .collect();
    suites.extend(suites_of_errors(report));
    document(&suites, output)
}

pub fn write_tests(report: &TestReport, output: &mut dyn io::Write) -> io::Result<()> {
    let files = report.files.iter().filter(|file| !file.tests.is_empty());
    let mut suites: Vec<Suite> = files.map(Suite::of_tests).collect();
    suites.extend(suites_of_errors(&report.mistakes));
    document(&suites, output)
}

fn suites_of_errors(report: &Report) -> impl Iterator<Item = Suite> {
    report.errors.chunk_by(|one, next| one.file == next.file).map(Suite::of_errors)
}

fn document(suites: &[Suite], output: &mut dyn io::Write) -> io::Result<()> {
    writeln!(output, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let total = |number: fn(&Suite) -> usize| suites.iter().map(number).sum::<usize>();
    let (tests, failures, errors) =
        (total(|suite| suite.tests), total(|suite| suite.failures), total(|suite| suite.errors));
    writeln!(output, r#"<testsuites name="podfit" tests="{tests}" failures="{failures}" errors="{errors}">"#)?;
    for Suite { name, tests, failures, errors, cases } in suites {
        let numbers = format!(r#"tests="{tests}" failures="{failures}" errors="{errors}" skipped="0""#);
        writeln!(output, "  <testsuite name=\"{}\" {numbers}>\n{cases}  </testsuite>", escaped(name))?;
    }
    writeln!(output, "</testsuites>")
}

struct Suite {
    name: String,
    tests: usize,
    failures: usize,
    errors: usize,
    cases: String,
}

impl Suite {
    fn of_object((file, object): Key<'_>, findings: &[&ReportedFinding]) -> Self {
        let mut suite = Self { name: object.to_string(), tests: 0, failures: 0, errors: 0, cases: String::new() };
        for rule in Rule::ALL {
            let findings = findings.iter().copied().filter(|finding| finding.rule == rule);
            let (denied, told): (Vec<_>, Vec<_>) = findings.partition(|finding| finding.mode == Mode::Deny);
            let mut content = String::new();
            if let Some(first) = denied.first() {
                let message = match denied.len() {
                    1 => first.message.clone(),
                    many => format!("{} (and {} more)", first.message, many - 1),
                };
                push(
                    &mut content,
                    &format!("failure message=\"{}\" type=\"Deny\"", escaped(&message)),
                    &lines(&denied),
                );
                suite.failures += 1;
            }
            if !told.is_empty() {
                push(&mut content, "system-out", &lines(&told));
            }
            suite.case(rule.id(), file, &content);
        }
        suite
    }

    /// Errors of one file.
    fn of_errors(errors: &[ReportedError]) -> Self {
        let file = &errors[0].file;
        let mut suite = Self { name: file.clone(), tests: 0, failures: 0, errors: errors.len(), cases: String::new() };
        for error in errors {
            let name = error.place.map_or("file".to_owned(), |(line, _)| format!("line {line}"));
            let mut content = String::new();
            push_errors(&mut content, std::slice::from_ref(error));
            suite.case(&name, Some(file), &content);
        }
        suite
    }

    fn of_tests(file: &TestedFile) -> Self {
        let name = in_repository(Some(&file.name)).unwrap_or_default().into_owned();
        let mut suite = Self { name, tests: 0, failures: 0, errors: 0, cases: String::new() };
        for test in &file.tests {
            let mut content = String::new();
            match &test.result {
                TestResult::Passed => {}
                TestResult::Failed(failure) => {
                    push_failure(&mut content, file, failure);
                    suite.failures += 1;
                }
                TestResult::NotJudged(errors) => {
                    push_errors(&mut content, errors);
                    suite.errors += 1;
                }
            }
            let class = test.suite.clone().unwrap_or_else(|| suite.name.clone());
            suite.case_of(&class, &test.name, Some(&file.name), &content);
        }
        suite
    }

    fn case(&mut self, name: &str, file: Option<&str>, content: &str) {
        self.case_of(&self.name.clone(), name, file, content);
    }

    fn case_of(&mut self, class: &str, name: &str, file: Option<&str>, content: &str) {
        self.tests += 1;
        let class = escaped(class);
        let file = in_repository(file).map(|file| format!(" file=\"{}\"", escaped(&file))).unwrap_or_default();
        let start = format!("<testcase name=\"{}\" classname=\"{class}\"{file}", escaped(name));
        // Writing to a String cannot fail.
        let _ = match content {
            "" => writeln!(self.cases, "    {start}/>"),
            content => writeln!(self.cases, "    {start}>\n{content}    </testcase>"),
        };
    }
}

/// One element: parsers take no second one.
fn push_errors(content: &mut String, errors: &[ReportedError]) {
    let line = |error: &ReportedError| {
        let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        format!("{}{place}: {}", error.file, error.message)
    };
    let message = errors.first().map(|error| escaped(&error.message)).unwrap_or_default();
    let lines: Vec<String> = errors.iter().map(line).collect();
    push(content, &format!("error message=\"{message}\" type=\"could not judge\""), &lines.join("\n"));
}

fn push_failure(content: &mut String, file: &TestedFile, failure: &Failure) {
    let (line, column) = (failure.span.start.line, failure.span.start.column);
    let element = format!("failure message=\"{}\" type=\"expectation\"", escaped(&failure.headline));
    push(content, &element, &format!("{}:{line}:{column}: expected (-) and found (+)\n{}", file.name, failure.told()));
}

/// An element (with its attributes) around a text.
fn push(content: &mut String, element: &str, text: &str) {
    let name = element.split(' ').next().unwrap_or_default();
    let _ = writeln!(content, "      <{element}>{}</{name}>", escaped(text));
}

/// A line for each finding, with its place where one is known.
fn lines(findings: &[&ReportedFinding]) -> String {
    let line = |finding: &&ReportedFinding| {
        let place = match (&finding.file, finding.span) {
            (Some(file), Some(span)) => format!("{file}:{}:{}: ", span.start.line, span.start.column),
            (Some(file), None) => format!("{file}: "),
            (None, Some(span)) => format!("{}:{}: ", span.start.line, span.start.column),
            (None, None) => String::new(),
        };
        format!("{place}{}: {} (policy {})", finding.mode.as_str(), finding.message, finding.policy)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// For text and attributes. XML 1.0 has no way to write most control characters, not even as references.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // An attribute would lose them otherwise.
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(char::REPLACEMENT_CHARACTER);
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn objects_are_suites_and_rules_are_cases() {
        insta::assert_snapshot!(xml(&fixture::report()));
    }

    #[test]
    fn objects_of_one_name_share_a_suite() {
        let mut report = fixture::report();
        report.objects.extend(fixture::report().objects);
        assert_eq!(xml(&report), xml(&fixture::report()));
    }

    #[test]
    fn text_cannot_break_the_document() {
        assert_eq!(
            escaped("<a b=\"&\">\t\n\r\u{1b}\u{85}\u{ffff}ü"),
            "&lt;a b=&quot;&amp;&quot;&gt;&#9;&#10;\u{fffd}\u{fffd}\u{fffd}\u{fffd}ü"
        );
    }

    fn xml(report: &Report) -> String {
        let mut output = Vec::new();
        write(report, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }
}
