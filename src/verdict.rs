//! A verdict: all findings of one review with their edits, and the injections that were not made, with their reasons.
//! Rules write it; the server, the command line and reports read it.

use std::{borrow::Cow, collections::HashSet, fmt};

use smallvec::SmallVec;

use crate::{
    policy::{Basis, DefaultLimit, Mode, ProbeKind},
    rules::Rule,
    runtimes::Signal,
    workload::{Place, Workload},
};

#[derive(Debug, Default, PartialEq)]
pub struct Verdict<'a> {
    /// Whether any policy matches; without one everything is allowed unchanged.
    pub matched: bool,
    pub findings: Vec<Finding<'a>>,
    pub skips: Vec<Skip<'a>>,
    pub exempted: Vec<Exempted<'a>>,
    /// What is wrong with the user's own annotations: words that nobody knows, containers that are not there.
    pub notes: Vec<String>,
}

/// A limit that is missing, an image that may not run, or an injection that podfit would make.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'a> {
    pub rule: Rule,
    pub policy: &'a str,
    /// What the policy's rule says.
    pub policy_mode: Mode,
    /// What holds here: `Inject` where the edits repair it, `Warn` for a DaemonSet's critical Pod, else the policy's.
    pub mode: Mode,
    /// The strictest that an admission answer on a template gives under this policy.
    pub templates: Mode,
    pub place: Place,
    pub field: Field,
    /// The container's or the volume's name.
    pub container: Option<&'a str>,
    /// Short and stable, without names: good for grouping.
    pub reason: &'static str,
    /// What is wrong, as a ratchet compares it: with the rule and the container it names the finding.
    pub value: Cow<'a, str>,
    /// Names, values, and what to write instead. Empty for injections, whose edits tell (`Finding::message`).
    pub problem: String,
    pub edits: SmallVec<[Edit<'a>; 1]>,
}

/// A name in a message, quoted and without control characters. The API takes none of more than 253 bytes, but only after
/// `/mutate`, and a message for each finding of one of megabytes would be tens of them.
pub fn quoted(name: &str) -> String {
    const LONGEST: usize = 253;
    format!("{:?}", &name[..name.floor_char_boundary(LONGEST)])
}

impl Finding<'_> {
    /// One line: what is wrong and what to write instead, or what is injected.
    pub fn message(&self) -> String {
        if !self.problem.is_empty() {
            return self.problem.clone();
        }
        let edits: Vec<String> = self.edits.iter().map(ToString::to_string).collect();
        let verb = if self.mode == Mode::Inject { "gets" } else { "lacks" };
        let container = quoted(self.container.unwrap_or_default());
        format!("{} {container} {verb} {}", self.kind_of_place(), edits.join(", "))
    }

    /// What of the container it is about: a limit, the image, a variable, a probe. With rule and container it names the finding.
    pub fn subject(&self) -> Cow<'_, str> {
        match self.field {
            Field::CpuLimit | Field::MemoryLimit => Cow::Owned(format!("limits.{}", self.value)),
            Field::Image | Field::ImageReference => Cow::Borrowed("image"),
            Field::ResizePolicy => Cow::Owned(format!("resizePolicy.{}", self.value)),
            Field::Env | Field::ReadinessProbe | Field::LivenessProbe | Field::StartupProbe => {
                Cow::Borrowed(&self.value)
            }
        }
    }

    /// What a ratchet compares.
    fn identity(&self) -> (Rule, Option<&str>, &str) {
        (self.rule, self.container, &self.value)
    }

    fn kind_of_place(&self) -> &'static str {
        match self.place {
            Place::Volume(_) => "volume",
            _ => "container",
        }
    }

    /// The JSON Pointer from the object's root.
    pub fn pointer(&self, workload: &Workload<'_>) -> String {
        let mut pointer = String::from(workload.prefix());
        self.place.push(&mut pointer);
        pointer.push_str(self.field.tokens());
        pointer
    }
}

