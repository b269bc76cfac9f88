//! `podfit export`: the `Deny` rules of policies for the API server itself, and whether what is installed is what they say.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::Outcome;
use crate::{
    export::{self, Export as Exported},
    manifest, policies,
    policy::PolicySet,
};

/// Prints the `Deny` rules as in-tree policies, by which the API server refuses without podfit
///
/// Two objects per policy, a `ValidatingAdmissionPolicy` and its binding. What CEL cannot say stands above them as comments,
/// and on standard error. Exit status with --check: 0 all is installed as it is printed, 1 something differs, 2 not known.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Policy file, or folder of policy files [default: the embedded policy, see `podfit policy default`]
    #[arg(long, value_name = "FILE|DIR")]
    policy: Option<PathBuf>,
    /// Print how what is installed in the cluster differs, instead
    #[arg(long)]
    check: bool,
    /// The day on which exemptions are judged [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

impl Export {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        let loaded = self.policy.as_deref().map_or_else(policies::load_default, policies::load);
        let policies = loaded.context("the policy cannot be used")?;
        let today = self.today.unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC).date());
        let exported = export::export(&policies, today);
        if self.check {
            return check(&exported, output);
        }
        output.write_all(page(&policies, &exported).as_bytes())?;
        output.flush()?;
        let mut stderr = io::stderr().lock();
        for what in &exported.unsaid {
            writeln!(stderr, "note: not exported: {what}")?;
        }
        Ok(Outcome::NothingDenied)
    }
}

/// A file for `kubectl apply -f`.
fn page(policies: &PolicySet, exported: &Exported) -> String {
    let names: Vec<&str> = policies.policies().iter().map(|policy| policy.name.as_str()).collect();
    let mut page = format!(
        "# Printed by `podfit export` for the policies: {}. `podfit export --check` compares.\n",
        names.join(", ")
    );
    if exported.objects.is_empty() {
        page.push_str("# There is nothing to refuse: no rule that can be exported has the mode Deny.\n");
    }
    if !exported.unsaid.is_empty() {
        page.push_str("# Not exported, because CEL cannot say it:\n");
    }
    page.extend(exported.unsaid.iter().map(|what| format!("# - {what}\n")));
    page.extend(exported.objects.iter().map(|object| format!("---\n{}\n", manifest::block(object))));
    page
}

#[cfg(feature = "cluster")]
fn check(exported: &Exported, output: &mut dyn Write) -> anyhow::Result<Outcome> {
    use crate::cluster::{Cluster, exported::installed};

    // Whoever makes a TLS configuration without naming a provider gets this one. It is set already only in tests.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let installed = runtime.block_on(async {
        let cluster = Cluster::connect().await?;
        anyhow::Ok(installed(&cluster, export::EXPORTED).await?)
    });
    let differences = export::differences(&exported.objects, &installed.context("--check")?);
    for difference in &differences {
        writeln!(output, "{difference}")?;
    }
    if differences.is_empty() {
        writeln!(output, "{} objects are installed as they are exported", exported.objects.len())?;
        return Ok(Outcome::NothingDenied);
    }
    Ok(Outcome::Denied)
}

#[cfg(not(feature = "cluster"))]
fn check(_: &Exported, _: &mut dyn Write) -> anyhow::Result<Outcome> {
    anyhow::bail!("--check: this podfit was built without the feature `cluster`, and talks to no API server")
}
