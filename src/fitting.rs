//! A container as rules see it: its limits as earlier rules have repaired them, its environment, what the Pod asks. `review`
//! makes it; rules and the runtime catalogue read it, and rules report through `Report`.

use std::{
    borrow::Cow,
    cell::{Cell, OnceCell},
    collections::BTreeMap,
    ptr,
};

use smallvec::SmallVec;

use crate::{
    image::{Image, ImageError},
    injected::{Injected, Records},
    object::{Amounts, Env, EnvSource, Given},
    policy::{Basis, DefaultLimit, Mode, Policy},
    quantity::Quantity,
    rules::Rule,
    runtimes::{Instrumentation, is_like},
    verdict::{Field, Finding, OriginBasis, Skip, SkipReason, Verdict},
    wishes::Wishes,
    workload::{ContainerAt, ContainerKind, Workload},
};

mod names;

use names::Names;

/// Above this number of containers nothing is injected: a patch of that size helps nobody.
pub const MAX_INJECTED_CONTAINERS: usize = 1_000;

/// What is read once per workload, before any container.
pub struct Pod<'a> {
    pub workload: &'a Workload<'a>,
    pub wishes: Wishes<'a>,
    pub injected: Injected<'a>,
    pub instrumentation: Instrumentation<'a>,
    /// Regular containers and sidecars: with exactly one, a limit of the Pod is that container's own.
    long_running: usize,
    pub regular: usize,
    pub is_windows: bool,
    /// The sizes of memory-backed emptyDirs in bytes, by name; 0 where none is given. Looked up once per mount, since an
    /// object may have many of both.
    pub memory_volumes: BTreeMap<&'a str, u64>,
    containers: usize,
}

impl<'a> Pod<'a> {
    pub fn read(workload: &'a Workload<'a>) -> Self {
        Self::with_record(workload, Injected::read(workload))
    }

    /// Of an object whose own record has been read already.
    pub fn with_record(workload: &'a Workload<'a>, mut injected: Injected<'a>) -> Self {
        injected.forget_shared_names(workload);
        let count = |wanted: fn(ContainerKind) -> bool| workload.containers().filter(|at| wanted(at.kind)).count();
        Self {
            workload,
            wishes: Wishes::read(workload),
            injected,
            instrumentation: Instrumentation::read(workload.pod_metadata()),
            long_running: count(ContainerKind::is_long_running),
            regular: count(|kind| kind == ContainerKind::Regular),
            is_windows: workload.spec.is_windows(),
            memory_volumes: memory_volumes(workload),
            containers: workload.container_count(),
        }
    }

    pub fn is_small_enough(&self) -> bool {
        self.containers <= MAX_INJECTED_CONTAINERS
    }
}

fn memory_volumes<'a>(workload: &'a Workload<'_>) -> BTreeMap<&'a str, u64> {
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for volume in workload.spec.volumes.iter() {
        let directory = volume.empty_dir.as_ref();
        let Some(directory) = directory.filter(|it| it.medium.as_ref().is_some_and(|it| it.as_str() == "Memory"))
        else {
            continue;
        };
        let size = directory.size_limit.as_ref().and_then(Given::positive).map_or(0, Quantity::units);
        let sum = sizes.entry(volume.name.as_str()).or_default();
        *sum = sum.saturating_add(size);
    }
    sizes
}

/// A container as the rules before have repaired it.
#[derive(Clone)]
pub struct Fitting<'a> {
    pub pod: &'a Pod<'a>,
    pub at: ContainerAt<'a, 'a>,
    /// What we put into the container earlier.
    pub injected: &'a Records<'a>,
    /// A default of the policy that is being injected, by resource.
    cpu_default: Option<&'a DefaultLimit>,
    memory_default: Option<&'a DefaultLimit>,
    /// Variables that are being injected.
    added: SmallVec<[&'a str; 32]>,
    /// Of `env`, and then of `added`.
    names: Names,
    /// What many variables ask for, and what the last of them was told: variables of one runtime ask for the same.
    words: OnceCell<Words<'a>>,
    last_words: Cell<Option<(&'static [&'static str], Option<&'a str>)>>,
    image: OnceCell<Result<Image<'a>, ImageError>>,
}

