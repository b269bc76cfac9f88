//! Detection: which runtimes a container has, by the Pod's own words. Signals of one class are asked together; the first
//! class with an answer decides. (`podfit.dev/runtimes`, the strongest, is read by `wishes`.)

use std::fmt;

use super::{ALL, Runtime};
use crate::{
    image::Image,
    object::{Container, Metadata},
    workload::{ContainerAt, ContainerList},
};

/// The image's tag, where it names a version of the variable's own runtime that is older than `since`.
pub fn older_tag<'i>(image: &'i str, variable: &str, since: (u32, u32)) -> Option<&'i str> {
    let image = Image::parse(image).ok()?;
    let has = |runtime: &&&Runtime| runtime.variables.iter().any(|of| of.name == variable);
    let runtime = ALL.iter().find(has)?;
    image.components().find(|component| runtime.signs.images.contains(component))?;
    let tag = image.tag?;
    is_older(tag, since).then_some(tag)
}

/// `3.12-slim` is older than 3.13, `8u392-jdk` than 10.0; `3` and `slim` may be anything.
fn is_older(tag: &str, (major, minor): (u32, u32)) -> bool {
    let number = |text: &str| {
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok()
    };
    match (number(tag), tag.split_once('.').and_then(|(_, rest)| number(rest))) {
        (Some(of_tag), _) if of_tag < major => true,
        (Some(of_tag), Some(of_minor)) => of_tag == major && of_minor < minor,
        _ => false,
    }
}

/// What gave a runtime away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal<'a> {
    Policy,
    Annotation,
    OpenTelemetry,
    Datadog,
    Command(&'a str),
    Variable(&'a str),
    Image(&'a str),
}

/// The runtimes found in a container, with the signal that gave them away; empty when nothing tells. `is_ours` says which
/// variables podfit has put there itself.
pub fn detect<'a>(
    at: &ContainerAt<'a, 'a>,
    metadata: &'a Metadata<'a>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<(&'static Runtime, Signal<'a>)> {
    by_instrumentation(at, metadata)
        .or_else(|| by_command(at.container))
        .map(|found| vec![found])
        .or_else(|| non_empty(by_variables(at.container, is_ours)))
        .or_else(|| by_image(at.container).map(|found| vec![found]))
        .unwrap_or_default()
}

impl fmt::Display for Signal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => formatter.write_str("the policy"),
            Self::Annotation => formatter.write_str("the Pod's annotation"),
            Self::OpenTelemetry => formatter.write_str("an OpenTelemetry annotation"),
            Self::Datadog => formatter.write_str("a Datadog annotation"),
            Self::Command(word) => write!(formatter, "the command {word}"),
            Self::Variable(name) => write!(formatter, "the variable {name}"),
            Self::Image(component) => write!(formatter, "the image component {component}"),
        }
    }
}

const OPEN_TELEMETRY: &str = "instrumentation.opentelemetry.io/";
const OPEN_TELEMETRY_CONTAINERS: &str = "instrumentation.opentelemetry.io/container-names";
const DATADOG: &str = "admission.datadoghq.com/";
/// More than one for each container of the largest Pod that is injected into; what is more is not read.
const MAX_INSTRUMENTATIONS: usize = 2_000;

