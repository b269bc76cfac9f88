//! What must hold for every Pod, every policy and every body, however odd: properties over generated ones, bounded fuzzing
//! over mutated ones, and bodies that are meant to hurt.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../fuzz/src/lib.rs"]
mod checks;

mod bounds;
mod choices;
mod fuzz;
mod hostile;
mod invariants;
mod mutation;
mod pods;
mod policies;
mod request;
mod world;
mod yaml;