/// The field of a container, volume or Pod that a finding is about; it need not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    CpuLimit,
    MemoryLimit,
    Image,
    ImageReference,
    Env,
    ReadinessProbe,
    LivenessProbe,
    StartupProbe,
    ResizePolicy,
}

impl Field {
    pub fn limit(basis: Basis) -> Self {
        match basis {
            Basis::Cpu => Self::CpuLimit,
            Basis::Memory => Self::MemoryLimit,
        }
    }

    pub fn probe(kind: ProbeKind) -> Self {
        match kind {
            ProbeKind::Readiness => Self::ReadinessProbe,
            ProbeKind::Liveness => Self::LivenessProbe,
            ProbeKind::Startup => Self::StartupProbe,
        }
    }

    fn tokens(self) -> &'static str {
        match self {
            Self::CpuLimit => "/resources/limits/cpu",
            Self::MemoryLimit => "/resources/limits/memory",
            Self::Image => "/image",
            Self::ImageReference => "/image/reference",
            Self::Env => "/env",
            Self::ReadinessProbe => "/readinessProbe",
            Self::LivenessProbe => "/livenessProbe",
            Self::StartupProbe => "/startupProbe",
            Self::ResizePolicy => "/resizePolicy",
        }
    }
}

/// One change of one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit<'a> {
    pub place: Place,
    pub change: Change<'a>,
    pub origin: Origin<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Change<'a> {
    Variable {
        name: Cow<'a, str>,
        source: Source<'a>,
        /// The index in `env` of our own earlier literal, which this replaces.
        replaces: Option<usize>,
    },
    Probe {
        kind: ProbeKind,
        check: Check<'a>,
    },
    Limit {
        basis: Basis,
        default: &'a DefaultLimit,
        /// Where the container has no request of its own: the API server would make it equal to the limit.
        with_request: bool,
    },
    RestartOnResize {
        basis: Basis,
    },
}

