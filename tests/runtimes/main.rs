//! The runtime catalogue as a Pod meets it: the values for every limit, what is not injected and why, what gives a runtime
//! away, and what the real runtimes make of it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bases;
mod detection;
mod formats;
mod kubelet;
mod lists;
mod real;
mod refusals;
mod trial;
mod vectors;
