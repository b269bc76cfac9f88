//! Builds: the jobs of cargo, for namespaces where programs are built.

use super::{Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static BUILD: Runtime = Runtime {
    name: "build",
    about: "cargo counts by the quota itself; a number helps where jobs are to be fewer than cores.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["cargo"],
        variables: &["CARGO_BUILD_JOBS", "CARGO_HOME"],
        images: &[],
        products: &[],
    },
    variables: &[Variable {
        name: "CARGO_BUILD_JOBS",
        value: Value::One(Formula::Workers { rounding: Rounding::Down, minimum: 1 }),
        tier: Tier::OptIn,
        conflicts: &["MAKEFLAGS"],
        conflicting_words: &["-j*", "--jobs*"],
        since: &[],
        about: "Parallel jobs of cargo: the CPU limit rounded down, at least 1 (doc.rust-lang.org/cargo, configuration).",
    }],
};
