//! The reviews that are measured, and what each may cost at most.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    bodies,
    load::{
        client::{Answer, Client},
        review::Review,
    },
    programs::Which,
};

const UID: &str = "6f1b2c3d-8a4e-4f50-9b61-7c8d9e0f1a2b";

/// CPU time per review as a ratio to the bare server's, beyond which CI fails. What is wanted is 1.25 times a sketch of the least
/// that could do the work, which took 1.94 x bare for the typical body and 2.6 x bare for the large one, in the same rounds as
/// podfit; and 1.2 x bare where no policy matches. CI lets twice that pass, so that noise fails no build.
const TYPICAL: f64 = 2.0 * 1.25 * 1.94;
const LARGE: f64 = 2.0 * 1.25 * 2.6;
const UNMATCHED: f64 = 2.0 * 1.2;

pub struct Case {
    pub name: &'static str,
    /// The highest ratio that CI lets pass.
    pub bound: f64,
    path: &'static str,
    body: Value,
    /// Operations of the patch, at least.
    operations: usize,
}

pub async fn all(podfit: &Client) -> [Case; 4] {
    let repaired = repaired(podfit, bodies::meshed()).await;
    let mut unmatched = bodies::meshed();
    unmatched["request"]["namespace"] = json!("kube-system");
    let case = |name, bound, path, body, operations| Case { name, bound, path, body, operations };
    [
        typical(),
        case("`/validate`, typical body after the patch", TYPICAL, "/validate", repaired, 0),
        case("`/mutate`, large body", LARGE, "/mutate", bodies::crowded(), 60),
        case("`/mutate`, typical body in a namespace that no policy matches", UNMATCHED, "/mutate", unmatched, 0),
    ]
}

/// The one that whatever is not CPU time is measured with.
pub fn typical() -> Case {
    let body = bodies::meshed();
    Case { name: "`/mutate`, typical body", bound: TYPICAL, path: "/mutate", body, operations: 6 }
}

impl Case {
    pub fn bytes(&self) -> usize {
        bodies::bytes(&self.body).len()
    }

    /// With the answer that is right from now on. podfit's is looked at once.
    pub async fn ask(&self, which: Which, client: &Client) -> Arc<Review> {
        let body = bodies::bytes(&self.body);
        let answer = post(client, self.path, &self.body).await;
        if which == Which::Podfit {
            let response = response(&answer);
            assert_eq!(response["uid"], UID);
            assert_eq!(response["allowed"], true, "{response}");
            let operations = patch(&response).map_or(0, |patch| patch.len());
            assert!(operations >= self.operations && (operations > 0) == (self.operations > 0), "{response}");
        }
        Arc::new(Review::new(self.path, UID, &body, &[(200, &answer.body)]))
    }
}

/// What `/validate` sees of a Pod that `/mutate` has patched.
async fn repaired(podfit: &Client, mut body: Value) -> Value {
    let response = response(&post(podfit, "/mutate", &body).await);
    let patch = patch(&response).unwrap();
    json_patch::patch(&mut body["request"]["object"], &patch).unwrap();
    body
}

async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.connect().await.unwrap().post(path, bodies::bytes(body).into()).await.unwrap()
}

fn response(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut review: Value = serde_json::from_slice(&answer.body).unwrap();
    review["response"].take()
}

fn patch(response: &Value) -> Option<json_patch::Patch> {
    let patch = STANDARD.decode(response["patch"].as_str()?).unwrap();
    Some(serde_json::from_slice(&patch).unwrap())
}
