//! Deno: V8 again, which there does not follow the memory limit at all.

use super::{Flag, Formula, Runtime, Signs, Tier, Value, Variable, node::V8_HEAP};

pub static DENO: Runtime = Runtime {
    name: "deno",
    about: "The heap does not follow the memory limit: 4 GiB in a container of 256Mi.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["deno"],
        variables: &["DENO_DIR", "DENO_V8_FLAGS"],
        images: &["deno"],
        products: &[],
    },
    variables: &[Variable {
        name: "DENO_V8_FLAGS",
        value: Value::Flags {
            flags: &[Flag { formula: Formula::OldGeneration, format: "--max-old-space-size={}", family: V8_HEAP }],
            separator: ',',
            also_in: &[],
        },
        tier: Tier::OptIn,
        conflicts: &[],
        conflicting_words: &["--v8-flags*"],
        since: &[],
        about: "Old generation in MiB, as for node (docs.deno.com, environment variables); replaces what the image sets, hence opt-in.",
    }],
};