#[derive(Clone)]
struct Words<'a> {
    /// Of command and args, scripts of `sh -c` too.
    command: SmallVec<[&'a str; 8]>,
    /// Of the image's name.
    components: SmallVec<[&'a str; 4]>,
}

/// A limit or request that values are computed from.
#[derive(Debug, Clone)]
pub struct Amount<'a> {
    pub quantity: Quantity,
    pub origin: OriginBasis<'a>,
}

/// Whether a name is free in a container's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    Free,
    /// Recorded as a literal of ours, at this index, with this value.
    Ours {
        index: usize,
        value: &'a str,
    },
    /// Recorded as ours, but no literal: nothing to compute anew.
    OursLive,
    Users,
}

impl<'a> Fitting<'a> {
    pub fn new(pod: &'a Pod<'a>, at: ContainerAt<'a, 'a>) -> Self {
        let mut names = Names::new();
        for variable in at.container.env.iter().flat_map(|env| &env.0) {
            names.add(variable.as_ref().map(|variable| variable.name.as_str()));
        }
        Self {
            pod,
            at,
            injected: pod.injected.of(at.name()),
            cpu_default: None,
            memory_default: None,
            added: SmallVec::new(),
            names,
            words: OnceCell::new(),
            last_words: Cell::new(None),
            image: OnceCell::new(),
        }
    }

    pub fn repair_limit(&mut self, basis: Basis, default: &'a DefaultLimit) {
        match basis {
            Basis::Cpu => self.cpu_default = Some(default),
            Basis::Memory => self.memory_default = Some(default),
        }
    }

