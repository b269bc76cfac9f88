//! Node.js: the old generation of V8, whose default ignores small limits.

use super::{Flag, Formula, Runtime, Signs, Tier, Value, Variable};

/// By which a user has decided on V8's heap; Node takes underscores for dashes.
pub const V8_HEAP: &[&str] = &["max-old-space-size", "max_old_space_size", "max-heap-size", "max_heap_size"];

pub static NODE: Runtime = Runtime {
    name: "node",
    about: "V8's heap takes half of the limit, and never less than about 259 MiB: at 128Mi twice the container.",
    signs: Signs {
        open_telemetry: Some("nodejs"),
        datadog: Some("js"),
        commands: &["node", "nodejs", "npm", "npx", "pnpm", "yarn"],
        variables: &["NODE_ENV", "NODE_OPTIONS", "NPM_CONFIG_LOGLEVEL"],
        images: &["node"],
        products: &[],
    },
    variables: &[Variable {
        name: "NODE_OPTIONS",
        value: Value::Flags {
            flags: &[Flag { formula: Formula::OldGeneration, format: "--max-old-space-size={}", family: V8_HEAP }],
            separator: ' ',
            also_in: &[],
        },
        tier: Tier::OptIn,
        conflicts: &[],
        conflicting_words: &["--max-old-space-size*", "--max_old_space_size*", "--max-heap-size*", "--max_heap_size*"],
        since: &[],
        about: "Old generation in MiB: the memory limit less a quarter of it, 64 MiB at least (nodejs.org, cli options); replaces what the image sets, hence opt-in.",
    }],
};
