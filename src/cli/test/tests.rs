//! Whole runs over folders: what each comes to, and what people and CI systems read of it.

use std::{fs, path::Path};

use jiff::civil::date;

use super::*;
use crate::report::{Appearance, TestResult};

/// What every folder holds beside its suites.
const FILES: [(&str, &str); 9] = [
    (
        "policies/shop.yaml",
        "\
apiVersion: podfit.dev/v1alpha1
kind: SizingPolicy
metadata: {name: shop}
spec:
  imageTag: {}
  exemptions: [{reason: vendor, expires: 2027-01-31, rules: [image-tag], match: {images: [\"vendor/*\"]}}]
",
    ),
    (
        "team.yaml",
        "\
apiVersion: podfit.dev/v1alpha1
kind: SizingPolicy
metadata: {name: team}
spec: {match: {namespaceSelector: {matchLabels: {team: shop}}}, imageTag: {}}
",
    ),
    ("mistaken.yaml", "apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {name: a}\nspec: {probe: {}}\n"),
    ("pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: pod}, spec: {containers: [{name: a, image: a}]}}"),
    ("m/good.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: good}, spec: {containers: [{name: a, image: a:1}]}}"),
    (
        "vendor.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {name: v}, spec: {containers: [{name: a, image: vendor/a}]}}",
    ),
    (
        "template.yaml",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {containers: [{name: a, image: a}]}}}}",
    ),
    ("namespace.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}"),
    ("chart.yaml", "kind: {{ .Values.kind }}\n"),
];

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_tests_come_to() {
    let rows = [
        (
            "the embedded policy",
            "{manifests: [m], expect: {deny: [{rule: resource-limits}, {rule: resource-limits}]}}",
            "ok a",
        ),
        (
            "a policy",
            "policy: policies\n{manifests: [pod.yaml], expect: {deny: [{rule: image-tag, policy: shop}]}}",
            "ok a",
        ),
        (
            "a policy within",
            "policies: [{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {name: b}, spec: {podIdentity: {}}}]\n\
             {manifests: [m], expect: {inject: {a: {POD_NAME: metadata.name, POD_NAMESPACE: metadata.namespace}}}}",
            "ok a",
        ),
        ("a failure", "policy: policies\n{manifests: [pod.yaml], expect: {}}", "FAILED a: 1 is found and not expected"),
        (
            "manifests and objects",
            "policy: policies\n{manifests: [m], objects: [{apiVersion: v1, kind: Pod, spec: {containers: [{image: b}]}}], expect: {}}",
            "FAILED a: 1 is found and not expected",
        ),
        (
            "an exemption on its last day",
            "policy: policies\n{manifests: [vendor.yaml], today: 2027-01-31, expect: {exempt: [{rule: image-tag, reason: vendor}]}}",
            "ok a",
        ),
        (
            "and on the day after, by the suite",
            "today: 2027-02-01\npolicy: policies\n{manifests: [vendor.yaml], expect: {deny: [{rule: image-tag}]}}",
            "ok a",
        ),
        (
            "a namespace of known labels",
            "policy: team.yaml\nnamespaces: {shop: {team: shop}}\nnamespace: shop\n\
             {manifests: [pod.yaml], expect: {deny: [{rule: image-tag}]}}",
            "ok a",
        ),
        (
            "and of others",
            "policy: team.yaml\nnamespaces: {bank: {}}\n{manifests: [pod.yaml], namespace: bank, expect: {unmatched: true}}",
            "ok a",
        ),
        (
            "and of a Namespace",
            "policy: team.yaml\n{manifests: [pod.yaml, namespace.yaml], namespace: shop, expect: {deny: [{rule: image-tag}]}}",
            "ok a",
        ),
        (
            "and of unknown ones",
            "policy: team.yaml\n{manifests: [pod.yaml], expect: {unmatched: true}}",
            "ERROR a: DIR/suite.yaml:5:44: the labels of namespace \"default\" are not known, so no namespaceSelector matches \
             it; give its Namespace document, or --namespace-labels (a suite of tests: `namespaces`)",
        ),
        (
            "a template as its Pod",
            "policy: policies\n{manifests: [template.yaml], expect: {deny: [{rule: image-tag, object: Job/j}]}}",
            "ok a",
        ),
        (
            "a template as the webhook answers",
            "policy: policies\n{manifests: [template.yaml], asAdmission: true, expect: {warn: [{rule: image-tag}]}}",
            "ok a",
        ),
        (
            "a manifest that is not there",
            "{manifests: [gone.yaml], expect: {}}",
            "ERROR a: DIR/gone.yaml: cannot be read: No such file or directory (os error 2)",
        ),
        (
            "a manifest that is none",
            "{manifests: [chart.yaml], expect: {}}",
            "ERROR a: DIR/chart.yaml:1:8: a list or a map where a key belongs",
        ),
        (
            "nothing to judge",
            "policy: policies\n{manifests: [namespace.yaml], expect: {}}",
            "ERROR a: DIR/suite.yaml:5:50: there is no Pod and no template of one among its objects",
        ),
        (
            "an object that cannot be read",
            "policy: policies\n{objects: [{apiVersion: v1, kind: Pod, spec: {containers: 1}}], expect: {}}",
            "ERROR a: DIR/suite.yaml:5:70: this Pod cannot be read: spec.containers: invalid type: integer `1`, expected a list",
        ),
        (
            "a policy that is not there",
            "policy: gone.yaml\n{manifests: [m], expect: {}}",
            "DIR/suite.yaml:3:9: policy: DIR/gone.yaml: No such file or directory (os error 2)",
        ),
        (
            "a policy with a mistake",
            "policy: mistaken.yaml\n{manifests: [m], expect: {}}",
            "DIR/mistaken.yaml:4:8: spec.probe: is not known; did you mean `probes`? Known here: priority, match, templates, \
             resourceLimits, imageTag, podIdentity, runtimeSizing, probes or exemptions",
        ),
        (
            "a suite with mistakes",
            "polcy: mistaken.yaml\n{manifests: [m], expct: {}}",
            "DIR/suite.yaml:3:1: polcy: is not known; did you mean `policy`? Known here: apiVersion, kind, metadata, policy, \
             policies, today, namespace, namespaces or tests\n\
             DIR/suite.yaml:5:4: tests[0].expect: is required\n\
             DIR/suite.yaml:5:29: tests[0].expct: is not known; did you mean `expect`? Known here: name, manifests, objects, \
             namespace, today, asAdmission or expect",
        ),
    ];
    for (name, text, expected) in rows {
        let folder = folder(&[("suite.yaml", &suite(text))]);
        let report = run(&[folder.path().to_owned()], &ground());
        assert_eq!(told(&report, folder.path()), expected, "{name}");
        let status = match expected.split_once(' ') {
            Some(("ok", _)) => Outcome::NothingDenied,
            Some(("FAILED", _)) => Outcome::Denied,
            _ => Outcome::NotJudged,
        };
        assert_eq!(outcome(&report), status, "{name}");
    }
}

/// Files, a path, `--policy` and `--filter`, and what comes of it.
type Run<'r> = (&'r str, Files<'r>, &'r str, [Option<&'r str>; 2], &'r str, Outcome);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_run() {
    let named = |name: &str, expect: &str| {
        suite(&format!("{{objects: [{POD}], expect: {expect}}}")).replace("name: a,", &format!("name: {name},"))
    };
    let (ok, fails, idle) = (named("ok", "{}"), named("fails", "{deny: [{rule: probes}]}"), named("idle", "{}"));
    let idle = idle.replace("objects: [", "manifests: [gone.yaml], objects: [");
    let (both, broken, typing) =
        (format!("{ok}---\n{fails}---\nkind: Other\n"), format!("{ok}  x\n"), ok.replace("PolicyTest", "PolicyTests"));
    let unnamed =
        suite("{manifests: [vendor.yaml], today: 2027-02-01, expect: {deny: [{rule: image-tag, policy: shop}]}}");
    let dated = unnamed.replace("today: 2027-02-01, ", "").replace("tests:", "policy: policies\ntests:");
    let slip = "DIR/1.yaml:2:7: kind: must be `PolicyTest`, not `PolicyTests`";
    let failed = "FAILED fails: 1 is expected and not found";
    let rows: [Run<'_>; 14] = [
        ("nothing", &[], "", [None, None], "DIR: no document of kind PolicyTest here", Outcome::NotJudged),
        (
            "a file that holds none",
            &[],
            "pod.yaml",
            [None, None],
            "DIR/pod.yaml: holds no document of kind PolicyTest",
            Outcome::NotJudged,
        ),
        (
            "a file that is not there",
            &[],
            "gone",
            [None, None],
            "DIR/gone: cannot be read: No such file or directory (os error 2)",
            Outcome::NotJudged,
        ),
        (
            "all files of a folder",
            &[("m/1.yaml", &ok), ("m/2/3.yml", &fails)],
            "m",
            [None, None],
            &format!("ok ok\n{failed}"),
            Outcome::Denied,
        ),
        (
            "two suites of a file",
            &[("t.yaml", &both)],
            "t.yaml",
            [None, None],
            &format!("ok ok\n{failed}"),
            Outcome::Denied,
        ),
        (
            "a failure, and what cannot be judged",
            &[("1.yaml", &fails), ("2.yaml", &idle)],
            "",
            [None, None],
            &format!("{failed}\nERROR idle: DIR/gone.yaml: cannot be read: No such file or directory (os error 2)"),
            Outcome::NotJudged,
        ),
        ("a filter", &[("1.yaml", &both)], "", [None, Some("ok")], "ok ok\n1 left out", Outcome::NothingDenied),
        (
            "a filter that lets nothing through",
            &[("1.yaml", &both)],
            "",
            [None, Some("OK")],
            "DIR: no test's name contains \"OK\"\n2 left out",
            Outcome::NotJudged,
        ),
        (
            "a suite that is no YAML",
            &[("1.yaml", &broken)],
            "",
            [None, None],
            "DIR/1.yaml:5:3: while parsing a block mapping, did not find expected key",
            Outcome::NotJudged,
        ),
        ("a slip in the kind", &[("1.yaml", &typing)], "", [None, None], slip, Outcome::NotJudged),
        (
            "and the others are run",
            &[("1.yaml", &typing), ("2.yaml", &fails)],
            "",
            [None, None],
            &format!("{failed}\n{slip}"),
            Outcome::NotJudged,
        ),
        (
            "a policy for suites that name none",
            &[("1.yaml", &unnamed)],
            "",
            [Some("policies"), None],
            "ok a",
            Outcome::NothingDenied,
        ),
        (
            "and not for others",
            &[("1.yaml", &dated)],
            "",
            [Some("team.yaml"), None],
            "FAILED a: 1 is expected and not found, 1 is found and not expected",
            Outcome::Denied,
        ),
        (
            "a policy that is not there",
            &[("1.yaml", &ok)],
            "",
            [Some("gone"), None],
            "DIR/gone: No such file or directory (os error 2)",
            Outcome::NotJudged,
        ),
    ];
    for (name, files, path, [policy, filter], expected, status) in rows {
        let folder = folder(files);
        let ground = Ground {
            policy: policy.map(|policy| folder.path().join(policy)),
            filter: filter.map(str::to_owned),
            ..ground()
        };
        let report = run(&[folder.path().join(path)], &ground);
        assert_eq!(told(&report, folder.path()), expected, "{name}");
        assert_eq!(outcome(&report), status, "{name}");
    }
}

/// One of each, for the formats.
const SUITES: Files<'_> = &[
    (
        "limits.yaml",
        "\
apiVersion: podfit.dev/v1alpha1
kind: PolicyTest
metadata: {name: limits & more}
tests:
- name: a fixed tag is enough
  manifests: [m]
  expect:
    deny: &limits
    - {rule: resource-limits, container: a, subject: limits.cpu}
    - {rule: resource-limits, container: a, subject: limits.memory}
- name: no policy for <nobody>
  manifests: [gone]
  expect: {unmatched: true}
",
    ),
    (
        "tags.yaml",
        "\
apiVersion: podfit.dev/v1alpha1
kind: PolicyTest
policy: policies
tests:
- name: tags
  manifests: [pod.yaml, vendor.yaml, m]
  expect:
    warn:
    - {rule: image-tag, container: a}     # not any more
    inject:
      a: {POD_NAME: metadata.name}
",
    ),
    (
        "mistaken-tests.yaml",
        "apiVersion: podfit.dev/v1alpha1\nkind: PolicyTest\ntests: [{nam: x, objects: [], expect: []}]\n",
    ),
];

