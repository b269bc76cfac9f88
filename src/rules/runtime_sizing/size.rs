//! The arithmetic: from a container's limits to the values of its variables. Called by the rule `runtime-sizing`.
//! Nothing here may give a number that a runtime would refuse: no zero, no sign, no fraction, no suffix.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    fitting::{Amount, Fitting, Standing},
    policy::{Basis, CpuFrom, EnvFrom, PlatformVariable, Rounding, RuntimeSizing},
    rules::Rule,
    runtimes::{Formula, MEMORY_HELPER},
    verdict::{OriginBasis, SkipReason, Source},
};

/// A value, and what it was computed from.
pub struct Sized<'a> {
    pub source: Source<'a>,
    pub origin: OriginBasis<'a>,
    /// Whether the value refers to `MEMORY_HELPER` and the container does not have it yet.
    pub needs_helper: bool,
}

/// Why there is no value, and what the reason is about.
pub type NotSized<'a> = (SkipReason, Cow<'a, str>);

/// Requests under this are there to be scheduled, not to say what is used.
const SMALLEST_REQUEST_MILLIS: u64 = 100;
/// .NET reserves a multiple of its heap in addresses: 16 TiB of it start, 24 TiB do not (.NET 8).
const LARGEST_HEXADECIMAL_LIMIT: u64 = 8 << 40;
/// Under this limit the live ceiling could reach the limit: the helper rounds up to whole Mi.
const SMALLEST_LIVE_MEMORY: u64 = 32 << 20;
/// The live ceiling is 95.4 % of the limit: no place for more headroom than this.
const LARGEST_LIVE_HEADROOM_PERCENT: u64 = 10;

/// The value of a formula for the variable `name`: live where policy and formula allow.
pub fn size<'a>(
    name: &str,
    formula: Formula,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    let live_for = (!settings.literal_only).then_some(name);
    sized(formula, live_for, settings, fitting)
}

/// The value of a formula as text: a number in a list of flags cannot be live.
pub fn size_literally<'a>(
    formula: Formula,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    sized(formula, None, settings, fitting)
}

/// `live_for`: the variable whose value may be live.
fn sized<'a>(
    formula: Formula,
    live_for: Option<&str>,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    match formula {
        Formula::Workers { rounding, minimum } => workers(rounding, minimum, live_for, settings, fitting),
        Formula::WorkersOfRequest => workers_of_request(settings, fitting),
        Formula::Arenas => arenas(settings, fitting),
        Formula::MemoryCeiling { minimum_limit } => memory_ceiling(minimum_limit, live_for, settings, fitting),
        Formula::OldGeneration => of_memory(fitting, old_generation),
        Formula::HeapPercent => of_memory(fitting, heap_percent),
        Formula::HeapHexadecimal => match of_memory(fitting, heap_hexadecimal) {
            // The runtime bounds its heap by so large a limit, and does not start with so large a bound of ours.
            Ok(_) if limit(Basis::Memory, fitting)?.quantity.units() > LARGEST_HEXADECIMAL_LIMIT => {
                Err((SkipReason::RuntimeKnows, Cow::Borrowed("memory")))
            }
            sized => sized,
        },
        Formula::Fixed(value) => {
            let origin = limit(Basis::Cpu, fitting)?.origin;
            Ok(Sized { source: Source::Literal(Cow::Borrowed(value)), origin, needs_helper: false })
        }
    }
}

/// A worker count: the CPU limit in cores, rounded, at least `minimum`; a count that rounds down is shared by the
/// container's processes.
fn workers<'a>(
    rounding: Rounding,
    minimum: u64,
    live_for: Option<&str>,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    let cpu = Cpu::of(settings, fitting)?;
    let count = cpu.count(rounding, minimum, fitting.pod.wishes.processes(fitting.at.name()));
    if count > settings.skip_above {
        return Err((SkipReason::AboveCap, Cow::Owned(count.to_string())));
    }
    let is_live = live_for.is_some() && rounding == Rounding::Up && cpu.is_own_limit && cpu.cores_up() >= minimum;
    let source =
        if is_live { Source::Limit { basis: Basis::Cpu, divisor: "1" } } else { Source::Literal(counted(count)) };
    Ok(Sized { source, origin: cpu.origin, needs_helper: false })
}

