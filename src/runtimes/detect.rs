//! Detection: which runtimes a container has, by the Pod's own words. Signals of one class are asked together; the first
//! class with an answer decides. (`podfit.dev/runtimes`, the strongest, is read by `wishes`.)

use std::{collections::BTreeSet, fmt};

use memchr::memrchr;
use smallvec::SmallVec;

use super::{ALL, Runtime, Variable, signs};
use crate::{
    image::Image,
    object::{Container, Metadata},
    workload::{ContainerAt, ContainerList},
};

/// The image's tag, where it names a version of the variable's own runtime that does not know the variable.
pub fn older_tag<'i>(image: &Image<'i>, variable: &Variable) -> Option<&'i str> {
    let tag = image.tag?;
    // Folders before it, and products that run on it, count versions of their own.
    let repository = last_part(image.path);
    let is_its_own = |runtime: &Runtime| runtime.variables.iter().any(|of| of.name == variable.name);
    let mut of_repository = signs::IMAGES.of(repository).filter(|runtime| runtime.signs.images.contains(&repository));
    (of_repository.any(is_its_own) && is_older(tag, variable.since)).then_some(tag)
}

/// Before 3.13: `3.12-slim`. Before 8u191 and 10: `8u181-jdk`, `9`, not `8u392`. `3` and `slim` may be anything.
fn is_older(tag: &str, since: &[&str]) -> bool {
    let Some((major, minor)) = version(tag) else { return false };
    let first = || since.iter().copied().filter_map(version);
    match first().find(|(of, _)| *of == major) {
        Some((_, first)) => minor.is_some_and(|minor| Some(minor) < first),
        None => first().any(|(of, _)| major < of),
    }
}

/// Major and minor number of `3.12-slim` or `8u392`.
fn version(tag: &str) -> Option<(u32, Option<u32>)> {
    let digits = |text: &str| text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (major, rest) = tag.split_at(digits(tag));
    let minor = rest.strip_prefix(['.', 'u']).and_then(|rest| rest[..digits(rest)].parse().ok());
    Some((major.parse().ok()?, minor))
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
    image: Option<Image<'a>>,
    instrumentation: &Instrumentation<'a>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<(&'static Runtime, Signal<'a>)> {
    instrumentation
        .of(at)
        .map(|found| vec![found])
        .or_else(|| non_empty(by_command(at.container)))
        .or_else(|| non_empty(by_variables(at.container, is_ours)))
        .or_else(|| by_image(&image?).map(|found| vec![found]))
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
/// Many times the languages that there are; a Pod with more names them for something else.
const MAX_INSTRUMENTATIONS: usize = 200;
/// Names in one list: above so many containers nothing is injected.
const MAX_LISTED_CONTAINERS: usize = 1_000;

/// The languages that OpenTelemetry's and Datadog's annotations ask for, read once per Pod: every container asks them, so
/// that a list of names must be split once and for all.
#[derive(Debug, Default)]
pub struct Instrumentation<'a>(Vec<Instrumented<'a>>);

#[derive(Debug)]
struct Instrumented<'a> {
    /// None is a language that no runtime of ours has: it counts too, as one more.
    runtime: Option<&'static Runtime>,
    signal: Signal<'a>,
    containers: Containers<'a>,
}

#[derive(Debug)]
enum Containers<'a> {
    All,
    /// What OpenTelemetry's operator means without a list.
    FirstRegular,
    Named(BTreeSet<&'a str>),
}

impl<'a> Instrumentation<'a> {
    pub fn read(metadata: &'a Metadata<'_>) -> Self {
        let Some(annotations) = metadata.annotations.as_ref() else { return Self::default() };
        let asked = annotations.with_prefix(OPEN_TELEMETRY).chain(annotations.with_prefix(DATADOG));
        Self(
            asked
                .take(MAX_INSTRUMENTATIONS)
                .filter_map(|(key, value)| Instrumented::read(key, value, metadata))
                .collect(),
        )
    }

    /// Only where exactly one language is asked for, since "all of them" tells nothing.
    fn of(&self, at: &ContainerAt<'_, '_>) -> Option<(&'static Runtime, Signal<'a>)> {
        let mut asked = self.0.iter().filter(|instrumented| instrumented.containers.hold(at));
        let first = asked.next()?;
        let runtime = first.runtime.filter(|_| asked.all(|other| other.runtime == first.runtime))?;
        Some((runtime, first.signal))
    }
}

