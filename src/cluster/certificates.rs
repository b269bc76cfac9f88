//! Keeps a CA and a server pair in a Secret, and the CA in our two webhook configurations, for as long as the process
//! serves (`--self-managed-certs`). `cli/serve.rs` runs it and hands what it finds to the server.
//!
//! Every few seconds: read the Secret → prove what it holds → put its CAs into the configurations → plan → write the
//! Secret. All replicas do the same; the Secret's version decides who was first, and the others take what is there. By
//! plain reads, not watches: the rights are fewer, and nothing can fall out of step.

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info};

use super::{Cluster, NAME, client::Failure, said::Said};
use crate::certs::Kept;

pub(super) mod configuration;
mod held;
mod make;
mod periods;
mod plan;
mod proof;
mod secret;

pub use configuration::Kind;
pub use periods::Periods;
pub use secret::{ROTATE, SECRET, TYPE};

use configuration::{Configuration, Owner};
use held::{Held, Leaf};
use make::Maker;
use plan::{Seen, Step, plan};
use proof::NoProof;
use secret::Secrets;

/// Certificates begin an hour before they are made.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_mins(30);

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Call(#[from] Failure),
    #[error(
        "Secret {SECRET} in namespace {namespace} is of type {found}, so it is somebody else's and stays as it is; \
         move it away, or install podfit in another namespace"
    )]
    Foreign { namespace: String, found: String },
    #[error("{0}")]
    Waiting(String),
    #[error("make certificates: {0}")]
    Make(#[from] NoProof),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Nothing,
    Wrote,
}

/// What the configurations have come to.
#[derive(Debug, Default)]
struct Trust {
    everywhere: bool,
    bundled: bool,
    failure: Option<Failure>,
}

/// Keeps them for ever, and puts into `kept` what the server is to show, and why it is not ready.
pub async fn keep(cluster: Cluster, periods: Periods, kept: watch::Sender<Kept>) -> Infallible {
    let mut keeper = Keeper::new(cluster, periods, kept);
    let mut in_a_row = 0;
    loop {
        let outcome = keeper.look().await;
        keeper.publish(outcome.as_ref().err());
        in_a_row = if matches!(outcome, Ok(Done::Nothing)) { 0 } else { in_a_row + 1 };
        sleep(jittered(periods.pause(&outcome, in_a_row))).await;
    }
}

impl Periods {
    /// Only an API server that is away or overloaded is spared.
    fn pause(&self, outcome: &Result<Done, Trouble>, in_a_row: u32) -> Duration {
        let longest = match outcome {
            Ok(Done::Nothing) => return self.poll,
            Err(Trouble::Call(Failure::Away { .. } | Failure::Refused { .. })) | Ok(Done::Wrote) => self.longest_pause,
            Err(_) => self.poll,
        };
        self.first_pause.saturating_mul(1 << in_a_row.saturating_sub(1).min(16)).min(longest)
    }
}

struct Keeper {
    cluster: Cluster,
    periods: Periods,
    hosts: Vec<String>,
    secrets: Secrets,
    owner: Option<Owner>,
    kept: watch::Sender<Kept>,
    shown: Option<Leaf>,
    /// What the Secret held when it was last whole.
    remembered: Option<Held>,
    /// The CAs that we have last seen in every configuration.
    trusted: Vec<String>,
    unchanged: Option<Unchanged>,
    said: Said,
}

/// For how long everything has looked the same. By our own clock and in our own memory: nothing to be written, and a
/// clock that jumps cannot shorten it. A restart begins anew, which is only later.
struct Unchanged {
    held: Held,
    trusted: bool,
    since: Instant,
}

impl Keeper {
    fn new(cluster: Cluster, periods: Periods, kept: watch::Sender<Kept>) -> Self {
        kept.send_modify(|kept| kept.unready = Some("no certificate yet".to_owned()));
        Self {
            hosts: hosts(cluster.namespace()),
            secrets: Secrets::of(&cluster),
            cluster,
            periods,
            owner: None,
            kept,
            shown: None,
            remembered: None,
            trusted: Vec::new(),
            unchanged: None,
            said: Said::default(),
        }
    }

    async fn look(&mut self) -> Result<Done, Trouble> {
        let looked = self.look_and_act().await;
        // What was not seen may have changed.
        if matches!(looked, Err(Trouble::Call(_))) {
            self.unchanged = None;
        }
        match looked {
            Err(Trouble::Call(Failure::Conflict { call })) => {
                debug!(%call, "another writer was faster");
                Ok(Done::Wrote)
            }
            looked => looked,
        }
    }

