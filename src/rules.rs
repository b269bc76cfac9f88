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

    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.id() == id)
    }
}
