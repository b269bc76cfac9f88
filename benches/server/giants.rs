//! The largest bodies that are taken, in several shapes: how long an answer takes, and the most memory that a new process has
//! had after a few of them.

use std::time::Instant;

use axum::body::Bytes;
use podfit::server::Bounds;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    bodies,
    programs::{BOTH, Programs, Which, client},
    server::Server,
    spread::Spread,
    table::{Row, mebibytes},
};

const TIMES: usize = 5;

struct Giant {
    name: &'static str,
    path: &'static str,
    body: Bytes,
    /// Of podfit's answer, and what it has to hold.
    right: (u16, &'static str),
}

const ALLOWED: (u16, &str) = (200, r#""allowed":true"#);
const PATCHED: (u16, &str) = (200, r#""patch":""#);
const DENIED: (u16, &str) = (200, r#""allowed":false"#);
/// What cannot be decoded is left to the failure policy.
const FAILED: (u16, &str) = (500, "");

pub fn rows(programs: &Programs, runtime: &Runtime) -> Vec<Row> {
    let row = |giant: Giant| {
        let [bare, podfit] = BOTH.map(|which| measure(&programs.start(which), runtime, which, &giant));
        let bytes = giant.body.len() >> 10;
        Row { what: format!("`{}`: {}, {}", giant.path, giant.name, mebibytes(bytes as u64)), bare, podfit }
    };
    giants().into_iter().map(row).collect()
}

fn giants() -> [Giant; 10] {
    let giant = |name, path, body: Vec<u8>, right| Giant { name, path, body: body.into(), right };
    let good = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}});
    [
        giant("1,000 containers", "/mutate", containers(1_000, &good), PATCHED),
        giant("1,000 containers", "/validate", containers(1_000, &good), ALLOWED),
        giant("10,000 containers", "/mutate", containers(10_000, &good), ALLOWED),
        giant("10,000 containers", "/validate", containers(10_000, &good), ALLOWED),
        giant("10,000 containers, all without limits", "/validate", containers(10_000, &json!({})), DENIED),
        giant("one long annotation", "/validate", filled(r#""annotations":{"a":""#, "a", r#""}"#), ALLOWED),
        giant("an annotation of escapes", "/validate", filled(r#""annotations":{"a":""#, r"\u0061", r#""}"#), ALLOWED),
        giant("managed fields", "/validate", filled(r#""managedFields":[{"#, r#""f:a":{},"#, r#""f:z":{}}]"#), ALLOWED),
        giant("managed fields, nested", "/validate", nested(), ALLOWED),
        giant("labels", "/validate", filled(r#""labels":{"#, r#""a":"b","#, r#""z":"b"}"#), FAILED),
    ]
}

/// The most that is taken: a Pod whose metadata hold `filling` as often as fits.
fn filled(before: &str, filling: &str, after: &str) -> Vec<u8> {
    around(before, after, |room| filling.repeat(room / filling.len()))
}

fn nested() -> Vec<u8> {
    around(r#""managedFields":"#, "", |room| ["[".repeat(room / 2), "]".repeat(room / 2)].concat())
}

fn around(before: &str, after: &str, filling: impl Fn(usize) -> String) -> Vec<u8> {
    let mut body = bodies::plain(1);
    body["request"]["object"]["metadata"] = json!({"place": null});
    let text = String::from_utf8(bodies::bytes(&body)).unwrap();
    let (start, end) = text.split_once(r#""place":null"#).unwrap();
    let room = Bounds::default().body_bytes - start.len() - before.len() - after.len() - end.len();
    [start, before, &filling(room), after, end].concat().into_bytes()
}

fn containers(count: usize, resources: &Value) -> Vec<u8> {
    let mut body = bodies::plain(1);
    let image = "registry.example/shop/worker:2.1.0";
    let container = |index| json!({"name": format!("worker-{index}"), "image": image, "resources": resources});
    body["request"]["object"]["spec"]["containers"] = (0..count).map(container).collect();
    bodies::bytes(&body)
}

/// Milliseconds, and the most memory.
fn measure(server: &Server, runtime: &Runtime, which: Which, giant: &Giant) -> String {
    let times = runtime.block_on(async {
        let mut connection = client(server).connect().await.unwrap();
        let mut times = Vec::new();
        for _time in 0..TIMES {
            let start = Instant::now();
            let answer = connection.post(giant.path, giant.body.clone()).await.unwrap();
            times.push(start.elapsed());
            let (status, held) = giant.right;
            let text = String::from_utf8_lossy(&answer.body);
            if which == Which::Podfit {
                assert!(
                    answer.status == status && text.contains(held),
                    "{}: {} {text:.2000}",
                    giant.name,
                    answer.status
                );
            }
        }
        times
    });
    format!("{:.0} ms, {}", Spread::of_times(&times), mebibytes(server.process.kibibytes("VmHWM")))
}
