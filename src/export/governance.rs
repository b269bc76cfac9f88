//! Whom a policy governs: what its `match` says, as far as the binding does not say it, and no higher policy naming the rule.

use serde_json::{Value, json};

use super::{
    Ground,
    cel::{self, Variable},
};
use crate::{
    policy::{LabelSelector, NAMESPACE_NAME_LABEL, Operator, Pattern, Policy, Selector},
    rules::Rule,
};

/// A namespace with this label at `true` is never looked at: deploy/ leaves it out of the webhook configurations.
const IGNORE_LABEL: &str = "podfit.dev/ignore";

/// Conditions, all of which must hold.
pub struct Governance {
    pub conditions: Vec<String>,
}

impl Governance {
    /// None where a higher policy governs the rule wherever this one matches.
    pub fn of(rule: Rule, ground: Ground<'_>) -> Option<Self> {
        let selector = &ground.policy().selector;
        let mut conditions = beyond_the_binding(selector);
        let higher = ground.policies[..ground.index].iter().filter(|policy| policy.mode(rule).is_some());
        for policy in higher.filter(|policy| may_meet(&policy.selector, selector)) {
            if covers(&policy.selector, selector) {
                return None;
            }
            conditions.push(format!("!{}", matching(policy)));
        }
        Some(Self { conditions })
    }
}

/// Whether another policy matches: one variable for each that may matter.
pub fn variables(ground: Ground<'_>) -> Vec<Variable> {
    let mut variables = Vec::new();
    for (index, policy) in ground.policies.iter().enumerate() {
        let matters = index < ground.index || !policy.exemptions.is_empty();
        if index != ground.index && matters && may_meet(&policy.selector, &ground.policy().selector) {
            variables.push(Variable::new(variable_name(policy), cel::all(&whole(&policy.selector))));
        }
    }
    variables
}

/// The condition that this policy matches, for a variable of `variables`.
pub fn matching(policy: &Policy) -> String {
    format!("variables.{}", variable_name(policy))
}

/// Names of policies are lower-case letters, digits, `-` and `.`.
fn variable_name(policy: &Policy) -> String {
    format!("matches_{}", policy.name.replace('-', "_").replace('.', "D"))
}

/// Whether whatever the other matches is matched by this one too.
pub fn covers(selector: &Selector, other: &Selector) -> bool {
    selector == other || *selector == Selector::default()
}

/// False only if no namespace is named by both.
pub fn may_meet(one: &Selector, other: &Selector) -> bool {
    may_share(&one.namespaces, &other.namespaces)
}

/// An empty list is all.
pub fn may_share(one: &[Pattern], other: &[Pattern]) -> bool {
    let both = |a: &Pattern, b: &Pattern| match (cel::is_plain(a), cel::is_plain(b)) {
        (true, _) => b.matches(a.as_str()),
        (_, true) => a.matches(b.as_str()),
        _ => true,
    };
    one.is_empty() || other.is_empty() || one.iter().any(|a| other.iter().any(|b| both(a, b)))
}

/// The part of a selector that is one over a namespace's labels: the API server asks it before any expression.
pub fn namespace_selector(selector: &Selector) -> Value {
    let mut expressions = Vec::new();
    if !selector.namespaces.is_empty() && selector.namespaces.iter().all(cel::is_plain) {
        expressions.push(expression(NAMESPACE_NAME_LABEL, "In", selector.namespaces.iter().map(Pattern::as_str)));
    }
    let mut excluded = selector.exclude_namespaces.iter().filter(|pattern| cel::is_plain(pattern)).peekable();
    if excluded.peek().is_some() {
        expressions.push(expression(NAMESPACE_NAME_LABEL, "NotIn", excluded.map(Pattern::as_str)));
    }
    for requirement in &selector.namespace_selector.requirements {
        let values = requirement.values.iter().map(String::as_str);
        expressions.push(expression(&requirement.key, operator(requirement.operator), values));
    }
    expressions.push(expression(IGNORE_LABEL, "NotIn", ["true"]));
    json!({"matchExpressions": expressions})
}

fn expression<'v>(key: &str, operator: &str, values: impl IntoIterator<Item = &'v str>) -> Value {
    let values: Vec<&str> = values.into_iter().collect();
    let mut expression = json!({"key": key, "operator": operator});
    if !values.is_empty() {
        expression["values"] = json!(values);
    }
    expression
}

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::In => "In",
        Operator::NotIn => "NotIn",
        Operator::Exists => "Exists",
        Operator::DoesNotExist => "DoesNotExist",
    }
}

