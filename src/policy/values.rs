//! The single values of a policy, each parsed by one function. `schema` and `suite` say where they stand; their complaints
//! read on after a path.

use std::fmt::Display;

use jiff::civil::Date;

use super::{Basis, Pattern};
use crate::{
    quantity::Quantity,
    reader::{closest, shorten},
    rules::Rule,
    runtimes::{self, Runtime},
};

/// A factor as an exact fraction: `1.5` is 15 over 10. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor(pub(super) u64, pub(super) u64);

/// Names of namespaces, with `*`.
pub(super) fn namespace_pattern(text: &str) -> Result<Pattern, String> {
    pattern(text, "a namespace", |character| matches!(character, 'a'..='z' | '0'..='9' | '-'))
}

/// Names of containers, with `*`.
pub(super) fn container_pattern(text: &str) -> Result<Pattern, String> {
    pattern(text, "a container's name", |character| matches!(character, 'a'..='z' | '0'..='9' | '-'))
}

/// Tags without their colon, with `*`.
pub(super) fn tag_pattern(text: &str) -> Result<Pattern, String> {
    let is_tag = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
    pattern(text, "a tag", is_tag)
}

/// Images as written or normalised, with `*`.
pub(super) fn image_pattern(text: &str) -> Result<Pattern, String> {
    let is_image = |character: char| character.is_ascii_alphanumeric() || "._-/:@+[]".contains(character);
    pattern(text, "an image", is_image)
}

/// The name of an object: an RFC 1123 subdomain.
pub(crate) fn object_name(text: &str) -> Result<String, String> {
    if is_subdomain(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be at most 253 lower-case letters, digits, `-` and `.`, with a letter or digit at each end of a part, not `{}`",
        shorten(text)
    ))
}

/// Any text that people read, on one line.
pub(crate) fn line(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be blank".to_owned())
    } else if text.chars().count() > 1_024 || text.contains(char::is_control) {
        Err("must be one line of at most 1024 characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(crate) fn date(text: &str) -> Result<Date, String> {
    // jiff alone reads `2027-01-31T00:00` and `20270131` too.
    let is_written_out = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    let parsed = if is_written_out { text.parse().ok() } else { None };
    parsed.ok_or_else(|| format!("must be a date such as 2027-01-31, not `{}`", shorten(text)))
}

/// An env variable's name that every API server accepts.
pub(super) fn variable_name(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 253
        && text.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // Another value under this name would become part of GOMEMLIMIT.
    if text == runtimes::MEMORY_HELPER {
        return Err(format!("must not be `{text}`, which podfit itself fills; choose another name"));
    }
    if is_name {
        return Ok(text.to_owned());
    }
    Err(format!("must be a variable's name (letters, digits and `_`, no digit first), not `{}`", shorten(text)))
}

/// What the downward API gives to env: not every field of a Pod.
pub(super) fn field_path(text: &str) -> Result<String, String> {
    const PATHS: [&str; 9] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    if PATHS.contains(&text) || is_subscript(text) {
        return Ok(text.to_owned());
    }
    let meant = closest(text, PATHS).map(|path| format!("; did you mean `{path}`?")).unwrap_or_default();
    Err(format!(
        "must be a field path that env allows ({}, metadata.labels['KEY'] or metadata.annotations['KEY']), not `{}`{meant}",
        PATHS.join(", "),
        shorten(text)
    ))
}

/// A limit that a policy injects, as written and as an amount.
pub(super) fn default_limit(basis: Basis, text: &str) -> Result<(String, Quantity), String> {
    let (text, quantity) = default_request(basis, text)?;
    if !quantity.is_positive() {
        return Err(format!("must be above 0, not `{text}`: to Kubernetes 0 is no limit"));
    }
    Ok((text, quantity))
}

/// A request that a policy injects, as written and as an amount.
pub(super) fn default_request(basis: Basis, text: &str) -> Result<(String, Quantity), String> {
    let example = if basis == Basis::Cpu { "500m" } else { "256Mi" };
    let quantity = Quantity::parse(text)
        .map_err(|error| format!("must be a quantity such as {example}, not `{}`: {error}", shorten(text)))?;
    // The API server reads `Mi` as zero; nobody means it.
    if !text.contains(|character: char| character.is_ascii_digit()) {
        return Err(format!("must be a quantity such as {example}, not `{}`: there is no digit in it", shorten(text)));
    }
    if quantity < Quantity::default() {
        return Err(format!("must not be below 0, not `{text}`"));
    }
    // `256m` of memory is a legal quarter of a byte, and never meant.
    let byte = Quantity::parse("1").unwrap_or_default();
    if basis == Basis::Memory && quantity.is_positive() && quantity < byte {
        return Err(format!("must be at least one byte, not `{text}`: `m` is thousandths; mebibytes are `Mi`"));
    }
    Ok((text.to_owned(), quantity))
}

pub(crate) fn rule(text: &str) -> Result<Rule, String> {
    let ids = Rule::ALL.map(Rule::id);
    let found = known(text, "a rule", &ids)?;
    Rule::from_id(&found).ok_or(found)
}

pub(super) fn runtime(text: &str) -> Result<&'static Runtime, String> {
    // What people call them elsewhere, and what spelling alone would take for another.
    const OTHER_NAMES: [(&str, &str); 6] = [
        ("golang", "go"),
        ("nodejs", "node"),
        ("javascript", "node"),
        ("jvm", "java"),
        ("elixir", "erlang"),
        ("cargo", "build"),
    ];
    if let Some((_, name)) = OTHER_NAMES.iter().find(|(other, _)| *other == text) {
        return Err(format!("must be a runtime, not `{text}`; write `{name}`"));
    }
    let found = known(text, "a runtime", &runtimes::ALL.map(|runtime| runtime.name))?;
    runtimes::find(&found).ok_or(found)
}

