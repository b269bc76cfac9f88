//! `probes`: long-running containers tell the kubelet how they are.
//!
//! Looks at: the three probes and the TCP ports of regular containers and sidecars, the Pod's controller, the annotation
//! `podfit.dev/probes`. Never Jobs or other Pods that run to their end; ordinary init containers cannot have probes.
//! Asks: under `Deny`, `Warn` and `Audit` the kinds in `require`, of a container that declares a TCP port.
//! Fix: under `Inject`: what the annotation asks; else HTTP probes on a port of the policy's `httpPorts`; else a TCP
//! readiness probe where nothing can go wrong with it. A container that has any probe gets none by policy.
//! Exempt: by policy; by the annotations `podfit.dev/skip` and `podfit.dev/probes: none`.
//! Why: without a readiness probe a Service sends requests to a process that does not listen yet; a wrong liveness probe
//! kills a healthy one, so only HTTP and gRPC, which somebody vouched for, bring one.

use std::borrow::Cow;

use smallvec::smallvec;

use crate::{
    fitting::{Fitting, Report},
    object::Port,
    policy::{Governed, Mode, ProbeKind, Probes},
    rules::Rule,
    runtimes::Signal,
    verdict::{Change, Check, Edit, Field, Finding, Origin, OriginBasis, PortReference, SkipReason, Verdict, quoted},
    wishes::{self, ProbeWish},
    workload::{ContainerKind, Kind, Workload},
};

pub fn judge<'a>(governed: &Governed<'a, Probes>, fitting: &mut Fitting<'a>, verdict: &mut Verdict<'a>) {
    let settings = governed.settings;
    let mut report = Report { rule: Rule::Probes, mode: settings.mode, policy: governed.policy, verdict };
    match settings.mode {
        Mode::Disabled => {}
        Mode::Inject => inject(settings, fitting, &mut report),
        Mode::Audit | Mode::Warn | Mode::Deny => require(settings, fitting, &mut report),
    }
}

fn require<'a>(settings: &Probes, fitting: &Fitting<'a>, report: &mut Report<'_, 'a>) {
    let listens = fitting.at.kind.is_long_running() && tcp_ports(fitting).next().is_some();
    if !listens || fitting.pod.workload.is_batch() {
        return;
    }
    for kind in settings.require.iter().copied().filter(|kind| !has(fitting, *kind)) {
        let field = kind.field();
        let problem = format!(
            "{} {} declares a TCP port and has no {field}; add one, or say `podfit.dev/probes` on the Pod",
            fitting.at.kind.as_str(),
            quoted(fitting.at.name())
        );
        let finding = report.finding(fitting, Field::probe(kind), "container has no probe");
        report.push(Finding { value: Cow::Borrowed(field), problem, ..finding });
    }
}

fn inject<'a>(settings: &'a Probes, fitting: &Fitting<'a>, report: &mut Report<'_, 'a>) {
    let skip = |report: &mut Report<'_, 'a>, reason, about, asked| {
        report.skip(fitting, Cow::Borrowed("probes"), reason, Cow::Borrowed(about), asked);
    };
    let wish = fitting.pod.wishes.probe(fitting.at.name());
    let asked = wish.is_some_and(|(wish, _)| wish != ProbeWish::None);
    match decide(settings, wish, fitting) {
        Ok(None) => {}
        Ok(Some(plan)) => carry_out(&plan, fitting, report),
        Err((reason, about)) => skip(report, reason, about, asked),
    }
}

/// The probes that a container gets.
struct Plan<'a> {
    check: PlanCheck<'a>,
    signal: Signal<'a>,
    kinds: &'static [ProbeKind],
}

enum PlanCheck<'a> {
    Http { settings: &'a Probes, port: PortReference<'a>, https: bool },
    Other(Check<'a>),
}

type Reason = (SkipReason, &'static str);

fn decide<'a>(
    settings: &'a Probes,
    wish: Option<(ProbeWish<'a>, bool)>,
    fitting: &Fitting<'a>,
) -> Result<Option<Plan<'a>>, Reason> {
    if !fitting.at.kind.is_long_running() {
        return match wish {
            Some((_, true)) => Err((SkipReason::NotLongRunning, "")),
            _ => Ok(None),
        };
    }
    if fitting.pod.wishes.skips(fitting.at.name(), Rule::Probes, "probes") {
        return Err((SkipReason::Annotation, wishes::SKIP));
    }
    match wish {
        Some((ProbeWish::None, _)) => Err((SkipReason::Annotation, wishes::PROBES)),
        _ if fitting.pod.workload.is_batch() => Err((SkipReason::Batch, "")),
        Some((wish, is_named)) => as_wished(settings, wish, is_named, fitting),
        None => by_policy(settings, fitting),
    }
}

