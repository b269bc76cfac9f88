//! Go: GOMAXPROCS and GOMEMLIMIT, inert in anything but a Go program, hence on by default.

use super::{Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static GO: Runtime = Runtime {
    name: "go",
    about: "Programs built before Go 1.25, or from a module whose go line is older, see the node's cores; no Go release reads the memory limit.",
    signs: Signs {
        open_telemetry: Some("go"),
        datadog: None,
        commands: &["go"],
        variables: &["GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"],
        images: &["golang"],
        products: &[],
    },
    variables: &[
        Variable {
            name: "GOMAXPROCS",
            // Parity with Go 1.25: max(2, ceil(limit)), so that nothing moves on the day the image is rebuilt with it.
            value: Value::One(Formula::Workers { rounding: Rounding::Up, minimum: 2 }),
            tier: Tier::Detected,
            conflicts: &[],
            conflicting_words: &[],
            since: &[],
            about: "Threads that run Go code at once: the CPU limit rounded up, at least 2, as Go 1.25 chooses itself (go.dev/blog/container-aware-gomaxprocs).",
        },
        Variable {
            name: "GOMEMLIMIT",
            value: Value::One(Formula::MemoryCeiling { minimum_limit: 16 << 20 }),
            tier: Tier::Detected,
            conflicts: &["AUTOMEMLIMIT"],
            conflicting_words: &[],
            since: &[],
            about: "Soft limit of the garbage collector, in plain bytes: the memory limit less headroom (go.dev/doc/gc-guide); a Kubernetes spelling such as 900Mi would stop the process at start.",
        },
    ],
};
