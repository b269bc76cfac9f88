//! Label selectors as in the API: over a namespace's labels, a Pod's or a template's.

use super::Labels;
use crate::object::Pairs;

/// The label that every namespace has, with its name: known without asking the cluster.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Whatever has labels: owned ones of a namespace, borrowed ones of a Pod.
pub trait LabelLookup {
    fn label(&self, key: &str) -> Option<&str>;
}

impl LabelLookup for Labels {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl LabelLookup for Pairs<'_> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key)
    }
}

/// All requirements must hold; none at all match everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector {
    pub requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
    /// At least one for `In` and `NotIn`, none for the others.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub fn matches(&self, labels: &dyn LabelLookup) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels.label(&requirement.key)))
    }

    /// Over a namespace: whether its name alone does not answer this.
    pub fn needs_cluster_labels(&self) -> bool {
        self.requirements.iter().any(|requirement| requirement.key != NAMESPACE_NAME_LABEL)
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_listed = value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        match self.operator {
            Operator::In => is_listed,
            // As the API has it, an object without the label matches `NotIn`.
            Operator::NotIn => !is_listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Requirement { key: key.to_owned(), operator, values }
    }

    #[test]
    fn requirements_hold_as_in_the_api() {
        let labels = Labels::from([("team".to_owned(), "shop".to_owned()), ("tier".to_owned(), String::new())]);
        let rows = [
            ("nothing asked", vec![], true),
            ("in", vec![requirement("team", Operator::In, &["bank", "shop"])], true),
            ("not among", vec![requirement("team", Operator::In, &["bank"])], false),
            ("in, absent label", vec![requirement("zone", Operator::In, &[""])], false),
            ("in, empty value", vec![requirement("tier", Operator::In, &[""])], true),
            ("notIn", vec![requirement("team", Operator::NotIn, &["bank"])], true),
            ("notIn, listed", vec![requirement("team", Operator::NotIn, &["shop"])], false),
            ("notIn, absent label", vec![requirement("zone", Operator::NotIn, &["a"])], true),
            ("exists", vec![requirement("tier", Operator::Exists, &[])], true),
            ("exists, absent label", vec![requirement("zone", Operator::Exists, &[])], false),
            ("doesNotExist", vec![requirement("zone", Operator::DoesNotExist, &[])], true),
            ("doesNotExist, present label", vec![requirement("tier", Operator::DoesNotExist, &[])], false),
            (
                "all must hold",
                vec![requirement("team", Operator::Exists, &[]), requirement("zone", Operator::Exists, &[])],
                false,
            ),
        ];
        for (name, requirements, expected) in rows {
            assert_eq!(LabelSelector { requirements }.matches(&labels), expected, "{name}");
        }
    }

    #[test]
    fn only_the_name_label_is_known_without_the_cluster() {
        let name = requirement(NAMESPACE_NAME_LABEL, Operator::NotIn, &["a"]);
        let team = requirement("team", Operator::Exists, &[]);
        let rows =
            [("empty", vec![], false), ("name alone", vec![name.clone()], false), ("another", vec![name, team], true)];
        for (name, requirements, expected) in rows {
            assert_eq!(LabelSelector { requirements }.needs_cluster_labels(), expected, "{name}");
        }
    }
}
