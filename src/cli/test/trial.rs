//! Runs the tests of a file: judges the objects of each by the road of `check`, and compares.

use std::path::{Component, Path, PathBuf};

use super::{Ground, files::SuiteFile};
use crate::{
    cli::{
        input::{self, Inputs, Manifest},
        judge::{self, Bench, Judged, Rest},
    },
    manifest::{self, Document},
    node::Span,
    policies,
    policy::PolicySet,
    report::{Failure, Report, ReportedError, TestReport, TestResult, Tested, TestedFile},
    suite::{self, Difference, Policies, Suite, Test},
};

/// Runs the tests that the filter lets through.
pub fn file(file: &SuiteFile, ground: &Ground, report: &mut TestReport) -> TestedFile {
    let mut tests = Vec::new();
    for suite in &file.suites {
        let is_wanted = |test: &&Test| ground.filter.as_ref().is_none_or(|text| test.name.contains(text));
        let wanted: Vec<&Test> = suite.tests.iter().filter(is_wanted).collect();
        report.left_out += suite.tests.len() - wanted.len();
        if wanted.is_empty() {
            continue;
        }
        let Some(policies) = policies_of(suite, file, ground, &mut report.mistakes) else { continue };
        tests.extend(wanted.into_iter().map(|test| Tested {
            suite: suite.name.clone(),
            name: test.name.clone(),
            result: result(test, suite, &policies, file, ground, &mut report.mistakes),
        }));
    }
    TestedFile { name: file.name.clone(), tests }
}

/// Without its policies a suite cannot be run.
fn policies_of(suite: &Suite, file: &SuiteFile, ground: &Ground, mistakes: &mut Report) -> Option<PolicySet> {
    let loaded = match (&suite.policies, &ground.policy) {
        (Policies::Inline(set), _) => return Some(set.clone()),
        (Policies::Path { path, .. }, _) => policies::load(&tidy(&file.beside(path))),
        (Policies::Absent, Some(path)) => policies::load(path),
        (Policies::Absent, None) => policies::load_default(),
    };
    let error = match loaded {
        Ok(set) => return Some(set),
        Err(error) => error,
    };
    let earlier = mistakes.errors.len();
    mistakes.add_mistakes(&error);
    if let Policies::Path { span, .. } = &suite.policies {
        mistakes.errors[earlier..].iter_mut().filter(|error| error.place.is_none()).for_each(|error| {
            // A file that is not there can only be shown where it is named.
            let message = format!("policy: {}: {}", error.file, error.message);
            *error = ReportedError { file: file.name.clone(), place: Some(place(*span)), message };
        });
    }
    mistakes.sources.insert(file.name.clone(), file.text.clone());
    None
}

fn result(
    test: &Test,
    suite: &Suite,
    policies: &PolicySet,
    file: &SuiteFile,
    ground: &Ground,
    mistakes: &mut Report,
) -> TestResult {
    let bench = bench(test, suite, policies, file, ground);
    let (mut objects, mut all) = (Vec::new(), Vec::new());
    let rest = bench.judge(|judged| {
        let object = format!("{}/{}", judged.name.kind, judged.name.name);
        let place = |pointer: &str| place_of(&judged, pointer);
        all.extend(suite::found(&judged.verdict, judged.pod.workload, &object, place));
        objects.push(object);
    });
    let errors = errors(rest, test, file, objects.is_empty());
    if !errors.is_empty() {
        let sources = bench.inputs.manifests.into_iter().filter(|manifest| !manifest.text.is_empty());
        mistakes.sources.extend(sources.map(|manifest| (manifest.name, manifest.text)));
        return TestResult::NotJudged(errors);
    }
    let difference = suite::compare(&test.expected, &objects, &all);
    if difference.is_empty() { TestResult::Passed } else { TestResult::Failed(failure(test, &difference)) }
}

fn bench(test: &Test, suite: &Suite, policies: &PolicySet, file: &SuiteFile, ground: &Ground) -> Bench {
    let inputs = inputs(test, file);
    let mut labels = judge::namespaces(&inputs);
    labels.extend(suite.namespaces.clone());
    Bench {
        inputs,
        policies: policies.clone(),
        today: test.today.unwrap_or(ground.today),
        namespace: test.namespace.clone().unwrap_or_else(|| "default".to_owned()),
        labels,
        as_admission: test.as_admission,
    }
}

/// The manifests that a test names, and its own objects as documents of the suite's file.
fn inputs(test: &Test, file: &SuiteFile) -> Inputs {
    let paths: Vec<PathBuf> = test.manifests.iter().map(|path| tidy(&file.beside(path))).collect();
    let mut inputs = if paths.is_empty() { Inputs::default() } else { input::read(&paths) };
    if !test.objects.is_empty() {
        let documents = test.objects.iter().map(|object| Ok(Document::of_part(object.clone()))).collect();
        inputs.manifests.push(Manifest { name: file.name.clone(), text: String::new(), documents, is_named: true });
    }
    inputs
}

/// A test must judge something, and all that it judges by must be known: else it would pass whatever the policy says.
fn errors(rest: Rest, test: &Test, file: &SuiteFile, is_idle: bool) -> Vec<ReportedError> {
    let here =
        |message: String| ReportedError { file: file.name.clone(), place: Some(place(test.expected.span)), message };
    let mut errors = rest.errors;
    errors.extend(rest.notes.into_iter().map(here));
    if is_idle && errors.is_empty() {
        errors.push(here("there is no Pod and no template of one among its objects".to_owned()));
    }
    errors
}

fn failure(test: &Test, difference: &Difference) -> Failure {
    let first = difference.missing.iter().find_map(|missing| missing.span);
    Failure {
        span: first.unwrap_or(test.expected.span),
        headline: difference.headline(),
        lines: difference.lines(),
        instead: manifest::block(&suite::expect_block(&difference.instead, test.expected.with_injections)),
    }
}

fn place_of(judged: &Judged<'_>, pointer: &str) -> String {
    let start = judged.document.locate(&format!("{}{pointer}", judged.pointer_prefix)).start;
    format!("{}:{}:{}", judged.manifest.name, start.line, start.column)
}

fn place(span: Span) -> (usize, usize) {
    (span.start.line, span.start.column)
}

/// `tests/../deploy` as `deploy`: what people would write. Not through a link, whose parent is elsewhere.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        let is_folder = matches!(tidy.components().next_back(), Some(Component::Normal(_))) && !tidy.is_symlink();
        match component {
            Component::ParentDir if is_folder => {
                tidy.pop();
            }
            Component::CurDir => {}
            other => tidy.push(other),
        }
    }
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}
