//! The scan: what a policy would refuse tomorrow of what runs today. Every Pod is judged as the one that would be created in its
//! place, and told by the owner that would create it. `cli/scan.rs` calls this.

use std::{collections::BTreeSet, fmt};

use jiff::civil::Date;

mod exemptions;
mod fold;
mod judge;
mod namespaces;
mod owners;
mod walk;

pub use fold::Gaps;
pub(super) use namespaces::Described;
pub use namespaces::Namespaces;

use super::Cluster;
use crate::{policy::PolicySet, report::Report};
use fold::Fold;
use judge::Judge;
use walk::Walk;

/// What is to be judged, and by what.
pub struct Scan<'s> {
    pub policies: &'s PolicySet,
    /// Exemptions expire by it, in UTC.
    pub today: Date,
    /// None: all.
    pub namespace: Option<&'s str>,
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Pods that were judged or passed over.
    pub pods: usize,
    /// All of them, where the API server tells.
    pub of: Option<usize>,
}

/// What a scan found, and where it could not look.
pub struct Scanned {
    pub report: Report,
    pub gaps: Gaps,
}

impl Scan<'_> {
    /// Scans. What could not be judged is an error of the report; everything else is judged nevertheless.
    pub async fn run(&self, cluster: &Cluster, progress: &mut dyn FnMut(Progress)) -> Scanned {
        let judge = Judge {
            policies: self.policies,
            today: self.today,
            namespaces: Namespaces::default(),
            fold: Fold::default(),
        };
        let walk = Walk { cluster, namespace: self.namespace, judge, progress, unknown: BTreeSet::new() };
        let fold = walk.all().await;
        let mut exemptions = exemptions::notes(self.policies, self.today, &fold);
        let (mut report, gaps) = fold.into_report();
        report.notes.append(&mut exemptions);
        Scanned { report, gaps }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Some(of) => write!(formatter, "{} of {of} Pods", self.pods),
            None => write!(formatter, "{} Pods", self.pods),
        }
    }
}