impl Change<'_> {
    /// What is set, and to what, in the words of people. A default limit may bring a request.
    pub fn settings(&self) -> Vec<(Cow<'_, str>, String)> {
        match self {
            Self::Variable { name, source, .. } => vec![(Cow::Borrowed(&**name), source.to_string())],
            Self::Probe { kind, check } => vec![(Cow::Borrowed(kind.field()), check.to_string())],
            Self::Limit { basis, default, with_request } => {
                let limit = (Cow::Owned(format!("limits.{}", basis.resource())), default.limit_text.clone());
                let request = (Cow::Owned(format!("requests.{}", basis.resource())), default.request_text.clone());
                [Some(limit), with_request.then_some(request)].into_iter().flatten().collect()
            }
            Self::RestartOnResize { basis } => {
                vec![(Cow::Owned(format!("resizePolicy.{}", basis.resource())), "RestartContainer".to_owned())]
            }
        }
    }
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    /// Downward API: a field of the Pod.
    FieldPath(&'a str),
    /// Live: `limits.cpu` or `limits.memory` over a divisor, computed by the kubelet at each container start.
    Limit {
        basis: Basis,
        divisor: &'static str,
    },
    Literal(Cow<'a, str>),
}

/// What a probe asks; numbers of seconds and failures belong to its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Check<'a> {
    Http { path: &'a str, port: PortReference<'a>, https: bool },
    Tcp { port: PortReference<'a> },
    Grpc { port: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortReference<'a> {
    Number(u16),
    Name(&'a str),
}

/// Why an edit has the value it has: told by `explain` and recorded in `podfit.dev/injected`.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin<'a> {
    pub policy: &'a str,
    pub basis: OriginBasis<'a>,
    /// Why this container: the policy's list, an annotation, a signal of the Pod.
    pub signal: Signal<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum OriginBasis<'a> {
    FieldPath(&'a str),
    Limit {
        basis: Basis,
        text: &'a str,
    },
    /// `spec.resources` of the Pod.
    PodLimit {
        basis: Basis,
        text: &'a str,
    },
    Request {
        text: &'a str,
        factor: u64,
    },
    PolicyDefault,
    Port(PortReference<'a>),
}

/// An injection that must not be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip<'a> {
    pub rule: Rule,
    pub policy: &'a str,
    pub place: Place,
    pub container: &'a str,
    /// The variable or probe.
    pub subject: Cow<'a, str>,
    pub reason: SkipReason,
    /// The conflicting name, the limit, ...: what the reason is about.
    pub about: Cow<'a, str>,
    /// Asked for by annotation: then the skip is a warning, unless the user got it another way.
    pub asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    AlreadyInjected,
    UserSet,
    Covered,
    Conflict,
    ConflictingWord,
    NotLiteral,
    VersionTooOld,
    RuntimeKnows,
    EnvFrom,
    NoLimit,
    PodLimitShared,
    RequestTooSmall,
    AboveCap,
    BelowMinimum,
    LimitBelowRequest,
    PodLevel,
    Annotation,
    Policy,
    Batch,
    Windows,
    NoPort,
    AmbiguousPort,
    UnknownPort,
    HasProbe,
    NotLongRunning,
    NotAlone,
    HostNetwork,
    StatefulSet,
    ServiceMesh,
    TooManyContainers,
}

impl SkipReason {
    pub const ALL: [Self; 30] = [
        Self::AlreadyInjected,
        Self::UserSet,
        Self::Covered,
        Self::Conflict,
        Self::ConflictingWord,
        Self::NotLiteral,
        Self::VersionTooOld,
        Self::RuntimeKnows,
        Self::EnvFrom,
        Self::NoLimit,
        Self::PodLimitShared,
        Self::RequestTooSmall,
        Self::AboveCap,
        Self::BelowMinimum,
        Self::LimitBelowRequest,
        Self::PodLevel,
        Self::Annotation,
        Self::Policy,
        Self::Batch,
        Self::Windows,
        Self::NoPort,
        Self::AmbiguousPort,
        Self::UnknownPort,
        Self::HasProbe,
        Self::NotLongRunning,
        Self::NotAlone,
        Self::HostNetwork,
        Self::StatefulSet,
        Self::ServiceMesh,
        Self::TooManyContainers,
    ];

    /// The metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyInjected => "already-injected",
            Self::UserSet => "user-set",
            Self::Covered => "covered",
            Self::Conflict => "conflict",
            Self::ConflictingWord => "conflicting-word",
            Self::NotLiteral => "not-literal",
            Self::VersionTooOld => "version-too-old",
            Self::RuntimeKnows => "runtime-knows",
            Self::EnvFrom => "env-from",
            Self::NoLimit => "no-limit",
            Self::PodLimitShared => "pod-limit-shared",
            Self::RequestTooSmall => "request-too-small",
            Self::AboveCap => "above-cap",
            Self::BelowMinimum => "below-minimum",
            Self::LimitBelowRequest => "limit-below-request",
            Self::PodLevel => "pod-level",
            Self::Annotation => "annotation",
            Self::Policy => "policy",
            Self::Batch => "batch",
            Self::Windows => "windows",
            Self::NoPort => "no-port",
            Self::AmbiguousPort => "ambiguous-port",
            Self::UnknownPort => "unknown-port",
            Self::HasProbe => "has-probe",
            Self::NotLongRunning => "not-long-running",
            Self::NotAlone => "not-alone",
            Self::HostNetwork => "host-network",
            Self::StatefulSet => "stateful-set",
            Self::ServiceMesh => "service-mesh",
            Self::TooManyContainers => "too-many-containers",
        }
    }

    /// Not a failure of ours: the user has it already, said that it is not wanted, or gains nothing from it.
    fn is_what_the_user_wants(self) -> bool {
        matches!(
            self,
            Self::AlreadyInjected
                | Self::UserSet
                | Self::Covered
                | Self::RuntimeKnows
                | Self::Annotation
                | Self::HasProbe
        )
    }
}

impl Skip<'_> {
    pub fn is_warning(&self) -> bool {
        self.asked && !self.reason.is_what_the_user_wants()
    }
}

