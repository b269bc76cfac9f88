//! Rust: the thread pools of tokio and rayon, where the Pod itself names them.

use super::{Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static RUST: Runtime = Runtime {
    name: "rust",
    about: "Current tokio and rayon read the CPU quota; programs built with older ones, or with num_cpus, see the node's cores.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["cargo"],
        variables: &["RAYON_NUM_THREADS", "RUST_BACKTRACE", "RUST_LOG", "TOKIO_WORKER_THREADS"],
        images: &["rust"],
        products: &[],
    },
    variables: &[
        Variable {
            name: "TOKIO_WORKER_THREADS",
            // Parity with std::thread::available_parallelism: floor(quota), at least 1. Zero would make tokio panic.
            value: Value::One(Formula::Workers { rounding: Rounding::Down, minimum: 1 }),
            tier: Tier::Detected,
            conflicts: &[],
            conflicting_words: &[],
            since: &[],
            about: "Worker threads of a tokio runtime built without a count: the CPU limit rounded down, at least 1 (docs.rs/tokio, runtime::Builder::worker_threads).",
        },
        Variable {
            name: "RAYON_NUM_THREADS",
            value: Value::One(Formula::Workers { rounding: Rounding::Down, minimum: 1 }),
            tier: Tier::Detected,
            conflicts: &["RAYON_RS_NUM_CPUS"],
            conflicting_words: &[],
            since: &[],
            about: "Threads of rayon's global pool: the CPU limit rounded down, at least 1 (docs.rs/rayon, ThreadPoolBuilder::num_threads).",
        },
    ],
};
