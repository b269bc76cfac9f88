//! The findings as a JSON block of the page, for its script. No text in it can end the block, whatever users have written.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use super::Owner;
use crate::{
    policy::Mode,
    report::{Report, ReportedFinding, count, file_name, problem_and_help, visible},
    rules::Rule,
};

/// # Errors
/// Never in practice: a `Vec` takes everything.
pub fn json(report: &Report, owners: &[Owner<'_>]) -> io::Result<String> {
    let data = Data {
        rules: Rule::ALL.map(|rule| (rule.id(), rule.summary())),
        owners: owners.iter().map(|owner| OwnerData::of(report, owner)).collect(),
    };
    let mut json = Vec::new();
    data.serialize(&mut Serializer::with_formatter(&mut json, Inert))?;
    String::from_utf8(json).map_err(io::Error::other)
}

#[derive(Serialize)]
struct Data<'a> {
    rules: [(&'static str, &'static str); 5],
    owners: Vec<OwnerData<'a>>,
}

#[derive(Serialize)]
struct OwnerData<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    findings: Vec<FindingData<'a>>,
}

#[derive(Serialize)]
struct FindingData<'a> {
    mode: &'static str,
    rule: &'static str,
    policy: String,
    /// Of a scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<String>,
    /// Where the text does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Before the mark, marked, behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<[&'a str; 3]>,
}

impl<'a> OwnerData<'a> {
    fn of(report: &'a Report, findings: Owner<'a>) -> Self {
        let first = &findings[0];
        Self {
            kind: &first.object.kind,
            namespace: first.object.namespace.as_deref(),
            name: &first.object.name,
            file: first.file.as_deref().map(file_name),
            findings: findings.iter().map(|finding| FindingData::of(report, finding)).collect(),
        }
    }
}

impl<'a> FindingData<'a> {
    /// Nothing is wrong where something is injected, so that there is no line to show.
    fn of(report: &'a Report, finding: &'a ReportedFinding) -> Self {
        let is_injection = finding.mode == Mode::Inject;
        let (text, help) = if is_injection { (finding.edits(), None) } else { problem_and_help(&finding.message) };
        let excerpt = report.excerpt(finding).filter(|_| !is_injection);
        Self {
            mode: finding.mode.as_str(),
            rule: finding.rule.id(),
            policy: finding.policy_says(),
            pods: finding.pods.map(|pods| count(pods, "Pod")),
            container: finding.container.as_deref().filter(|_| is_injection),
            text,
            help,
            line: finding.span.map(|span| span.start.line),
            excerpt: excerpt.map(|excerpt| [excerpt.before, excerpt.marked, excerpt.after]),
        }
    }
}

/// Writes texts without `<`, which could end the block or begin a comment in it, and without what `visible` hides.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(visible(fragment).replace('<', "\\u003c").as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let text = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Tab => "\\t",
            CharEscape::LineFeed => " ",
            _ => "\u{fffd}",
        };
        writer.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_the_block() {
        let rows = [
            ("an end tag", "</script><img src=x>", r#""\u003c/script>\u003cimg src=x>""#),
            ("a comment", "<!-- <script>", r#""\u003c!-- \u003cscript>""#),
            ("quotes", "\"a\\b\"", r#""\"a\\b\"""#),
            ("lines", "a\r\n\tb\u{2028}c", "\"a\u{fffd} \\tb c\""),
            ("escape sequences", "\u{1b}[2J\u{9b}", "\"\u{fffd}[2J\u{fffd}\""),
            ("direction", "\u{202e}gnp.exe", "\"\u{fffd}gnp.exe\""),
        ];
        for (name, text, expected) in rows {
            let mut json = Vec::new();
            text.serialize(&mut Serializer::with_formatter(&mut json, Inert)).unwrap();
            assert_eq!(String::from_utf8(json).unwrap(), expected, "{name}");
        }
    }
}
