//! What `deploy/` holds, as a real API server takes it.

use super::{Case, Needs, case};
use crate::{cluster::wait_for, suite::Suite};

pub const CASES: &[Case] = &[case("all_of_deploy_passes_a_server_side_dry_run", Needs::Local, dry_run)];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// With the CRDs of cert-manager and of the Prometheus operator there.
fn dry_run(suite: &Suite) {
    let kubectl = |arguments: &[&str]| suite.cluster.kubectl(arguments, "");
    let crds = kubectl(&["apply", "--server-side", "-f", &format!("{ROOT}/tests/cluster/crds")]);
    assert_eq!((crds.code, crds.error.as_str()), (0, ""));
    for folder in
        ["base", "overlays/kind", "overlays/cert-manager", "overlays/high-availability", "overlays/cluster-policies"]
    {
        let folder = format!("{ROOT}/deploy/{folder}");
        // A kind is known a while after its CRD was made.
        let printed = wait_for("the kinds of the CRDs", || {
            let printed = kubectl(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", &folder]);
            (!printed.error.contains("no matches for kind")).then_some(printed)
        });
        assert_eq!((printed.code, printed.error.as_str()), (0, ""), "{folder}");
        let lines: Vec<&str> = printed.output.lines().collect();
        assert!(
            lines.len() > 10 && lines.iter().all(|line| line.ends_with(" serverside-applied (server dry run)")),
            "{lines:#?}"
        );
    }
}
