//! Bodies that are meant to hurt: as large as the server takes them, of the worst shapes. Each is answered, in bounded time
//! and memory, debug build and busy machine allowed for.

use std::time::{Duration, Instant};

use podfit::{admission::Phase, manifest, policy};
use serde_json::Value;

use super::{
    hostile::{LARGEST, bodies},
    policies,
    world::answer_body,
};

const LONGEST: Duration = Duration::from_secs(20);
/// Answers do not grow with what they complain about; the longest is a patch of 1,000 containers.
const LARGEST_ANSWER: usize = 4 << 20;

#[test]
fn hostile_bodies_are_answered() {
    let policies = policies::compile(&[include_str!("../corpus/policies/everything.yaml").to_owned()]);
    for (name, body) in bodies() {
        assert!(body.len() <= LARGEST, "{name} is {} bytes long", body.len());
        for phase in [Phase::Mutate, Phase::Validate] {
            let began = Instant::now();
            let answer = answer_body(phase, &body, &policies);
            let (took, size) = (began.elapsed(), answer.body.len());
            assert!(took < LONGEST, "{name}: {phase:?} took {took:?}");
            assert!(size <= LARGEST_ANSWER, "{name}: {phase:?} answered {size} bytes");
            assert!(answer.record.message.len() < 10_000, "{name}: {phase:?} logs {:?}", answer.record.message);
            serde_json::from_slice::<Value>(&answer.body).unwrap();
        }
    }
    #[cfg(target_os = "linux")]
    assert!(peak_memory() < 1 << 30, "{} bytes at the peak", peak_memory());
}

#[test]
fn hostile_texts_are_read_or_refused() {
    let texts = [
        ("open lists", "[".repeat(1 << 20)),
        ("open maps", "{a: ".repeat(1 << 18)),
        ("nested list items", "- ".repeat(1 << 18)),
        ("deep block maps", lines(1_000, |depth| format!("{}a:", " ".repeat(depth)))),
        ("doubling aliases", doubling_aliases()),
        ("many documents", "---\na: 1\n".repeat(20_000)),
        ("one long line", format!("a: {}", "x".repeat(1 << 20))),
        ("many keys", lines(50_000, |index| format!("k{index}: 1"))),
        ("open quotes", "\"".repeat((1 << 18) + 1)),
    ];
    for (name, text) in texts {
        let began = Instant::now();
        for document in manifest::read(&text).into_iter().flatten() {
            drop(policy::compile(&document.node));
        }
        drop(manifest::apply(&text, &[]));
        assert!(began.elapsed() < LONGEST, "{name} took {:?}", began.elapsed());
    }
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn doubling_aliases() -> String {
    lines(40, |index| match index {
        0 => "a0: &a0 [x, x]".to_owned(),
        _ => format!("a{index}: &a{index} [*a{0}, *a{0}]", index - 1),
    })
}

#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