/// What of a selector `namespace_selector` does not say: names with `*`, and labels of Pods.
fn beyond_the_binding(selector: &Selector) -> Vec<String> {
    let mut conditions = Vec::new();
    if !selector.namespaces.iter().all(cel::is_plain) {
        conditions.extend(cel::among("request.namespace", &selector.namespaces));
    }
    let wild: Vec<Pattern> =
        selector.exclude_namespaces.iter().filter(|pattern| !cel::is_plain(pattern)).cloned().collect();
    conditions.extend(excluded(&wild));
    conditions.extend(pod_labels(&selector.pod_selector));
    conditions
}

/// All of a selector: of another policy, which has a binding of its own.
fn whole(selector: &Selector) -> Vec<String> {
    let mut conditions = Vec::new();
    if !selector.namespaces.is_empty() {
        conditions.extend(cel::among("request.namespace", &selector.namespaces));
    }
    conditions.extend(excluded(&selector.exclude_namespaces));
    conditions.extend(cel::labelled("variables.namespaceLabels", &selector.namespace_selector));
    conditions.extend(pod_labels(&selector.pod_selector));
    conditions
}

fn excluded(patterns: &[Pattern]) -> Option<String> {
    if patterns.is_empty() {
        return None;
    }
    let among = cel::among("request.namespace", patterns);
    Some(among.map_or_else(|| "false".to_owned(), |among| format!("!({among})")))
}

pub fn pod_labels(selector: &LabelSelector) -> Vec<String> {
    cel::labelled("variables.labels", selector)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::policy::{PolicySet, fixture};

    /// The conditions of the last policy's image rule, where it governs at all.
    fn conditions(specs: &[&str]) -> Option<Vec<String>> {
        let policies = specs.iter().enumerate().map(|(index, spec)| fixture::policy(&format!("p-{index}"), spec));
        let set = PolicySet::new(policies.collect()).unwrap();
        let index = set.policies().len() - 1;
        let ground = Ground { policies: set.policies(), index, today: date(2026, 1, 1) };
        Governance::of(Rule::ImageTag, ground).map(|governance| governance.conditions)
    }

    /// What it is, the policies, and the conditions of the last.
    type Row = (&'static str, &'static [&'static str], Option<&'static [&'static str]>);

    #[test]
    fn a_policy_governs_where_no_higher_one_does() {
        let rows: [Row; 8] = [
            ("alone", &["{imageTag: {}}"], Some(&[])),
            ("below one that names another rule", &["{priority: 1, probes: {}}", "{imageTag: {}}"], Some(&[])),
            ("below one for the same", &["{priority: 1, imageTag: {mode: Warn}}", "{imageTag: {}}"], None),
            (
                "below one for all",
                &[
                    "{priority: 1, match: {excludeNamespaces: []}, imageTag: {}}",
                    "{match: {namespaces: [a]}, imageTag: {}}",
                ],
                None,
            ),
            (
                "below one for some",
                &["{priority: 1, match: {namespaces: ['a*']}, imageTag: {}}", "{imageTag: {}}"],
                Some(&["!variables.matches_p_0"]),
            ),
            (
                "below one for others",
                &[
                    "{priority: 1, match: {namespaces: [bank]}, imageTag: {}}",
                    "{match: {namespaces: ['sh*', shop]}, imageTag: {}}",
                ],
                Some(&["request.namespace.matches(r'^(?:sh(?s:.*)|shop)$')"]),
            ),
            (
                "by wildcards and labels",
                &["{match: {excludeNamespaces: [a, 'b*'], podSelector: {matchLabels: {tier: web}}}, imageTag: {}}"],
                Some(&[
                    "!(request.namespace.matches(r'^(?:b(?s:.*))$'))",
                    "'tier' in variables.labels && variables.labels['tier'] in ['web']",
                ]),
            ),
            ("nowhere", &["{match: {excludeNamespaces: ['*']}, imageTag: {}}"], Some(&["false"])),
        ];
        for (name, specs, expected) in rows {
            let found = conditions(specs);
            assert_eq!(
                found.as_deref(),
                expected.map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_binding_says_what_labels_of_namespaces_can() {
        let ignored = r#"{"key":"podfit.dev/ignore","operator":"NotIn","values":["true"]}"#;
        let rows = [
            ("{match: {excludeNamespaces: []}}", ""),
            (
                "{match: {namespaces: [a, b]}}",
                r#"{"key":"kubernetes.io/metadata.name","operator":"In","values":["a","b"]},{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kube-system","kube-public","kube-node-lease"]},"#,
            ),
            ("{match: {namespaces: [a, 'b*'], excludeNamespaces: ['b-*']}}", ""),
            (
                "{match: {excludeNamespaces: [], namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}}}",
                r#"{"key":"team","operator":"Exists"},"#,
            ),
        ];
        for (spec, expected) in rows {
            let selector = namespace_selector(&fixture::policy("one", spec).selector);
            assert_eq!(selector.to_string(), format!(r#"{{"matchExpressions":[{expected}{ignored}]}}"#), "{spec}");
        }
    }
}