/// OpenTelemetry and Datadog: only where exactly one language is asked for, since "all of them" tells nothing.
fn by_instrumentation<'a>(at: &ContainerAt<'_, '_>, metadata: &Metadata<'_>) -> Option<(&'static Runtime, Signal<'a>)> {
    let annotations = metadata.annotations.as_ref()?;
    // A language that no runtime of ours has counts too: it is one more.
    let mut found: Vec<(Option<&'static Runtime>, Signal<'a>)> = Vec::new();
    let asked = annotations.with_prefix(OPEN_TELEMETRY).chain(annotations.with_prefix(DATADOG));
    for (key, value) in asked.take(MAX_INSTRUMENTATIONS) {
        let language = key.strip_prefix(OPEN_TELEMETRY).and_then(|rest| rest.strip_prefix("inject-"));
        if let Some(language) = language.filter(|language| value != "false" && *language != "sdk") {
            if names_container(metadata, language, at) {
                let known = ALL.into_iter().find(|runtime| runtime.signs.open_telemetry == Some(language));
                found.push((known, Signal::OpenTelemetry));
            }
        } else if let Some(language) = datadog_language(key, at.container) {
            let known = ALL.into_iter().find(|runtime| runtime.signs.datadog == Some(language));
            found.push((known, Signal::Datadog));
        }
    }
    let (first, signal) = *found.first()?;
    first.filter(|_| found.iter().all(|(runtime, _)| *runtime == first)).map(|runtime| (runtime, signal))
}

/// `java-lib.version` for the Pod, `<container>.java-lib.version` for one container.
fn datadog_language<'k>(key: &'k str, container: &Container<'_>) -> Option<&'k str> {
    let rest = key.strip_prefix(DATADOG)?;
    let rest = rest.strip_suffix("-lib.version").or_else(|| rest.strip_suffix("-lib.custom-image"))?;
    match rest.rsplit_once('.') {
        Some((name, language)) => (name == container.name.as_str()).then_some(language),
        None => Some(rest),
    }
}

/// The operator's container lists, for one language or for all; without a list it means the first container.
fn names_container(metadata: &Metadata<'_>, language: &str, at: &ContainerAt<'_, '_>) -> bool {
    let own = metadata.annotation(&format!("{OPEN_TELEMETRY}{language}-container-names"));
    let list = own.or_else(|| metadata.annotation(OPEN_TELEMETRY_CONTAINERS));
    match list {
        Some(list) => list.split(',').any(|name| name.trim() == at.name()),
        None => at.list == ContainerList::Regular && at.index == 0,
    }
}

/// argv[0] of command and args, through `sh -c`: the program that the container really runs.
fn by_command<'a>(container: &'a Container<'_>) -> Option<(&'static Runtime, Signal<'a>)> {
    let mut words = container.command.iter().chain(container.args.iter()).map(|word| word.as_str());
    let first = words.next()?;
    let program = if matches!(file_name(first), "sh" | "bash" | "ash" | "dash") {
        (words.next()? == "-c").then_some(())?;
        program_of_script(words.next()?)?
    } else if container.command.is_empty() {
        // args alone go to the image's entrypoint: their first word is no program.
        return None;
    } else {
        first
    };
    let program = file_name(program);
    ALL.into_iter()
        .find(|runtime| runtime.signs.commands.contains(&program))
        .map(|found| (found, Signal::Command(program)))
}

/// The first program of a shell script: assignments and `exec` before it are passed over.
fn program_of_script(script: &str) -> Option<&str> {
    script
        .split_whitespace()
        .find(|word| !word.contains('=') && !matches!(*word, "exec" | "set" | "-e" | "-x" | "-ex" | "&&"))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Variables of the user's: our own injections tell nothing new on a second call.
fn by_variables<'a>(
    container: &'a Container<'_>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<(&'static Runtime, Signal<'a>)> {
    let names = || {
        let names = container.env.iter().flat_map(|env| env.iter()).map(|variable| variable.name.as_str());
        names.filter(|name| !is_ours(name))
    };
    let found = |runtime: &'static Runtime| {
        let name = names().find(|name| runtime.signs.variables.contains(name))?;
        Some((runtime, Signal::Variable(name)))
    };
    ALL.into_iter().filter_map(found).collect()
}

fn by_image<'a>(container: &'a Container<'_>) -> Option<(&'static Runtime, Signal<'a>)> {
    let image = Image::parse(container.image.as_ref()?.as_str()).ok()?;
    ALL.into_iter().find_map(|runtime| {
        let component = image.components().find(|component| runtime.signs.images.contains(component))?;
        Some((runtime, Signal::Image(component)))
    })
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
