//! Erlang and Elixir: the schedulers of the BEAM.

use super::{Flag, Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static ERLANG: Runtime = Runtime {
    name: "erlang",
    about: "OTP 23 and newer read the CPU quota; older ones start a scheduler per core of the node.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["beam.smp", "elixir", "erl", "iex", "mix", "rebar3"],
        variables: &["ELIXIR_ERL_OPTIONS", "ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "MIX_ENV", "RELEASE_COOKIE"],
        images: &["elixir", "erlang"],
        products: &["rabbitmq"],
    },
    variables: &[Variable {
        name: "ERL_AFLAGS",
        value: Value::Flags {
            flags: &[Flag {
                formula: Formula::Workers { rounding: Rounding::Down, minimum: 1 },
                format: "+S {}:{}",
                family: &["+S", "+SP"],
            }],
            separator: ' ',
            also_in: &[],
        },
        tier: Tier::OptIn,
        conflicts: &["ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS"],
        conflicting_words: &["+S*"],
        since: &[],
        about: "Schedulers, all online: the CPU limit rounded down, at least 1 (erlang.org, erl); a flag on the command line wins over it.",
    }],
};
