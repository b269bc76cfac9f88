//! podfit fits every container's runtime to its Pod's limits, and refuses Pods that cannot be fitted.
//!
//! One idea: a **rule** looks at a workload under a policy and reports **findings**; a finding may carry **edits**.
//! `/mutate` answers with the edits, `/validate` denies on the findings, the command line prints both.
//!
//! The straight line of one review: bytes → [`admission`] head → [`policy`] look-up → [`workload`] view →
//! [`review`] over the [`rules`] → [`verdict`] → [`patch`] → [`admission`] answer.
//!
//! Core (pure: no clock, files, network, async or state): `admission` and `resize`, `review`, `rules`, `runtimes`, `fitting`
//! (a container as rules see it), `wishes` and `injected` (our annotations, read and written), `verdict`, `patch`, `policy`,
//! `export` (the same judgement as in-tree policies), `suite` (tests of policies), `reader` (of both policies and suites), and the
//! values below: `workload`, `object`, `node`, `quantity`, `image`, `pointer`, `json`. Around it: `manifest` (YAML and JSON text),
//! `policies` (where policies come from), `report` (what people and programs read), `certs`, `cli`, `server`, `cluster`
//! (everything that talks to an API server).

pub mod admission;
pub mod certs;
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod export;
pub mod fitting;
pub mod image;
pub mod injected;
pub mod json;
pub mod manifest;
pub mod node;
pub mod object;
pub mod patch;
pub mod pointer;
pub mod policies;
pub mod policy;
pub mod quantity;
pub mod reader;
pub mod report;
pub mod resize;
pub mod review;
pub mod rules;
pub mod runtimes;
pub mod server;
pub mod suite;
pub mod verdict;
pub mod wishes;
pub mod workload;