/// A variable of the catalogue, or one of `own`.
pub(super) fn variable(text: &str, own: &[&str]) -> Result<String, String> {
    if own.contains(&text) {
        return Ok(text.to_owned());
    }
    let mut names: Vec<_> = Vec::new();
    for variable in runtimes::variables() {
        // Two runtimes may share a variable.
        if !names.contains(&variable.name) {
            names.push(variable.name);
        }
    }
    known(text, "a variable that podfit knows", &names)
}

/// A label's key: `name` or `prefix/name`.
pub(crate) fn label_key(text: &str) -> Result<String, String> {
    if is_qualified_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("must be a label's key such as `team` or `example.com/team`, not `{}`", shorten(text)))
}

pub(crate) fn label_value(text: &str) -> Result<String, String> {
    if text.is_empty() || is_label_part(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be a label's value (at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends), not `{}`",
        shorten(text)
    ))
}

/// A port by name or number; the number stays text, as rules compare it.
pub(super) fn port(text: &str) -> Result<String, String> {
    let is_number = !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok_and(|number| number > 0);
    if is_number || is_port_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be a port number from 1 to 65535 or a port name (at most 15 lower-case letters, digits and `-`, one letter at least), not `{}`",
        shorten(text)
    ))
}

pub(super) fn http_path(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|character| character.is_ascii_graphic());
    if text.starts_with('/') && is_plain && text.len() <= 1_024 {
        return Ok(text.to_owned());
    }
    Err(format!("must be a path that begins with `/`, without blanks, not `{}`", shorten(text)))
}

/// A value with one `{}` where the number goes.
pub(super) fn format(text: &str) -> Result<String, String> {
    if text.matches("{}").count() != 1 {
        return Err(format!("must have exactly one `{{}}`, where the number goes, not `{}`", shorten(text)));
    }
    if text.len() > 1_024 || text.contains(char::is_control) {
        return Err("must be one line of at most 1024 characters".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn factor(text: &str) -> Result<Factor, String> {
    let complaint = || {
        format!(
            "must be a number above 0 such as 2 or 0.75, with at most nine digits on each side of the point, not `{}`",
            shorten(text)
        )
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let is_bounded = whole.len() <= 9 && fraction.len() <= 9 && !whole.is_empty();
    if !is_bounded || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(complaint());
    }
    let numerator = digits.parse().map_err(|_| complaint())?;
    let denominator = fraction.bytes().fold(1, |scale, _| scale * 10);
    if numerator == 0 { Err(complaint()) } else { Ok(Factor(numerator, denominator)) }
}

impl Display for Factor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(numerator, denominator) = *self;
        write!(formatter, "{}", numerator / denominator)?;
        if denominator == 1 {
            return Ok(());
        }
        let places = denominator.ilog10() as usize;
        write!(formatter, ".{:0places$}", numerator % denominator)
    }
}

fn pattern(text: &str, what: &str, is_allowed: impl Fn(char) -> bool) -> Result<Pattern, String> {
    let pattern = Pattern::parse(text).map_err(|error| error.to_string())?;
    match text.chars().find(|&character| character != '*' && !is_allowed(character)) {
        None => Ok(pattern),
        Some(stranger) => Err(format!("never matches: {what} has no `{stranger}` (`*` is the only wildcard)")),
    }
}

fn known(text: &str, what: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let list = words.join(", ");
    Err(match closest(text, words.iter().copied()) {
        Some(meant) => format!("must be {what}, not `{}`; did you mean `{meant}`? Known: {list}", shorten(text)),
        None => format!("must be {what} ({list}), not `{}`", shorten(text)),
    })
}

fn is_subscript(text: &str) -> bool {
    let key = |open: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix("']"));
    // The API checks an annotation's key in lower case.
    key("metadata.labels['").is_some_and(is_qualified_name)
        || key("metadata.annotations['").is_some_and(|key| is_qualified_name(&key.to_ascii_lowercase()))
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_part(name),
        None => is_label_part(text),
    }
}

