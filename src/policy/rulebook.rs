//! All policies in force, compiled for the namespaces that are known. The server swaps it whole, and asks it for every review;
//! whoever watches the cluster makes the next one of the last.

use std::{
    collections::{HashMap, HashSet},
    ptr,
    sync::Arc,
};

use super::{InForce, LabelLookup, Labels, Mismatch, Policy, PolicySet, Subject, set};

#[derive(Debug, Clone, Default)]
pub struct Rulebook {
    policies: PolicySet,
    namespaces: Namespaces,
}

/// What is known of the cluster's namespaces.
#[derive(Debug, Clone, Default)]
enum Namespaces {
    /// Nobody watches them: a name is all there is, and no policy asks for more.
    #[default]
    Unwatched,
    /// They are watched, and not all are known yet; nor are the policies.
    Awaited,
    Known(HashMap<Arc<str>, Arc<Namespace>>),
}

#[derive(Debug)]
struct Namespace {
    labels: Arc<Labels>,
    compiled: Compiled,
}

/// Highest first.
#[derive(Debug, Clone)]
struct Compiled {
    /// All that match, which the next change begins with.
    matching: Policies,
    /// Those that can say something about a Pod.
    telling: Policies,
}

type Policies = Arc<[Arc<Policy>]>;

/// What a namespace is held to, as far as the namespace alone decides.
#[derive(Clone, Copy)]
pub struct Jurisdiction<'r> {
    rulebook: &'r Rulebook,
    name: &'r str,
    known: Option<&'r Namespace>,
}

impl Rulebook {
    /// For a server that watches no namespaces.
    pub fn unwatched(policies: PolicySet) -> Self {
        Self { policies, namespaces: Namespaces::Unwatched }
    }

    /// For one that watches them, before it knows them.
    pub fn awaited(policies: PolicySet) -> Self {
        Self { policies, namespaces: Namespaces::Awaited }
    }

    /// Whether the cluster has still to tell what is in force.
    pub fn is_awaited(&self) -> bool {
        matches!(self.namespaces, Namespaces::Awaited)
    }

    /// Whether policies may ask for the labels of namespaces.
    pub fn watches_namespaces(&self) -> bool {
        !matches!(self.namespaces, Namespaces::Unwatched)
    }

    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Of the namespaces watched; nothing where none are, or they are not known yet.
    pub fn namespaces(&self) -> Option<usize> {
        if let Namespaces::Known(namespaces) = &self.namespaces { Some(namespaces.len()) } else { None }
    }

    /// The labels of a namespace that is watched and known.
    pub fn labels(&self, namespace: &str) -> Option<&Labels> {
        self.known(namespace).map(|namespace| &*namespace.labels)
    }

    pub fn at<'r>(&'r self, namespace: &'r str) -> Jurisdiction<'r> {
        Jurisdiction { rulebook: self, name: namespace, known: self.known(namespace) }
    }

    /// All namespaces anew.
    #[must_use]
    pub fn with_namespaces(&self, namespaces: impl IntoIterator<Item = (String, Labels)>) -> Self {
        let mut shared = Shared::default();
        let namespaces = namespaces.into_iter().map(|(name, labels)| {
            let compiled = shared.compile(self.policies.of_namespace(&name, &labels));
            (Arc::from(name), Arc::new(Namespace { labels: Arc::new(labels), compiled }))
        });
        Self { policies: self.policies.clone(), namespaces: Namespaces::Known(namespaces.collect()) }
    }

    /// Namespaces that are new or have other labels, or (no labels) are gone. Before all are known nothing changes.
    #[must_use]
    pub fn with_changed(&self, changes: impl IntoIterator<Item = (String, Option<Labels>)>) -> Self {
        let mut next = self.clone();
        let Namespaces::Known(namespaces) = &mut next.namespaces else { return next };
        for (name, labels) in changes {
            match labels {
                None => drop(namespaces.remove(name.as_str())),
                Some(labels) => {
                    let compiled = Shared::default().compile(self.policies.of_namespace(&name, &labels));
                    namespaces.insert(Arc::from(name), Arc::new(Namespace { labels: Arc::new(labels), compiled }));
                }
            }
        }
        next
    }

    /// Other policies. A namespace that no changed one concerns keeps what was compiled for it.
    #[must_use]
    pub fn with_policies(&self, policies: PolicySet) -> Self {
        let Namespaces::Known(namespaces) = &self.namespaces else {
            return Self { policies, namespaces: self.namespaces.clone() };
        };
        let gone = self.policies.beside(&policies).into_iter().map(Arc::as_ptr).collect();
        let change = Change { gone, new: policies.beside(&self.policies) };
        let mut shared = Shared::default();
        let renewed = namespaces.iter().map(|(name, namespace)| {
            let renewed = change.of(name, namespace).map(|matching| {
                let labels = Arc::clone(&namespace.labels);
                Arc::new(Namespace { labels, compiled: shared.compile(matching) })
            });
            (Arc::clone(name), renewed.unwrap_or_else(|| Arc::clone(namespace)))
        });
        let namespaces = Namespaces::Known(renewed.collect());
        Self { policies, namespaces }
    }

