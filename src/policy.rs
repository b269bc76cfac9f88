//! A policy, compiled: what a namespace is held to. Values here cannot be wrong any more; `policy::schema` makes them from
//! a text and reports every mistake at once. The server, the command line and the tests look rules up here.

use std::collections::BTreeMap;

use crate::{quantity::Quantity, rules::Rule, runtimes::Runtime};

mod crd;
mod exempt;
mod labels;
mod pattern;
mod rulebook;
mod schema;
mod select;
mod set;
pub(crate) mod values;

pub use crd::custom_resource_definition;
pub use exempt::{Exemption, Standing};
pub use labels::{LabelLookup, LabelSelector, NAMESPACE_NAME_LABEL, Operator, Requirement};
pub use pattern::{Pattern, PatternError};
pub use rulebook::{Jurisdiction, Rulebook};
pub use schema::{API_VERSION, DEFAULT_POLICY, KIND, PLURAL, compile, json_schema};
pub use select::{Mismatch, Selector, Subject};
pub use set::{DuplicateName, Governed, InForce, PolicySet};

pub use crate::{
    reader::Mistake,
    runtimes::{Basis, Rounding},
};

/// Labels of a namespace, a Pod or a template.
pub type Labels = BTreeMap<String, String>;

/// What a finding of a rule leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    Disabled,
    Inject,
    Audit,
    Warn,
    Deny,
}

impl Mode {
    pub const ALL: [Self; 5] = [Self::Disabled, Self::Inject, Self::Audit, Self::Warn, Self::Deny];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Inject => "Inject",
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub name: String,
    pub priority: i64,
    pub selector: Selector,
    /// The strictest that an admission answer on a template gives: Deny, Warn, Audit or Disabled.
    pub templates: Mode,
    pub resource_limits: Option<ResourceLimits>,
    pub image_tag: Option<ImageTag>,
    pub pod_identity: Option<PodIdentity>,
    pub runtime_sizing: Option<RuntimeSizing>,
    pub probes: Option<Probes>,
    pub exemptions: Vec<Exemption>,
}

impl Policy {
    /// The mode of a rule that this policy names.
    pub fn mode(&self, rule: Rule) -> Option<Mode> {
        match rule {
            Rule::ResourceLimits => self.resource_limits.as_ref().map(|settings| settings.mode),
            Rule::ImageTag => self.image_tag.as_ref().map(|settings| settings.mode),
            Rule::PodIdentity => self.pod_identity.as_ref().map(|settings| settings.mode),
            Rule::RuntimeSizing => self.runtime_sizing.as_ref().map(|settings| settings.mode),
            Rule::Probes => self.probes.as_ref().map(|settings| settings.mode),
        }
    }

    /// The rules it names.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(|rule| self.mode(*rule).is_some())
    }
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own in the policy")]
pub struct ResourceLimits {
    pub mode: Mode,
    pub require_cpu: bool,
    pub require_memory: bool,
    pub init_containers: bool,
    /// Whether a limit in the Pod's own `spec.resources` satisfies the rule.
    pub pod_level_accepted: bool,
    pub cpu_default: Option<DefaultLimit>,
    pub memory_default: Option<DefaultLimit>,
}

/// A limit to inject where one is missing, with the request that goes with it (never above the limit).
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultLimit {
    /// As the policy writes it: what is injected.
    pub limit_text: String,
    pub limit: Quantity,
    pub request_text: String,
    pub request: Quantity,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ImageTag {
    pub mode: Mode,
    pub forbidden: Vec<Pattern>,
    pub require_digest: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PodIdentity {
    pub mode: Mode,
    /// Variable name to fieldPath, sorted by name.
    pub variables: Vec<(String, String)>,
    pub env_from: EnvFrom,
}

/// What to do where a container's `envFrom` could supply the name: ConfigMaps and Secrets are never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFrom {
    Inject,
    Skip,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeSizing {
    pub mode: Mode,
    /// Names of the catalogue, always applied.
    pub runtimes: Vec<&'static Runtime>,
    pub detect: bool,
    pub opt_in: Vec<String>,
    pub skip: Vec<String>,
    /// `values: Literal` (true) or `Auto` (false).
    pub literal_only: bool,
    pub cpu_from: CpuFrom,
    /// Workers per requested core.
    pub request_factor: u64,
    /// A larger worker count is not injected.
    pub skip_above: u64,
    /// Percent of memory left to what the runtime does not manage: 0 to 99.
    pub headroom_percent: u64,
    pub env_from: EnvFrom,
    /// `resizePolicy: Restart`: add `RestartContainer` for resources with injected values.
    pub restart_on_resize: bool,
    pub variables: Vec<PlatformVariable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuFrom {
    Limits,
    LimitsElseRequests,
    Requests,
}

/// A variable of the platform's own: `basis * multiply`, rounded, clamped, formatted.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformVariable {
    pub name: String,
    pub from: Basis,
    /// `multiply` as an exact fraction: numerator over denominator (a power of ten), both positive.
    pub multiply: (u64, u64),
    pub rounding: Rounding,
    pub min: Option<u64>,
    pub max: Option<u64>,
    /// With exactly one `{}` for the number.
    pub format: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Probes {
    pub mode: Mode,
    pub tcp_readiness: bool,
    /// Port names or numbers (as text) that follow the HTTP convention.
    pub http_ports: Vec<String>,
    pub readiness_path: String,
    pub liveness_path: String,
    pub http_startup: bool,
    pub require: Vec<ProbeKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProbeKind {
    Readiness,
    Liveness,
    Startup,
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::{Policy, compile};
    use crate::manifest;

    /// The policy of this name whose `spec` is given in YAML's flow style.
    pub fn policy(name: &str, spec: &str) -> Policy {
        let text = format!(
            "{{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {{name: {name}}}, spec: {spec}}}"
        );
        let document = manifest::read(&text).remove(0).unwrap();
        compile(&document.node).unwrap()
    }
}
