//! Julia: one compute thread unless told, so that telling raises parallelism: only by its own name.

use super::{Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static JULIA: Runtime = Runtime {
    name: "julia",
    about: "Starts one compute thread unless told.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["julia"],
        variables: &["JULIA_DEPOT_PATH", "JULIA_NUM_THREADS", "JULIA_PROJECT"],
        images: &["julia"],
        products: &[],
    },
    variables: &[Variable {
        name: "JULIA_NUM_THREADS",
        value: Value::One(Formula::Workers { rounding: Rounding::Down, minimum: 1 }),
        tier: Tier::OptIn,
        conflicts: &[],
        conflicting_words: &["-t*", "--threads*"],
        since: &[],
        about: "Compute threads: the CPU limit rounded down, at least 1 (docs.julialang.org, environment variables); more than the default, hence opt-in.",
    }],
};
