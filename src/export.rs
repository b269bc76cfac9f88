//! The `Deny` rules of policies as in-tree policies (`ValidatingAdmissionPolicy` and binding), and a list of what CEL cannot say
//! of them. The API server judges by them without podfit, and never more strictly than podfit. `cli/export.rs` prints them
//! and compares them with what is installed.

use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value;

use crate::{
    policy::{Mode, Policy, PolicySet},
    rules::Rule,
};

mod cel;
mod containers;
mod drift;
mod exemptions;
mod governance;
mod identity;
mod images;
mod limits;
mod objects;
mod probes;

pub use drift::differences;
pub use objects::EXPORTED;

use cel::Variable;
use exemptions::Exemptions;
use governance::Governance;

/// What is to be installed, and what it leaves out.
#[derive(Debug, Default, PartialEq)]
pub struct Export {
    /// Of each policy the `ValidatingAdmissionPolicy`, and behind it its binding; in the order in which policies rule.
    pub objects: Vec<Value>,
    /// What only podfit refuses, one a line.
    pub unsaid: Vec<String>,
}

/// All policies together, since they rule together; an exemption that is over on this day is none.
pub fn export(policies: &PolicySet, today: Date) -> Export {
    let mut export = Export::default();
    for index in 0..policies.policies().len() {
        Ground { policies: policies.policies(), index, today }.export(&mut export);
    }
    if !export.objects.is_empty() {
        export.unsaid.push(TOO_LARGE.to_owned());
    }
    export
}

const TOO_LARGE: &str = "an object so large that it exceeds CEL's cost limit is allowed";

const RUNTIME_SIZING: &str = "runtime-sizing is left out: which runtimes a container has, and what their variables should be, is more \
                              than CEL can compute";

/// Names of objects have at most 253 characters.
const LONGEST_NAME: usize = 253;

/// One policy among the others.
#[derive(Clone, Copy)]
struct Ground<'p> {
    /// Highest first.
    policies: &'p [Arc<Policy>],
    index: usize,
    today: Date,
}

/// A rule that a policy governs, and what its expressions have in common with those of the others.
struct Judgement<'p> {
    ground: Ground<'p>,
    rule: Rule,
    governance: Governance,
    exemptions: Exemptions,
}

impl<'p> Ground<'p> {
    fn policy(self) -> &'p Policy {
        &self.policies[self.index]
    }

    fn judges_templates(self) -> bool {
        self.policy().templates == Mode::Deny
    }

    fn export(self, export: &mut Export) {
        let policy = self.policy();
        let mut judgements = self.judgements();
        let mut unsaid: Vec<String> = Vec::new();
        if judgements.iter().any(|judgement| judgement.rule == Rule::RuntimeSizing) {
            unsaid.push(RUNTIME_SIZING.to_owned());
            judgements.retain(|judgement| judgement.rule != Rule::RuntimeSizing);
        }
        let name = objects::name(policy);
        if name.len() > LONGEST_NAME && !judgements.is_empty() {
            unsaid.push(format!("nothing of it is exported: `{name}` is too long for the name of an object"));
            judgements.clear();
        }
        if !judgements.is_empty() {
            unsaid.extend(judgements.iter().flat_map(Judgement::unsaid));
            export.objects.push(objects::policy(self, &judgements, &variables(self, &judgements)));
            export.objects.push(objects::binding(policy));
        }
        for what in unsaid.iter().map(|what| format!("policy {}: {what}", policy.name)) {
            // An exemption of several rules says it for each.
            if !export.unsaid.contains(&what) {
                export.unsaid.push(what);
            }
        }
    }

    fn judgements(self) -> Vec<Judgement<'p>> {
        let denied = Rule::ALL.into_iter().filter(|rule| self.policy().mode(*rule) == Some(Mode::Deny));
        let governed = denied.filter_map(|rule| Some((rule, Governance::of(rule, self)?)));
        governed
            .map(|(rule, governance)| {
                let exemptions = Exemptions::of(rule, self);
                Judgement { ground: self, rule, governance, exemptions }
            })
            .collect()
    }
}