fn is_subdomain(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.bytes().all(is_inner)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_label_part(text: &str) -> bool {
    let is_end = |end: Option<char>| end.is_some_and(|character| character.is_ascii_alphanumeric());
    text.len() <= 63
        && is_end(text.chars().next())
        && is_end(text.chars().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// An IANA service name, as the API has it.
fn is_port_name(text: &str) -> bool {
    text.len() <= 15
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.contains("--")
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_exact() {
        let rows = [
            ("1", Some((1, 1, "1"))),
            ("0.75", Some((75, 100, "0.75"))),
            ("1.50", Some((15, 10, "1.5"))),
            ("2.0", Some((2, 1, "2"))),
            ("2.", Some((2, 1, "2"))),
            ("0.05", Some((5, 100, "0.05"))),
            ("999999999.999999999", Some((999_999_999_999_999_999, 1_000_000_000, "999999999.999999999"))),
            ("0", None),
            ("0.000", None),
            ("-1", None),
            ("+1", None),
            (".5", None),
            ("1e3", None),
            ("1.2.3", None),
            ("1,5", None),
            ("1000000000", None),
            ("0.0000000001", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = factor(text).ok();
            let expected = expected.map(|(numerator, denominator, shown)| (Factor(numerator, denominator), shown));
            assert_eq!(found, expected.map(|(factor, _)| factor), "{text}");
            assert_eq!(found.map(|factor| factor.to_string()).as_deref(), expected.map(|(_, shown)| shown), "{text}");
        }
    }

    #[test]
    fn texts_are_accepted_or_refused_by_their_grammar() {
        type Parse = fn(&str) -> bool;
        let rows: [(&str, Parse, &[&str], &[&str]); 10] = [
            (
                "field paths",
                |text| field_path(text).is_ok(),
                &[
                    "metadata.name",
                    "status.podIPs",
                    "metadata.labels['app.kubernetes.io/name']",
                    "metadata.annotations['A/b']",
                ],
                &[
                    "metadata.labels",
                    "metadata.labels['']",
                    "metadata.labels['a b']",
                    "spec.hostname",
                    "metadata.Name",
                    "limits.cpu",
                ],
            ),
            (
                "variable names",
                |text| variable_name(text).is_ok(),
                &["POD_NAME", "_x9"],
                &["9X", "A-B", "A.B", "A=B", ""],
            ),
            (
                "dates",
                |text| date(text).is_ok(),
                &["2027-01-31", "2028-02-29"],
                &["2027-02-29", "2027-1-31", "20270131", "2027-01-31T00:00", "31.01.2027"],
            ),
            (
                "ports",
                |text| port(text).is_ok(),
                &["8080", "http", "web-2"],
                &["0", "65536", "080", "+80", "Http", "a--b", "-a", "a-", "a-very-long-port", "12345678"],
            ),
            ("paths", |text| http_path(text).is_ok(), &["/", "/readyz?full=1"], &["readyz", "", "/a b", "/ä"]),
            ("formats", |text| format(text).is_ok(), &["{}", "-Xmx{}m", "{{}}"], &["", "{", "{}{}", "{}\n"]),
            (
                "label keys",
                |text| label_key(text).is_ok(),
                &["team", "Team_1.x", "example.com/team"],
                &["", "/team", "example.com/", "a/b/c", "-a", "Example.com/x"],
            ),
            ("label values", |text| label_value(text).is_ok(), &["", "a", "A.b_c-1"], &["-a", "a-", "a b", "ä"]),
            (
                "object names",
                |text| object_name(text).is_ok(),
                &["default", "a.b-c"],
                &["", "Default", "a..b", "-a", "a.", "a_b"],
            ),
            (
                "images",
                |text| image_pattern(text).is_ok(),
                &["*", "vendor.example:5000/*@sha256:*", "[::1]:5000/x"],
                &["", "a?", "a b", "{a,b}"],
            ),
        ];
        for (name, parse, accepted, refused) in rows {
            for text in accepted {
                assert!(parse(text), "{name}: {text}");
            }
            for text in refused {
                assert!(!parse(text), "{name}: {text}");
            }
        }
    }
}
