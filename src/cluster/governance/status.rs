//! What stands in the status of a `SizingPolicy`: whether it is in force, and how its exemptions stand. Written by the holder
//! of the lease, and only where it differs.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    lease::Tenure,
    objects::{self, Object},
};
use crate::{
    cluster::{
        Cluster, NAME,
        client::{Call, Failure},
        said::Said,
    },
    policies::Book,
    policy::{Exemption, Policy, Standing},
};

/// The lease is renewed so often, and exemptions that expire are seen.
const EVERY: Duration = Duration::from_secs(10);

/// Named in a message; the count tells of the rest.
const MAX_NAMED: usize = 10;

type Shown = Vec<Arc<Object>>;

/// Until the objects are followed no more.
pub(super) async fn keep(cluster: Cluster, book: Arc<Book>, mut shown: watch::Receiver<Shown>) {
    let tenure = Tenure::of(cluster.clone(), identity());
    let policies = Api::all_with(cluster.client.clone(), &objects::resource());
    let mut said = Said::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_ours = false;
    loop {
        let mut is_tick = false;
        tokio::select! {
            _ = ticks.tick() => { is_tick = true; match tenure.hold().await {
                Ok(held) => {
                    is_ours = held;
                    said.say("no lease to write the status of policies", None);
                }
                Err(failure) => {
                    is_ours = false;
                    said.say("no lease to write the status of policies", Some(failure.to_string()));
                }
            }},
            changed = shown.changed() => if changed.is_err() { return },
        }
        if is_ours {
            let mut objects = shown.borrow_and_update().clone();
            // What another writes wakes us: were we to answer at once, two that disagree would never rest.
            objects.retain(|object| is_tick || object.status["observedGeneration"] != object.generation);
            let trouble = write_all(&policies, &objects, &book, cluster.now()).await.err();
            said.say("the status of a SizingPolicy cannot be written", trouble.map(|failure| failure.to_string()));
        }
    }
}

/// The Pod's name; who runs elsewhere is told apart by its process.
fn identity() -> String {
    let names = ["POD_NAME", "HOSTNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| format!("podfit-{}", std::process::id()))
}

/// All that can be written; the first failure is told.
async fn write_all(policies: &Api<DynamicObject>, objects: &Shown, book: &Book, now: Timestamp) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for object in objects {
        let status = desired(object, book.is_taken(&object.name), now);
        if status != object.status {
            outcome = outcome.and(write(policies, &object.name, status).await);
        }
    }
    outcome
}

async fn write(policies: &Api<DynamicObject>, name: &str, status: Value) -> Result<(), Failure> {
    let patch = json!({"status": status});
    let parameters = PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
    let call = Call::of("patch", "sizingpolicies/status", name);
    match policies.patch_status(name, &parameters, &Patch::Merge(patch)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        written => written.map(drop).map_err(|error| call.failed(error)),
    }
}

fn desired(object: &Object, is_taken: bool, now: Timestamp) -> Value {
    let (status, reason, message) = match &object.compiled {
        Err(mistakes) => ("False", "Mistakes", mistakes.clone()),
        Ok(_) if is_taken => ("False", "NameTaken", "a policy file has this name, and wins".to_owned()),
        Ok(policy) => ("True", "InForce", in_force(policy)),
    };
    let ready = Condition { kind: "Ready", status, reason, message };
    let today = now.to_zoned(TimeZone::UTC).date();
    let exemptions = object.compiled.as_ref().map(|policy| policy.exemptions.as_slice()).unwrap_or_default();
    let tally = Tally::of(exemptions, today);
    let conditions = [ready, tally.condition()].map(|condition| condition.beside(object, now));
    json!({
        "observedGeneration": object.generation,
        "conditions": conditions,
        "exemptions": {"active": tally.active, "expiring": tally.expiring.len(), "expired": tally.expired.len()},
    })
}

fn in_force(policy: &Policy) -> String {
    let rules: Vec<_> = policy.rules().map(|rule| rule.id()).collect();
    if rules.is_empty() { "names no rule".to_owned() } else { format!("names {}", rules.join(", ")) }
}

