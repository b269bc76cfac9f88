//! Reviews and what podfit must answer, byte by byte: the library judges the same bodies in this process.

use std::collections::BTreeMap;

use axum::body::Bytes;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use podfit::{
    admission::{self, Phase},
    manifest,
    policy::{self, DEFAULT_POLICY, PolicySet, Rulebook},
};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Link},
    load::review,
    shapes,
};

/// Of the shapes. Each review is sent with one of its own instead, so that no answer is taken for another.
const UID: &str = "6f1b2c3d-8a4e-4f50-9b61-7c8d9e0f1a2b";

/// How many answers `podfit_reviews_total` must have counted, by its labels.
pub type Counts = BTreeMap<String, u64>;

/// The right answer to one body.
pub struct Judged {
    pub path: &'static str,
    /// What it is counted under.
    pub labels: String,
    status: u16,
    answer: Vec<u8>,
}

/// A body that is sent again and again.
pub struct Review {
    pub path: &'static str,
    pub labels: String,
    template: review::Review,
    judged: Judged,
}

/// Judges as podfit does under the same policy on the same day.
pub struct Judge {
    rulebook: Rulebook,
    today: Date,
}

impl Judge {
    pub fn under(policy: &str) -> Self {
        Self::on(Timestamp::now().to_zoned(TimeZone::UTC).date(), policy)
    }

    pub fn on(today: Date, policy: &str) -> Self {
        let document = manifest::read(policy).remove(0).unwrap();
        let policies = PolicySet::new(vec![policy::compile(&document.node).unwrap()]).unwrap();
        Self { rulebook: Rulebook::unwatched(policies), today }
    }

    pub fn judge(&self, phase: Phase, body: &[u8]) -> Judged {
        let settings = admission::Settings { rulebook: &self.rulebook, today: self.today };
        let answer = admission::answer(phase, body, &settings);
        let record = &answer.record;
        Judged {
            path: match phase {
                Phase::Mutate => "/mutate",
                Phase::Validate => "/validate",
            },
            labels: labels(phase.as_str(), record.operation.as_str(), record.decision.as_str()),
            status: answer.status,
            answer: answer.body,
        }
    }

    pub fn review(&self, phase: Phase, body: &[u8]) -> Review {
        let judged = self.judge(phase, body);
        let template = review::Review::new(judged.path, UID, body, &[(judged.status, &judged.answer)]);
        Review { path: judged.path, labels: judged.labels.clone(), template, judged }
    }

    /// What a cluster sends all day: Pods that are patched, allowed and refused, and what is not ours.
    pub fn usual(&self) -> Vec<Review> {
        let of_the_system = changed(shapes::plain(1), &[("namespace", json!("kube-system"))]);
        let rows =
            [(Phase::Mutate, shapes::plain(1)), (Phase::Validate, shapes::plain(1)), (Phase::Mutate, of_the_system)];
        let judged = rows.iter().map(|(phase, review)| self.review(*phase, &shapes::bytes(review)));
        judged.chain([self.patched(), self.deletion(), self.careless()]).collect()
    }

    /// Answered with some kilobytes.
    pub fn patched(&self) -> Review {
        self.review(Phase::Mutate, &shapes::bytes(&shapes::meshed()))
    }

    /// Refused for its limits and its image.
    pub fn careless(&self) -> Review {
        let changes = [("image", json!("app:latest")), ("resources", json!({}))];
        let changes = changes.map(|(field, value)| (format!("object/spec/containers/0/{field}"), value));
        let changes: Vec<_> = changes.iter().map(|(pointer, value)| (&**pointer, value.clone())).collect();
        self.review(Phase::Validate, &shapes::bytes(&changed(shapes::plain(1), &changes)))
    }

    /// Not judged, and short.
    pub fn deletion(&self) -> Review {
        let changes = [("operation", json!("DELETE")), ("object", Value::Null), ("userInfo/groups", json!([]))];
        self.review(Phase::Validate, &shapes::bytes(&changed(shapes::plain(1), &changes)))
    }

    /// A Pod that is judged, so many bytes long.
    pub fn as_long_as(&self, bytes: usize) -> Review {
        let named = |manager: &str| {
            let changes = [("object/metadata/managedFields/0/manager", json!(manager))];
            shapes::bytes(&changed(shapes::plain(1), &changes))
        };
        self.review(Phase::Validate, &named(&"m".repeat(bytes - named("").len())))
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::under(DEFAULT_POLICY)
    }
}

impl Review {
    /// A body with a uid of its own, and the uid.
    pub fn next(&self) -> (Bytes, String) {
        self.template.next()
    }

    /// Sends it, and panics where the answer is not the right one.
    pub async fn post(&self, link: &mut Link) {
        let (body, uid) = self.next();
        let answer = link.post(self.path, &body).await.unwrap();
        self.check(&uid, &answer);
    }

    pub fn check(&self, uid: &str, answer: &Answer) {
        assert!(self.is_right(uid, answer), "{uid}: {}", self.complain(answer));
    }

    pub fn is_right(&self, uid: &str, answer: &Answer) -> bool {
        self.template.is_right(uid, answer.status, &answer.body)
    }

    pub fn complain(&self, answer: &Answer) -> String {
        self.judged.complain(answer)
    }
}

impl Judged {
    pub fn check(&self, what: &str, answer: &Answer) {
        let is_right = answer.status == self.status && answer.body == self.answer;
        assert!(is_right, "{what}: {}", self.complain(answer));
    }

    fn complain(&self, answer: &Answer) -> String {
        let text = |body: &[u8]| String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
        let (found, right) = (text(&answer.body), text(&self.answer));
        format!("{} answered {} {found}, not {} {right}", self.path, answer.status, self.status)
    }
}

pub fn labels(phase: &str, operation: &str, decision: &str) -> String {
    format!(r#"{{phase="{phase}",operation="{operation}",decision="{decision}"}}"#)
}

/// With other values at these pointers into the request.
fn changed(mut review: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *review["request"].pointer_mut(&format!("/{pointer}")).unwrap() = value.clone();
    }
    review
}
