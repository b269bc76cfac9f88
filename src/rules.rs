//! The one table of all rules. A rule is a file below `rules/`, a line here, and a folder of cases in `tests/cases/`.

pub mod image_tag;
pub mod pod_identity;
pub mod probes;
pub mod resource_limits;
pub mod runtime_sizing;

/// One of the five rules, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    ResourceLimits,
    ImageTag,
    PodIdentity,
    RuntimeSizing,
    Probes,
}

impl Rule {
    pub const ALL: [Self; 5] =
        [Self::ResourceLimits, Self::ImageTag, Self::PodIdentity, Self::RuntimeSizing, Self::Probes];

    /// The id: file, metric label, SARIF id, exemption.
    pub fn id(self) -> &'static str {
        match self {
            Self::ResourceLimits => "resource-limits",
            Self::ImageTag => "image-tag",
            Self::PodIdentity => "pod-identity",
            Self::RuntimeSizing => "runtime-sizing",
            Self::Probes => "probes",
        }
    }

    /// Whether all that the rule can lead to is an injection.
    pub fn is_injecting(self) -> bool {
        matches!(self, Self::PodIdentity | Self::RuntimeSizing | Self::Probes)
    }

    /// The key in a policy's `spec`.
    pub fn policy_key(self) -> &'static str {
        match self {
            Self::ResourceLimits => "resourceLimits",
            Self::ImageTag => "imageTag",
            Self::PodIdentity => "podIdentity",
            Self::RuntimeSizing => "runtimeSizing",
            Self::Probes => "probes",
        }
    }

    /// What the rule asks, in one sentence: the first line of its file.
    pub fn summary(self) -> &'static str {
        let line = self.source().lines().next().unwrap_or_default();
        line.split_once(": ").map_or(line, |(_, summary)| summary)
    }

    /// The rule's page: the doc comment on top of its file, so that neither can be forgotten.
    pub fn page(self) -> String {
        let lines = self.source().lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    fn source(self) -> &'static str {
        match self {
            Self::ResourceLimits => include_str!("rules/resource_limits.rs"),
            Self::ImageTag => include_str!("rules/image_tag.rs"),
            Self::PodIdentity => include_str!("rules/pod_identity.rs"),
            Self::RuntimeSizing => include_str!("rules/runtime_sizing.rs"),
            Self::Probes => include_str!("rules/probes.rs"),
        }
    }

    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.id() == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_with_the_same_headings() {
        for rule in Rule::ALL {
            let page = rule.page();
            assert_eq!(page.lines().next(), Some(format!("`{}`: {}", rule.id(), rule.summary()).as_str()));
            for heading in ["Looks at: ", "Asks: ", "Fix: ", "Exempt: ", "Why: "] {
                assert_eq!(page.lines().filter(|line| line.starts_with(heading)).count(), 1, "{} {heading}", rule.id());
            }
        }
    }
}