impl Judgement<'_> {
    fn unsaid(&self) -> Vec<String> {
        let mut unsaid = self.exemptions.unsaid.clone();
        if self.rule == Rule::ImageTag {
            unsaid.push(images::TOO_LONG.to_owned());
        }
        unsaid
    }

    /// The last is named as the rule is in the policy: what is wrong, in words.
    fn variables(&self) -> Vec<Variable> {
        let policy = self.ground.policy();
        let variables = match self.rule {
            Rule::ResourceLimits => policy.resource_limits.as_ref().map(|settings| limits::judge(settings, self)),
            Rule::ImageTag => policy.image_tag.as_ref().map(|settings| images::judge(settings, self)),
            Rule::PodIdentity => policy.pod_identity.as_ref().map(|settings| identity::judge(settings, self)),
            Rule::Probes => policy.probes.as_ref().map(|settings| probes::judge(settings, self)),
            Rule::RuntimeSizing => None,
        };
        variables.unwrap_or_default()
    }

    /// The rule's own variable: these lists of words, where it governs and the request is one that it judges.
    fn conclusion(&self, request: &str, lists: &[String]) -> Variable {
        let conditions = [&[request.to_owned()], &self.governance.conditions[..]].concat();
        let expression = format!("{}\n? {}\n: []", conditions.join("\n&& "), lists.join("\n+ "));
        Variable::new(self.rule.policy_key(), expression)
    }

    /// Behind each finding's words.
    fn signature(&self) -> String {
        cel::quoted(&format!(" [rule {}, policy {}]", self.rule.id(), self.ground.policy().name))
    }
}

/// All of a policy's, each behind those that it refers to. The last lists everything that is wrong.
fn variables(ground: Ground<'_>, judgements: &[Judgement<'_>]) -> Vec<Variable> {
    let needs_full_names = judgements.iter().any(|judgement| judgement.exemptions.need_full_names);
    let mut variables = vec![objects::spared(ground)];
    variables.extend(containers::subject(ground));
    variables.extend(governance::variables(ground));
    variables.extend(judgements.iter().flat_map(|judgement| judgement.exemptions.variables.clone()));
    variables.extend(containers::lists(needs_full_names));
    variables.extend(judgements.iter().flat_map(Judgement::variables));
    let keys: Vec<String> = judgements.iter().map(|it| format!("variables.{}", it.rule.policy_key())).collect();
    let problems = format!("variables.{} ? [] : {}", objects::SPARED, keys.join(" + "));
    variables.push(Variable::new(objects::PROBLEMS, problems));
    cel::without_unused(variables, objects::PROBLEMS)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::policy::fixture;

    fn exported(name: &str, spec: &str) -> (Vec<String>, Vec<String>) {
        let set = PolicySet::new(vec![fixture::policy(name, spec)]).unwrap();
        let Export { objects, unsaid } = export(&set, date(2026, 11, 24));
        (objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect(), unsaid)
    }

    #[test]
    fn what_cannot_be_said_is_listed() {
        let image = format!("policy one: {}", images::TOO_LONG);
        let sizing = format!("policy one: {RUNTIME_SIZING}");
        let large = TOO_LARGE.to_owned();
        let until = "policy one: the exemption \"vendor\" ends with 2027-01-31, and for an UPDATE it goes on until the policy is \
                     exported again: CEL knows the time of a CREATE alone";
        let exempt = |rules: &str, last: &str| {
            format!(
                "{{resourceLimits: {{}}, imageTag: {{}}, exemptions: [{{reason: vendor, expires: {last}, rules: [{rules}], match: {{containers: [a]}}}}]}}"
            )
        };
        let rows = [
            ("nothing to refuse", "{imageTag: {mode: Warn}, podIdentity: {}}".to_owned(), 0, vec![]),
            ("limits alone", "{resourceLimits: {}}".to_owned(), 2, vec![large.clone()]),
            ("images", "{imageTag: {}}".to_owned(), 2, vec![image.clone(), large.clone()]),
            ("sizing alone", "{runtimeSizing: {mode: Deny}}".to_owned(), 0, vec![sizing.clone()]),
            (
                "sizing too",
                "{resourceLimits: {}, runtimeSizing: {mode: Deny}}".to_owned(),
                2,
                vec![sizing, large.clone()],
            ),
            (
                "an exemption that ends, of two rules",
                exempt("resource-limits, image-tag", "2027-01-31"),
                2,
                vec![until.to_owned(), image.clone(), large.clone()],
            ),
            ("one that has ended", exempt("image-tag", "2026-11-23"), 2, vec![image, large.clone()]),
        ];
        for (name, spec, objects, expected) in rows {
            let (names, unsaid) = exported("one", &spec);
            assert_eq!(names, vec!["podfit-one"; objects], "{name}");
            assert_eq!(unsaid, expected, "{name}");
        }
    }

    #[test]
    fn a_name_that_no_object_can_have_is_listed() {
        let long = |length: usize| "a".repeat(length);
        assert_eq!(exported(&long(246), "{resourceLimits: {}}").0.len(), 2);
        let (names, unsaid) = exported(&long(247), "{resourceLimits: {}}");
        assert_eq!(names, [""; 0]);
        let expected = format!(
            "policy {0}: nothing of it is exported: `podfit-{0}` is too long for the name of an object",
            long(247)
        );
        assert_eq!(unsaid, [expected]);
    }
}
