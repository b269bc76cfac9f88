//! One Lease, so that of all replicas one writes the status of policies. It is about work done once, not about safety: two
//! that write write the same.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

use crate::cluster::{
    Cluster, NAME,
    client::{Call, Failure},
};

/// In seconds: after it, another may take the lease.
const DURATION: i32 = 30;

pub(super) struct Tenure {
    cluster: Cluster,
    leases: Api<Lease>,
    us: String,
}

impl Tenure {
    /// `us` differs between replicas.
    pub(super) fn of(cluster: Cluster, us: String) -> Self {
        let leases = Api::namespaced(cluster.client.clone(), cluster.namespace());
        Self { cluster, leases, us }
    }

    /// Takes or renews the lease, and says whether it is ours.
    pub(super) async fn hold(&self) -> Result<bool, Failure> {
        let found = self.leases.get_opt(NAME).await.map_err(|error| self.call("get").failed(error))?;
        let now = self.cluster.now();
        let parameters = PostParams { field_manager: Some(NAME.to_owned()), ..PostParams::default() };
        let written = match found {
            // By server-side apply, because the authorization of its `create` knows the name, that of POST does not. Two
            // that come at once both succeed, and both write the same until one renews first.
            None => {
                let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.renewed(None, now)) };
                let created = self.leases.patch(NAME, &PatchParams::apply(NAME), &Patch::Apply(lease)).await;
                created.map_err(|error| self.call("create").failed(error))
            }
            Some(lease) if !may_take(lease.spec.as_ref(), &self.us, now) => return Ok(false),
            Some(mut lease) => {
                lease.spec = Some(self.renewed(lease.spec, now));
                let replaced = self.leases.replace(NAME, &parameters, &lease).await;
                replaced.map_err(|error| self.call("update").failed(error))
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(Failure::Conflict { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn renewed(&self, before: Option<LeaseSpec>, now: Timestamp) -> LeaseSpec {
        let before = before.unwrap_or_default();
        let was_ours = before.holder_identity.as_deref() == Some(&self.us);
        let transitions = before.lease_transitions.unwrap_or(0) + i32::from(!was_ours);
        LeaseSpec {
            acquire_time: if was_ours { before.acquire_time } else { Some(MicroTime(now)) },
            holder_identity: Some(self.us.clone()),
            lease_duration_seconds: Some(DURATION),
            lease_transitions: Some(transitions),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }
    }

    fn call(&self, verb: &'static str) -> Call {
        Call::of(verb, "leases", NAME).within(self.cluster.namespace())
    }
}

/// Ours, nobody's, or of one who has not renewed it in time; a time far ahead is of a clock that was wrong.
fn may_take(lease: Option<&LeaseSpec>, us: &str, now: Timestamp) -> bool {
    let Some(lease) = lease else { return true };
    let holder = lease.holder_identity.as_deref().unwrap_or_default();
    let Some(MicroTime(renewed)) = &lease.renew_time else { return true };
    let duration = SignedDuration::from_secs(i64::from(lease.lease_duration_seconds.unwrap_or(DURATION)));
    let age = now.duration_since(*renewed);
    holder == us || holder.is_empty() || age > duration || age < -duration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_from_nobody_who_renews_it() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let lease = |holder: &str, seconds_ago: i64| LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(30),
            renew_time: Some(MicroTime(now - SignedDuration::from_secs(seconds_ago))),
            ..LeaseSpec::default()
        };
        let rows = [
            ("none yet", None, true),
            ("empty", Some(LeaseSpec::default()), true),
            ("ours", Some(lease("us", 10)), true),
            ("ours, long ago", Some(lease("us", 1_000)), true),
            ("another's, renewed", Some(lease("other", 30)), false),
            ("another's, not renewed", Some(lease("other", 31)), true),
            ("another's, ahead by a little", Some(lease("other", -20)), false),
            ("another's, ahead by far", Some(lease("other", -1_000)), true),
            ("given back", Some(lease("", 1)), true),
        ];
        for (name, lease, expected) in rows {
            assert_eq!(may_take(lease.as_ref(), "us", now), expected, "{name}");
        }
    }
}
