//! The cases through the command line: `check` gives the same findings and patch, `fix --write` the object that the patch
//! makes, in which a second `check` finds nothing to inject. One process of each per ground.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use podfit::{manifest, pointer::field_path};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Differences, by_ground,
    case::{self, Case, Ground},
    view,
};

#[test]
fn command_line() {
    let cases = case::all();
    let groups: Vec<_> = by_ground(&cases).into_iter().collect();
    let halves = groups.split_at(groups.len() / 2);
    let differences = std::thread::scope(|scope| {
        let first = scope.spawn(|| of_groups(halves.0));
        let mut differences = of_groups(halves.1);
        differences.0.extend(first.join().unwrap().0);
        differences
    });
    differences.check();
}

fn of_groups(groups: &[(&Ground, Vec<&Case>)]) -> Differences {
    let mut differences = Differences::default();
    for (ground, cases) in groups {
        let bench = Bench::new(ground, cases);
        let fixed = bench.check(cases, &mut differences);
        bench.check_as_admission(cases, &mut differences);
        bench.fix(cases, &fixed, &mut differences);
    }
    differences
}

struct Bench<'c> {
    ground: &'c Ground,
    folder: TempDir,
    has_policies: bool,
}

impl<'c> Bench<'c> {
    fn new(ground: &'c Ground, cases: &[&Case]) -> Self {
        let folder = TempDir::new().unwrap();
        for part in ["policies", "manifests"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let has_policies = ground.write(&folder.path().join("policies"));
        let bench = Self { ground, folder, has_policies };
        for (index, case) in cases.iter().enumerate() {
            fs::write(bench.manifest(index), &case.manifest).unwrap();
        }
        bench
    }

    fn manifest(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("manifests/{index:04}.yaml"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podfit"));
        command.args(arguments).current_dir(self.folder.path());
        command.args(["--namespace", &self.ground.namespace, "--today", &self.ground.today().to_string()]);
        for (key, value) in self.ground.labels.iter().flatten() {
            command.args(["--namespace-labels", &format!("{key}={value}")]);
        }
        if self.has_policies {
            command.args(["--policy", "policies"]);
        }
        command.arg("manifests").output().unwrap()
    }

    fn report(&self, more: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[&["check", "-o", "json"], more].concat());
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), report)
    }

    /// What each case's patch makes of its object.
    fn check(&self, cases: &[&Case], differences: &mut Differences) -> Vec<Value> {
        let (code, report) = self.report(&[]);
        let denies = report["summary"]["deny"] != 0;
        assert_eq!((code, &report["errors"]), (Some(i32::from(denies)), &Value::Array(Vec::new())), "{report:#}");
        let mut fixed = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let findings: Vec<&Value> = of_file(&report["findings"], index).collect();
            let words: Vec<String> = findings.iter().map(|finding| word(finding)).collect();
            differences.compare(case, "findings of check", &words, &case.expected.findings);
            if let Some(messages) = &case.expected.messages {
                let found: Vec<&str> = findings.iter().map(|finding| finding["message"].as_str().unwrap()).collect();
                differences.compare(case, "messages of check", &found, messages);
            }
            let object = of_file(&report["objects"], index).next().unwrap();
            let patch = object["patch"].as_array().unwrap();
            differences.compare_patch(case, "patch of check", patch);
            fixed.push(view::applied(&case.object, patch));
        }
        let count = |list: fn(&case::Expected) -> usize| cases.iter().map(|case| list(&case.expected)).sum::<usize>();
        let sums = [&report["summary"]["skipped"], &report["summary"]["exempted"]];
        let expected = [count(|expected| expected.skips.len()), count(|expected| expected.exempted.len())];
        differences.compare(cases[0], "skipped and exempted of all these cases", &sums, &expected);
        fixed
    }

    /// `--as-admission` is what the webhook answers to a creation by somebody who is no node.
    fn check_as_admission(&self, cases: &[&Case], differences: &mut Differences) {
        let (_, report) = self.report(&["--as-admission"]);
        let is_new = |case: &Case| {
            case.request.operation == "CREATE" && !case.request.groups.iter().any(|group| group == "system:nodes")
        };
        for (index, case) in cases.iter().enumerate().filter(|(_, case)| is_new(case)) {
            let of_mode =
                |mode: &'static str| of_file(&report["findings"], index).filter(move |finding| finding["mode"] == mode);
            let denies = of_mode("Deny").next().is_some();
            differences.compare(case, "refused --as-admission", &denies, &case.expected.denial.is_some());
            // The field is in the report beside the message; a template's warning has it in front.
            let warnings = of_mode("Warn").map(|finding| {
                let brief = format!("{} [{}]", finding["message"].as_str().unwrap(), finding["rule"].as_str().unwrap());
                let field = field_path(finding["pointer"].as_str().unwrap());
                if finding["object"]["kind"] == "Pod" { brief } else { format!("{field}: {brief}") }
            });
            // Others are about annotations, which `check` tells beside the report.
            let of_findings = |text: &&String| !text.starts_with("podfit.dev/") && !text.contains(" gets no ");
            let expected: Vec<_> = case.expected.warnings.iter().filter(of_findings).cloned().collect();
            differences.compare(case, "warnings --as-admission", &warnings.collect::<Vec<_>>(), &expected);
        }
    }

    fn fix(&self, cases: &[&Case], fixed: &[Value], differences: &mut Differences) {
        let output = self.run(&["fix", "--write"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code < 2), "{errors}");
        for (index, case) in cases.iter().enumerate() {
            differences.compare(case, "object of fix", &object_in(&self.manifest(index)), &fixed[index]);
        }
        let (_, report) = self.report(&[]);
        for (index, case) in cases.iter().enumerate() {
            let words = of_file(&report["findings"], index).map(word).filter(|word| word.contains(" Inject "));
            differences.compare(case, "injections after fix", &words.collect::<Vec<_>>(), &Vec::<String>::new());
        }
    }
}

fn of_file(list: &Value, index: usize) -> impl Iterator<Item = &Value> {
    let file = format!("manifests/{index:04}.yaml");
    list.as_array().unwrap().iter().filter(move |element| element["file"] == file)
}

fn word(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or_default();
    view::finding_of(text("rule"), text("mode"), text("container"), text("pointer"), text("reason"))
}

fn object_in(path: &Path) -> Value {
    let documents = manifest::read(&fs::read_to_string(path).unwrap());
    let [Ok(document)] = &documents[..] else { panic!("{documents:?}") };
    serde_json::from_str(&document.json).unwrap()
}