    fn known(&self, namespace: &str) -> Option<&Namespace> {
        if let Namespaces::Known(namespaces) = &self.namespaces {
            namespaces.get(namespace).map(|namespace| &**namespace)
        } else {
            None
        }
    }
}

impl<'r> Jurisdiction<'r> {
    /// Whether nobody can say yet which policies rule here: the cluster has not told, or not told of this namespace, whose
    /// labels a policy asks for.
    pub fn is_unknown(&self) -> bool {
        match self.rulebook.namespaces {
            Namespaces::Unwatched => false,
            Namespaces::Awaited => true,
            Namespaces::Known(_) => {
                let asks = |policy: &Arc<Policy>| {
                    policy.selector.namespace_mismatch(self.name, None) == Some(Mismatch::NamespaceLabelsUnknown)
                };
                self.known.is_none() && self.rulebook.policies.policies().iter().any(asks)
            }
        }
    }

    /// False only if no policy can match any Pod here: such a review is answered before its object is read.
    pub fn may_match(&self) -> bool {
        match self.known {
            Some(namespace) => !namespace.compiled.telling.is_empty(),
            None => self.rulebook.is_awaited() || self.rulebook.policies.may_match_namespace(self.name, None),
        }
    }

    pub fn in_force(&self, pod_labels: &dyn LabelLookup) -> InForce<'r> {
        let labels = self.known.map(|namespace| &*namespace.labels);
        let subject = Subject { namespace: self.name, namespace_labels: labels, pod_labels };
        match self.known {
            Some(namespace) => set::in_force_of_namespace(&namespace.compiled.telling, &subject),
            None => self.rulebook.policies.in_force(&subject),
        }
    }
}

/// Between two sets of policies.
struct Change<'c> {
    gone: HashSet<*const Policy>,
    new: Vec<&'c Arc<Policy>>,
}

impl Change<'_> {
    /// What matches a namespace after it; nothing where it does not concern the namespace.
    fn of(&self, name: &str, namespace: &Namespace) -> Option<Vec<Arc<Policy>>> {
        let before = &namespace.compiled.matching;
        let is_gone = |policy: &Arc<Policy>| self.gone.contains(&Arc::as_ptr(policy));
        let matches =
            |policy: &&&Arc<Policy>| policy.selector.namespace_mismatch(name, Some(&namespace.labels)).is_none();
        let new: Vec<_> = self.new.iter().filter(matches).map(|policy| Arc::clone(policy)).collect();
        if new.is_empty() && !before.iter().any(is_gone) {
            return None;
        }
        let mut matching: Vec<_> = before.iter().filter(|policy| !is_gone(policy)).cloned().chain(new).collect();
        set::sort(&mut matching);
        Some(matching)
    }
}

/// Most namespaces are ruled alike: equal lists are compiled and kept once.
#[derive(Default)]
struct Shared(HashMap<Vec<*const Policy>, Compiled>);