/// A number as text: most workers are counted with one digit.
fn counted(count: u64) -> Cow<'static, str> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let digit = usize::try_from(count).ok().and_then(|index| DIGITS.get(index));
    digit.map_or_else(|| Cow::Owned(count.to_string()), |digit| Cow::Borrowed(*digit))
}

/// A memory ceiling in bytes: the limit less the sizes of mounted memory-backed volumes, less headroom.
fn memory_ceiling<'a>(
    minimum_limit: u64,
    live_for: Option<&str>,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    let limit = limit(Basis::Memory, fitting)?;
    let bytes = limit.quantity.units();
    let too_small = || (SkipReason::BelowMinimum, Cow::Owned(text_of(&limit.origin).to_owned()));
    if bytes < minimum_limit {
        return Err(too_small());
    }
    let reserved = memory_backed_volumes(fitting);
    let is_live =
        |name| is_live_memory(&limit, reserved, settings, fitting) && helper_resolves(name, settings, fitting);
    if live_for.is_some_and(is_live) {
        let source = Source::Literal(Cow::Owned(format!("$({MEMORY_HELPER})000000")));
        let needs_helper = fitting.standing(MEMORY_HELPER) == Standing::Free;
        return Ok(Sized { source, origin: limit.origin, needs_helper });
    }
    let left = u128::from(bytes.saturating_sub(reserved.unwrap_or(0)));
    let ceiling = left * u128::from(100 - settings.headroom_percent) / 100;
    if ceiling * 2 < u128::from(bytes) {
        return Err(too_small());
    }
    Ok(Sized { source: Source::Literal(Cow::Owned(ceiling.to_string())), origin: limit.origin, needs_helper: false })
}

fn workers_of_request<'a>(settings: &RuntimeSizing, fitting: &Fitting<'a>) -> Result<Sized<'a>, NotSized<'a>> {
    let sized = workers(Rounding::Up, 1, None, settings, fitting)?;
    match sized.origin {
        OriginBasis::Request { .. } => Ok(sized),
        _ => Err((SkipReason::RuntimeKnows, Cow::Borrowed("CPU"))),
    }
}

fn arenas<'a>(settings: &RuntimeSizing, fitting: &Fitting<'a>) -> Result<Sized<'a>, NotSized<'a>> {
    let cpu = Cpu::of(settings, fitting)?;
    let cores = cpu.count(Rounding::Up, 1, 1);
    if cores > settings.skip_above {
        return Err((SkipReason::AboveCap, Cow::Owned(cores.to_string())));
    }
    Ok(Sized { source: Source::Literal(counted(8 * cores)), origin: cpu.origin, needs_helper: false })
}

/// A value of the memory limit in bytes; none where the limit is too small for it.
fn of_memory<'a>(
    fitting: &Fitting<'a>,
    value: fn(u64) -> Option<Cow<'static, str>>,
) -> Result<Sized<'a>, NotSized<'a>> {
    let limit = limit(Basis::Memory, fitting)?;
    match value(limit.quantity.units()) {
        Some(value) => Ok(Sized { source: Source::Literal(value), origin: limit.origin, needs_helper: false }),
        None => Err((SkipReason::BelowMinimum, Cow::Borrowed(text_of(&limit.origin)))),
    }
}

/// In MiB. The young generation and everything outside V8's heap need the rest.
fn old_generation(bytes: u64) -> Option<Cow<'static, str>> {
    let mebibytes = bytes >> 20;
    (mebibytes >= 128).then(|| counted(mebibytes - (mebibytes.div_ceil(4)).max(64)))
}

/// Below 512Mi the JVM's metaspace, code cache and stacks need what the default leaves them.
fn heap_percent(bytes: u64) -> Option<Cow<'static, str>> {
    match bytes >> 20 {
        0..512 => None,
        512..1024 => Some(Cow::Borrowed("65.0")),
        _ => Some(Cow::Borrowed("75.0")),
    }
}

