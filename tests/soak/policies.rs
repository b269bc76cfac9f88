//! Two policies under which the same reviews are answered differently, in a file that podfit follows.

use std::time::Duration;

use podfit::policy::DEFAULT_POLICY;
use tokio::time::sleep;

use crate::{
    client::Link,
    load::client::Client,
    podfit::{Podfit, Start, replace},
    reviews::{Counts, Judge, Review},
};

const FILE: &str = "policy.yaml";

pub struct Policy {
    pub text: String,
    judge: Judge,
}

impl Policy {
    pub fn strict() -> Self {
        Self::of(DEFAULT_POLICY.replace("name: default", "name: strict"))
    }

    pub fn lenient() -> Self {
        Self::of(DEFAULT_POLICY.replace("name: default", "name: lenient").replace("mode: Deny", "mode: Warn"))
    }

    fn of(text: String) -> Self {
        Self { judge: Judge::under(&text), text }
    }

    /// podfit, under this policy.
    pub fn start(&self) -> Start<'static> {
        let start = Start { arguments: &["--policy", FILE], ..Start::default() };
        replace(&start.folder.path().join(FILE), &self.text);
        start
    }

    pub fn usual(&self) -> Vec<Review> {
        self.judge.usual()
    }
}

/// Any text.
pub fn put(podfit: &Podfit, policy: &str) {
    replace(&podfit.folder.path().join(FILE), policy);
}

/// Asks until this client is answered by the last policy; what was counted meanwhile.
pub async fn in_force(client: &Client, last: &Policy, before: &Policy) -> Counts {
    let (last, before) = (last.judge.careless(), before.judge.careless());
    let mut counts = Counts::new();
    loop {
        if let Ok(mut link) = Link::connect(client).await {
            let (body, uid) = last.next();
            let answer = link.post(last.path, &body).await.unwrap();
            let is_last = last.is_right(&uid, &answer);
            let review = if is_last { &last } else { &before };
            review.check(&uid, &answer);
            *counts.entry(review.labels.clone()).or_default() += 1;
            if is_last {
                return counts;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
