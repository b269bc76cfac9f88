//! `podfit scan`: what a policy would refuse tomorrow of what runs in a cluster today, by owner.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::civil::Date;

mod progress;

use super::{Outcome, connect, judge, tell::TellArguments};
use crate::cluster::{
    Cluster,
    reports::{self, ReportKind},
    scan::{self, Scanned},
};
use progress::Line;

/// Judges what runs in a cluster, by owner: what a policy would refuse tomorrow
///
/// Asks the API server of the kubeconfig. Every Pod is judged as the one that would be created in its place, under policies that
/// need not be installed. Owners without Pods are judged by their template.
///
/// Exit status: 0 nothing denied, 1 something denied, 2 something could not be judged.
#[derive(Debug, Args)]
pub(super) struct Scan {
    /// Policy file, or folder of policy files [default: the cluster's SizingPolicy objects, else the embedded policy]
    #[arg(long, value_name = "FILE|DIR")]
    policy: Option<PathBuf>,
    /// The only namespace to scan [default: all]
    #[arg(long, short)]
    namespace: Option<String>,
    /// The day on which exemptions are judged [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
    /// Keep the failures in the cluster: a Report (openreports.io) or PolicyReport (wgpolicyk8s.io) in each namespace with any
    #[arg(long)]
    write_reports: bool,
    #[command(flatten)]
    telling: TellArguments,
}

impl Scan {
    pub(super) fn run(self, output: &mut dyn io::Write) -> anyhow::Result<Outcome> {
        let today = self.today.unwrap_or_else(judge::today);
        let namespace = self.namespace.as_deref();
        let scanned = connect::ask(async |cluster| {
            let (policies, notes) = connect::policies(cluster, self.policy.as_deref()).await?;
            let kind = if self.write_reports { Some(report_kind(cluster).await?) } else { None };
            let mut line = Line::on(io::stderr(), io::stderr().is_terminal());
            let scan = scan::Scan { policies: &policies, today, namespace };
            let mut scanned = scan.run(cluster, &mut |progress| line.show(progress)).await;
            line.clear();
            scanned.report.notes.splice(0..0, notes);
            if let Some(kind) = kind {
                keep(cluster, kind, namespace, &mut scanned).await;
            }
            Ok(scanned)
        })?;
        self.telling.tell(&scanned.report, output)
    }
}

/// Asked before the scan, which takes longer.
async fn report_kind(cluster: &Cluster) -> anyhow::Result<ReportKind> {
    let found = reports::find(cluster).await.map_err(|failure| anyhow!(failure.told())).context("--write-reports")?;
    found.context(
        "--write-reports: this cluster knows neither openreports.io/v1alpha1 Report nor wgpolicyk8s.io/v1alpha2 PolicyReport; \
         install the CRDs of one of them, such as those of github.com/openreports/reports-api",
    )
}

async fn keep(cluster: &Cluster, kind: ReportKind, namespace: Option<&str>, scanned: &mut Scanned) {
    let kept = reports::write(cluster, kind, namespace, scanned).await;
    scanned.report.notes.push(kept.to_string());
    scanned.report.errors.extend(kept.errors);
}