#[test]
fn the_text_shows_expected_and_found() {
    let folder = folder(SUITES);
    let mut output = Vec::new();
    run(&[folder.path().to_owned()], &ground()).write_text(Appearance { colour: false }, &mut output).unwrap();
    insta::assert_snapshot!(without_folder(&String::from_utf8(output).unwrap(), folder.path()));
}

#[test]
fn what_passes_is_a_line_each() {
    let folder = folder(&SUITES[..1]);
    let ground = Ground { filter: Some("fixed".to_owned()), ..ground() };
    let mut output = Vec::new();
    run(&[folder.path().to_owned()], &ground).write_text(Appearance { colour: false }, &mut output).unwrap();
    insta::assert_snapshot!(without_folder(&String::from_utf8(output).unwrap(), folder.path()));
}

#[test]
fn junit_is_one_whole_document() {
    let folder = folder(SUITES);
    let mut output = Vec::new();
    run(&[folder.path().to_owned()], &ground()).write_junit(&mut output).unwrap();
    let xml = String::from_utf8(output).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let names = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let names: Vec<_> = names.filter_map(|node| node.attribute("name")).collect();
    assert_eq!(names[..3], ["a fixed tag is enough", "no policy for <nobody>", "tags"]);
    insta::assert_snapshot!(without_folder(&xml, folder.path()));
}

