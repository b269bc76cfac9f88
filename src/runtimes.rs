//! The runtime catalogue: limits → variables. One runtime is one file below `runtimes/` and a line in `ALL`; the rule
//! `runtime-sizing`, the policy reader and `podfit rules` read it.

mod build;
mod deno;
mod detect;
mod dotnet;
mod erlang;
mod glibc;
mod go;
mod java;
mod julia;
mod nginx;
mod node;
mod python;
mod ruby;
mod rust;
mod signs;

use std::{fmt, sync::LazyLock};

pub use detect::{Instrumentation, Signal, detect, older_tag};
pub use go::GO;

/// Every runtime, in the order in which its variables stand in `env`.
pub const ALL: [&Runtime; 13] = [
    &GO,
    &rust::RUST,
    &python::PYTHON,
    &java::JAVA,
    &node::NODE,
    &deno::DENO,
    &dotnet::DOTNET,
    &erlang::ERLANG,
    &ruby::RUBY,
    &glibc::GLIBC,
    &nginx::NGINX,
    &julia::JULIA,
    &build::BUILD,
];

/// Helper of a live memory ceiling: the limit in Mi, to which the variable's value appends six zeros.
pub const MEMORY_HELPER: &str = "PODFIT_MEMORY_LIMIT_MI";

#[derive(Debug)]
pub struct Runtime {
    /// The word of policies and annotations.
    pub name: &'static str,
    /// One sentence for `podfit rules runtime-sizing` and the README.
    pub about: &'static str,
    pub signs: Signs,
    pub variables: &'static [Variable],
}

/// The signs of a runtime that nothing gives away.
pub const NO_SIGNS: Signs =
    Signs { open_telemetry: None, datadog: None, commands: &[], variables: &[], images: &[], products: &[] };

/// A runtime is its place in the catalogue: comparing all it holds, or names, for each container, would show.
impl PartialEq for Runtime {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// How a Pod's own words give a runtime away. Whole words and whole path components only: `node-exporter` is a Go program.
#[derive(Debug, PartialEq)]
pub struct Signs {
    /// `instrumentation.opentelemetry.io/inject-<language>`.
    pub open_telemetry: Option<&'static str>,
    /// `admission.datadoghq.com/<language>-lib.version`.
    pub datadog: Option<&'static str>,
    /// The program's name, without its folder; `python3.*` is every name that begins so.
    pub commands: &'static [&'static str],
    /// Names of variables; `SPRING_*` is every name that begins so.
    pub variables: &'static [&'static str],
    /// Path components of image names; a tag behind such a name is the runtime's own version.
    pub images: &'static [&'static str],
    /// The same, of programs that run on it and count versions of their own.
    pub products: &'static [&'static str],
}

#[derive(Debug, PartialEq)]
pub struct Variable {
    pub name: &'static str,
    pub value: Value,
    pub tier: Tier,
    /// Other names that, set by the user, make this one harmful or useless; `BPL_JVM_*` is every name that begins so.
    pub conflicts: &'static [&'static str],
    /// Words of command and args that make it so: whole words or, where they end in `*`, beginnings of words.
    pub conflicting_words: &'static [&'static str],
    /// The first version that knows it, as the tags of the runtime's own images count, once per branch (`8u191`, `10`);
    /// empty: all that matter.
    pub since: &'static [&'static str],
    /// What happens without it and what it does: one sentence with the source.
    pub about: &'static str,
}

#[derive(Debug, PartialEq)]
pub enum Value {
    /// The variable is one number.
    One(Formula),
    /// The variable is a list of flags, which a literal of the user's is extended by at its end.
    Flags {
        flags: &'static [Flag],
        separator: char,
        /// Variables that hold flags of the same kind; where one of them names a flag's family, the flag is left out.
        also_in: &'static [&'static str],
    },
}

#[derive(Debug, PartialEq)]
pub struct Flag {
    pub formula: Formula,
    /// Each `{}` stands for the number.
    pub format: &'static str,
    /// Parts of flags by which the user has decided already.
    pub family: &'static [&'static str],
}

