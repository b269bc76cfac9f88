//! One expectation, in the words of a test: read from a file, or made of what was found, as someone would write it.

use std::fmt;

use serde_json::{Map, Value as Json, json};

use crate::{node::Span, policy::Mode, rules::Rule};

/// Which list of a test an expectation stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Deny,
    Warn,
    Audit,
    Exempt,
    Inject,
    /// Objects that no policy matches.
    Unmatched,
}

/// Something to be found. What is absent may be anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    pub group: Group,
    /// `NAME` or `KIND/NAME`.
    pub object: Option<String>,
    pub rule: Option<Rule>,
    pub container: Option<String>,
    /// `limits.cpu`, `image`, a variable, a probe.
    pub subject: Option<String>,
    pub policy: Option<String>,
    /// A part of a finding's message, the whole reason of an exemption, the whole value of an injection.
    pub wording: Option<String>,
    /// Where it stands; absent where it was made.
    pub span: Option<Span>,
}

impl Group {
    pub fn key(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
            Self::Exempt => "exempt",
            Self::Inject => "inject",
            Self::Unmatched => "unmatched",
        }
    }

    /// None for a mode that leads to no finding.
    pub(super) fn of(mode: Mode) -> Option<Self> {
        match mode {
            Mode::Deny => Some(Self::Deny),
            Mode::Warn => Some(Self::Warn),
            Mode::Audit => Some(Self::Audit),
            Mode::Inject => Some(Self::Inject),
            Mode::Disabled => None,
        }
    }
}

impl Expectation {
    pub(super) fn of_group(group: Group) -> Self {
        let (object, rule, container, subject, policy, wording, span) = (None, None, None, None, None, None, None);
        Self { group, object, rule, container, subject, policy, wording, span }
    }

    /// As the keys of a file, in their order.
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let wording = if self.group == Group::Exempt { "reason" } else { "message" };
        let fields = [
            ("object", self.object.as_deref()),
            ("rule", self.rule.map(Rule::id)),
            ("container", self.container.as_deref()),
            ("subject", self.subject.as_deref()),
            (wording, self.wording.as_deref()),
            ("policy", self.policy.as_deref()),
        ];
        fields.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// The key below `inject`.
    fn injected_container(&self) -> String {
        let container = self.container.as_deref().unwrap_or_default();
        match &self.object {
            Some(object) => format!("{object}/{container}"),
            None => container.to_owned(),
        }
    }
}

/// On one line, for people.
impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.group.key())?;
        match self.group {
            Group::Inject => {
                let (subject, value) = (self.subject.as_deref(), self.wording.as_deref());
                let (subject, value) = (subject.unwrap_or_default(), value.unwrap_or_default());
                write!(formatter, "{}: {subject}: {value}", self.injected_container())
            }
            Group::Unmatched => formatter.write_str(self.object.as_deref().unwrap_or_default()),
            _ => {
                let fields = self.fields().into_iter().map(|(key, value)| format!("{key}: {value}"));
                write!(formatter, "{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The key `expect` and its value, with which these would have been all that is expected.
pub fn expect_block(expectations: &[Expectation], with_injections: bool) -> Json {
    let mut block = Map::new();
    for group in [Group::Deny, Group::Warn, Group::Audit, Group::Exempt] {
        let of_group = expectations.iter().filter(|expectation| expectation.group == group);
        let items: Vec<Json> = of_group.map(|expectation| map(expectation.fields())).collect();
        if !items.is_empty() {
            block.insert(group.key().to_owned(), Json::from(items));
        }
    }
    if with_injections {
        block.insert(Group::Inject.key().to_owned(), injections(expectations));
    }
    if expectations.iter().any(|expectation| expectation.group == Group::Unmatched) {
        block.insert(Group::Unmatched.key().to_owned(), Json::from(true));
    }
    json!({ "expect": block })
}

fn injections(expectations: &[Expectation]) -> Json {
    let mut containers = Map::new();
    for expectation in expectations.iter().filter(|expectation| expectation.group == Group::Inject) {
        let container = containers.entry(expectation.injected_container()).or_insert_with(|| json!({}));
        if let (Json::Object(container), Some(subject)) = (container, &expectation.subject) {
            container.insert(subject.clone(), Json::from(expectation.wording.as_deref()));
        }
    }
    Json::from(containers)
}

fn map(fields: Vec<(&'static str, &str)>) -> Json {
    fields.into_iter().map(|(key, value)| (key.to_owned(), Json::from(value))).collect::<Map<_, _>>().into()
}
