//! `podfit explain`: per container every variable, probe and limit that podfit looked at, with its value and source, or why
//! it is not injected; and which policy governs each rule, or why a policy does not.

use std::io::{self, Write};

use clap::Args;

use super::{
    Outcome,
    judge::{Bench, JudgeArguments, Judged},
};
use crate::{
    fitting::Pod,
    policy::{InForce, Mode, PolicySet, Subject},
    report::visible,
    rules::Rule,
    runtimes::Signal,
    verdict::{Edit, Finding, OriginBasis, Skip, SkipReason, Verdict},
    workload::{ContainerAt, Place},
};

mod governors;
#[cfg(feature = "cluster")]
mod running;

/// Tells per container what podfit injects, from which policy and signal, or why not
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    judge: JudgeArguments,
    /// A Pod of the cluster instead of manifests, by the API server of the kubeconfig
    #[cfg(feature = "cluster")]
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with = "paths")]
    pod: Option<running::PodName>,
}

impl Explain {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        #[cfg(feature = "cluster")]
        if let Some(pod) = &self.pod {
            return pod.explain(&self.judge, output);
        }
        let bench = self.judge.prepare()?;
        let mut pages: Vec<String> = Vec::new();
        let rest = bench.judge(|judged| pages.push(page_of(&bench, &judged)));
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

/// What a page is about.
struct Explained<'e, 'v> {
    policies: &'e PolicySet,
    pod: &'e Pod<'e>,
    verdict: &'e Verdict<'v>,
    subject: &'e Subject<'e>,
    in_force: &'e InForce<'e>,
}

/// One row of a container's table.
struct Row {
    subject: String,
    value: String,
    why: String,
}

fn page_of(bench: &Bench, judged: &Judged<'_>) -> String {
    let namespace = judged.name.namespace.as_deref().unwrap_or_default();
    let line = judged.document.locate(&format!("{}/kind", judged.pointer_prefix)).start.line;
    let heading = format!("{} {namespace}/{}  ({}:{line})", judged.name.kind, judged.name.name, judged.manifest.name);
    let Judged { pod, verdict, subject, in_force, .. } = judged;
    page(&heading, &Explained { policies: &bench.policies, pod, verdict, subject, in_force })
}

fn page(heading: &str, explained: &Explained<'_, '_>) -> String {
    let mut page = visible(heading).into_owned() + "\n";
    page.push_str(&table(&governors::rows(explained)));
    for at in explained.pod.workload.containers() {
        page.push_str(&format!("  {} {}\n", at.kind.as_str(), visible(at.name())));
        page.push_str(&table(&rows(explained, &at)));
    }
    let verdict = explained.verdict;
    let of_pod = verdict.skips.iter().filter(|skip| skip.place == Place::Pod);
    for note in verdict.notes.iter().cloned().chain(of_pod.map(|skip| format!("no {}: {skip}", skip.subject))) {
        page.push_str(&format!("  note: {}\n", visible(&note)));
    }
    page
}

fn rows(explained: &Explained<'_, '_>, at: &ContainerAt<'_, '_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for rule in Rule::ALL {
        let of_here = |finding: &&Finding<'_>| finding.rule == rule && finding.place == at.place();
        for finding in explained.verdict.findings.iter().filter(of_here) {
            if finding.edits.is_empty() || finding.mode != Mode::Inject {
                let subject = finding.subject().into_owned();
                rows.push(Row { subject, value: finding.mode.as_str().to_owned(), why: finding.message() });
            } else {
                rows.extend(finding.edits.iter().flat_map(rows_of_edit));
            }
        }
        let skips = explained.verdict.skips.iter().filter(|skip| skip.rule == rule && skip.place == at.place());
        rows.extend(skips.map(|skip| row_of_skip(skip, explained.pod)));
    }
    for exempted in explained.verdict.exempted.iter().filter(|exempted| exempted.container == at.name()) {
        let why = format!("{} (policy {})", exempted.reason, exempted.policy);
        rows.push(Row { subject: exempted.rule.id().to_owned(), value: "exempt".to_owned(), why });
    }
    rows
}

/// What podfit has injected before is shown as it was recorded then.
fn row_of_skip(skip: &Skip<'_>, pod: &Pod<'_>) -> Row {
    let subject = skip.subject.clone().into_owned();
    let recorded = pod.injected.of(skip.container).recorded(&subject);
    match recorded.filter(|_| skip.reason == SkipReason::AlreadyInjected) {
        Some((value, source, policy)) => {
            let from = value.map(|_| format!(", from {source}")).unwrap_or_default();
            Row { subject, value: value.unwrap_or(source).to_owned(), why: format!("{skip}{from} (policy {policy})") }
        }
        None => Row { subject, value: "-".to_owned(), why: format!("{skip} (policy {})", skip.policy) },
    }
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
