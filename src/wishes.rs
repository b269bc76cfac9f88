//! What a Pod asks of podfit by annotation: `podfit.dev/runtimes`, `opt-in`, `skip`, `probes`, `processes`. Rules ask it per
//! container. A word that cannot be read is a note, never an error; notes count entries instead of quoting them, since an
//! annotation's content must not reach warnings or logs.

use std::collections::BTreeSet;

use crate::{
    object::Metadata,
    rules::Rule,
    runtimes::{self, Runtime},
    workload::Workload,
};

pub const RUNTIMES: &str = "podfit.dev/runtimes";
pub const OPT_IN: &str = "podfit.dev/opt-in";
pub const SKIP: &str = "podfit.dev/skip";
pub const PROBES: &str = "podfit.dev/probes";
pub const PROCESSES: &str = "podfit.dev/processes";

/// Entries of one annotation: every container asks them all, so that a text of 256 KiB must not be a list of 50,000.
const MAX_ENTRIES: usize = 1_000;

/// Every annotation read, each entry with the container it is for (none: all).
#[derive(Debug, Default, PartialEq)]
pub struct Wishes<'a> {
    runtimes: Vec<Entry<'a, &'static Runtime>>,
    opt_in: Vec<Entry<'a, &'a str>>,
    skip: Vec<Entry<'a, &'a str>>,
    probes: Vec<Entry<'a, ProbeWish<'a>>>,
    processes: Vec<Entry<'a, u64>>,
    pub notes: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Entry<'a, T> {
    container: Option<&'a str>,
    value: T,
}

/// A value of `podfit.dev/probes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeWish<'a> {
    None,
    Http { port: Option<&'a str>, https: bool },
    Tcp { port: &'a str },
    Grpc { port: u16 },
}

impl<'a> Wishes<'a> {
    pub fn read(workload: &'a Workload<'_>) -> Self {
        let mut wishes = Self::default();
        let metadata = workload.pod_metadata();
        let is_wish = |key: &str| [RUNTIMES, OPT_IN, SKIP, PROBES, PROCESSES].contains(&key);
        if !metadata.annotations.as_ref().is_some_and(|all| all.keys().any(is_wish)) {
            return wishes;
        }
        let names = workload.containers().map(|at| at.name()).collect();
        let mut reader = Reader { metadata, names, notes: &mut wishes.notes };
        wishes.runtimes = reader.read(RUNTIMES, runtimes::find, &format!("a runtime: one of {}", runtimes::names()));
        wishes.opt_in = reader.read(OPT_IN, known_opt_in, "an opt-in variable of the catalogue");
        wishes.skip = reader.read(SKIP, known_skip, "a variable's name, an injecting rule's id or `all`");
        wishes.probes =
            reader.read(PROBES, probe_wish, "one of http[:port], https[:port], tcp:port, grpc:number, none");
        wishes.processes = reader.read(PROCESSES, process_count, "a number from 1 to 10000");
        wishes
    }

    /// The runtimes named for a container: they replace detection and the policy's list.
    pub fn runtimes(&self, container: &str) -> Option<Vec<&'static Runtime>> {
        let named: Vec<_> = matching(&self.runtimes, container).copied().collect();
        (!named.is_empty()).then_some(named)
    }

    pub fn has_opt_in(&self) -> bool {
        !self.opt_in.is_empty()
    }

    pub fn opts_in(&self, container: &str, variable: &str) -> bool {
        matching(&self.opt_in, container).any(|name| *name == variable)
    }

    /// Whether a variable, or the whole rule, is not wanted in a container.
    pub fn skips(&self, container: &str, rule: Rule, subject: &str) -> bool {
        matching(&self.skip, container).any(|word| *word == subject || *word == rule.id() || *word == "all")
    }

    /// The wish for a container, and whether it names the container.
    pub fn probe(&self, container: &str) -> Option<(ProbeWish<'a>, bool)> {
        let named = |named: bool| {
            self.probes.iter().find(move |entry| entry.container == named.then_some(container)).map(|entry| entry.value)
        };
        named(true).map(|wish| (wish, true)).or_else(|| named(false).map(|wish| (wish, false)))
    }

    /// Worker processes of a container that share its limits: 1 unless said.
    pub fn processes(&self, container: &str) -> u64 {
        let own = self.processes.iter().find(|entry| entry.container == Some(container));
        own.or_else(|| self.processes.iter().find(|entry| entry.container.is_none())).map_or(1, |entry| entry.value)
    }
}

fn matching<'w, T>(entries: &'w [Entry<'_, T>], container: &str) -> impl Iterator<Item = &'w T> {
    entries.iter().filter(move |entry| entry.container.is_none_or(|name| name == container)).map(|entry| &entry.value)
}

struct Reader<'a, 'n> {
    metadata: &'a Metadata<'a>,
    names: BTreeSet<&'a str>,
    notes: &'n mut Vec<String>,
}

impl<'a> Reader<'a, '_> {
    /// Reads `[container=]VALUE`, comma-separated.
    fn read<T>(&mut self, key: &str, parse: impl Fn(&'a str) -> Option<T>, expected: &str) -> Vec<Entry<'a, T>> {
        let mut entries = Vec::new();
        let text = self.metadata.annotation(key).unwrap_or_default();
        let items = text.split(',').map(str::trim).enumerate().filter(|(_, item)| !item.is_empty());
        for (index, item) in items {
            if index == MAX_ENTRIES {
                self.notes.push(format!("{key}: only the first {MAX_ENTRIES} entries are read"));
                break;
            }
            let (container, value) = match item.split_once('=') {
                Some((container, value)) => (Some(container.trim()), value.trim()),
                None => (None, item),
            };
            if container.is_some_and(|name| !self.names.contains(name)) {
                self.notes.push(format!("{key}: entry {} names a container that the Pod does not have", index + 1));
            } else if let Some(value) = parse(value) {
                entries.push(Entry { container, value });
            } else {
                self.notes.push(format!("{key}: entry {} is not {expected}", index + 1));
            }
        }
        entries
    }
}

fn known_opt_in(word: &str) -> Option<&str> {
    runtimes::is_opt_in(word).then_some(word)
}

/// Whether a word of the annotation `podfit.dev/skip` means anything.
pub fn can_be_skipped(word: &str) -> bool {
    known_skip(word).is_some()
}

/// Variables of a policy's own are not known here: any name that could be a variable's is taken.
fn known_skip(word: &str) -> Option<&str> {
    let variable = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let rule = matches!(
        word,
        "all" | "pod-identity" | "runtime-sizing" | "probes" | "readinessProbe" | "livenessProbe" | "startupProbe"
    );
    let of_catalogue = || runtimes::variables().any(|known| known.name == word);
    (rule || variable || of_catalogue()).then_some(word)
}

fn process_count(word: &str) -> Option<u64> {
    word.trim_matches('"').parse().ok().filter(|count| (1..=10_000).contains(count))
}

fn probe_wish(word: &str) -> Option<ProbeWish<'_>> {
    let (scheme, port) = match word.split_once(':') {
        Some((scheme, port)) if !port.is_empty() => (scheme, Some(port)),
        Some(_) => return None,
        None => (word, None),
    };
    match (scheme, port) {
        ("none", None) => Some(ProbeWish::None),
        ("http", port) => Some(ProbeWish::Http { port, https: false }),
        ("https", port) => Some(ProbeWish::Http { port, https: true }),
        ("tcp", Some(port)) => Some(ProbeWish::Tcp { port }),
        ("grpc", Some(port)) => port.parse().ok().filter(|port| *port > 0).map(|port| ProbeWish::Grpc { port }),
        _ => None,
    }
}