type Files<'f> = &'f [(&'f str, &'f str)];

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: a:1, resources: \
                   {limits: {cpu: 1, memory: 1Gi}}}]}}";

/// A suite of one test, `a`: the last line is what it says beside its name.
fn suite(text: &str) -> String {
    let (common, own) = text.rsplit_once('\n').unwrap_or(("", text));
    let newline = if common.is_empty() { "" } else { "\n" };
    let own = own.strip_prefix('{').unwrap();
    format!("apiVersion: podfit.dev/v1alpha1\nkind: PolicyTest\n{common}{newline}tests:\n- {{name: a, {own}\n")
}

fn ground() -> Ground {
    Ground { policy: None, today: date(2027, 1, 1), filter: None }
}

fn folder(files: Files<'_>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES.iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What a run has come to, a line for each test and each mistake.
fn told(report: &TestReport, folder: &Path) -> String {
    let mut lines = Vec::new();
    for test in report.tests() {
        lines.push(match &test.result {
            TestResult::Passed => format!("ok {}", test.name),
            TestResult::Failed(failure) => format!("FAILED {}: {}", test.name, failure.headline),
            TestResult::NotJudged(errors) => {
                let errors: Vec<_> = errors.iter().map(line_of).collect();
                format!("ERROR {}: {}", test.name, errors.join(", "))
            }
        });
    }
    lines.extend(report.mistakes.errors.iter().map(line_of));
    if report.left_out > 0 {
        lines.push(format!("{} left out", report.left_out));
    }
    without_folder(&lines.join("\n"), folder)
}

fn line_of(error: &ReportedError) -> String {
    let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    format!("{}{place}: {}", error.file, error.message)
}

fn without_folder(text: &str, folder: &Path) -> String {
    text.replace(&folder.display().to_string(), "DIR").replace("DIR/:", "DIR:")
}