    /// The container's own positive limit, or the policy's default that is being injected.
    pub fn own_limit(&self, basis: Basis) -> Option<Amount<'a>> {
        let limits = self.at.container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        if let Some((quantity, text)) = positive(limits, basis) {
            return Some(Amount { quantity, origin: OriginBasis::Limit { basis, text } });
        }
        let default = match basis {
            Basis::Cpu => self.cpu_default,
            Basis::Memory => self.memory_default,
        };
        default.map(|default| Amount {
            quantity: default.limit,
            origin: OriginBasis::Limit { basis, text: &default.limit_text },
        })
    }

    /// A positive limit in the Pod's own `spec.resources`.
    pub fn pod_limit(&self, basis: Basis) -> Option<Amount<'a>> {
        let (quantity, text) = positive(self.pod.workload.spec.resources.limits.as_ref(), basis)?;
        Some(Amount { quantity, origin: OriginBasis::PodLimit { basis, text } })
    }

    /// Whether the Pod's own `spec.resources` requests a resource.
    pub fn has_pod_request(&self, basis: Basis) -> bool {
        positive(self.pod.workload.spec.resources.requests.as_ref(), basis).is_some()
    }

    /// The container's CPU request; where it names none, that of the default being injected, else the limit, to which the API
    /// server makes it equal.
    pub fn cpu_request(&self) -> Option<(Quantity, &'a str)> {
        let resources = self.at.container.resources.as_ref();
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        if requests.is_some_and(|requests| requests.cpu.is_some()) {
            return positive(requests, Basis::Cpu);
        }
        match self.cpu_default {
            Some(default) => default.request.is_positive().then_some((default.request, &default.request_text)),
            None => positive(resources?.limits.as_ref(), Basis::Cpu),
        }
    }

    /// Whether the Pod's limit belongs to one long-running container alone.
    pub fn is_pod_limit_unshared(&self) -> bool {
        self.pod.long_running == 1
    }

    pub fn env(&self) -> impl Iterator<Item = (usize, &'a Env<'a>)> {
        self.entries().iter().enumerate().filter_map(|(index, variable)| Some((index, variable.as_ref()?)))
    }

    fn entries(&self) -> &'a [Option<Env<'a>>] {
        self.at.container.env.as_ref().map_or(&[], |env| &env.0)
    }

    /// The entries of `env` by that name, and `None` for one that is being added; on Windows whatever its case, as the
    /// environment is there.
    fn found(&self, name: &str) -> impl Iterator<Item = Option<(usize, &'a Env<'a>)>> {
        let is_its_name = |other: &str| is_same(other, name, self.pod.is_windows);
        self.names.like(name).filter_map(move |index| {
            if let Some(added) = index.checked_sub(self.entries().len()) {
                return is_its_name(self.added.get(added)?).then_some(None);
            }
            let variable = self.entries()[index].as_ref()?;
            is_its_name(variable.name.as_str()).then_some(Some((index, variable)))
        })
    }

    /// Whether the name is set, by the user or by us.
    pub fn has(&self, name: &str) -> bool {
        self.found(name).next().is_some()
    }

    pub fn standing(&self, name: &str) -> Standing<'a> {
        let mut found = self.found(name);
        let Some(first) = found.next() else { return Standing::Free };
        let (Some((index, variable)), None) = (first, found.next()) else { return Standing::Users };
        match &variable.value {
            Some(value) if self.injected.holds_literal(variable) => Standing::Ours { index, value: value.as_str() },
            None if variable.value_from.0 && self.injected.names(name) => Standing::OursLive,
            _ => Standing::Users,
        }
    }

    /// The first envFrom source that could supply a name, or one like a pattern that ends in `*`: its prefix, empty for a
    /// source without one.
    pub fn env_from_for(&self, pattern: &str) -> Option<&'a str> {
        let prefix = |source: &'a EnvSource<'a>| source.prefix.as_ref().map_or("", |prefix| prefix.as_str());
        self.at.container.env_from.iter().map(prefix).find(|prefix| match pattern.strip_suffix('*') {
            Some(beginning) => beginning.starts_with(prefix) || prefix.starts_with(beginning),
            None => pattern.starts_with(prefix),
        })
    }

    /// A variable of that name or, where the pattern ends in `*`, one whose name begins so.
    pub fn variable_like(&self, pattern: &'static str) -> Option<Cow<'a, str>> {
        match pattern.strip_suffix('*') {
            Some(beginning) => {
                let mut names = self.env().map(|(_, variable)| variable.name.as_str());
                names.find(|name| name.starts_with(beginning)).map(Cow::Borrowed)
            }
            None => self.has(pattern).then_some(Cow::Borrowed(pattern)),
        }
    }

    /// Whether podfit sets a variable, in this call or in an earlier one.
    pub fn is_set_by_us(&self, name: &str) -> bool {
        self.added.contains(&name) || matches!(self.standing(name), Standing::Ours { .. } | Standing::OursLive)
    }

    /// A word of command or args, or a component of the image's name, that is like one of the patterns; programs without
    /// their folder.
    pub fn word_like(&self, patterns: &'static [&'static str]) -> Option<&'a str> {
        if patterns.is_empty() {
            return None;
        }
        if let Some((_, word)) = self.last_words.get().filter(|(asked, _)| ptr::eq(*asked, patterns)) {
            return word;
        }
        let word = self.find_word_like(patterns);
        self.last_words.set(Some((patterns, word)));
        word
    }

    fn find_word_like(&self, patterns: &[&str]) -> Option<&'a str> {
        let is_asked_for = |word: &&str| patterns.iter().any(|pattern| is_like(word, pattern));
        let is_program = |word: &&str| word.rsplit_once('/').is_some_and(|(_, program)| is_asked_for(&program));
        let Words { command, components } = self.words();
        let word = command.iter().find(|word| is_asked_for(word) || is_program(word));
        word.or_else(|| components.iter().find(|component| is_asked_for(component))).copied()
    }

    /// Whether a word of command or args holds a text.
    pub fn some_word_has(&self, part: &str) -> bool {
        self.words().command.iter().any(|word| word.contains(part))
    }

    fn words(&self) -> &Words<'a> {
        self.words.get_or_init(|| {
            let container = self.at.container;
            let command = container.command.iter().chain(container.args.iter());
            Words {
                command: command.flat_map(|word| word.as_str().split_whitespace()).collect(),
                components: self.image().iter().flat_map(Image::components).collect(),
            }
        })
    }

    pub fn image(&self) -> Result<Image<'a>, ImageError> {
        *self.image.get_or_init(|| Image::parse(self.at.image()))
    }

    /// The only entry of a name, if it is a literal that refers to nothing: its index and value.
    pub fn only_literal(&self, name: &str) -> Option<(usize, &'a str)> {
        let mut entries = self.env().filter(|(_, variable)| variable.name.as_str() == name);
        let (index, variable) = entries.next()?;
        let value = variable.value.as_ref().map_or("", |value| value.as_str());
        let is_plain = entries.next().is_none() && !variable.value_from.0 && !value.contains("$(");
        is_plain.then_some((index, value))
    }

    pub fn add_variable(&mut self, name: &'a str) {
        self.added.push(name);
        self.names.add(Some(name));
    }
}

