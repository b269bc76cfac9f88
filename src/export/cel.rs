//! Texts of CEL: literals, conditions on texts and labels. All of `export` writes with it.

use std::fmt::Write as _;

use crate::policy::{LabelSelector, Operator, Pattern, Requirement};

/// A named expression, which the API server evaluates at most once, when another asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub expression: String,
}

impl Variable {
    pub fn new(name: impl Into<String>, expression: impl Into<String>) -> Self {
        Self { name: name.into(), expression: expression.into() }
    }

    fn is_named_in(&self, expression: &str) -> bool {
        let name = format!("variables.{}", self.name);
        let ends =
            |at: usize| !expression[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        expression.match_indices(&name).any(|(at, _)| ends(at))
    }
}

/// Those that the last one needs, itself too; each stands behind what it needs.
pub fn without_unused(variables: Vec<Variable>, last: &str) -> Vec<Variable> {
    let mut kept: Vec<Variable> = Vec::new();
    for variable in variables.into_iter().rev() {
        if variable.name == last || kept.iter().any(|user| variable.is_named_in(&user.expression)) {
            kept.push(variable);
        }
    }
    kept.reverse();
    kept
}

pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            // Writing to a String cannot fail.
            control if control.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

pub fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// Whether a text matches any of the patterns; none where every text does.
pub fn among(text: &str, patterns: &[Pattern]) -> Option<String> {
    if patterns.iter().any(matches_everything) {
        return None;
    }
    match patterns {
        [only] if is_plain(only) => Some(format!("{text} == {}", quoted(only.as_str()))),
        _ if patterns.iter().all(is_plain) => Some(format!("{text} in {}", list(patterns.iter().map(Pattern::as_str)))),
        _ => Some(format!("{text}.matches({})", raw(&format!("^{}$", alternatives(patterns, "(?s:.*)"))))),
    }
}

pub fn is_plain(pattern: &Pattern) -> bool {
    !pattern.as_str().contains('*')
}

pub fn matches_everything(pattern: &Pattern) -> bool {
    pattern.as_str().bytes().all(|byte| byte == b'*')
}

/// Patterns as a group of a regular expression; `any` is what `*` stands for.
pub fn alternatives(patterns: &[Pattern], any: &str) -> String {
    let pieces = |pattern: &Pattern| pattern.as_str().split('*').map(escaped).collect::<Vec<_>>().join(any);
    format!("(?:{})", patterns.iter().map(pieces).collect::<Vec<_>>().join("|"))
}

/// A regular expression as a literal in which backslashes stand for themselves.
pub fn raw(expression: &str) -> String {
    format!("r'{expression}'")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || "-_/:@".contains(character) {
            escaped.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\x{{{:x}}}", u32::from(character));
        }
    }
    escaped
}

/// What of labels a selector asks; nothing where it asks nothing.
pub fn labelled(labels: &str, selector: &LabelSelector) -> Vec<String> {
    selector.requirements.iter().map(|requirement| label(labels, requirement)).collect()
}

fn label(labels: &str, requirement: &Requirement) -> String {
    let key = quoted(&requirement.key);
    let is_listed =
        format!("{key} in {labels} && {labels}[{key}] in {}", list(requirement.values.iter().map(String::as_str)));
    match requirement.operator {
        Operator::In => is_listed,
        // As the API has it, an object without the label matches `NotIn`.
        Operator::NotIn => format!("!({is_listed})"),
        Operator::Exists => format!("{key} in {labels}"),
        Operator::DoesNotExist => format!("!({key} in {labels})"),
    }
}

/// All of them; true where there is none.
pub fn all(conditions: &[String]) -> String {
    if conditions.is_empty() { "true".to_owned() } else { conditions.join("\n&& ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn texts_are_among_patterns() {
        let rows: [(&[&str], Option<&str>); 6] = [
            (&["shop"], Some("x == 'shop'")),
            (&["shop", "bank"], Some("x in ['shop', 'bank']")),
            (&["shop", "team-*"], Some("x.matches(r'^(?:shop|team-(?s:.*))$')")),
            (&["a.b:1+c[*]"], Some(r"x.matches(r'^(?:a\x{2e}b:1\x{2b}c\x{5b}(?s:.*)\x{5d})$')")),
            (&["shop", "**"], None),
            (&[], Some("x in []")),
        ];
        for (texts, expected) in rows {
            assert_eq!(among("x", &patterns(texts)).as_deref(), expected, "{texts:?}");
        }
    }

    #[test]
    fn literals_stay_literals() {
        let rows = [("it's", r"'it\'s'"), (r"a\b", r"'a\\b'"), ("a\nb", r"'a\u000ab'"), (r#""ü""#, r#"'"ü"'"#)];
        for (text, expected) in rows {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn labels_are_asked_as_the_api_asks_them() {
        let requirement = |operator, values: &[&str]| Requirement {
            key: "team".to_owned(),
            operator,
            values: values.iter().map(ToString::to_string).collect(),
        };
        let rows = [
            (requirement(Operator::In, &["a", ""]), "'team' in l && l['team'] in ['a', '']"),
            (requirement(Operator::NotIn, &["a"]), "!('team' in l && l['team'] in ['a'])"),
            (requirement(Operator::Exists, &[]), "'team' in l"),
            (requirement(Operator::DoesNotExist, &[]), "!('team' in l)"),
        ];
        for (requirement, expected) in rows {
            let selector = LabelSelector { requirements: vec![requirement] };
            assert_eq!(labelled("l", &selector), [expected]);
        }
    }

    #[test]
    fn variables_that_nobody_needs_go() {
        let variables =
            [("a", "1"), ("ab", "2"), ("b", "variables.ab + 1"), ("c", "variables.a"), ("last", "variables.b")];
        let variables = variables.map(|(name, expression)| Variable::new(name, expression));
        let kept: Vec<_> = without_unused(variables.into(), "last").into_iter().map(|variable| variable.name).collect();
        assert_eq!(kept, ["ab", "b", "last"]);
    }
}
