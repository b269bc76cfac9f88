//! `pod-identity`: every container knows its Pod's name and namespace.
//!
//! Looks at: `env` of all containers but ephemeral ones, whose environment cannot be changed.
//! Asks: the variables of the policy, `POD_NAME` and `POD_NAMESPACE` unless it says otherwise.
//! Fix: those variables by downward API (`fieldRef`), before the user's own, so that `$(POD_NAME)` resolves.
//! Exempt: by policy; by the annotation `podfit.dev/skip`.
//! Why: logs, metrics and leases need a name, and a name written by hand is wrong in every second replica.

use std::borrow::Cow;

use smallvec::smallvec;

use crate::{
    fitting::{Fitting, Report, Standing},
    policy::{EnvFrom, Governed, Mode, PodIdentity},
    rules::Rule,
    runtimes::Signal,
    verdict::{Change, Edit, Field, Finding, Origin, OriginBasis, SkipReason, Source, Verdict},
    wishes,
    workload::ContainerKind,
};

pub fn judge<'a>(governed: &Governed<'a, PodIdentity>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let settings = governed.settings;
    if settings.mode == Mode::Disabled || fitting.at.kind == ContainerKind::Ephemeral {
        return;
    }
    let mut report = Report { rule: Rule::PodIdentity, mode: settings.mode, policy: governed.policy, verdict };
    for (name, path) in &settings.variables {
        if let Some((reason, about)) = why_not(settings, name, fitting) {
            report.skip(fitting, Cow::Borrowed(name), reason, about, false);
            continue;
        }
        let edit = Edit {
            place: fitting.at.place(),
            change: Change::Variable { name: Cow::Borrowed(name), source: Source::FieldPath(path), replaces: None },
            origin: Origin {
                policy: &governed.policy.name,
                basis: OriginBasis::FieldPath(path),
                signal: Signal::Policy,
            },
        };
        let finding = report.finding(fitting, Field::Env, "container does not know its Pod");
        report.push(Finding { value: Cow::Borrowed(name), edits: smallvec![edit], ..finding });
        fitting.add_variable(name);
    }
}

fn why_not<'a>(settings: &PodIdentity, name: &str, fitting: &Fitting<'a>) -> Option<(SkipReason, Cow<'a, str>)> {
    match fitting.standing(name) {
        Standing::Ours { .. } | Standing::OursLive => return Some((SkipReason::AlreadyInjected, "".into())),
        Standing::Users => return Some((SkipReason::UserSet, "".into())),
        Standing::Free => {}
    }
    if fitting.pod.wishes.skips(fitting.at.name(), Rule::PodIdentity, name) {
        return Some((SkipReason::Annotation, wishes::SKIP.into()));
    }
    let prefix = (settings.env_from == EnvFrom::Skip).then(|| fitting.env_from_for(name)).flatten();
    prefix.map(|prefix| (SkipReason::EnvFrom, prefix.into()))
}