fn is_same(one: &str, other: &str, without_case: bool) -> bool {
    if without_case { one.eq_ignore_ascii_case(other) } else { one == other }
}

fn positive<'a>(amounts: Option<&'a Amounts<'a>>, basis: Basis) -> Option<(Quantity, &'a str)> {
    let given: &'a Given<'a> = match basis {
        Basis::Cpu => amounts?.cpu.as_ref()?,
        Basis::Memory => amounts?.memory.as_ref()?,
    };
    Some((given.positive()?, given.text.as_ref()))
}

/// Writes one rule's findings and skips about one container into the verdict.
pub struct Report<'r, 'a> {
    pub rule: Rule,
    pub mode: Mode,
    pub policy: &'a Policy,
    pub verdict: &'r mut Verdict<'a>,
}

impl<'a> Report<'_, 'a> {
    /// A finding about a container in the policy's mode, for the rule to fill in.
    pub fn finding(&self, fitting: &Fitting<'a>, field: Field, reason: &'static str) -> Finding<'a> {
        Finding {
            rule: self.rule,
            policy: &self.policy.name,
            policy_mode: self.mode,
            mode: spared(self.mode, fitting.pod.workload),
            templates: self.policy.templates,
            place: fitting.at.place(),
            field,
            container: Some(fitting.at.name()),
            reason,
            value: Cow::Borrowed(""),
            problem: String::new(),
            edits: SmallVec::new(),
        }
    }

    pub fn push(&mut self, finding: Finding<'a>) {
        self.verdict.findings.push(finding);
    }

    pub fn skip(
        &mut self,
        fitting: &Fitting<'a>,
        subject: Cow<'a, str>,
        reason: SkipReason,
        about: Cow<'a, str>,
        asked: bool,
    ) {
        let (place, container) = (fitting.at.place(), fitting.at.name());
        let policy = self.policy.name.as_str();
        self.verdict.skips.push(Skip { rule: self.rule, policy, place, container, subject, reason, about, asked });
    }
}

/// A node's critical DaemonSet is warned about, never denied.
pub fn spared(mode: Mode, workload: &Workload<'_>) -> Mode {
    if mode == Mode::Deny && workload.is_node_critical() { Mode::Warn } else { mode }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;

    #[test]
    fn words_are_found_whatever_was_asked_for_before() {
        let json = r#"{"spec":{"containers":[{"name":"a","image":"a:1","args":["/bin/ray","-t4"]}]}}"#;
        let workload = Workload::decode(Kind::Pod, json).expect("a Pod");
        let pod = Pod::read(&workload);
        let fitting = Fitting::new(&pod, workload.containers().next().expect("a container"));
        let [ray, spark, threads]: [&[&str]; 3] = [&["ray"], &["spark"], &["-j*", "-t*"]];
        let words = [ray, ray, spark, spark, ray, threads].map(|patterns| fitting.word_like(patterns));
        assert_eq!(words, [Some("/bin/ray"), Some("/bin/ray"), None, None, Some("/bin/ray"), Some("-t4")]);
    }
}
