//! Where the programs of the control plane are: `KUBEBUILDER_ASSETS`, as setup-envtest fills it, then the folder that
//! `install.sh` filled.

use std::{env, path::PathBuf};

pub const KUBEBUILDER_ASSETS: &str = "KUBEBUILDER_ASSETS";
pub const PODFIT_CONTROL_PLANE: &str = "PODFIT_CONTROL_PLANE";

pub struct Programs {
    pub etcd: PathBuf,
    pub apiserver: PathBuf,
    pub controller_manager: PathBuf,
    pub kubectl: PathBuf,
    pub helm: PathBuf,
}

impl Programs {
    /// Nothing where neither folder is named.
    ///
    /// # Panics
    ///
    /// Where one is named and a program is in none.
    pub fn find() -> Option<Self> {
        let folders: Vec<PathBuf> =
            [KUBEBUILDER_ASSETS, PODFIT_CONTROL_PLANE].iter().filter_map(env::var_os).map(PathBuf::from).collect();
        let find = |name: &str| {
            let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
            found
                .unwrap_or_else(|| panic!("{name} is not in {folders:?}; tests/cluster/install.sh DIRECTORY builds it"))
        };
        (!folders.is_empty()).then(|| Self {
            etcd: find("etcd"),
            apiserver: find("kube-apiserver"),
            controller_manager: find("kube-controller-manager"),
            kubectl: find("kubectl"),
            helm: find("helm"),
        })
    }
}
