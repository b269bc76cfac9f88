//! The runtime catalogue: limits → variables. One runtime is one file below `runtimes/` and a line in `ALL`; the rule
//! `runtime-sizing`, the policy reader and `podfit rules` read it.

mod detect;
mod go;
mod rust;

pub use detect::{Signal, detect};

/// Every runtime, in the order in which its variables stand in `env`.
pub const ALL: [&Runtime; 2] = [&go::GO, &rust::RUST];

/// Helper of a live memory ceiling: the limit in Mi, to which the variable's value appends six zeros.
pub const MEMORY_HELPER: &str = "PODFIT_MEMORY_LIMIT_MI";

#[derive(Debug, PartialEq)]
pub struct Runtime {
    /// The word of policies and annotations.
    pub name: &'static str,
    /// One sentence for `podfit rules runtime-sizing` and the README.
    pub about: &'static str,
    pub signs: Signs,
    pub variables: &'static [Variable],
}

/// How a Pod's own words give a runtime away. Whole words and whole path components only: `node-exporter` is a Go program.
#[derive(Debug, PartialEq)]
pub struct Signs {
    /// `instrumentation.opentelemetry.io/inject-<language>`.
    pub open_telemetry: Option<&'static str>,
    /// `admission.datadoghq.com/<language>-lib.version`.
    pub datadog: Option<&'static str>,
    /// The program's name, without its folder.
    pub commands: &'static [&'static str],
    pub variables: &'static [&'static str],
    /// Path components of image names.
    pub images: &'static [&'static str],
}

#[derive(Debug, PartialEq)]
pub struct Variable {
    pub name: &'static str,
    pub formula: Formula,
    pub tier: Tier,
    /// Other names that, set by the user, make this one harmful or useless.
    pub conflicts: &'static [&'static str],
    /// What happens without it and what it does: one sentence with the source.
    pub about: &'static str,
}

/// What a variable's value is computed from: CPU in cores, memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    Cpu,
    Memory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    Up,
    Down,
}

impl Basis {
    /// The resource in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }

    /// The resource's name in limits and requests.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

impl Rounding {
    /// `numerator / denominator`, rounded.
    pub fn divide(self, numerator: u128, denominator: u128) -> u128 {
        match self {
            Self::Up => numerator.div_ceil(denominator),
            Self::Down => numerator / denominator,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formula {
    /// Workers: the CPU limit in cores, rounded, at least `minimum`.
    Workers { rounding: Rounding, minimum: u64 },
    /// Bytes: the memory limit less memory-backed volumes and headroom; skipped under `minimum_limit` bytes.
    MemoryCeiling { minimum_limit: u64 },
}

impl Formula {
    pub fn basis(self) -> Basis {
        match self {
            Self::Workers { .. } => Basis::Cpu,
            Self::MemoryCeiling { .. } => Basis::Memory,
        }
    }
}

/// What it takes for a variable to be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The runtime is known, by policy, annotation or detection.
    Detected,
    /// The runtime is named by policy or annotation; a guess is not enough.
    Named,
    /// The variable itself is named.
    OptIn,
}

pub fn find(name: &str) -> Option<&'static Runtime> {
    ALL.into_iter().find(|runtime| runtime.name == name)
}

/// `go, rust`, for messages.
pub fn names() -> String {
    ALL.map(|runtime| runtime.name).join(", ")
}

pub fn variables() -> impl Iterator<Item = &'static Variable> {
    ALL.into_iter().flat_map(|runtime| runtime.variables)
}

pub fn is_opt_in(name: &str) -> bool {
    variables().any(|variable| variable.name == name && variable.tier == Tier::OptIn)
}
