//! nginx: its official image counts workers by the quota where one asks it to.

use super::{Formula, Runtime, Signs, Tier, Value, Variable};

pub static NGINX: Runtime = Runtime {
    name: "nginx",
    about: "worker_processes auto is the node's cores.",
    signs: Signs {
        open_telemetry: None,
        datadog: None,
        commands: &["nginx"],
        variables: &["NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE", "NGINX_ENVSUBST_TEMPLATE_DIR"],
        images: &["nginx", "nginx-unprivileged"],
        products: &[],
    },
    variables: &[Variable {
        name: "NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE",
        value: Value::One(Formula::Fixed("1")),
        tier: Tier::OptIn,
        conflicts: &[],
        conflicting_words: &[],
        since: &[],
        about: "Makes the official image's entrypoint write worker_processes from the CPU quota (hub.docker.com, nginx); it changes the user's nginx.conf, hence opt-in.",
    }],
};