    async fn look_and_act(&mut self) -> Result<Done, Trouble> {
        // Before the Secret: a bundle goes into the version that was read here, so it cannot replace that of a newer Secret.
        let found = [
            configuration::read(&self.cluster, Kind::Mutating).await,
            configuration::read(&self.cluster, Kind::Validating).await,
        ];
        let secret = self.secrets.read_or_create().await?;
        let now = self.cluster.now();
        self.compare_clocks(now);
        let held = self.read(&secret)?;
        let trust = self.trust(found, &held).await;
        self.take(&held, &trust, now);
        let asked = self.asked(&secret);
        let unchanged = self.unchanged_for(&held, &trust);
        let seen = Seen {
            held: &held,
            asked,
            remembered: self.remembered.as_ref(),
            trusted: trust.everywhere,
            bundled: trust.bundled,
            unchanged,
        };
        match plan(now, &seen, &self.periods) {
            Step::Rest => trust.failure.map_or(Ok(Done::Nothing), |failure| Err(failure.into())),
            Step::Wait(why) => Err(Trouble::Waiting(why)),
            step => self.act(&step, &held, secret, now).await,
        }
    }

    fn read(&mut self, secret: &Secret) -> Result<Held, Trouble> {
        if !secret::is_ours(secret) {
            let found = secret.type_.clone().unwrap_or_default();
            return Err(Trouble::Foreign { namespace: self.cluster.namespace().to_owned(), found });
        }
        let empty = held::Data::new();
        let held = Held::read(secret.data.as_ref().unwrap_or(&empty), &self.hosts);
        let complaints = held.complaints.join("; ");
        self.said.say("Secret holds something that cannot be used", (!complaints.is_empty()).then_some(complaints));
        Ok(held)
    }

    /// Readiness goes by our own clock, and so do people who read the log.
    fn compare_clocks(&mut self, now: Timestamp) {
        let is_off = now.duration_since(Timestamp::now()).abs() > TOLERATED_SKEW;
        let reason = "by half an hour or more; certificates go by the API server's".to_owned();
        self.said.say("the clocks of this node and of the API server differ", is_off.then_some(reason));
    }

    fn asked(&mut self, secret: &Secret) -> Option<plan::Rotate> {
        let asked = secret::rotate(secret);
        self.said.say("annotation not understood", asked.as_ref().err().cloned());
        asked.ok().flatten()
    }

    /// Both configurations, even where one fails.
    async fn trust(&mut self, found: [Result<Option<Configuration>, Failure>; 2], held: &Held) -> Trust {
        let mut trust = Trust { everywhere: held.signing.is_some(), ..Trust::default() };
        self.find_owner().await;
        for (kind, found) in Kind::ALL.into_iter().zip(found) {
            if let Err(failure) = self.trust_by(kind, found, &held.bundle(), &mut trust).await {
                trust.everywhere = false;
                trust.failure.get_or_insert(failure);
            }
        }
        trust
    }

    async fn trust_by(
        &mut self,
        kind: Kind,
        found: Result<Option<Configuration>, Failure>,
        bundle: &[&str],
        trust: &mut Trust,
    ) -> Result<(), Failure> {
        let found = found?;
        self.said.say(kind.unused(), kind.why_unused(found.as_ref(), self.cluster.namespace()));
        let Some(mut configuration) = found.filter(Configuration::calls_us) else { return Ok(()) };
        trust.bundled |= configuration.has_bundle();
        if bundle.is_empty() {
            return Ok(());
        }
        if let Some(patch) = configuration.repair(bundle, self.owner.as_ref()) {
            configuration = configuration::patch(&self.cluster, kind, patch).await?;
            info!(configuration = %format!("{}/{NAME}", kind.resource()), cas = bundle.len(), "caBundle written");
        }
        trust.everywhere &= configuration.trusts(bundle);
        Ok(())
    }

    /// Without an owner all works but the clean-up, so that a failure here is no more than said.
    async fn find_owner(&mut self) {
        if self.owner.is_none() {
            let found = configuration::owner(&self.cluster).await;
            self.said.say("webhook configurations get no owner", found.as_ref().err().map(ToString::to_string));
            self.owner = found.ok();
        }
    }

