//! All policies together, and which of them rule a subject. The server holds one set behind an `ArcSwap` and swaps it whole.

use std::{cmp::Reverse, collections::HashSet, sync::Arc};

use jiff::civil::Date;

use super::{
    Exemption, ImageTag, Labels, PodIdentity, Policy, Probes, ResourceLimits, RuntimeSizing, Selector, Subject,
};
use crate::rules::Rule;

/// All policies in force together, highest priority first, then by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicySet {
    policies: Vec<Arc<Policy>>,
}

/// Two policies of one set have this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two policies are named `{0}`")]
pub struct DuplicateName(pub String);

/// A rule's settings, and the policy that they stand in.
#[derive(Debug)]
pub struct Governed<'p, T> {
    pub policy: &'p Policy,
    pub settings: &'p T,
}

impl<T> Clone for Governed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Governed<'_, T> {}

/// What a subject is held to. A rule that no matching policy names is absent, which is `Disabled`.
#[derive(Debug, Clone, Default)]
pub struct InForce<'p> {
    pub resource_limits: Option<Governed<'p, ResourceLimits>>,
    pub image_tag: Option<Governed<'p, ImageTag>>,
    pub pod_identity: Option<Governed<'p, PodIdentity>>,
    pub runtime_sizing: Option<Governed<'p, RuntimeSizing>>,
    pub probes: Option<Governed<'p, Probes>>,
    /// Of all matching policies, those that match this Pod; expired ones too, because they are reported.
    pub exemptions: Vec<(&'p Policy, &'p Exemption)>,
    /// Whether any policy matches at all.
    pub matched: bool,
}

impl PolicySet {
    pub fn new(policies: Vec<Policy>) -> Result<Self, DuplicateName> {
        let mut names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(DuplicateName(pair[0].to_owned()));
        }
        Ok(Self::sorted(policies.into_iter().map(Arc::new).collect()))
    }

    /// Of policies whose names differ.
    pub fn sorted(mut policies: Vec<Arc<Policy>>) -> Self {
        sort(&mut policies);
        Self { policies }
    }

    /// Highest priority first, then by name.
    pub fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// Each rule by the first matching policy that names it; exemptions of all matching policies. Allocates nothing where no
    /// exemption matches.
    pub fn in_force(&self, subject: &Subject<'_>) -> InForce<'_> {
        in_force_of(self.policies.iter().filter(|policy| policy.selector.matches(subject)), subject)
    }

    /// Those that match this namespace.
    pub(super) fn of_namespace(&self, namespace: &str, labels: &Labels) -> Vec<Arc<Policy>> {
        let matches = |policy: &&Arc<Policy>| policy.selector.namespace_mismatch(namespace, Some(labels)).is_none();
        self.policies.iter().filter(matches).cloned().collect()
    }

    /// Policies that the other set does not have.
    pub(super) fn beside<'s>(&'s self, other: &Self) -> Vec<&'s Arc<Policy>> {
        let others: HashSet<_> = other.policies.iter().map(Arc::as_ptr).collect();
        self.policies.iter().filter(|policy| !others.contains(&Arc::as_ptr(policy))).collect()
    }

    /// False only if no policy can match any Pod there: such a review is answered before its object is read. A namespace
    /// whose labels are needed but not known may match.
    pub fn may_match_namespace(&self, namespace: &str, labels: Option<&Labels>) -> bool {
        let may_match = |selector: &Selector| match selector.namespace_mismatch(namespace, labels) {
            None | Some(super::Mismatch::NamespaceLabelsUnknown) => true,
            Some(_) => false,
        };
        self.policies.iter().any(|policy| may_match(&policy.selector))
    }

    /// Whether a policy asks for labels of namespaces that only the cluster knows.
    pub fn needs_namespace_labels(&self) -> bool {
        self.policies.iter().any(|policy| policy.selector.needs_namespace_labels())
    }
}

/// Highest priority first, then by name.
pub(super) fn sort(policies: &mut [Arc<Policy>]) {
    policies.sort_by(|one, other| (Reverse(one.priority), &one.name).cmp(&(Reverse(other.priority), &other.name)));
}

