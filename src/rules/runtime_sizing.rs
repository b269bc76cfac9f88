//! `runtime-sizing`: every runtime is told the limits of its container.
//!
//! Looks at: limits (or requests, where the policy says so), `env`, `envFrom`, `command`, `args`, image, annotations.
//! Asks: the variables of the policy's runtimes, and of those that the Pod itself names, where they are not set.
//! Fix: the variable, live (`resourceFieldRef`) where it rounds up as the kubelet does, else literal.
//! Exempt: by policy; by the annotation `podfit.dev/skip`. Windows is left alone.
//! Why: a process that believes it owns the node's 64 cores inside a 2-CPU Pod is throttled, and a heap that does not know
//! its limit is OOM-killed.

use std::{borrow::Cow, cell::LazyCell};

use smallvec::{SmallVec, smallvec};

use crate::{
    fitting::{Fitting, Report, Standing},
    policy::{Basis, EnvFrom, Governed, Mode, PlatformVariable, RuntimeSizing},
    rules::Rule,
    runtimes::{self, MEMORY_HELPER, Runtime, Signal, Tier, Value, Variable},
    verdict::{Change, Edit, Field, Finding, Origin, OriginBasis, SkipReason, Source, Verdict},
    wishes,
    workload::ContainerKind,
};

mod flags;
mod size;

use size::{NotSized, Sized};

pub fn judge<'a>(governed: &Governed<'a, RuntimeSizing>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let settings = governed.settings;
    if settings.mode == Mode::Disabled || fitting.at.kind == ContainerKind::Ephemeral {
        return;
    }
    let mut report = Report { rule: Rule::RuntimeSizing, mode: settings.mode, policy: governed.policy, verdict };
    let first = report.verdict.findings.len();
    let mut seen_shared: SmallVec<[&str; 4]> = SmallVec::new();
    for (runtime, signal) in chosen(settings, fitting) {
        for variable in runtime.variables.iter().filter(|variable| !is_platforms(variable.name, settings)) {
            let Some(wanted) = Wanted::of(runtime, variable, signal, settings, fitting) else { continue };
            if runtimes::is_shared(variable) {
                if seen_shared.contains(&wanted.name) {
                    continue;
                }
                seen_shared.push(wanted.name);
            }
            fit(&wanted, settings, fitting, &mut report);
        }
    }
    for variable in &settings.variables {
        fit(&Wanted::of_platform(variable), settings, fitting, &mut report);
    }
    if gets_resize_policy(settings, fitting) {
        restart_on_resize(first, fitting, &mut report);
    }
}

/// Whether the policy has a formula of its own for a name: two for one would take turns.
fn is_platforms(name: &str, settings: &RuntimeSizing) -> bool {
    settings.variables.iter().any(|variable| variable.name == name)
}

type Chosen<'a> = (&'static Runtime, Option<Signal<'a>>);

/// The runtimes of a container: the annotation's, else the policy's and the detected ones, in the catalogue's order. Those
/// that nothing gives away come along for their opt-in variables, where there is any.
fn chosen<'a, 's>(
    settings: &'s RuntimeSizing,
    fitting: &Fitting<'a>,
) -> impl Iterator<Item = Chosen<'a>> + use<'a, 's> {
    // Variables are added to the fitting while the runtimes are gone through.
    let (pod, at, injected, image) = (fitting.pod, fitting.at, fitting.injected, fitting.image().ok());
    let named = pod.wishes.runtimes(at.name());
    // Asked for the first runtime that neither annotation nor policy names, if there is one.
    let detected =
        LazyCell::new(move || runtimes::detect(&at, image, &pod.instrumentation, &|name: &str| injected.names(name)));
    let signal = move |runtime: &'static Runtime| match &named {
        Some(named) => named.contains(&runtime).then_some(Signal::Annotation),
        None if settings.runtimes.contains(&runtime) => Some(Signal::Policy),
        None if settings.detect => detected.iter().find(|(found, _)| *found == runtime).map(|(_, signal)| *signal),
        None => None,
    };
    let is_any_opted_in = !settings.opt_in.is_empty() || pod.wishes.has_opt_in();
    let chosen = runtimes::ALL.into_iter().map(move |runtime| (runtime, signal(runtime)));
    chosen.filter(move |(_, signal)| is_any_opted_in || signal.is_some())
}

/// One variable that a container should have.
struct Wanted<'a> {
    name: &'a str,
    value: WantedValue<'a>,
    signal: Signal<'a>,
    /// By the Pod's own annotation.
    asked: bool,
}