impl<'a> Instrumented<'a> {
    fn read(key: &'a str, value: &str, metadata: &'a Metadata<'_>) -> Option<Self> {
        if let Some(language) = key.strip_prefix(OPEN_TELEMETRY) {
            let language =
                language.strip_prefix("inject-").filter(|of| *of != "sdk" && !matches!(value, "" | "false"))?;
            let runtime = ALL.into_iter().find(|runtime| runtime.signs.open_telemetry == Some(language));
            return Some(Self {
                runtime,
                signal: Signal::OpenTelemetry,
                containers: Containers::listed(language, metadata),
            });
        }
        // `java-lib.version` for the Pod, `<container>.java-lib.version` for one container.
        let rest = key.strip_prefix(DATADOG)?;
        let rest = rest.strip_suffix("-lib.version").or_else(|| rest.strip_suffix("-lib.custom-image"))?;
        let (containers, language) = match rest.rsplit_once('.') {
            Some((name, language)) => (Containers::Named(BTreeSet::from([name])), language),
            None => (Containers::All, rest),
        };
        let runtime = ALL.into_iter().find(|runtime| runtime.signs.datadog == Some(language));
        Some(Self { runtime, signal: Signal::Datadog, containers })
    }
}

impl<'a> Containers<'a> {
    /// The operator's container lists, for one language or for all.
    fn listed(language: &str, metadata: &'a Metadata<'_>) -> Self {
        let own = metadata.annotation(&format!("{OPEN_TELEMETRY}{language}-container-names"));
        match own.or_else(|| metadata.annotation(OPEN_TELEMETRY_CONTAINERS)) {
            Some(list) => Self::Named(list.split(',').take(MAX_LISTED_CONTAINERS).map(str::trim).collect()),
            None => Self::FirstRegular,
        }
    }

    fn hold(&self, at: &ContainerAt<'_, '_>) -> bool {
        match self {
            Self::All => true,
            Self::FirstRegular => at.list == ContainerList::Regular && at.index == 0,
            Self::Named(names) => names.contains(at.name()),
        }
    }
}

/// argv[0] of command and args, through wrappers and `sh -c`: the program that the container really runs.
fn by_command<'a>(container: &'a Container<'_>) -> Vec<(&'static Runtime, Signal<'a>)> {
    if container.command.is_empty() && container.args.is_empty() {
        return Vec::new();
    }
    let words = container.command.iter().chain(container.args.iter()).map(|word| word.as_str());
    let words: SmallVec<[&str; 16]> = words.collect();
    let words = unwrapped(&words);
    if let Some(script) = script(words) {
        let mut programs = shell_commands(script).into_iter().map(|command| by_program(unwrapped(&command)));
        return programs.find(|found| !found.is_empty()).unwrap_or_default();
    }
    // args alone go to the image's entrypoint: `node --endpoint=...` is a sub-command of a storage driver.
    let is_sub_command = container.command.is_empty() && words.iter().skip(1).all(|word| word.starts_with('-'));
    if is_sub_command { Vec::new() } else { by_program(words) }
}

/// Every runtime that a program tells of: cargo builds, and runs Rust.
fn by_program<'a>(words: &[&'a str]) -> Vec<(&'static Runtime, Signal<'a>)> {
    let program = words.first().map_or("", |word| last_part(word));
    signs::COMMANDS.of(program).map(|found| (found, Signal::Command(program))).collect()
}

/// What programs run that only start another one: `tini -- java`, `env A=1 java`, `exec java`.
fn unwrapped<'s, 'a>(mut words: &'s [&'a str]) -> &'s [&'a str] {
    const WRAPPERS: [&str; 8] = ["catatonit", "dumb-init", "env", "exec", "nice", "nohup", "time", "tini"];
    let mut had_wrapper = false;
    while let [first, rest @ ..] = words {
        let is_wrapper = WRAPPERS.contains(&last_part(first));
        let is_option = had_wrapper && first.starts_with('-');
        if !(is_wrapper || is_option || is_assignment(first)) {
            break;
        }
        had_wrapper |= is_wrapper;
        words = rest;
    }
    words
}

fn is_assignment(word: &str) -> bool {
    let name = word.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
    name.is_some_and(|end| end > 0 && word.as_bytes()[end] == b'=')
}