    /// A leaf of a CA that is not trusted yet is shown only where there is nothing better.
    fn take(&mut self, held: &Held, trust: &Trust, now: Timestamp) {
        if trust.everywhere {
            self.trusted = held.bundle().into_iter().map(ToOwned::to_owned).collect();
        }
        if held.is_whole() {
            self.remembered = Some(held.clone());
        }
        let Some(leaf) = held.leaf.as_ref().filter(|leaf| now < leaf.validity.until) else { return };
        let shows_good = self.shown.as_ref().is_some_and(|shown| now < shown.validity.until);
        if !shows_good || self.trusted.contains(&leaf.pair.ca) {
            self.shown = Some(leaf.clone());
        }
    }

    fn unchanged_for(&mut self, held: &Held, trust: &Trust) -> Duration {
        let same = |unchanged: &Unchanged| unchanged.held == *held && unchanged.trusted == trust.everywhere;
        if !self.unchanged.as_ref().is_some_and(same) {
            self.unchanged = Some(Unchanged { held: held.clone(), trusted: trust.everywhere, since: Instant::now() });
        }
        self.unchanged.as_ref().map_or(Duration::ZERO, |unchanged| unchanged.since.elapsed())
    }

    async fn act(&mut self, step: &Step, held: &Held, secret: Secret, now: Timestamp) -> Result<Done, Trouble> {
        let next = self.after(step, held, now)?;
        self.secrets.write(secret, next.data()).await?;
        info!(leaf_until = %until(&next), cas = next.bundle().len(), "{}", step.done());
        Ok(Done::Wrote)
    }

    fn after(&self, step: &Step, held: &Held, now: Timestamp) -> Result<Held, Trouble> {
        let maker = Maker { now, hosts: &self.hosts, periods: &self.periods };
        Ok(match step {
            Step::Rest | Step::Wait(_) => held.clone(),
            Step::Make => maker.anew()?,
            Step::Restore => self.remembered.clone().unwrap_or_default(),
            Step::Renew => maker.renewed(held)?,
            Step::Announce => maker.announced(held)?,
            Step::Switch => maker.switched(held)?,
            Step::Retire => Held { previous: None, ..held.clone() },
        })
    }

    fn publish(&mut self, trouble: Option<&Trouble>) {
        // Waiting, with something to show, is for its time to come.
        let waits = matches!(trouble, Some(Trouble::Waiting(_)));
        let trouble = trouble.map(ToString::to_string);
        self.said.say("certificates cannot be kept", trouble.clone());
        let unready = match &self.shown {
            Some(shown) if self.trusted.contains(&shown.pair.ca) && !waits => None,
            Some(_) => Some(trouble.unwrap_or_else(|| "the webhook configurations do not hold our CA yet".to_owned())),
            None => Some(trouble.unwrap_or_else(|| "no certificate yet".to_owned())),
        };
        let news = Kept { pair: self.shown.as_ref().map(|shown| shown.pair.clone()), unready };
        self.kept.send_if_modified(|kept| {
            let changed = *kept != news;
            *kept = news;
            changed
        });
    }
}

impl Step {
    fn done(&self) -> &'static str {
        match self {
            Self::Rest | Self::Wait(_) => "nothing done",
            Self::Make => "CA and certificate made",
            Self::Restore => "lost certificates written back",
            Self::Renew => "certificate renewed",
            Self::Announce => "next CA made; it signs when it has been trusted for a while",
            Self::Switch => "certificate renewed by the next CA; the previous one stays trusted for a while",
            Self::Retire => "previous CA dropped",
        }
    }
}

impl Kind {
    fn unused(self) -> &'static str {
        match self {
            Self::Mutating => "nothing is called for mutation",
            Self::Validating => "nothing is called for validation",
        }
    }

    fn why_unused(self, found: Option<&Configuration>, namespace: &str) -> Option<String> {
        let why = match found {
            None => "there is none".to_owned(),
            Some(found) if !found.calls_us() => {
                format!("none of its webhooks is podfit's in namespace {namespace}, so it stays as it is")
            }
            Some(_) => return None,
        };
        Some(format!("{}/{NAME}: {why}", self.resource()))
    }
}

/// The Service's names, and those of whoever forwards a port.
fn hosts(namespace: &str) -> Vec<String> {
    let service = format!("{NAME}.{namespace}");
    let names = [format!("{service}.svc"), format!("{service}.svc.cluster.local"), service];
    names.into_iter().chain(crate::certs::LOCAL_HOSTS.map(ToOwned::to_owned)).collect()
}

fn until(held: &Held) -> String {
    held.leaf.as_ref().map_or("none yet".to_owned(), |leaf| leaf.validity.until.to_string())
}

/// Between four and six fifths, so that replicas do not march in step.
fn jittered(pause: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(()) % 401).unwrap_or_default();
    pause * (800 + random) / 1000
}
