//! Reviews and what podfit must answer, byte by byte: the library judges the same bodies in this process.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use podfit::{
    admission::{self, Phase},
    manifest,
    policy::{self, DEFAULT_POLICY, PolicySet, Rulebook},
};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Link},
    shapes,
};

/// A review gets one of its own, so that no answer is taken for another.
const UID: &str = "00000000-0000-4000-8000-000000000000";

/// How many answers `podfit_reviews_total` must have counted, by its labels.
pub type Counts = BTreeMap<String, u64>;

pub struct Review {
    pub path: &'static str,
    body: Vec<u8>,
    answer: Vec<u8>,
    status: u16,
    /// What it is counted under.
    pub labels: String,
}

/// Judges as podfit does under the same policy.
pub struct Judge {
    rulebook: Rulebook,
    today: Date,
}

impl Judge {
    pub fn under(policy: &str) -> Self {
        Self::on(Timestamp::now().to_zoned(TimeZone::UTC).date(), policy)
    }

    pub fn on(today: Date, policy: &str) -> Self {
        let policies =
            manifest::read(policy).into_iter().map(|document| policy::compile(&document.unwrap().node).unwrap());
        Self { rulebook: Rulebook::unwatched(PolicySet::new(policies.collect()).unwrap()), today }
    }

    pub fn review(&self, phase: Phase, body: Vec<u8>) -> Review {
        let answer =
            admission::answer(phase, &body, &admission::Settings { rulebook: &self.rulebook, today: self.today });
        let record = &answer.record;
        Review {
            path: match phase {
                Phase::Mutate => "/mutate",
                Phase::Validate => "/validate",
            },
            labels: labels(phase.as_str(), record.operation.as_str(), record.decision.as_str()),
            body,
            answer: answer.body,
            status: answer.status,
        }
    }

    /// What a cluster sends all day: Pods that are patched, allowed, refused, and not ours.
    pub fn usual(&self) -> Vec<Review> {
        let deletion = changed(shapes::plain(1), &[("/operation", json!("DELETE")), ("/object", Value::Null)]);
        let of_the_system = changed(shapes::plain(1), &[("/namespace", json!("kube-system"))]);
        let rows = [
            (Phase::Mutate, changed(shapes::plain(1), &[])),
            (Phase::Mutate, changed(shapes::meshed(), &[])),
            (Phase::Validate, changed(shapes::plain(1), &[])),
            (Phase::Validate, deletion),
            (Phase::Mutate, of_the_system),
        ];
        let usual = rows.into_iter().map(|(phase, review)| self.review(phase, shapes::bytes(&review)));
        usual.chain([self.careless()]).collect()
    }

    /// Refused for its limits and its image.
    pub fn careless(&self) -> Review {
        let changes = [("image", json!("app:latest")), ("resources", json!({}))];
        let changes = changes.map(|(field, value)| (format!("/object/spec/containers/0/{field}"), value));
        let changes: Vec<_> = changes.iter().map(|(pointer, value)| (&**pointer, value.clone())).collect();
        self.review(Phase::Validate, shapes::bytes(&changed(shapes::plain(1), &changes)))
    }

    /// A Pod that is judged, so many bytes long.
    pub fn as_long_as(&self, bytes: usize) -> Review {
        let manager = "/object/metadata/managedFields/0/manager";
        let of = |name: &str| shapes::bytes(&changed(shapes::plain(1), &[(manager, json!(name))]));
        self.review(Phase::Validate, of(&"m".repeat(bytes - of("").len())))
    }

    /// A few hundred bytes that nobody judges.
    pub fn deletion(&self) -> Review {
        let request = json!({
            "uid": UID, "kind": {"group": "", "version": "v1", "kind": "Pod"}, "name": "web", "namespace": "shop",
            "operation": "DELETE", "userInfo": {"username": "ann"}, "object": null, "oldObject": null,
        });
        let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request});
        self.review(Phase::Validate, shapes::bytes(&review))
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::under(DEFAULT_POLICY)
    }
}

impl Review {
    /// The body with a uid of its own.
    pub fn body(&self, number: u64) -> Vec<u8> {
        with_uid(&self.body, number)
    }

    /// Sends it, and panics where the answer is not the right one.
    pub async fn post(&self, link: &mut Link, number: u64) {
        let answer = link.post(self.path, &self.body(number)).await.unwrap();
        self.check(number, &answer).unwrap();
    }

    /// Why the answer to the body of this number is not the right one.
    pub fn check(&self, number: u64, answer: &Answer) -> Result<(), String> {
        if answer.status == self.status && answer.body == with_uid(&self.answer, number) {
            return Ok(());
        }
        let text = |body: &[u8]| String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
        let expected = text(&with_uid(&self.answer, number));
        Err(format!("{} answered {} {}, not {} {expected}", self.path, answer.status, text(&answer.body), self.status))
    }
}

/// With the uid that `body` replaces, and other values at these pointers into the request.
fn changed(mut review: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in [("/uid", json!(UID))].iter().chain(changes) {
        *review["request"].pointer_mut(pointer).unwrap() = value.clone();
    }
    review
}

pub fn labels(phase: &str, operation: &str, decision: &str) -> String {
    format!(r#"{{phase="{phase}",operation="{operation}",decision="{decision}"}}"#)
}

fn with_uid(text: &[u8], number: u64) -> Vec<u8> {
    let mut text = text.to_vec();
    if let Some(at) = text.windows(UID.len()).position(|window| window == UID.as_bytes()) {
        text[at..at + UID.len()]
            .copy_from_slice(format!("{:08x}-0000-4000-8000-{number:012x}", number >> 48).as_bytes());
    }
    text
}
