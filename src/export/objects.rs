//! The objects: a `ValidatingAdmissionPolicy` and its binding for each policy. One for all its rules, since the API server tells
//! a user only of the first that refuses.

use serde_json::{Value, json};

use super::{Ground, Judgement, cel::Variable, governance};
use crate::{policy::Policy, rules::Rule};

/// The label of all that is exported. Not `app.kubernetes.io/managed-by`, which Helm makes its own.
pub const EXPORTED: &str = "podfit.dev/exported";

/// The variable that lists what is wrong.
pub const PROBLEMS: &str = "problems";

/// The variable that is true where nothing is to be said.
pub const SPARED: &str = "isSpared";

const API_VERSION: &str = "admissionregistration.k8s.io/v1";

pub fn name(policy: &Policy) -> String {
    format!("podfit-{}", policy.name)
}

fn metadata(policy: &Policy) -> Value {
    json!({"name": name(policy), "labels": {"app.kubernetes.io/name": "podfit", EXPORTED: "true"}})
}

/// An expression that fails must not stop a cluster, hence `Ignore`: what is left to fail is the cost limit, and a Pod that is
/// too large for it may be a good one.
pub fn policy(ground: Ground<'_>, judgements: &[Judgement<'_>], variables: &[Variable]) -> Value {
    let variables = variables.iter().map(|it| json!({"name": it.name, "expression": it.expression}));
    json!({
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(ground.policy()),
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": resource_rules(ground, judgements)},
            "variables": variables.collect::<Vec<_>>(),
            "validations": [{
                "expression": format!("size(variables.{PROBLEMS}) == 0"),
                "message": format!("podfit's policy {} refuses this object; `podfit check` says why", ground.policy().name),
                "messageExpression": MESSAGE,
                "reason": "Forbidden",
            }],
        },
    })
}

/// The API server takes 5 KiB, else it says the plain message.
const MESSAGE: &str = "size(variables.problems) > 20 || size(variables.problems.join(' ')) > 2000\n\
                       ? variables.problems[0] + ' and ' + string(size(variables.problems) - 1) + ' more'\n\
                       : variables.problems.join(' ')";

pub fn binding(policy: &Policy) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata(policy),
        "spec": {
            "policyName": name(policy),
            "validationActions": ["Deny"],
            "matchResources": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": governance::namespace_selector(&policy.selector),
            },
        },
    })
}

/// What `/validate` is called for; no sub-resource that no rule judges.
fn resource_rules(ground: Ground<'_>, judgements: &[Judgement<'_>]) -> Vec<Value> {
    let has = |rule: Rule| judgements.iter().any(|judgement| judgement.rule == rule);
    let mut operations = vec!["CREATE"];
    if has(Rule::ResourceLimits) || has(Rule::ImageTag) {
        operations.push("UPDATE");
    }
    let templates = ground.judges_templates();
    let core: &[&str] = if templates { &["pods", "podtemplates", "replicationcontrollers"] } else { &["pods"] };
    let mut rules = vec![resource_rule("", core, &operations)];
    let sub_resources = [(Rule::ImageTag, "pods/ephemeralcontainers"), (Rule::ResourceLimits, "pods/resize")];
    let sub_resources: Vec<&str> =
        sub_resources.into_iter().filter(|(rule, _)| has(*rule)).map(|(_, name)| name).collect();
    if !sub_resources.is_empty() {
        rules.push(resource_rule("", &sub_resources, &["UPDATE"]));
    }
    if templates {
        rules.push(resource_rule("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"], &operations));
        rules.push(resource_rule("batch", &["cronjobs", "jobs"], &operations));
    }
    rules
}

fn resource_rule(group: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!({
        "apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": resources, "scope": "Namespaced",
    })
}

/// Whom no rule refuses anything, whatever it holds: a mirror Pod of a node, what is on its way out, a template whose owner has
/// been judged, a DaemonSet's critical Pod. A variable and no `matchConditions`, for which the API server would convert the
/// object once more, at a quarter of the whole cost.
pub fn spared(ground: Ground<'_>) -> Variable {
    let owned_by = |kind: &str| {
        format!(
            "dyn(object).?metadata.?ownerReferences.orValue([])\n    .exists(o, o.?controller.orValue(false){kind})"
        )
    };
    let critical = |pod: &str| format!("dyn(object).?{pod}.?priorityClassName.orValue('') == 'system-node-critical'");
    let mut reasons = vec![
        "'system:nodes' in request.userInfo.?groups.orValue([])\n  \
         && 'kubernetes.io/config.mirror' in dyn(object).?metadata.?annotations.orValue({})"
            .to_owned(),
        "dyn(object).?metadata.?deletionTimestamp.hasValue()".to_owned(),
        format!("{}\n  && {}", critical("spec"), owned_by(" && o.kind == 'DaemonSet'")),
    ];
    if ground.judges_templates() {
        reasons.push(format!("request.kind.kind == 'DaemonSet' && {}", critical("spec.?template.?spec")));
        reasons.push(format!("request.kind.kind != 'Pod' && {}", owned_by("")));
    }
    Variable::new(SPARED, reasons.join("\n|| "))
}
