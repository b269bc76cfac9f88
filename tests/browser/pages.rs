//! Reports as files for the browser.

use std::fs;

use podfit::{
    node::{Position, Span},
    policy::Mode,
    report::{Appearance, Format, JudgedObject, ObjectName, Report, ReportedError, ReportedFinding},
    rules::Rule,
};
use tempfile::TempDir;

/// A page for as long as this lives.
pub struct PageFile {
    folder: TempDir,
}

impl PageFile {
    pub fn of(report: &Report) -> Self {
        let folder = TempDir::new().unwrap();
        let mut page = Vec::new();
        report.write(Format::Html, Appearance { colour: false }, &mut page).unwrap();
        fs::write(folder.path().join("report.html"), page).unwrap();
        Self { folder }
    }

    pub fn address(&self) -> String {
        format!("file://{}/report.html", self.folder.path().display())
    }

    pub fn bytes(&self) -> u64 {
        fs::metadata(self.folder.path().join("report.html")).unwrap().len()
    }
}

/// Three namespaces: a shop with denials, a bank that is warned, monitoring that is only injected.
pub fn platform() -> Report {
    let mut report = Report { exempted: 2, skipped: 5, passed_over: 3, ..Report::default() };
    for (kind, namespace, name, image, mode) in [
        ("Deployment", "monitoring", "exporter", "registry.example/exporter:2.4.1", None),
        ("StatefulSet", "bank", "ledger", "registry.example/ledger", Some(Mode::Warn)),
        ("Deployment", "shop", "api", "registry.example/api:latest", Some(Mode::Deny)),
        ("CronJob", "shop", "nightly", "registry.example/nightly", Some(Mode::Deny)),
        ("Deployment", "shop", "web", "registry.example/web:1.27", None),
    ] {
        add(&mut report, object(kind, namespace, name), "app", image, mode);
    }
    report.errors.push(ReportedError {
        file: "deploy/broken.yaml".into(),
        place: Some((3, 1)),
        message: "a tab cannot indent".into(),
    });
    report.notes.push("the exemption \"vendor chart\" of policy default has expired on 2026-01-31".into());
    report
}

/// 10,000 findings of 1,154 objects.
pub fn large() -> Report {
    let mut report = Report::default();
    for number in 0..1_154 {
        let mode = [None, Some(Mode::Warn), Some(Mode::Deny)][number % 3];
        let owner = object("Deployment", &format!("team-{}", number % 40), &format!("service-{number}"));
        for container in ["app", "proxy"] {
            add(&mut report, owner.clone(), container, "registry.example/service:latest", mode);
        }
    }
    assert_eq!(report.findings.len(), 10_000);
    report
}

/// Names that no API server takes, but a manifest may hold.
pub fn hostile() -> Report {
    let evil = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>";
    let link = "<a href=\"javascript:window.ran = 1\">\"'&amp;&lt;!-- <!--";
    let mut report = Report::default();
    add(&mut report, object(evil, evil, evil), evil, evil, Some(Mode::Deny));
    add(&mut report, object("Pod", link, &"long".repeat(200)), link, link, Some(Mode::Warn));
    for finding in &mut report.findings {
        finding.policy = evil.into();
        finding.pointer = evil.into();
    }
    report.errors.push(ReportedError { file: evil.into(), place: None, message: evil.into() });
    report.notes.push(evil.into());
    report
}

fn object(kind: &str, namespace: &str, name: &str) -> ObjectName {
    ObjectName {
        api_version: "apps/v1".into(),
        kind: kind.into(),
        namespace: Some(namespace.into()),
        name: name.into(),
    }
}

/// One container: three injections, and two findings where a mode is given.
fn add(report: &mut Report, object: ObjectName, container: &str, image: &str, mode: Option<Mode>) {
    let file = format!("deploy/{}/{}.yaml", object.namespace.clone().unwrap_or_default(), object.name);
    let lines = [format!("      - name: {container}\n"), format!("        image: {image}\n")];
    report.sources.insert(file.clone(), "\n".repeat(11) + &lines.concat());
    let name = |line: usize, mark: &str| {
        let column = lines[line].find(mark).unwrap();
        let offset = 11 + lines[..line].concat().len() + column;
        let position = |offset, column| Position { offset, line: 12 + line, column };
        Span { start: position(offset, column + 1), end: position(offset + mark.len(), column + 1 + mark.len()) }
    };
    let finding = |rule, reason, mode, span, message: &str| ReportedFinding {
        pods: None,
        rule,
        reason,
        mode,
        policy_mode: None,
        policy: "default".into(),
        file: Some(file.clone()),
        span: Some(span),
        object: object.clone(),
        container: Some(container.into()),
        pointer: "/spec/template/spec/containers/0".into(),
        message: format!("container {container:?} {message}"),
    };
    if let Some(mode) = mode {
        let limits = "has no memory limit; set resources.limits.memory, such as 256Mi";
        report.findings.push(finding(Rule::ResourceLimits, "no limit", mode, name(0, container), limits));
        let tag = format!("uses the image {image:?}, which has no fixed tag; write a fixed tag or a digest");
        report.findings.push(finding(Rule::ImageTag, "no tag", mode, name(1, image), &tag));
    }
    for (rule, gets) in [
        (Rule::PodIdentity, "gets POD_NAME = metadata.name (downward API)"),
        (Rule::RuntimeSizing, "gets GOMAXPROCS = 2 (from limits.cpu=500m)"),
        (Rule::RuntimeSizing, "gets GOMEMLIMIT = 241591910 (from limits.memory=256Mi)"),
    ] {
        report.findings.push(finding(rule, "not told", Mode::Inject, name(0, container), gets));
    }
    report.objects.push(JudgedObject { object, file: Some(file), pods: None, patch: Vec::new() });
}
