//! What a judgement found in one object, in the terms in which a test expects it.

use super::{Expectation, Group};
use crate::{
    rules::Rule,
    verdict::{Finding, Verdict},
    workload::Workload,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub group: Group,
    /// `KIND/NAME`.
    pub object: String,
    pub rule: Option<Rule>,
    pub container: String,
    pub subject: String,
    pub policy: String,
    /// A finding's message, an exemption's reason, the value that is injected.
    pub wording: String,
    /// Where in the manifests, as `place` says it.
    pub place: String,
    /// What people want to know beside: the message, or where a value comes from.
    pub told: String,
}

/// Everything that a test may speak of, in the order of the verdict. `object` is `KIND/NAME`; `place` says in words where a
/// pointer of it leads.
pub fn found(
    verdict: &Verdict<'_>,
    workload: &Workload<'_>,
    object: &str,
    place: impl Fn(&str) -> String,
) -> Vec<Found> {
    let blank = |group: Group, place: String| Found {
        group,
        object: object.to_owned(),
        rule: None,
        container: String::new(),
        subject: String::new(),
        policy: String::new(),
        wording: String::new(),
        place,
        told: String::new(),
    };
    if !verdict.matched {
        let told = "no policy matches it".to_owned();
        return vec![Found { told, ..blank(Group::Unmatched, place("")) }];
    }
    let mut all = Vec::new();
    for finding in &verdict.findings {
        let Some(group) = Group::of(finding.mode) else { continue };
        let blank = Found {
            rule: Some(finding.rule),
            container: finding.container.unwrap_or_default().to_owned(),
            policy: finding.policy.to_owned(),
            ..blank(group, place(&finding.pointer(workload)))
        };
        if group == Group::Inject { all.extend(injections(finding, &blank)) } else { all.push(judged(finding, blank)) }
    }
    all.extend(verdict.exempted.iter().map(|exempted| Found {
        rule: Some(exempted.rule),
        container: exempted.container.to_owned(),
        policy: exempted.policy.to_owned(),
        wording: exempted.reason.to_owned(),
        told: format!("exempt by policy {}", exempted.policy),
        ..blank(Group::Exempt, place(&pointer_of(exempted.container, workload)))
    }));
    all
}

/// Of a container; of the object for an image volume.
fn pointer_of(container: &str, workload: &Workload<'_>) -> String {
    let mut pointer = String::new();
    if let Some(at) = workload.containers().find(|at| at.name() == container) {
        pointer.push_str(workload.prefix());
        at.place().push(&mut pointer);
    }
    pointer
}

fn judged(finding: &Finding<'_>, blank: Found) -> Found {
    let message = finding.message();
    Found {
        subject: finding.subject().into_owned(),
        told: format!("{message} (policy {})", finding.policy),
        wording: message,
        ..blank
    }
}

fn injections(finding: &Finding<'_>, blank: &Found) -> Vec<Found> {
    let mut all = Vec::new();
    for edit in &finding.edits {
        all.extend(edit.change.settings().into_iter().map(|(subject, value)| Found {
            subject: subject.into_owned(),
            wording: value,
            told: format!("{} (policy {})", edit.origin, edit.origin.policy),
            ..blank.clone()
        }));
    }
    all
}

impl Found {
    /// As someone would write it who expects it. The object is named where there are several.
    pub(super) fn expectation(&self, of_several: bool) -> Expectation {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let says_wording = matches!(self.group, Group::Exempt | Group::Inject);
        Expectation {
            object: (of_several || self.group == Group::Unmatched).then(|| self.object.clone()),
            rule: self.rule.filter(|_| self.group != Group::Inject),
            container: given(&self.container),
            // An image is all that image-tag looks at.
            subject: given(&self.subject).filter(|_| self.rule != Some(Rule::ImageTag)),
            wording: given(&self.wording).filter(|_| says_wording),
            ..Expectation::of_group(self.group)
        }
    }

    pub(super) fn is(&self, expected: &Expectation) -> bool {
        let name = self.object.split_once('/').map_or("", |(_, name)| name);
        let wording = expected.wording.as_deref().is_none_or(|wording| match self.group {
            Group::Exempt | Group::Inject | Group::Unmatched => self.wording == wording,
            Group::Deny | Group::Warn | Group::Audit => self.wording.contains(wording),
        });
        let same = |expected: &Option<String>, found: &str| expected.as_deref().is_none_or(|text| text == found);
        self.group == expected.group
            && wording
            && expected.object.as_deref().is_none_or(|text| text == name || text == self.object)
            && expected.rule.is_none_or(|rule| Some(rule) == self.rule)
            && same(&expected.container, &self.container)
            && same(&expected.subject, &self.subject)
            && same(&expected.policy, &self.policy)
    }
}