#[derive(Clone, Copy)]
enum WantedValue<'a> {
    Catalogue(&'static Variable),
    Platform(&'a PlatformVariable),
}

impl<'a> Wanted<'a> {
    fn of(
        runtime: &Runtime,
        variable: &'static Variable,
        signal: Option<Signal<'a>>,
        settings: &RuntimeSizing,
        fitting: &Fitting<'a>,
    ) -> Option<Self> {
        let asked = variable.tier == Tier::OptIn && fitting.pod.wishes.opts_in(fitting.at.name(), variable.name);
        let opted_in = || settings.opt_in.iter().any(|name| name == variable.name);
        let (is_wanted, signal) = match (variable.tier, signal) {
            (Tier::Detected, Some(signal)) => (true, signal),
            (Tier::Named, Some(signal)) => (matches!(signal, Signal::Policy | Signal::Annotation), signal),
            // The annotation names the variable for this very container; a policy means the containers of its runtime.
            (Tier::OptIn, _) if asked => (true, Signal::Annotation),
            (Tier::OptIn, Some(signal)) => (opted_in(), signal),
            (Tier::OptIn, None) => (opted_in() && runtimes::is_everywhere(runtime), Signal::Policy),
            (Tier::Detected | Tier::Named, None) => return None,
        };
        is_wanted.then(|| Self {
            name: variable.name,
            value: WantedValue::Catalogue(variable),
            signal,
            asked: asked || signal == Signal::Annotation,
        })
    }

    fn of_platform(variable: &'a PlatformVariable) -> Self {
        let value = WantedValue::Platform(variable);
        Self { name: &variable.name, value, signal: Signal::Policy, asked: false }
    }

    fn conflicts(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.value {
            WantedValue::Catalogue(variable) => (variable.conflicts, variable.conflicting_words),
            WantedValue::Platform(_) => (&[], &[]),
        }
    }

    fn also_in(&self) -> &'static [&'static str] {
        match self.value {
            WantedValue::Catalogue(Variable { value: Value::Flags { also_in, .. }, .. }) => also_in,
            _ => &[],
        }
    }

    fn basis(&self) -> Basis {
        match self.value {
            WantedValue::Catalogue(variable) => variable.value.basis(),
            WantedValue::Platform(variable) => variable.from,
        }
    }
}

fn fit<'a>(wanted: &Wanted<'a>, settings: &RuntimeSizing, fitting: &mut Fitting<'a>, report: &mut Report<'_, 'a>) {
    match decide(wanted, settings, fitting) {
        Ok((sized, replaces)) => inject(wanted, sized, replaces, fitting, report),
        Err((reason, about)) => report.skip(fitting, Cow::Borrowed(wanted.name), reason, about, wanted.asked),
    }
}

/// The value, and the index of the literal that it replaces if there is one; or why not. What is cheap to see comes first.
fn decide<'a>(
    wanted: &Wanted<'a>,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<(Sized<'a>, Option<usize>), NotSized<'a>> {
    let nothing = Cow::Borrowed("");
    if fitting.pod.is_windows {
        return Err((SkipReason::Windows, nothing));
    }
    let standing = fitting.standing(wanted.name);
    if standing == Standing::OursLive {
        return Err((SkipReason::AlreadyInjected, nothing));
    }
    let is_list = matches!(wanted.value, WantedValue::Catalogue(Variable { value: Value::Flags { .. }, .. }));
    if standing == Standing::Users && !is_list {
        return Err((SkipReason::UserSet, nothing));
    }
    not_wanted(wanted, settings, fitting)?;
    if !matches!(standing, Standing::Ours { .. }) {
        not_alone(wanted, standing, settings, fitting)?;
    }
    let sized = match wanted.value {
        WantedValue::Catalogue(Variable { value: Value::Flags { flags, separator, also_in }, .. }) => {
            let list = flags::List { flags, separator: *separator, also_in };
            return list.extend(wanted.name, standing, settings, fitting);
        }
        WantedValue::Catalogue(Variable { value: Value::One(formula), .. }) => {
            size::size(wanted.name, *formula, settings, fitting)?
        }
        WantedValue::Platform(variable) => size::platform_value(variable, settings, fitting)?,
    };
    match standing {
        Standing::Ours { value, .. } if matches!(&sized.source, Source::Literal(text) if text == value) => {
            Err((SkipReason::AlreadyInjected, nothing))
        }
        Standing::Ours { index, .. } => Ok((sized, Some(index))),
        _ => Ok((sized, None)),
    }
}

fn not_wanted<'a>(wanted: &Wanted<'a>, settings: &RuntimeSizing, fitting: &Fitting<'a>) -> Result<(), NotSized<'a>> {
    if fitting.pod.wishes.skips(fitting.at.name(), Rule::RuntimeSizing, wanted.name) {
        return Err((SkipReason::Annotation, Cow::Borrowed(wishes::SKIP)));
    }
    if settings.skip.iter().any(|name| name == wanted.name) {
        return Err((SkipReason::Policy, Cow::Borrowed("")));
    }
    Ok(())
}