/// .NET reads this number as hexadecimal whatever it looks like.
fn heap_hexadecimal(bytes: u64) -> Option<Cow<'static, str>> {
    let heap = u128::from(bytes) * 3 / 4;
    (heap >= 20 << 20).then(|| Cow::Owned(format!("{heap:#x}")))
}

/// A variable of the platform's own: `basis * multiply`, rounded, clamped, formatted.
pub fn platform_value<'a>(
    variable: &'a PlatformVariable,
    settings: &RuntimeSizing,
    fitting: &Fitting<'a>,
) -> Result<Sized<'a>, NotSized<'a>> {
    let (amount, unit, origin, is_own_limit) = match variable.from {
        Basis::Cpu => {
            let cpu = Cpu::of(settings, fitting)?;
            let millis = cpu.bounds.map_or(cpu.millis, |_| cpu.count(Rounding::Up, 1, 1).saturating_mul(1000));
            (millis, 1000, cpu.origin, cpu.is_own_limit)
        }
        Basis::Memory => {
            let limit = limit(Basis::Memory, fitting)?;
            (limit.quantity.units(), 1, limit.origin, false)
        }
    };
    let (numerator, denominator) = variable.multiply;
    let exact = u128::from(amount) * u128::from(numerator);
    let rounded = variable.rounding.divide(exact, u128::from(denominator) * unit);
    let number = rounded.max(variable.min.unwrap_or(0).into()).min(variable.max.map_or(u128::MAX, u128::from));
    if number == 0 {
        return Err((SkipReason::BelowMinimum, Cow::Owned(text_of(&origin).to_owned())));
    }
    if variable.from == Basis::Cpu && number > u128::from(settings.skip_above) && variable.max.is_none() {
        return Err((SkipReason::AboveCap, Cow::Owned(number.to_string())));
    }
    let is_plain = numerator == denominator && variable.rounding == Rounding::Up && variable.format == "{}";
    let source = if !settings.literal_only && is_plain && is_own_limit && number == rounded && variable.max.is_none() {
        Source::Limit { basis: Basis::Cpu, divisor: "1" }
    } else {
        Source::Literal(Cow::Owned(variable.format.replacen("{}", &number.to_string(), 1)))
    };
    Ok(Sized { source, origin, needs_helper: false })
}

/// The CPU that workers are counted from.
struct Cpu<'a> {
    millis: u64,
    /// Of a count from requests: at least 2, and never above the limit.
    bounds: Option<(u64, u64)>,
    is_own_limit: bool,
    origin: OriginBasis<'a>,
}

impl<'a> Cpu<'a> {
    fn of(settings: &RuntimeSizing, fitting: &Fitting<'a>) -> Result<Self, NotSized<'a>> {
        match (settings.cpu_from, limit(Basis::Cpu, fitting)) {
            (CpuFrom::Limits | CpuFrom::LimitsElseRequests, Ok(limit)) => Ok(Self {
                millis: limit.quantity.millis(),
                bounds: None,
                is_own_limit: matches!(limit.origin, OriginBasis::Limit { .. }),
                origin: limit.origin,
            }),
            (CpuFrom::Limits, Err(reason)) => Err(reason),
            (_, limit) => Self::of_request(settings.request_factor, limit.ok(), fitting),
        }
    }

    fn of_request(factor: u64, limit: Option<Amount<'a>>, fitting: &Fitting<'a>) -> Result<Self, NotSized<'a>> {
        let Some((request, text)) = fitting.cpu_request() else {
            return Err((SkipReason::NoLimit, Cow::Borrowed("CPU")));
        };
        if request.millis() < SMALLEST_REQUEST_MILLIS {
            return Err((SkipReason::RequestTooSmall, Cow::Borrowed(text)));
        }
        let ceiling = limit.map_or(u64::MAX, |limit| limit.quantity.millis().div_ceil(1000));
        Ok(Self {
            millis: request.millis().saturating_mul(factor),
            bounds: Some((2, ceiling)),
            is_own_limit: false,
            origin: OriginBasis::Request { text, factor },
        })
    }

    fn cores_up(&self) -> u64 {
        self.millis.div_ceil(1000)
    }