/// `GOMAXPROCS is not injected: ...`, the words of `explain` and of warnings.
impl fmt::Display for Skip<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.about;
        match self.reason {
            SkipReason::AlreadyInjected => write!(formatter, "podfit has injected it already"),
            SkipReason::UserSet => write!(formatter, "the container sets it itself"),
            SkipReason::Covered => write!(formatter, "podfit sets {about}, which covers it"),
            SkipReason::Conflict => write!(formatter, "the container sets {about}, which it would work against"),
            SkipReason::ConflictingWord => write!(formatter, "the container's own words decide it: {about}"),
            SkipReason::NotLiteral => {
                write!(formatter, "the container's own value is no plain text that could be extended at its end")
            }
            SkipReason::VersionTooOld => {
                write!(formatter, "the image's tag {about} names a version that does not know it")
            }
            SkipReason::RuntimeKnows => write!(formatter, "the runtime reads the {about} limit itself"),
            SkipReason::EnvFrom if about.is_empty() => {
                write!(formatter, "envFrom without a prefix may supply it, and would be shadowed")
            }
            SkipReason::EnvFrom => {
                write!(formatter, "envFrom with prefix {about} may supply it, and would be shadowed")
            }
            SkipReason::NoLimit => write!(formatter, "the container has no {about} limit to compute it from"),
            SkipReason::PodLimitShared => {
                write!(formatter, "the Pod's own {about} limit is shared by several containers")
            }
            SkipReason::RequestTooSmall => {
                write!(formatter, "the CPU request {about} is too small to size from: 100m at least")
            }
            SkipReason::AboveCap => write!(formatter, "{about} workers are above the policy's skipAbove"),
            SkipReason::BelowMinimum => write!(formatter, "the memory limit {about} leaves too little to manage"),
            SkipReason::LimitBelowRequest => {
                write!(formatter, "the policy's default limit is below the container's request {about}")
            }
            SkipReason::PodLevel => {
                write!(formatter, "the Pod's own {about} resources leave no room for the policy's default")
            }
            SkipReason::Annotation => write!(formatter, "the Pod's annotation {about} says so"),
            SkipReason::Policy => write!(formatter, "the policy's skip list names it"),
            SkipReason::Batch => write!(formatter, "the Pod runs to its end: no probes for batch work"),
            SkipReason::Windows => write!(formatter, "the Pod runs on Windows"),
            SkipReason::NoPort => write!(formatter, "the container declares no TCP port"),
            SkipReason::AmbiguousPort => write!(formatter, "several TCP ports could be meant: name one"),
            SkipReason::UnknownPort => write!(formatter, "this container declares no TCP port of that name"),
            SkipReason::HasProbe => write!(formatter, "the container has a probe of its own"),
            SkipReason::NotLongRunning => write!(formatter, "ordinary init containers cannot have probes"),
            SkipReason::NotAlone => write!(formatter, "the Pod has several regular containers: name one"),
            SkipReason::HostNetwork => write!(formatter, "the Pod is on the host's network"),
            SkipReason::StatefulSet => write!(formatter, "a StatefulSet's members may listen only once they lead"),
            SkipReason::ServiceMesh => {
                write!(formatter, "a service mesh's sidecar may refuse the kubelet's connection")
            }
            SkipReason::TooManyContainers => write!(formatter, "the Pod has more than {about} containers"),
        }
    }
}

/// A finding that an exemption of the policy has taken away.
#[derive(Debug, Clone, PartialEq)]
pub struct Exempted<'a> {
    pub rule: Rule,
    pub container: &'a str,
    pub policy: &'a str,
    pub reason: &'a str,
}

