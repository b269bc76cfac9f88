//! An in-place resize (`pods/resize`, KEP-1287) changes limits and leaves the environment as it is. `admission` asks here
//! which of our own values are stale then, and says how that is avoided.

use crate::{
    fitting::Pod,
    object::{Amounts, Container},
    runtimes::Basis,
    workload::Workload,
};

/// One warning per container whose limits change and whose runtime was told the old ones.
pub fn warnings(old: &Workload<'_>, new: &Pod<'_>) -> Vec<String> {
    new.workload
        .containers()
        .filter_map(|at| {
            let before = old.containers().find(|before| before.name() == at.name())?;
            let changed = [Basis::Cpu, Basis::Memory]
                .into_iter()
                .filter(|basis| limit(before.container, *basis) != limit(at.container, *basis));
            let stale: Vec<Stale> = changed.flat_map(|basis| stale(basis, at.container, new)).collect();
            (!stale.is_empty()).then(|| sentence(at.name(), &stale))
        })
        .collect()
}

struct Stale {
    name: String,
    /// Computed by the kubelet at each start: a restart mends it. A literal stays for the Pod's life.
    is_live: bool,
}

/// What we injected from a resource's limit, where the container does not restart with the resize and is right at once.
fn stale(basis: Basis, container: &Container<'_>, pod: &Pod<'_>) -> Vec<Stale> {
    let restarts = container.resize_policy.iter().flat_map(|policies| policies.iter()).any(|policy| {
        policy.resource_name.as_str() == basis.resource() && policy.restart_policy.as_str() == "RestartContainer"
    });
    let of_limit = pod.injected.computed_from(container.name.as_str(), basis);
    of_limit
        .filter(|(_, is_live)| !(restarts && *is_live))
        .map(|(name, is_live)| Stale { name: name.to_owned(), is_live })
        .collect()
}

fn sentence(container: &str, stale: &[Stale]) -> String {
    let names = |live: bool| {
        let names: Vec<_> =
            stale.iter().filter(|stale| stale.is_live == live).map(|stale| stale.name.as_str()).collect();
        names.join(", ")
    };
    let mut sentence = format!("container {container:?}:");
    if stale.iter().any(|stale| stale.is_live) {
        sentence.push_str(&format!(" {} stale until a restart (resizePolicy RestartContainer);", names(true)));
    }
    if stale.iter().any(|stale| !stale.is_live) {
        sentence.push_str(&format!(" {} stale for the Pod's life (recreate it);", names(false)));
    }
    sentence.trim_end_matches(';').to_owned()
}

fn limit<'c>(container: &'c Container<'_>, basis: Basis) -> Option<crate::quantity::Quantity> {
    let amounts: &Amounts<'c> = container.resources.as_ref()?.limits.as_ref()?;
    match basis {
        Basis::Cpu => amounts.cpu.as_ref()?.value,
        Basis::Memory => amounts.memory.as_ref()?.value,
    }
}
