//! `podfit check`: judges manifests and reports, in the format asked for.

use std::io;

use clap::Args;

use super::{
    Outcome,
    judge::{Bench, JudgeArguments, Judged, Rest},
    tell::TellArguments,
};
use crate::{
    patch,
    policy::Mode,
    report::{JudgedObject, Report, ReportedFinding, expired_exemptions},
};

/// Judges manifests
///
/// Exit status: 0 nothing denied, 1 something denied, 2 something could not be judged.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    judge: JudgeArguments,
    #[command(flatten)]
    telling: TellArguments,
}

impl Check {
    pub(super) fn run(self, output: &mut dyn io::Write) -> anyhow::Result<Outcome> {
        let bench = self.judge.prepare()?;
        self.telling.tell(&report(bench), output)
    }
}

fn report(bench: Bench) -> Report {
    let mut report = Report::default();
    let Rest { errors, passed_over, notes } = bench.judge(|judged| report.add(&judged));
    report.errors = errors;
    report.passed_over = passed_over;
    report.notes.splice(0..0, notes);
    report.notes.extend(expired_exemptions(&bench.policies, bench.today));
    let sources = bench.inputs.manifests.into_iter();
    report.sources = sources.map(|manifest| (manifest.name, manifest.text)).collect();
    report
}

impl Report {
    fn add(&mut self, judged: &Judged<'_>) {
        let workload = judged.pod.workload;
        let file = Some(judged.manifest.name.clone());
        self.exempted += judged.verdict.exempted.len();
        self.skipped += judged.verdict.skips.len();
        for finding in &judged.verdict.findings {
            let pointer = finding.pointer(workload);
            self.findings.push(ReportedFinding {
                rule: finding.rule,
                reason: finding.reason,
                mode: finding.mode,
                policy_mode: Some(finding.policy_mode).filter(|mode| *mode != finding.mode),
                policy: finding.policy.to_owned(),
                file: file.clone(),
                span: Some(judged.document.locate(&format!("{}{pointer}", judged.pointer_prefix))),
                object: judged.name.clone(),
                container: finding.container.map(str::to_owned),
                pointer,
                pods: None,
                message: finding.message(),
            });
        }
        let object = format!("{} {}", judged.name.kind, judged.name.name);
        let warnings = judged.verdict.skips.iter().filter(|skip| skip.is_warning());
        let warnings = warnings.map(|skip| format!("container {:?} gets no {}: {skip}", skip.container, skip.subject));
        let notes = judged.verdict.notes.iter().cloned().chain(warnings);
        self.notes.extend(notes.map(|note| format!("{}: {object}: {note}", judged.manifest.name)));
        let patch = if judged.verdict.strictest() >= Some(Mode::Inject) {
            patch::operations(&judged.verdict, judged.pod)
        } else {
            Vec::new()
        };
        self.objects.push(JudgedObject { object: judged.name.clone(), file, pods: None, patch });
    }
}