/// Of policies that match a namespace, those that can say something about a Pod there: not one that names only rules which a
/// higher one governs for every Pod.
pub(super) fn telling(matching: &[Arc<Policy>]) -> Vec<Arc<Policy>> {
    let mut governed: HashSet<Rule> = HashSet::new();
    let mut is_matched = false;
    let mut telling = Vec::new();
    for policy in matching {
        let has_new = policy.rules().any(|rule| !governed.contains(&rule));
        if has_new || !policy.exemptions.is_empty() || !is_matched {
            telling.push(Arc::clone(policy));
        }
        if policy.selector.pod_selector.is_empty() {
            is_matched = true;
            governed.extend(policy.rules());
        }
    }
    telling
}

/// As [`PolicySet::in_force`], of policies that all match the subject's namespace.
pub(super) fn in_force_of_namespace<'p>(policies: &'p [Arc<Policy>], subject: &Subject<'_>) -> InForce<'p> {
    in_force_of(policies.iter().filter(|policy| policy.selector.pod_selector.matches(subject.pod_labels)), subject)
}

fn in_force_of<'p>(policies: impl Iterator<Item = &'p Arc<Policy>>, subject: &Subject<'_>) -> InForce<'p> {
    let mut in_force = InForce::default();
    policies.for_each(|policy| in_force.add(policy, subject));
    in_force
}

impl<'p> InForce<'p> {
    /// The first exemption that makes `rule` look past this container; see [`Exemption::covers`] for image volumes.
    pub fn exemption(
        &self,
        rule: Rule,
        today: Date,
        container: &str,
        image: &str,
    ) -> Option<(&'p Policy, &'p Exemption)> {
        self.exemptions.iter().copied().find(|(_, exemption)| exemption.covers_container(rule, today, container, image))
    }

    fn add(&mut self, policy: &'p Arc<Policy>, subject: &Subject<'_>) {
        self.matched = true;
        govern(&mut self.resource_limits, policy, policy.resource_limits.as_ref());
        govern(&mut self.image_tag, policy, policy.image_tag.as_ref());
        govern(&mut self.pod_identity, policy, policy.pod_identity.as_ref());
        govern(&mut self.runtime_sizing, policy, policy.runtime_sizing.as_ref());
        govern(&mut self.probes, policy, policy.probes.as_ref());
        let exemptions = policy.exemptions.iter().filter(|exemption| exemption.matches_pod(subject));
        self.exemptions.extend(exemptions.map(|exemption| (&**policy, exemption)));
    }
}

