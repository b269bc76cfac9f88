//! Whom a policy is for: its `match`. `set` asks it for every review, `explain` asks why it does not match.

use std::fmt;

use super::{LabelLookup, LabelSelector, Labels, Pattern, labels::NAMESPACE_NAME_LABEL};

/// A Pod or template, as far as policies choose by it.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    pub namespace: &'s str,
    /// Of the cluster; nothing where they are not known. The namespace's name label is always known.
    pub namespace_labels: Option<&'s Labels>,
    pub pod_labels: &'s dyn LabelLookup,
}

/// A policy's `match`, compiled: all parts must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// Empty: all.
    pub namespaces: Vec<Pattern>,
    /// Wins over `namespaces`.
    pub exclude_namespaces: Vec<Pattern>,
    pub namespace_selector: LabelSelector,
    pub pod_selector: LabelSelector,
}

/// Why a policy does not match a subject: the first part of its `match` that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    NamespaceExcluded,
    NamespaceNotNamed,
    NamespaceLabels,
    /// The selector asks for labels that nobody told us; such a namespace matches no selector.
    NamespaceLabelsUnknown,
    PodLabels,
}

impl Selector {
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.mismatch(subject).is_none()
    }

    /// Nothing where it matches.
    pub fn mismatch(&self, subject: &Subject<'_>) -> Option<Mismatch> {
        self.namespace_mismatch(subject.namespace, subject.namespace_labels)
            .or_else(|| (!self.pod_selector.matches(subject.pod_labels)).then_some(Mismatch::PodLabels))
    }

    /// As far as the namespace alone decides.
    pub fn namespace_mismatch(&self, namespace: &str, labels: Option<&Labels>) -> Option<Mismatch> {
        if self.exclude_namespaces.iter().any(|pattern| pattern.matches(namespace)) {
            return Some(Mismatch::NamespaceExcluded);
        }
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|pattern| pattern.matches(namespace)) {
            return Some(Mismatch::NamespaceNotNamed);
        }
        if labels.is_none() && self.needs_namespace_labels() {
            return Some(Mismatch::NamespaceLabelsUnknown);
        }
        let labels = NamespaceLabels { name: namespace, labels };
        (!self.namespace_selector.matches(&labels)).then_some(Mismatch::NamespaceLabels)
    }

    pub fn needs_namespace_labels(&self) -> bool {
        self.namespace_selector.needs_cluster_labels()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NamespaceExcluded => "its match.excludeNamespaces names the namespace",
            Self::NamespaceNotNamed => "its match.namespaces does not name the namespace",
            Self::NamespaceLabels => "its match.namespaceSelector does not match the namespace's labels",
            Self::NamespaceLabelsUnknown => {
                "its match.namespaceSelector needs the namespace's labels, which are not known here"
            }
            Self::PodLabels => "its match.podSelector does not match the Pod's labels",
        })
    }
}

struct NamespaceLabels<'s> {
    name: &'s str,
    labels: Option<&'s Labels>,
}

impl LabelLookup for NamespaceLabels<'_> {
    fn label(&self, key: &str) -> Option<&str> {
        if key == NAMESPACE_NAME_LABEL { Some(self.name) } else { self.labels?.label(key) }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_policy_says_why_it_does_not_match() {
        let team = |team: &str| Some(Labels::from([("team".to_owned(), team.to_owned())]));
        let rows = [
            ("no match at all", "{}", "shop", None, None),
            ("excluded by default", "{}", "kube-system", None, Some(Mismatch::NamespaceExcluded)),
            ("given exclusions replace the default ones", "{excludeNamespaces: []}", "kube-system", None, None),
            ("named", "{namespaces: [sh*]}", "shop", None, None),
            ("not named", "{namespaces: [bank]}", "shop", None, Some(Mismatch::NamespaceNotNamed)),
            (
                "exclusion wins",
                "{namespaces: [shop], excludeNamespaces: ['*']}",
                "shop",
                None,
                Some(Mismatch::NamespaceExcluded),
            ),
            ("labels", "{namespaceSelector: {matchLabels: {team: a}}}", "shop", team("a"), None),
            (
                "other labels",
                "{namespaceSelector: {matchLabels: {team: a}}}",
                "shop",
                team("b"),
                Some(Mismatch::NamespaceLabels),
            ),
            (
                "unknown labels do not even match NotIn",
                "{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}}",
                "shop",
                None,
                Some(Mismatch::NamespaceLabelsUnknown),
            ),
            (
                "nor DoesNotExist",
                "{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}",
                "shop",
                None,
                Some(Mismatch::NamespaceLabelsUnknown),
            ),
            (
                "the name label is always known",
                "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}",
                "shop",
                None,
                None,
            ),
            (
                "and wins over what labels say",
                "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}",
                "shop",
                Some(Labels::from([(NAMESPACE_NAME_LABEL.to_owned(), "bank".to_owned())])),
                Some(Mismatch::NamespaceLabels),
            ),
            ("Pod labels", "{podSelector: {matchLabels: {app: api}}}", "shop", None, None),
            ("other Pod labels", "{podSelector: {matchLabels: {app: web}}}", "shop", None, Some(Mismatch::PodLabels)),
        ];
        let pod_labels = Labels::from([("app".to_owned(), "api".to_owned())]);
        for (name, selector, namespace, labels, expected) in rows {
            let policy = fixture::policy("one", &format!("{{match: {selector}}}"));
            let subject = Subject { namespace, namespace_labels: labels.as_ref(), pod_labels: &pod_labels };
            assert_eq!(policy.selector.mismatch(&subject), expected, "{name}");
        }
    }
}