impl Shared {
    fn compile(&mut self, matching: Vec<Arc<Policy>>) -> Compiled {
        let key = matching.iter().map(|policy| ptr::from_ref(&**policy)).collect();
        let compile = || Compiled { telling: set::telling(&matching).into(), matching: matching.into() };
        self.0.entry(key).or_insert_with(compile).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_namespace_is_ruled_by_its_name_and_labels() {
        let rulebook = rulebook().with_namespaces([named("shop", "a"), named("bank", "b"), named("kube-system", "a")]);
        let rows = [
            ("shop", true, vec!["of-shop", "of-a"]),
            ("bank", true, vec!["of-all"]),
            ("kube-system", false, vec![]),
            ("unheard-of", true, vec!["of-all"]),
        ];
        for (namespace, may_match, expected) in rows {
            let here = rulebook.at(namespace);
            assert_eq!((here.may_match(), governors(here)), (may_match, expected), "{namespace}");
        }
    }

    #[test]
    fn only_a_namespace_that_policies_ask_labels_of_is_unknown() {
        let policies = set(&[("of-a", "{match: {namespaces: ['s*'], namespaceSelector: {matchLabels: {team: a}}}}")]);
        let known = Rulebook::awaited(policies.clone()).with_namespaces([named("shop", "b")]);
        let rows = [
            ("unwatched", Rulebook::unwatched(policies.clone()), "new", false),
            ("awaited", Rulebook::awaited(policies), "new", true),
            ("known", known.clone(), "shop", false),
            ("new, and labels are asked for", known.clone(), "site", true),
            ("new, and no label would change anything", known, "new", false),
        ];
        for (name, rulebook, namespace, expected) in rows {
            assert_eq!(rulebook.at(namespace).is_unknown(), expected, "{name}");
        }
    }

    #[test]
    fn namespaces_come_change_and_go() {
        let mut rulebook = rulebook().with_namespaces([named("shop", "a")]);
        for (labels, expected) in [
            (Some("b"), vec!["of-shop", "of-all"]),
            (Some("a"), vec!["of-shop", "of-a"]),
            (None, vec!["of-shop", "of-all"]),
        ] {
            let labels = labels.map(|team| named("shop", team).1);
            rulebook = rulebook.with_changed([("shop".to_owned(), labels)]);
            assert_eq!(governors(rulebook.at("shop")), expected);
        }
        let awaited = Rulebook::awaited(PolicySet::default()).with_changed([(String::from("shop"), None)]);
        assert!(awaited.is_awaited());
    }

    #[test]
    fn other_policies_concern_only_their_namespaces() {
        let before = rulebook().with_namespaces([named("shop", "a"), named("bank", "b")]);
        let mut policies = before.policies.policies().to_vec();
        policies.retain(|policy| policy.name != "of-shop");
        policies.push(Arc::new(fixture::policy("of-site", "{match: {namespaces: [site]}, imageTag: {}}")));
        let after = before.with_policies(PolicySet::sorted(policies));
        assert_eq!(governors(after.at("shop")), ["of-all", "of-a"]);
        let compiled = |rulebook: &Rulebook, name| ptr::from_ref(rulebook.known(name).unwrap());
        assert_eq!(compiled(&before, "bank"), compiled(&after, "bank"));
        assert_ne!(compiled(&before, "shop"), compiled(&after, "shop"));
    }

    /// What is compiled for a namespace says the same as a look at every policy.
    #[test]
    fn compiling_changes_no_answer() {
        let policies = set(&[
            ("all", "{imageTag: {}}"),
            ("pods", "{priority: 9, match: {podSelector: {matchLabels: {app: api}}}, imageTag: {}, probes: {}}"),
            ("shadowed", "{priority: -1, imageTag: {}, resourceLimits: {}}"),
            ("hidden", "{priority: -2, resourceLimits: {mode: Warn}}"),
            ("exempting", "{priority: -3, exemptions: [{reason: r, rules: [probes], match: {containers: [a]}}]}"),
            ("of-a", "{priority: 5, match: {namespaceSelector: {matchLabels: {team: a}}}, podIdentity: {}}"),
        ]);
        let rulebook = Rulebook::awaited(policies.clone()).with_namespaces([named("shop", "a"), named("bank", "b")]);
        assert!(rulebook.known("shop").unwrap().compiled.telling.iter().all(|policy| policy.name != "hidden"));
        for (namespace, team) in [("shop", "a"), ("bank", "b")] {
            for app in ["api", "web"] {
                let pod_labels = Labels::from([("app".to_owned(), app.to_owned())]);
                let labels = named(namespace, team).1;
                let subject = Subject { namespace, namespace_labels: Some(&labels), pod_labels: &pod_labels };
                let compiled = rulebook.at(namespace).in_force(&pod_labels);
                assert_eq!(format!("{compiled:?}"), format!("{:?}", policies.in_force(&subject)), "{namespace} {app}");
            }
        }
    }

    fn rulebook() -> Rulebook {
        Rulebook::awaited(set(&[
            ("of-all", "{imageTag: {}, probes: {}}"),
            ("of-shop", "{priority: 1, match: {namespaces: [shop]}, imageTag: {}}"),
            ("of-a", "{priority: 2, match: {namespaceSelector: {matchLabels: {team: a}}}, probes: {}}"),
        ]))
    }

    fn set(policies: &[(&str, &str)]) -> PolicySet {
        PolicySet::new(policies.iter().map(|(name, spec)| fixture::policy(name, spec)).collect()).unwrap()
    }

    fn named(name: &str, team: &str) -> (String, Labels) {
        (name.to_owned(), Labels::from([("team".to_owned(), team.to_owned())]))
    }

    /// Of image-tag and probes, each once.
    fn governors(here: Jurisdiction<'_>) -> Vec<&str> {
        let in_force = here.in_force(&Labels::new());
        let image_tag = in_force.image_tag.map(|governed| governed.policy.name.as_str());
        let probes = in_force.probes.map(|governed| governed.policy.name.as_str());
        let mut names: Vec<_> = image_tag.into_iter().chain(probes).collect();
        names.dedup();
        names
    }
}
