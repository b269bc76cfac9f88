//! glibc: malloc's arenas, in whatever is linked against it; nothing in a Pod tells, so only by its own name.

use super::{Formula, NO_SIGNS, Runtime, Tier, Value, Variable};

/// Shared with Ruby, whose heap suffers most from too many arenas.
pub const MALLOC_ARENA_MAX: Variable = Variable {
    name: "MALLOC_ARENA_MAX",
    value: Value::One(Formula::Arenas),
    tier: Tier::OptIn,
    conflicts: &["GLIBC_TUNABLES", "LD_PRELOAD"],
    conflicting_words: &[],
    since: &[],
    about: "Arenas of malloc: 8 per core of the CPU limit, what glibc makes of a machine of that size (man7.org, mallopt); inert with musl, jemalloc and the like.",
};

pub static GLIBC: Runtime = Runtime {
    name: "glibc",
    about: "malloc makes up to 8 arenas per core of the node.",
    signs: NO_SIGNS,
    variables: &[MALLOC_ARENA_MAX],
};
