//! What a person reads when podfit refuses a Pod.

use super::{Case, Needs, case};
use crate::{
    pods::{bad_container, pod},
    suite::Suite,
};

pub const CASES: &[Case] = &[case("kubectl_shows_every_finding_of_a_denial", Needs::Any, kubectl)];

fn kubectl(suite: &Suite) {
    let namespace = suite.namespace("denials");
    let manifest = pod("web", bad_container()).to_string();
    let printed = suite.cluster.kubectl(&["create", "-n", &namespace.name, "-f", "-"], &manifest);
    println!("{printed:?}");
}