impl<'a> Verdict<'a> {
    /// Keeps what an earlier version of the object did not have: rule + container + value.
    pub fn new_since(&mut self, old: &Verdict<'_>) {
        // A set, since an object of 10,000 containers has as many findings, before and after.
        let before: HashSet<_> = old.findings.iter().map(Finding::identity).collect();
        self.findings.retain(|finding| !before.contains(&finding.identity()));
    }

    /// The strictest mode of all findings.
    pub fn strictest(&self) -> Option<Mode> {
        self.findings.iter().map(|finding| finding.mode).max()
    }

    pub fn edits(&self) -> impl Iterator<Item = &Edit<'a>> {
        self.findings.iter().filter(|finding| finding.mode == Mode::Inject).flat_map(|finding| &finding.edits)
    }
}

impl fmt::Display for Edit<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Change::Variable { name, source, .. } => {
                write!(formatter, "{name} = {source} ({})", self.origin)
            }
            Change::Probe { kind, check } => write!(formatter, "{} = {check} ({})", kind.field(), self.origin),
            Change::Limit { basis, default, with_request } => {
                write!(formatter, "limits.{} = {}", basis.resource(), default.limit_text)?;
                if *with_request {
                    write!(formatter, " with requests.{} = {}", basis.resource(), default.request_text)?;
                }
                write!(formatter, " ({})", self.origin)
            }
            Change::RestartOnResize { basis } => {
                write!(formatter, "resizePolicy = RestartContainer for {}", basis.resource())
            }
        }
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldPath(path) => formatter.write_str(path),
            Self::Limit { basis, divisor: "1" } => write!(formatter, "limits.{}, live", basis.resource()),
            Self::Limit { basis, divisor } => write!(formatter, "limits.{} in {divisor}, live", basis.resource()),
            Self::Literal(value) => formatter.write_str(value),
        }
    }
}

impl fmt::Display for Check<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { path, port, https } => {
                write!(formatter, "{} {path} on port {port}", if *https { "HTTPS" } else { "HTTP" })
            }
            Self::Tcp { port } => write!(formatter, "TCP on port {port}"),
            Self::Grpc { port } => write!(formatter, "gRPC on port {port}"),
        }
    }
}

impl fmt::Display for PortReference<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl OriginBasis<'_> {
    /// The recorded source: short, without the policy's name. In parts, since a Pod may have hundreds of them.
    pub fn parts(&self, push: &mut impl FnMut(&str)) {
        let mut push = |parts: &[&str]| parts.iter().for_each(|part| push(part));
        match self {
            Self::FieldPath(path) => push(&[path]),
            Self::Limit { basis: Basis::Cpu, text } => push(&["limits.cpu=", text]),
            Self::Limit { basis: Basis::Memory, text } => push(&["limits.memory=", text]),
            Self::PodLimit { basis, text } => push(&["spec.resources.limits.", basis.resource(), "=", text]),
            Self::Request { text, factor } => push(&["requests.cpu=", text, " x", &factor.to_string()]),
            Self::PolicyDefault => push(&["policy default"]),
            Self::Port(port) => push(&["port ", &port.to_string()]),
        }
    }
}

impl fmt::Display for OriginBasis<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.parts(&mut |part| text.push_str(part));
        formatter.write_str(&text)
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.basis, self.signal) {
            (OriginBasis::FieldPath(_), _) => formatter.write_str("downward API"),
            (basis, Signal::Policy) => write!(formatter, "from {basis}"),
            (basis, signal) => write!(formatter, "from {basis}, asked for by {signal}"),
        }
    }
}

impl ProbeKind {
    pub const ALL: [Self; 3] = [Self::Readiness, Self::Liveness, Self::Startup];

    /// The container's field.
    pub fn field(self) -> &'static str {
        match self {
            Self::Readiness => "readinessProbe",
            Self::Liveness => "livenessProbe",
            Self::Startup => "startupProbe",
        }
    }
}