struct Condition {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Condition {
    /// The time of the last change stays while the status does.
    fn beside(self, object: &Object, now: Timestamp) -> Value {
        let conditions = object.status["conditions"].as_array().into_iter().flatten();
        let mut of_this_kind = conditions.filter(|condition| condition["type"] == self.kind);
        let before = of_this_kind.find(|condition| condition["status"] == self.status);
        let since = before.and_then(|condition| condition["lastTransitionTime"].as_str().map(ToOwned::to_owned));
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        json!({
            "type": self.kind,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": object.generation,
            "lastTransitionTime": since.unwrap_or_else(|| now.to_string()),
        })
    }
}

#[derive(Default)]
struct Tally<'p> {
    active: usize,
    expiring: Vec<&'p Exemption>,
    expired: Vec<&'p Exemption>,
}

impl<'p> Tally<'p> {
    fn of(exemptions: &'p [Exemption], today: Date) -> Self {
        let mut tally = Self::default();
        for exemption in exemptions {
            match exemption.standing(today) {
                Standing::Active => tally.active += 1,
                Standing::Expiring => tally.expiring.push(exemption),
                Standing::Expired => tally.expired.push(exemption),
            }
        }
        tally
    }

    fn condition(&self) -> Condition {
        let (status, reason) = match (self.expired.len(), self.expiring.len()) {
            (0, 0) => ("True", "Current"),
            (0, _) => ("True", "Expiring"),
            _ => ("False", "Expired"),
        };
        let expired = self.expired.iter().map(|exemption| told(exemption, "expired after"));
        let expiring = self.expiring.iter().map(|exemption| told(exemption, "expires after"));
        let mut all: Vec<String> = expired.chain(expiring).collect();
        let more = all.len().saturating_sub(MAX_NAMED);
        all.truncate(MAX_NAMED);
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        Condition { kind: "ExemptionsCurrent", status, reason, message: all.join("; ") }
    }
}

fn told(exemption: &Exemption, how: &str) -> String {
    let day = exemption.expires.map(|day| day.to_string()).unwrap_or_default();
    format!("{:?} {how} {day}", exemption.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::object;

    const NOW: &str = "2026-11-24T12:00:00Z";

    #[test]
    fn a_policy_in_force_says_what_it_names_and_how_its_exemptions_stand() {
        let exemption = |reason: &str, expires: &str| json!({"reason": reason, "expires": expires, "rules": ["image-tag"], "match": {"namespaces": ["a"]}});
        let exemptions =
            [exemption("long", "2027-01-01"), exemption("soon", "2026-12-07"), exemption("gone", "2026-11-23")];
        let object = of(&json!({"imageTag": {}, "probes": {}, "exemptions": exemptions}), Value::Null);
        let expected = json!({
            "observedGeneration": 3,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "InForce", "message": "names image-tag, probes",
                 "observedGeneration": 3, "lastTransitionTime": NOW},
                {"type": "ExemptionsCurrent", "status": "False", "reason": "Expired",
                 "message": "\"gone\" expired after 2026-11-23; \"soon\" expires after 2026-12-07",
                 "observedGeneration": 3, "lastTransitionTime": NOW},
            ],
            "exemptions": {"active": 1, "expiring": 1, "expired": 1},
        });
        assert_eq!(desired(&object, false, NOW.parse().unwrap()), expected);
    }

    #[test]
    fn what_is_out_of_force_says_why() {
        let rows = [
            (
                json!({"imageTag": {"mode": "Refuse"}}),
                false,
                "Mistakes",
                "spec.imageTag.mode: must be Deny, Warn, Audit or Disabled, not `Refuse`",
            ),
            (json!({}), true, "NameTaken", "a policy file has this name, and wins"),
        ];
        for (spec, is_taken, reason, message) in rows {
            let status = desired(&of(&spec, Value::Null), is_taken, NOW.parse().unwrap());
            let ready = &status["conditions"][0];
            assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!(reason)));
            assert_eq!(ready["message"], message);
        }
    }

    #[test]
    fn a_status_that_holds_is_not_written_again() {
        let first = desired(&of(&json!({"imageTag": {}}), Value::Null), false, NOW.parse().unwrap());
        let later = "2026-11-24T13:00:00Z".parse().unwrap();
        assert_eq!(desired(&of(&json!({"imageTag": {}}), first.clone()), false, later), first);
        let broken = desired(&of(&json!({"imageTags": {}}), first), false, later);
        assert_eq!(broken["conditions"][0]["lastTransitionTime"], "2026-11-24T13:00:00Z");
        assert_eq!(broken["conditions"][1]["lastTransitionTime"], NOW);
    }

    fn of(spec: &Value, status: Value) -> Object {
        let compiled = object::compile("shop", spec).map(Arc::new);
        Object { name: "shop".to_owned(), generation: 3, compiled, status, spec: spec.clone() }
    }
}