    fn count(&self, rounding: Rounding, minimum: u64, processes: u64) -> u64 {
        let processes = if rounding == Rounding::Down { processes } else { 1 };
        match (self.bounds, rounding) {
            (Some((least, most)), _) => (self.cores_up().max(least).min(most) / processes).max(1),
            (None, Rounding::Up) => self.cores_up().max(minimum),
            (None, Rounding::Down) => (self.millis / 1000 / processes).max(minimum),
        }
    }
}

/// The container's own limit, or the Pod's where no other container shares it.
fn limit<'a>(basis: Basis, fitting: &Fitting<'a>) -> Result<Amount<'a>, NotSized<'a>> {
    if let Some(own) = fitting.own_limit(basis) {
        return Ok(own);
    }
    let word = basis.word();
    match fitting.pod_limit(basis) {
        Some(limit) if fitting.is_pod_limit_unshared() => Ok(limit),
        Some(_) => Err((SkipReason::PodLimitShared, Cow::Borrowed(word))),
        None => Err((SkipReason::NoLimit, Cow::Borrowed(word))),
    }
}

/// Live memory needs a restart on resize, room for the helper's rounding, and nothing to subtract.
fn is_live_memory(limit: &Amount<'_>, reserved: Option<u64>, settings: &RuntimeSizing, fitting: &Fitting<'_>) -> bool {
    let mut policies = fitting.at.container.resize_policy.iter().flat_map(|policies| policies.iter());
    let restarts = policies.any(|policy| {
        policy.resource_name.as_str() == "memory" && policy.restart_policy.as_str() == "RestartContainer"
    });
    let restarts = restarts || super::gets_resize_policy(settings, fitting);
    restarts
        && matches!(limit.origin, OriginBasis::Limit { .. })
        && limit.quantity.units() >= SMALLEST_LIVE_MEMORY
        && settings.headroom_percent <= LARGEST_LIVE_HEADROOM_PERCENT
        && reserved.is_none()
}

/// Whether the helper can be added, or stands before our own literal already: a `$(NAME)` resolves only backwards, and one
/// that does not resolve would stop the process at start.
fn helper_resolves(name: &str, settings: &RuntimeSizing, fitting: &Fitting<'_>) -> bool {
    match (fitting.standing(MEMORY_HELPER), fitting.standing(name)) {
        (Standing::Free, _) => may_add_helper(settings, fitting),
        (Standing::OursLive, Standing::Ours { index, .. }) => {
            fitting.env().take_while(|(other, _)| *other < index).any(|(_, env)| env.name.as_str() == MEMORY_HELPER)
        }
        _ => false,
    }
}

/// The helper obeys skip lists and envFrom like any variable of ours.
fn may_add_helper(settings: &RuntimeSizing, fitting: &Fitting<'_>) -> bool {
    let may_be_supplied = settings.env_from == EnvFrom::Skip && fitting.env_from_for(MEMORY_HELPER).is_some();
    let is_unwanted = settings.skip.iter().any(|name| name == MEMORY_HELPER)
        || fitting.pod.wishes.skips(fitting.at.name(), Rule::RuntimeSizing, MEMORY_HELPER);
    !may_be_supplied && !is_unwanted
}

/// The sizes of the memory-backed emptyDirs that the container mounts, in bytes; none where it mounts none. Their pages are
/// charged to the container that writes them.
fn memory_backed_volumes(fitting: &Fitting<'_>) -> Option<u64> {
    let mounts = fitting.at.container.volume_mounts.iter().map(|mount| mount.name.as_str());
    // A map, so that a volume mounted at two places counts once.
    let mounted: BTreeMap<_, _> = mounts.filter_map(|name| fitting.pod.memory_volumes.get_key_value(name)).collect();
    (!mounted.is_empty()).then(|| mounted.into_values().fold(0, |sum: u64, size| sum.saturating_add(*size)))
}

fn text_of<'a>(origin: &OriginBasis<'a>) -> &'a str {
    match origin {
        OriginBasis::Limit { text, .. } | OriginBasis::PodLimit { text, .. } | OriginBasis::Request { text, .. } => {
            text
        }
        _ => "",
    }
}
