//! What a run of policy tests came to, and its text for people: every test by its name, then what was expected and what was
//! found where they differ. `podfit test` fills it; `junit` writes it for CI systems.

use std::io;

use annotate_snippets::{Group, Level};

use super::{Appearance, Report, ReportedError, count, text, visible};
use crate::node::Span;

#[derive(Debug, Default)]
pub struct TestReport {
    /// Those that hold tests, in the order of the input.
    pub files: Vec<TestedFile>,
    /// Files that cannot be read as tests, and the text of every file, for excerpts.
    pub mistakes: Report,
    /// Tests that a filter has left out.
    pub left_out: usize,
}

#[derive(Debug)]
pub struct TestedFile {
    pub name: String,
    pub tests: Vec<Tested>,
}

#[derive(Debug)]
pub struct Tested {
    /// The suite's own name, where it has one.
    pub suite: Option<String>,
    pub name: String,
    pub result: TestResult,
}

#[derive(Debug)]
pub enum TestResult {
    Passed,
    Failed(Failure),
    /// The objects cannot be judged, for these reasons.
    NotJudged(Vec<ReportedError>),
}

#[derive(Debug)]
pub struct Failure {
    /// Of the first expectation that is not met, or of them all.
    pub span: Span,
    pub headline: String,
    /// `-` expected, `+` found.
    pub lines: Vec<String>,
    /// YAML of the expectations that would be met.
    pub instead: String,
}

impl TestReport {
    pub fn tests(&self) -> impl Iterator<Item = &Tested> {
        self.files.iter().flat_map(|file| &file.tests)
    }

    /// Tests that passed, that failed, and that could not be judged.
    pub fn numbers(&self) -> (usize, usize, usize) {
        let of = |is: fn(&TestResult) -> bool| self.tests().filter(|test| is(&test.result)).count();
        (
            of(|result| matches!(result, TestResult::Passed)),
            of(|result| matches!(result, TestResult::Failed(_))),
            of(|result| matches!(result, TestResult::NotJudged(_))),
        )
    }

    /// Writes the text for people.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write_text(&self, appearance: Appearance, output: &mut dyn io::Write) -> io::Result<()> {
        for file in self.files.iter().filter(|file| !file.tests.is_empty()) {
            writeln!(output, "{}", visible(&file.name))?;
            file.tests.iter().try_for_each(|test| writeln!(output, "  {:7} {}", test.word(), visible(&test.name)))?;
            writeln!(output)?;
        }
        for file in &self.files {
            file.tests.iter().try_for_each(|test| self.write_details(file, test, appearance, output))?;
        }
        text::write_errors(&self.mistakes, appearance, output)?;
        writeln!(output, "{}", self.headline())
    }

    /// Writes `JUnit` XML.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write_junit(&self, output: &mut dyn io::Write) -> io::Result<()> {
        super::junit::write_tests(self, output)
    }

    fn write_details(
        &self,
        file: &TestedFile,
        test: &Tested,
        appearance: Appearance,
        output: &mut dyn io::Write,
    ) -> io::Result<()> {
        match &test.result {
            TestResult::Passed => Ok(()),
            TestResult::Failed(failure) => text::show(self.failure_group(file, test, failure), appearance, output),
            TestResult::NotJudged(errors) => errors.iter().try_for_each(|error| {
                let message = format!("{}: {}", test.name, error.message);
                let error = ReportedError { message, ..error.clone() };
                text::show(text::error_group(&self.mistakes, &error), appearance, output)
            }),
        }
    }

    fn failure_group<'a>(&'a self, file: &'a TestedFile, test: &'a Tested, failure: &'a Failure) -> Group<'a> {
        let title = Level::ERROR.primary_title(format!("{}: {}", visible(&test.name), failure.headline));
        let group = text::at_span(title, &self.mistakes, &file.name, failure.span);
        let instead = failure.instead.lines().map(visible).collect::<Vec<_>>().join("\n");
        group
            .element(Level::NOTE.message(format!("expected (-) and found (+):\n{}", failure.told())))
            .element(Level::HELP.message(format!("if what was found is right, expect it:\n{instead}")))
    }

    /// `12 passed, 1 failed, in 3 files`.
    fn headline(&self) -> String {
        let (passed, failed, not_judged) = self.numbers();
        let files = self.files.iter().filter(|file| !file.tests.is_empty()).count();
        let numbers = [(failed, "failed"), (not_judged, "not judged"), (self.left_out, "left out")];
        let run = self.tests().count();
        let mut parts = vec![if run == 0 { "no test run".to_owned() } else { format!("{passed} passed") }];
        parts.extend(numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")));
        let errors = self.mistakes.errors.len();
        let errors = if errors > 0 { format!("; {}", count(errors, "error")) } else { String::new() };
        let files = if run == 0 { String::new() } else { format!(", in {}", count(files, "file")) };
        format!("{}{files}{errors}", parts.join(", "))
    }
}

impl Tested {
    fn word(&self) -> &'static str {
        match self.result {
            TestResult::Passed => "ok",
            TestResult::Failed(_) => "FAILED",
            TestResult::NotJudged(_) => "ERROR",
        }
    }
}

impl Failure {
    pub(super) fn told(&self) -> String {
        self.lines.iter().map(|line| visible(line)).collect::<Vec<_>>().join("\n")
    }
}