/// Another variable or a word of the command works against it, the image is too old for it, or a ConfigMap or Secret that
/// is never read could hold it.
fn not_alone<'a>(
    wanted: &Wanted<'a>,
    standing: Standing<'a>,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<(), NotSized<'a>> {
    let (conflicts, words) = wanted.conflicts();
    if let Some(name) = conflicts.iter().find_map(|pattern| fitting.variable_like(pattern)) {
        let reason = if fitting.is_set_by_us(&name) { SkipReason::Covered } else { SkipReason::Conflict };
        return Err((reason, name));
    }
    if let Some(word) = fitting.word_like(words) {
        return Err((SkipReason::ConflictingWord, Cow::Borrowed(word)));
    }
    if let WantedValue::Catalogue(variable) = wanted.value
        && !variable.since.is_empty()
        && let Ok(image) = fitting.image()
        && let Some(tag) = runtimes::older_tag(&image, variable)
    {
        return Err((SkipReason::VersionTooOld, Cow::Borrowed(tag)));
    }
    if settings.env_from == EnvFrom::Skip && !fitting.at.container.env_from.is_empty() {
        // What stands in `env` already wins over envFrom, with us or without.
        let own = (standing == Standing::Free).then_some(&wanted.name);
        let mut names = own.into_iter().chain(conflicts).chain(wanted.also_in());
        if let Some(prefix) = names.find_map(|name| fitting.env_from_for(name)) {
            return Err((SkipReason::EnvFrom, Cow::Borrowed(prefix)));
        }
    }
    Ok(())
}

fn inject<'a>(
    wanted: &Wanted<'a>,
    sized: Sized<'a>,
    replaces: Option<usize>,
    fitting: &mut Fitting<'a>,
    report: &mut Report<'_, 'a>,
) {
    let edit = |name: &'a str, source, replaces| Edit {
        place: fitting.at.place(),
        change: Change::Variable { name: Cow::Borrowed(name), source, replaces },
        origin: Origin { policy: &report.policy.name, basis: sized.origin.clone(), signal: wanted.signal },
    };
    let helper = Source::Limit { basis: Basis::Memory, divisor: "1Mi" };
    let helper = sized.needs_helper.then(|| edit(MEMORY_HELPER, helper, None));
    let own = edit(wanted.name, sized.source, replaces);
    let edits = if let Some(helper) = helper { smallvec![helper, own] } else { smallvec![own] };
    let reason = match wanted.basis() {
        Basis::Cpu => "runtime is not told its CPU limit",
        Basis::Memory => "runtime is not told its memory limit",
    };
    let finding = report.finding(fitting, Field::Env, reason);
    report.push(Finding { value: Cow::Borrowed(wanted.name), edits, ..finding });
    fitting.add_variable(wanted.name);
    if sized.needs_helper {
        fitting.add_variable(MEMORY_HELPER);
    }
}

/// `resizePolicy: Restart`, where the container has no policy yet. The API server refuses `RestartContainer` in a Pod that never
/// restarts.
fn gets_resize_policy(settings: &RuntimeSizing, fitting: &Fitting<'_>) -> bool {
    let is_free = fitting.at.container.resize_policy.as_ref().is_none_or(crate::object::List::is_empty);
    let restarts = fitting.pod.workload.spec.restart_policy.as_ref().is_none_or(|policy| policy.as_str() != "Never");
    settings.restart_on_resize && is_free && restarts && fitting.at.kind.is_long_running()
}

/// For the resources that values were just computed from.
fn restart_on_resize<'a>(first: usize, fitting: &Fitting<'a>, report: &mut Report<'_, 'a>) {
    let injected = |basis: Basis| {
        report.verdict.findings[first..].iter().flat_map(|finding| &finding.edits).any(|edit| {
            match &edit.origin.basis {
                OriginBasis::Limit { basis: of, .. } | OriginBasis::PodLimit { basis: of, .. } => *of == basis,
                _ => false,
            }
        })
    };
    for basis in [Basis::Cpu, Basis::Memory].into_iter().filter(|basis| injected(*basis)).collect::<Vec<_>>() {
        let edit = Edit {
            place: fitting.at.place(),
            change: Change::RestartOnResize { basis },
            origin: Origin { policy: &report.policy.name, basis: OriginBasis::PolicyDefault, signal: Signal::Policy },
        };
        let finding = report.finding(fitting, Field::ResizePolicy, "injected values would be stale after a resize");
        report.push(Finding { value: Cow::Borrowed(basis.resource()), edits: smallvec![edit], ..finding });
    }
}