/// The script of `sh -c SCRIPT`, also as `bash -euc SCRIPT` or `sh -e -c SCRIPT`.
fn script<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (shell, rest) = words.split_first()?;
    if !matches!(last_part(shell), "sh" | "bash" | "ash" | "dash") {
        return None;
    }
    let mut options = rest.iter().take_while(|word| word.starts_with('-'));
    let last = options.position(|option| !option.starts_with("--") && option.contains('c'))?;
    rest.get(last + 1).copied()
}

/// The simple commands of a script, each as its words. Quotes hold words together, and nothing is expanded.
fn shell_commands(script: &str) -> Vec<Vec<&str>> {
    let mut commands = vec![Vec::new()];
    let mut quote = None;
    let mut start = None;
    let ends = script.char_indices().chain(std::iter::once((script.len(), '\n')));
    for (index, character) in ends {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(character);
                start.get_or_insert(index);
            }
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')') => {
                if let (Some(from), Some(command)) = (start.take(), commands.last_mut()) {
                    command.push(script[from..index].trim_matches(['"', '\'']));
                }
                if !matches!(character, ' ' | '\t') {
                    commands.push(Vec::new());
                }
            }
            (None, _) => {
                start.get_or_insert(index);
            }
        }
    }
    commands
}

/// A program without its folder, a repository's own name.
fn last_part(path: &str) -> &str {
    memrchr(b'/', path.as_bytes()).map_or(path, |slash| &path[slash + 1..])
}

/// Variables of the user's: our own injections tell nothing new on a second call.
fn by_variables<'a>(
    container: &'a Container<'_>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<(&'static Runtime, Signal<'a>)> {
    let names = container.env.iter().flat_map(|env| env.iter()).map(|variable| variable.name.as_str());
    let names = names.filter(|name| signs::VARIABLES.of(name).next().is_some() && !is_ours(name));
    let mut found: Vec<(&'static Runtime, Signal<'a>)> = Vec::new();
    for name in names {
        for runtime in signs::VARIABLES.of(name) {
            if !found.iter().any(|(other, _)| *other == runtime) {
                found.push((runtime, Signal::Variable(name)));
            }
        }
    }
    found
}

fn by_image<'a>(image: &Image<'a>) -> Option<(&'static Runtime, Signal<'a>)> {
    let found = |component| Some((signs::IMAGES.of(component).next()?, Signal::Image(component)));
    image.components().filter_map(found).min_by_key(|(runtime, _)| ALL.iter().position(|other| other == runtime))
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_tags() {
        let rows = [
            ("3.12-slim", &["3.13"][..], true),
            ("3.12", &["3.13"], true),
            ("3.13.0rc1", &["3.13"], false),
            ("3", &["3.13"], false),
            ("2.7", &["3.13"], true),
            ("4", &["3.13"], false),
            ("slim", &["3.13"], false),
            ("", &["3.13"], false),
            ("8u181-jdk", &["8u191", "10"], true),
            ("8u392", &["8u191", "10"], false),
            ("8-jre", &["8u191", "10"], false),
            ("9.0.4", &["8u191", "10"], true),
            ("10-jdk", &["8u191", "10"], false),
            ("21.0.2_13-jre", &["8u191", "10"], false),
            ("99999999999.1", &["3.13"], false),
        ];
        for (tag, since, expected) in rows {
            assert_eq!(is_older(tag, since), expected, "{tag}");
        }
    }

    #[test]
    fn scripts_as_commands() {
        let rows: [(&str, &[&[&str]]); 6] = [
            ("java -jar app.jar", &[&["java", "-jar", "app.jar"]]),
            ("cd /app && exec java", &[&["cd", "/app"], &["exec", "java"]]),
            ("a; b | c & (d)\n e", &[&["a"], &["b"], &["c"], &["d"], &["e"]]),
            ("echo 'a; b' \"c && d\" e", &[&["echo", "a; b", "c && d", "e"]]),
            ("A='b c' d", &[&["A='b c", "d"]]),
            ("", &[]),
        ];
        for (script, expected) in rows {
            let commands: Vec<_> = shell_commands(script).into_iter().filter(|command| !command.is_empty()).collect();
            assert_eq!(commands, expected, "{script}");
        }
    }
}