/// The annotation: it adds what is missing, but an unnamed wish in a Pod of several containers means nobody.
fn as_wished<'a>(
    settings: &'a Probes,
    wish: ProbeWish<'a>,
    is_named: bool,
    fitting: &Fitting<'a>,
) -> Result<Option<Plan<'a>>, Reason> {
    if !is_named && fitting.at.kind == ContainerKind::Sidecar {
        return Ok(None);
    }
    if !is_named && fitting.pod.regular != 1 {
        return Err((SkipReason::NotAlone, ""));
    }
    let (check, kinds) = match wish {
        ProbeWish::None => return Ok(None),
        ProbeWish::Http { port, https } => {
            let port = match port {
                Some(word) => port_named(word, fitting)?,
                None => only_http_port(settings, https, fitting)?,
            };
            (PlanCheck::Http { settings, port, https }, http_kinds(settings))
        }
        ProbeWish::Tcp { port } => (PlanCheck::Other(Check::Tcp { port: port_named(port, fitting)? }), READINESS),
        ProbeWish::Grpc { port } => (PlanCheck::Other(Check::Grpc { port }), ALL_KINDS),
    };
    Ok(Some(Plan { check, signal: Signal::Annotation, kinds }))
}

const READINESS: &[ProbeKind] = &[ProbeKind::Readiness];
const WITHOUT_STARTUP: &[ProbeKind] = &[ProbeKind::Readiness, ProbeKind::Liveness];
const ALL_KINDS: &[ProbeKind] = &ProbeKind::ALL;

fn http_kinds(settings: &Probes) -> &'static [ProbeKind] {
    if settings.http_startup { ALL_KINDS } else { WITHOUT_STARTUP }
}

fn by_policy<'a>(settings: &'a Probes, fitting: &Fitting<'a>) -> Result<Option<Plan<'a>>, Reason> {
    if let Some(kind) = ProbeKind::ALL.into_iter().find(|kind| has(fitting, *kind)) {
        let is_ours = fitting.injected.names(kind.field());
        return Err((if is_ours { SkipReason::AlreadyInjected } else { SkipReason::HasProbe }, ""));
    }
    let mut conventional = tcp_ports(fitting).filter(|port| follows_convention(settings, port));
    if let Some(port) = conventional.next() {
        if conventional.next().is_some() {
            return Err((SkipReason::AmbiguousPort, ""));
        }
        let port = reference(port).ok_or((SkipReason::NoPort, ""))?;
        let check = PlanCheck::Http { settings, port, https: false };
        return Ok(Some(Plan { check, signal: Signal::Policy, kinds: http_kinds(settings) }));
    }
    if !settings.tcp_readiness || fitting.at.kind != ContainerKind::Regular {
        return Ok(None);
    }
    may_ask_by_tcp(fitting)?;
    let mut ports = tcp_ports(fitting);
    match (ports.next().map(reference), ports.next()) {
        (Some(Some(port)), None) => {
            let check = PlanCheck::Other(Check::Tcp { port });
            Ok(Some(Plan { check, signal: Signal::Policy, kinds: READINESS }))
        }
        (Some(Some(_)), Some(_)) => Err((SkipReason::AmbiguousPort, "")),
        _ => Err((SkipReason::NoPort, "")),
    }
}

/// Where a TCP connection to the only port says something, and cannot do harm.
fn may_ask_by_tcp(fitting: &Fitting<'_>) -> Result<(), Reason> {
    let workload: &Workload<'_> = fitting.pod.workload;
    let is_stateful = workload.kind == Kind::StatefulSet || workload.controller_kind() == Some("StatefulSet");
    let conditions = [
        (fitting.pod.regular != 1, SkipReason::NotAlone),
        (workload.spec.host_network == Some(true), SkipReason::HostNetwork),
        (is_stateful, SkipReason::StatefulSet),
        (fitting.pod.is_windows, SkipReason::Windows),
        (workload.pod_metadata().has_annotation("sidecar.istio.io/status"), SkipReason::ServiceMesh),
    ];
    conditions.into_iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, reason)| Err((reason, "")))
}

