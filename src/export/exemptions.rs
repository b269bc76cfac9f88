//! What a rule does not look at: the exemptions of all policies that match, not only of the one that governs.

use jiff::{ToSpan as _, civil::Date};

use super::{
    Ground,
    cel::{self, Variable},
    governance,
};
use crate::{
    policy::{Exemption, Policy},
    rules::Rule,
};

/// Those of one rule under one policy.
#[derive(Default)]
pub struct Exemptions {
    /// On the container `c`: each is reason enough.
    conditions: Vec<String>,
    /// Whether the Pod is one that an exemption means, and the policy's own that it stands in.
    pub variables: Vec<Variable>,
    /// Whether `c.full` is asked for.
    pub need_full_names: bool,
    pub unsaid: Vec<String>,
}

impl Exemptions {
    pub fn of(rule: Rule, ground: Ground<'_>) -> Self {
        let mut exemptions = Self::default();
        for policy in
            ground.policies.iter().filter(|policy| governance::may_meet(&policy.selector, &ground.policy().selector))
        {
            for exemption in
                policy.exemptions.iter().filter(|it| it.rules.contains(&rule) && !it.is_expired(ground.today))
            {
                exemptions.add(rule, policy, exemption, ground);
            }
        }
        exemptions
    }

    /// Behind a condition on the container `c`: that no exemption covers it.
    pub fn none_covers(&self) -> String {
        let conditions: Vec<String> =
            self.conditions.iter().map(|condition| format!("\n    && !({condition})")).collect();
        conditions.concat()
    }

    fn add(&mut self, rule: Rule, policy: &Policy, exemption: &Exemption, ground: Ground<'_>) {
        let of_pod = of_pod(policy, exemption, ground);
        let mut conditions = Vec::new();
        if !of_pod.is_empty() {
            let name = format!("{}Exemption{}", rule.policy_key(), self.conditions.len() + 1);
            conditions.push(format!("variables.{name}"));
            self.variables.push(Variable::new(name, cel::all(&of_pod)));
        }
        conditions.extend(exemption.containers.as_deref().and_then(|patterns| {
            // An image volume has no container: nothing but `*` means it.
            Some(format!("c.kind != 'volume' && {}", cel::among("c.of.name", patterns)?))
        }));
        if let Some(patterns) = &exemption.images {
            let [written, full] = ["c.image", "c.full"].map(|text| cel::among(text, patterns));
            conditions.extend(written.zip(full).map(|(written, full)| format!("({written} || {full})")));
            self.need_full_names = true;
        }
        self.conditions.push(cel::all(&conditions).replace('\n', " "));
        if let Some(last) = exemption.expires {
            let is_own = policy.name == ground.policy().name;
            let owner = if is_own { String::new() } else { format!(" of policy {}", policy.name) };
            self.unsaid.push(format!(
                "the exemption {:?}{owner} ends with {last}, and for an UPDATE it goes on until the policy is exported again: CEL knows \
                 the time of a CREATE alone",
                exemption.reason
            ));
        }
    }
}

/// What does not depend on the container.
fn of_pod(policy: &Policy, exemption: &Exemption, ground: Ground<'_>) -> Vec<String> {
    let mut conditions = Vec::new();
    if !governance::covers(&policy.selector, &ground.policy().selector) {
        conditions.push(governance::matching(policy));
    }
    conditions.extend(exemption.namespaces.as_deref().and_then(|patterns| cel::among("request.namespace", patterns)));
    conditions.extend(exemption.pod_selector.iter().flat_map(governance::pod_labels));
    conditions.extend(exemption.expires.and_then(not_over));
    conditions
}

/// What is being created has the API server's own time already.
fn not_over(last: Date) -> Option<String> {
    let end = last.checked_add(1.day()).ok()?;
    Some(format!(
        "(request.operation != 'CREATE' || timestamp(dyn(object).metadata.creationTimestamp) < timestamp('{end}T00:00:00Z'))"
    ))
}
