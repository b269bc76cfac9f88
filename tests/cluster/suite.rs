//! What all cases share: a cluster with podfit in it. Ours where the programs of a control plane are, or any other.

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    sync::{
        RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::runtime::Runtime;

use crate::{
    cases::{Case, Needs},
    cluster::Cluster,
    installation::Installation,
    latency::Latency,
    plane::ControlPlane,
    programs::{KUBEBUILDER_ASSETS, PODFIT_CONTROL_PLANE, Programs},
};

/// A cluster where podfit is installed already, under `policies.yaml`.
const PODFIT_CLUSTER_KUBECONFIG: &str = "PODFIT_CLUSTER_KUBECONFIG";

pub struct Suite {
    pub cluster: Cluster,
    /// podfit as processes of ours; none in another cluster.
    pub local: Option<Local>,
    /// A case that disturbs the others holds it alone.
    turn: RwLock<()>,
    namespaces: AtomicUsize,
    // The last, since what stands above may still use it.
    _runtime: Runtime,
}

/// Dropped in this order: podfit first, then what it talks to.
pub struct Local {
    pub installation: Installation,
    pub plane: ControlPlane,
}

/// Why no case runs.
pub struct Left(&'static str);

impl Left {
    pub fn listed() -> Self {
        Self("all, they are only listed")
    }
}

impl fmt::Display for Left {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl Suite {
    pub fn start() -> Result<Self, Left> {
        // Two libraries bring a TLS provider; this one is shipped.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let (cluster, local) = match (env::var_os(PODFIT_CLUSTER_KUBECONFIG), Programs::find()) {
            (Some(kubeconfig), _) => (remote(Path::new(&kubeconfig), &runtime), None),
            (None, Some(programs)) => {
                let local = Local::start(&programs, &runtime);
                (local.plane.cluster.clone(), Some(local))
            }
            (None, None) => return Err(Left(LEFT)),
        };
        let suite =
            Self { cluster, local, turn: RwLock::default(), namespaces: AtomicUsize::default(), _runtime: runtime };
        Ok(suite)
    }

    pub fn can_run(&self, case: &Case) -> bool {
        self.local.is_some() || case.needs == Needs::Any
    }

    pub fn run(&self, case: &Case) {
        // A case that failed has not spoiled anything for the others.
        if case.needs == Needs::LocalAlone {
            let _turn = self.turn.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            (case.run)(self);
        } else {
            let _turn = self.turn.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            (case.run)(self);
        }
    }

    /// A namespace of this run alone; its first word chooses the policy (`policies.yaml`).
    pub fn namespace(&self, word: &str) -> Namespace<'_> {
        self.labelled_namespace(word, &BTreeMap::new())
    }

    pub fn labelled_namespace(&self, word: &str, labels: &BTreeMap<&str, &str>) -> Namespace<'_> {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let name = format!("{word}-{run:x}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.cluster.make_namespace(&name, labels);
        Namespace { cluster: &self.cluster, name, is_kept: self.local.is_some() }
    }

    pub fn local(&self) -> &Local {
        self.local.as_ref().expect("a case that needs a control plane of ours says so")
    }

    pub fn print_latency(&self) {
        Latency::read(&self.cluster).print();
    }

    pub fn print_logs(&self) {
        if let Some(local) = &self.local {
            local.plane.print_logs();
            local.installation.print_logs();
        }
    }
}

const LEFT: &str = "all cases of tests/cluster: neither KUBEBUILDER_ASSETS nor PODFIT_CONTROL_PLANE names the programs of a \
                    control plane (tests/cluster/install.sh DIRECTORY builds them), and PODFIT_CLUSTER_KUBECONFIG names no cluster";

impl Local {
    fn start(programs: &Programs, runtime: &Runtime) -> Self {
        let plane = ControlPlane::start(programs, runtime.handle());
        let installation = Installation::start(&plane, runtime.handle());
        Self { installation, plane }
    }
}

fn remote(kubeconfig: &Path, runtime: &Runtime) -> Cluster {
    let folders = [KUBEBUILDER_ASSETS, PODFIT_CONTROL_PLANE].iter().filter_map(env::var_os);
    let built = folders.map(|folder| PathBuf::from(folder).join("kubectl")).find(|path| path.is_file());
    Cluster::connect(kubeconfig, built.unwrap_or_else(|| PathBuf::from("kubectl")), runtime.handle())
}

/// Goes with the case, where the cluster does not.
pub struct Namespace<'a> {
    pub cluster: &'a Cluster,
    pub name: String,
    is_kept: bool,
}

impl Namespace<'_> {
    pub fn path(&self, resource: &str) -> String {
        crate::cluster::path(resource, &self.name)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.cluster.delete(&format!("/api/v1/namespaces/{}", self.name));
        }
    }
}