fn carry_out<'a>(plan: &Plan<'a>, fitting: &Fitting<'a>, report: &mut Report<'_, 'a>) {
    for kind in plan.kinds.iter().copied() {
        let subject = Cow::Borrowed(kind.field());
        if has(fitting, kind) {
            let is_ours = fitting.injected.names(kind.field());
            let reason = if is_ours { SkipReason::AlreadyInjected } else { SkipReason::HasProbe };
            report.skip(fitting, subject, reason, Cow::Borrowed(""), false);
            continue;
        }
        if fitting.pod.wishes.skips(fitting.at.name(), Rule::Probes, kind.field()) {
            report.skip(fitting, subject, SkipReason::Annotation, Cow::Borrowed(wishes::SKIP), false);
            continue;
        }
        let check = plan.check.of(kind);
        let basis = OriginBasis::Port(check.port());
        let origin = Origin { policy: &report.policy.name, basis, signal: plan.signal };
        let edit = Edit { place: fitting.at.place(), change: Change::Probe { kind, check }, origin };
        let finding = report.finding(fitting, Field::probe(kind), "container has no probe");
        report.push(Finding { value: subject, edits: smallvec![edit], ..finding });
    }
}

impl<'a> PlanCheck<'a> {
    fn of(&self, kind: ProbeKind) -> Check<'a> {
        match self {
            Self::Http { settings, port, https } => {
                let path =
                    if kind == ProbeKind::Readiness { &settings.readiness_path } else { &settings.liveness_path };
                Check::Http { path, port: *port, https: *https }
            }
            Self::Other(check) => check.clone(),
        }
    }
}

impl<'a> Check<'a> {
    fn port(&self) -> PortReference<'a> {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
            Self::Grpc { port } => PortReference::Number(*port),
        }
    }
}

fn has(fitting: &Fitting<'_>, kind: ProbeKind) -> bool {
    let container = fitting.at.container;
    match kind {
        ProbeKind::Readiness => container.readiness_probe.0,
        ProbeKind::Liveness => container.liveness_probe.0,
        ProbeKind::Startup => container.startup_probe.0,
    }
}

fn tcp_ports<'a>(fitting: &Fitting<'a>) -> impl Iterator<Item = &'a Port<'a>> + use<'a> {
    fitting.at.container.ports.iter().filter(|port| port.is_tcp())
}

fn follows_convention(settings: &Probes, port: &Port<'_>) -> bool {
    settings.http_ports.iter().any(|wanted| {
        port.name.as_ref().is_some_and(|name| name.as_str() == wanted)
            || port.container_port.is_some_and(|number| number.to_string() == *wanted)
    })
}

/// By name where it has one, so that the probe follows the port's number.
fn reference<'a>(port: &'a Port<'a>) -> Option<PortReference<'a>> {
    match &port.name {
        Some(name) if !name.as_str().is_empty() => Some(PortReference::Name(name.as_str())),
        _ => port
            .container_port
            .and_then(|number| u16::try_from(number).ok())
            .filter(|n| *n > 0)
            .map(PortReference::Number),
    }
}

/// A number as it stands; a name only if this very container declares it, since the kubelet looks nowhere else.
fn port_named<'a>(word: &'a str, fitting: &Fitting<'a>) -> Result<PortReference<'a>, Reason> {
    if let Ok(number) = word.parse::<u16>() {
        return if number > 0 { Ok(PortReference::Number(number)) } else { Err((SkipReason::UnknownPort, "")) };
    }
    let is_declared = tcp_ports(fitting).any(|port| port.name.as_ref().is_some_and(|name| name.as_str() == word));
    if is_declared { Ok(PortReference::Name(word)) } else { Err((SkipReason::UnknownPort, "")) }
}

/// The port that `http` alone means: the only one, or the only one that is called so or that the policy names.
fn only_http_port<'a>(settings: &Probes, https: bool, fitting: &Fitting<'a>) -> Result<PortReference<'a>, Reason> {
    let scheme = if https { "https" } else { "http" };
    let called = |port: &Port<'_>| port.name.as_ref().is_some_and(|name| name.as_str() == scheme);
    let candidates =
        |wanted: &dyn Fn(&Port<'_>) -> bool| tcp_ports(fitting).filter(|port| wanted(port)).collect::<Vec<_>>();
    let one = [candidates(&|_| true), candidates(&called), candidates(&|port| follows_convention(settings, port))];
    if one[0].is_empty() {
        return Err((SkipReason::NoPort, ""));
    }
    let [port] = one.into_iter().find(|ports| ports.len() == 1).unwrap_or_default()[..] else {
        return Err((SkipReason::AmbiguousPort, ""));
    };
    reference(port).ok_or((SkipReason::NoPort, ""))
}