impl Value {
    /// What the value is computed from; of flags, what the first one is.
    pub fn basis(&self) -> Basis {
        match self {
            Self::One(formula) => formula.basis(),
            Self::Flags { flags, .. } => flags.first().map_or(Basis::Cpu, |flag| flag.formula.basis()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(formula) => formula.fmt(formatter),
            Self::Flags { flags, .. } => {
                let flags: Vec<_> = flags.iter().map(|flag| format!("`{}`, {}", flag.format, flag.formula)).collect();
                formatter.write_str(&flags.join("; "))
            }
        }
    }
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
    /// The same, only where requests are the basis: with a limit the runtime counts by itself.
    WorkersOfRequest,
    /// Eight arenas per core, rounded up: what glibc makes of a machine of that size.
    Arenas,
    /// Bytes: the memory limit less memory-backed volumes and headroom; skipped under `minimum_limit` bytes.
    MemoryCeiling { minimum_limit: u64 },
    /// MiB of the old generation: the limit less a quarter of it (64 MiB at least); skipped under 128Mi.
    OldGeneration,
    /// Percent of memory for the heap: 75.0 from 1Gi on, 65.0 from 512Mi on, skipped below. Java 8 wants the fraction.
    HeapPercent,
    /// Three quarters of the memory limit in bytes, hexadecimal; skipped under 20Mi of heap and above a limit of 8Ti.
    HeapHexadecimal,
    /// The same for every container.
    Fixed(&'static str),
}

impl Formula {
    pub fn basis(self) -> Basis {
        match self {
            Self::Workers { .. } | Self::WorkersOfRequest | Self::Arenas | Self::Fixed(_) => Basis::Cpu,
            Self::MemoryCeiling { .. } | Self::OldGeneration | Self::HeapPercent | Self::HeapHexadecimal => {
                Basis::Memory
            }
        }
    }
}

/// The value in words.
impl fmt::Display for Formula {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workers { rounding: Rounding::Up, minimum } => {
                write!(formatter, "CPU limit rounded up, at least {minimum}")
            }
            Self::Workers { rounding: Rounding::Down, minimum } => {
                write!(formatter, "CPU limit over processes, rounded down, at least {minimum}")
            }
            Self::WorkersOfRequest => {
                formatter.write_str("CPU request times `requestFactor`, where requests are the basis")
            }
            Self::Arenas => formatter.write_str("8 per core of the CPU limit, rounded up"),
            Self::MemoryCeiling { minimum_limit } => {
                let minimum = minimum_limit >> 20;
                write!(formatter, "memory limit less headroom (10 %), in bytes, from a limit of {minimum}Mi on")
            }
            Self::OldGeneration => {
                formatter.write_str("memory limit in MiB less a quarter, 64 at least, from a limit of 128Mi on")
            }
            Self::HeapPercent => formatter.write_str("75.0 from a memory limit of 1Gi on, 65.0 from 512Mi on"),
            Self::HeapHexadecimal => formatter.write_str(
                "three quarters of the memory limit in bytes, hexadecimal, from 20Mi of heap to a limit of 8Ti",
            ),
            Self::Fixed(value) => write!(formatter, "`{value}`, where there is a CPU limit"),
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

/// The README's table: every variable, its value and what it takes for it to be injected, as Markdown.
pub fn table() -> String {
    let mut table = String::from("| runtime | variable | value | injected by | since |\n|---|---|---|---|---|\n");
    for runtime in ALL {
        for variable in runtime.variables {
            let Variable { name, value, tier, .. } = variable;
            let since = variable.since.join(", ");
            table.push_str(&format!("| `{}` | `{name}` | {value} | {tier} | {since} |\n", runtime.name));
        }
    }
    table
}

/// As the README's table says it.
impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Detected => "policy, annotation or detection",
            Self::Named => "policy or annotation",
            Self::OptIn => "opt-in",
        })
    }
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

/// Runtimes whose opt-in variables are meant for any container, since nothing in a Pod tells that it has them.
pub fn is_everywhere(runtime: &Runtime) -> bool {
    let Signs { open_telemetry, datadog, commands, variables, images, products } = &runtime.signs;
    let is_named = open_telemetry.is_some() || datadog.is_some();
    !is_named && [commands, variables, images, products].into_iter().all(|signs| signs.is_empty())
}

/// Whether a name is the pattern or, where that ends in `*`, begins as it does.
pub fn is_like(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |beginning| name.starts_with(beginning))
}

/// Whether several runtimes have the variable.
pub fn is_shared(variable: &Variable) -> bool {
    static SHARED: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let count = |name| variables().filter(|variable| variable.name == name).count();
        variables().map(|variable| variable.name).filter(|name| count(*name) > 1).collect()
    });
    SHARED.contains(&variable.name)
}

pub fn is_opt_in(name: &str) -> bool {
    variables().any(|variable| variable.name == name && variable.tier == Tier::OptIn)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What detection answers must not depend on the order of `ALL`; programs and variables may tell of several runtimes.
    #[test]
    fn no_image_and_no_language_stands_for_two_runtimes() {
        let mut owners: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for runtime in ALL {
            let Signs { open_telemetry, datadog, images, products, .. } = &runtime.signs;
            let kinds = [("image", *images), ("image", *products)];
            let words = kinds.iter().flat_map(|(kind, words)| words.iter().map(move |word| (*kind, *word)));
            let languages = [("OpenTelemetry", open_telemetry), ("Datadog", datadog)];
            let languages = languages.into_iter().filter_map(|(kind, language)| Some((kind, (*language)?)));
            for sign in words.chain(languages) {
                assert_eq!(owners.insert(sign, runtime.name), None, "{sign:?}");
            }
        }
    }

    /// A shared variable is the same wherever it stands, and every flag has its number.
    #[test]
    fn variables_are_whole() {
        for variable in variables() {
            let same = variables().filter(|other| other.name == variable.name).all(|other| other == variable);
            assert!(same, "{}", variable.name);
            assert!(!variable.conflicts.contains(&variable.name), "{}", variable.name);
            if let Value::Flags { flags, .. } = &variable.value {
                assert!(!flags.is_empty() && flags.iter().all(|flag| flag.format.contains("{}")), "{}", variable.name);
                assert_eq!(variable.tier, Tier::OptIn, "{}", variable.name);
            }
        }
    }

    #[test]
    fn patterns() {
        let rows = [
            ("SPRING_X", "SPRING_*", true),
            ("SPRING", "SPRING_*", false),
            ("java", "java", true),
            ("javac", "java", false),
        ];
        for (name, pattern, expected) in rows {
            assert_eq!(is_like(name, pattern), expected, "{name} {pattern}");
        }
    }
}
