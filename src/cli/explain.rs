//! `podfit explain`: per container every variable, probe and limit that podfit looked at, with its value and source, or why
//! it is not injected; and which policy governs each rule, or why a policy does not.

use std::io::{self, Write};

use clap::Args;

use super::{
    Outcome,
    judge::{Bench, JudgeArguments, Judged},
};
use crate::{
    policy::{Mode, PolicySet},
    report::visible,
    rules::Rule,
    runtimes::Signal,
    verdict::{Edit, Finding, OriginBasis},
    workload::{ContainerAt, Place},
};

/// Tells per container what podfit injects, from which policy and signal, or why not
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    judge: JudgeArguments,
}

impl Explain {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        let bench = self.judge.prepare()?;
        let mut pages: Vec<String> = Vec::new();
        let rest = bench.judge(|judged| pages.push(page(&bench, &judged)));
        output.write_all(pages.join("\n").as_bytes())?;
        output.flush()?;
        let mut stderr = io::stderr().lock();
        for note in &rest.notes {
            writeln!(stderr, "note: {}", visible(note))?;
        }
        for error in &rest.errors {
            let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
            writeln!(stderr, "error: {}{place}: {}", error.file, visible(&error.message))?;
        }
        Ok(if rest.errors.is_empty() { Outcome::NothingDenied } else { Outcome::NotJudged })
    }
}

/// One row of a container's table.
struct Row {
    subject: String,
    value: String,
    why: String,
}

fn page(bench: &Bench, judged: &Judged<'_>) -> String {
    let namespace = judged.name.namespace.as_deref().unwrap_or_default();
    let line = judged.document.locate(&format!("{}/kind", judged.pointer_prefix)).start.line;
    let heading = format!("{} {namespace}/{}  ({}:{line})", judged.name.kind, judged.name.name, judged.manifest.name);
    let mut page = visible(&heading).into_owned() + "\n";
    page.push_str(&governors(&bench.policies, judged));
    for at in judged.pod.workload.containers() {
        page.push_str(&format!("  {} {}\n", at.kind.as_str(), visible(at.name())));
        page.push_str(&table(&rows(judged, &at)));
    }
    let of_pod = judged.verdict.skips.iter().filter(|skip| skip.place == Place::Pod);
    for note in judged.verdict.notes.iter().cloned().chain(of_pod.map(|skip| format!("no {}: {skip}", skip.subject))) {
        page.push_str(&format!("  note: {}\n", visible(&note)));
    }
    page
}

/// Which policy governs each rule, and why the others do not.
fn governors(policies: &PolicySet, judged: &Judged<'_>) -> String {
    let in_force = &judged.in_force;
    let governor = |rule: Rule| match rule {
        Rule::ResourceLimits => in_force.resource_limits.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::ImageTag => in_force.image_tag.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::PodIdentity => in_force.pod_identity.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::RuntimeSizing => in_force.runtime_sizing.map(|governed| (governed.policy, governed.settings.mode)),
        Rule::Probes => in_force.probes.map(|governed| (governed.policy, governed.settings.mode)),
    };
    let mut rows: Vec<Row> = Vec::new();
    for rule in Rule::ALL {
        let (value, why) = match governor(rule) {
            Some((policy, mode)) => (mode.as_str().to_owned(), format!("policy {}", policy.name)),
            None => (Mode::Disabled.as_str().to_owned(), "no matching policy names it".to_owned()),
        };
        rows.push(Row { subject: rule.id().to_owned(), value, why });
    }
    for policy in policies.policies() {
        if let Some(mismatch) = policy.selector.mismatch(&judged.subject) {
            rows.push(Row {
                subject: format!("policy {}", policy.name),
                value: "no match".to_owned(),
                why: mismatch.to_string(),
            });
        }
    }
    table(&rows)
}

fn rows(judged: &Judged<'_>, at: &ContainerAt<'_, '_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for rule in Rule::ALL {
        let of_here = |finding: &&Finding<'_>| finding.rule == rule && finding.place == at.place();
        for finding in judged.verdict.findings.iter().filter(of_here) {
            if finding.edits.is_empty() || finding.mode != Mode::Inject {
                let subject = finding.subject().into_owned();
                rows.push(Row { subject, value: finding.mode.as_str().to_owned(), why: finding.message() });
            } else {
                rows.extend(finding.edits.iter().flat_map(rows_of_edit));
            }
        }
        let skips = judged.verdict.skips.iter().filter(|skip| skip.rule == rule && skip.place == at.place());
        rows.extend(skips.map(|skip| Row {
            subject: skip.subject.clone().into_owned(),
            value: "-".to_owned(),
            why: format!("{skip} (policy {})", skip.policy),
        }));
    }
    for exempted in judged.verdict.exempted.iter().filter(|exempted| exempted.container == at.name()) {
        let why = format!("{} (policy {})", exempted.reason, exempted.policy);
        rows.push(Row { subject: exempted.rule.id().to_owned(), value: "exempt".to_owned(), why });
    }
    rows
}

fn rows_of_edit(edit: &Edit<'_>) -> Vec<Row> {
    let origin = &edit.origin;
    let from = match &origin.basis {
        OriginBasis::FieldPath(_) => "downward API".to_owned(),
        basis => format!("from {basis}"),
    };
    let why = match origin.signal {
        Signal::Policy => format!("{from} (policy {})", origin.policy),
        signal => format!("{from}, asked for by {signal} (policy {})", origin.policy),
    };
    let settings = edit.change.settings().into_iter();
    settings.map(|(subject, value)| Row { subject: subject.into_owned(), value, why: why.clone() }).collect()
}

/// Aligned columns; the last may be as long as it likes.
fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(|row| &row.subject), width(|row| &row.value));
    let line = |row: &Row| {
        let (subject, value) = (visible(&row.subject), visible(&row.value));
        format!("    {subject:first$}  {value:second$}  {}\n", visible(&row.why))
    };
    rows.iter().map(line).collect()
}
