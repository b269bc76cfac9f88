//! A review that is sent again and again, each time with a uid of its own, and the answers that are right.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::body::Bytes;

const LENGTH_OF_UID: usize = 36;

pub struct Review {
    pub path: String,
    body: Template,
    /// Statuses with the bytes of their answers.
    right: Vec<(u16, Template)>,
}

/// Bytes with a uid in their middle; whole where there is none, as in a constant answer.
pub struct Template {
    before: Vec<u8>,
    after: Option<Vec<u8>>,
}

impl Review {
    /// Of an example with its right answers. The uid of the example is replaced in all of them.
    pub fn new(path: &str, uid: &str, body: &[u8], right: &[(u16, &[u8])]) -> Self {
        assert_eq!(uid.len(), LENGTH_OF_UID, "{uid}");
        let right = right.iter().map(|(status, answer)| (*status, Template::of(answer, uid))).collect();
        Self { path: path.to_owned(), body: Template::of(body, uid), right }
    }

    /// A body that was never sent before, and its uid.
    pub fn next(&self) -> (Bytes, String) {
        let uid = next_uid();
        (self.body.with(&uid).into(), uid)
    }

    pub fn is_right(&self, uid: &str, status: u16, answer: &[u8]) -> bool {
        self.right.iter().any(|(right, template)| *right == status && template.is(answer, uid))
    }
}

impl Template {
    fn of(bytes: &[u8], uid: &str) -> Self {
        match bytes.windows(uid.len()).position(|window| window == uid.as_bytes()) {
            Some(at) => Self { before: bytes[..at].to_vec(), after: Some(bytes[at + uid.len()..].to_vec()) },
            None => Self { before: bytes.to_vec(), after: None },
        }
    }

    fn with(&self, uid: &str) -> Vec<u8> {
        match &self.after {
            Some(after) => [&self.before, uid.as_bytes(), after].concat(),
            None => self.before.clone(),
        }
    }

    fn is(&self, bytes: &[u8], uid: &str) -> bool {
        let Some(rest) = bytes.strip_prefix(self.before.as_slice()) else { return false };
        match &self.after {
            Some(after) => rest.strip_prefix(uid.as_bytes()) == Some(after.as_slice()),
            None => rest.is_empty(),
        }
    }
}

fn next_uid() -> String {
    static SENT: AtomicU64 = AtomicU64::new(1);
    let mut uid = String::with_capacity(LENGTH_OF_UID);
    write!(uid, "0f8fad5b-d9cb-469f-a165-{:012x}", SENT.fetch_add(1, Ordering::Relaxed)).unwrap();
    uid
}