/// Policies come highest first, so the first that names a rule keeps it.
fn govern<'p, T>(place: &mut Option<Governed<'p, T>>, policy: &'p Policy, settings: Option<&'p T>) {
    if place.is_none() {
        *place = settings.map(|settings| Governed { policy, settings });
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{super::fixture, *};

    #[test]
    fn each_rule_is_governed_by_the_first_matching_policy_that_names_it() {
        let set = set(&[
            ("low", "{priority: -1, imageTag: {}, probes: {}, resourceLimits: {}}"),
            ("b-same", "{imageTag: {}, podIdentity: {}}"),
            ("a-same", "{imageTag: {}}"),
            ("high-elsewhere", "{priority: 9, match: {namespaces: [bank]}, imageTag: {}}"),
            ("high-disabled", "{priority: 5, match: {namespaces: [shop]}, probes: {mode: Disabled}}"),
        ]);
        let names: Vec<_> = set.policies().iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(names, ["high-elsewhere", "high-disabled", "a-same", "b-same", "low"]);
        let rows = [
            ("shop", [Some("low"), Some("a-same"), Some("b-same"), None, Some("high-disabled")]),
            ("bank", [Some("low"), Some("high-elsewhere"), Some("b-same"), None, Some("low")]),
            ("kube-system", [None; 5]),
        ];
        for (namespace, expected) in rows {
            assert_eq!(governors(&set, namespace), expected, "{namespace}");
        }
    }

    #[test]
    fn nothing_matches_in_an_excluded_namespace() {
        let set = set(&[("one", "{imageTag: {}}")]);
        let rows = [("shop", true), ("kube-system", false)];
        for (namespace, expected) in rows {
            assert_eq!(set.in_force(&subject(namespace)).matched, expected, "{namespace}");
            assert_eq!(set.may_match_namespace(namespace, None), expected, "{namespace}");
        }
        assert!(!PolicySet::default().may_match_namespace("shop", None));
    }

    #[test]
    fn a_namespace_of_unknown_labels_may_match() {
        let set = set(&[("one", "{match: {namespaces: [a*], namespaceSelector: {matchLabels: {team: a}}}}")]);
        let team = |team: &str| Labels::from([("team".to_owned(), team.to_owned())]);
        let rows = [
            ("unknown", "abc", None, true),
            ("unknown, name differs", "xyz", None, false),
            ("known", "abc", Some(team("a")), true),
            ("known, differs", "abc", Some(team("b")), false),
        ];
        for (name, namespace, labels, expected) in rows {
            assert_eq!(set.may_match_namespace(namespace, labels.as_ref()), expected, "{name}");
        }
        assert!(set.needs_namespace_labels());
        assert!(!set.in_force(&subject("abc")).matched);
    }

    #[test]
    fn exemptions_of_all_matching_policies_apply() {
        let exemption = |namespace: &str, expires: &str| {
            format!("{{reason: r, expires: {expires}, rules: [image-tag], match: {{namespaces: [{namespace}]}}}}")
        };
        let set = set(&[
            ("low", &format!("{{priority: -1, exemptions: [{}]}}", exemption("shop", "2027-01-31"))),
            ("high", &format!("{{priority: 1, imageTag: {{}}, exemptions: [{}]}}", exemption("shop", "2026-01-31"))),
            ("elsewhere", &format!("{{exemptions: [{}]}}", exemption("bank", "2027-01-31"))),
            (
                "unmatched",
                &format!("{{match: {{namespaces: [x]}}, exemptions: [{}]}}", exemption("shop", "2027-01-31")),
            ),
        ]);
        let in_force = set.in_force(&subject("shop"));
        let names: Vec<_> = in_force.exemptions.iter().map(|(policy, _)| policy.name.as_str()).collect();
        assert_eq!(names, ["high", "low"]);
        let rows = [
            ("both valid", date(2026, 1, 31), Rule::ImageTag, Some("high")),
            ("one expired", date(2026, 2, 1), Rule::ImageTag, Some("low")),
            ("both expired", date(2027, 2, 1), Rule::ImageTag, None),
            ("another rule", date(2026, 1, 31), Rule::Probes, None),
        ];
        for (name, today, rule, expected) in rows {
            let found = in_force.exemption(rule, today, "app", "nginx").map(|(policy, _)| policy.name.as_str());
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_name_may_stand_once() {
        let policies = vec![fixture::policy("one", "{}"), fixture::policy("two", "{}"), fixture::policy("one", "{}")];
        assert_eq!(PolicySet::new(policies), Err(DuplicateName("one".to_owned())));
    }

    fn set(policies: &[(&str, &str)]) -> PolicySet {
        PolicySet::new(policies.iter().map(|(name, spec)| fixture::policy(name, spec)).collect()).unwrap()
    }

    fn subject(namespace: &str) -> Subject<'_> {
        static NO_LABELS: Labels = Labels::new();
        Subject { namespace, namespace_labels: None, pod_labels: &NO_LABELS }
    }

    fn governors<'p>(set: &'p PolicySet, namespace: &str) -> [Option<&'p str>; 5] {
        let in_force = set.in_force(&subject(namespace));
        [
            in_force.resource_limits.map(|governed| governed.policy.name.as_str()),
            in_force.image_tag.map(|governed| governed.policy.name.as_str()),
            in_force.pod_identity.map(|governed| governed.policy.name.as_str()),
            in_force.runtime_sizing.map(|governed| governed.policy.name.as_str()),
            in_force.probes.map(|governed| governed.policy.name.as_str()),
        ]
    }
}
