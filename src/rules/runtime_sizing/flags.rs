//! Variables that hold a list of flags: what the user wrote stays in front, ours is added at its end, and a flag that the user
//! has decided on is left out. Called by the rule `runtime-sizing` for opted-in variables only.

use std::borrow::Cow;

use super::size::{self, NotSized, Sized};
use crate::{
    fitting::{Fitting, Standing},
    policy::RuntimeSizing,
    runtimes::Flag,
    verdict::{OriginBasis, SkipReason, Source},
};

/// What the flags of one variable take, mostly.
const TEXT_BYTES: usize = 64;

pub(super) struct List {
    pub(super) flags: &'static [Flag],
    pub(super) separator: char,
    pub(super) also_in: &'static [&'static str],
}

impl List {
    /// The whole value, and the index of the literal that it replaces.
    pub(super) fn extend<'a>(
        &self,
        name: &str,
        standing: Standing<'a>,
        settings: &RuntimeSizing,
        fitting: &Fitting<'a>,
    ) -> Result<(Sized<'a>, Option<usize>), NotSized<'a>> {
        let (present, index) = match standing {
            Standing::Free => ("", None),
            Standing::Ours { index, value } => (value, Some(index)),
            Standing::Users | Standing::OursLive => {
                let (index, value) = fitting.only_literal(name).ok_or((SkipReason::NotLiteral, Cow::Borrowed("")))?;
                (value, Some(index))
            }
        };
        let users = match standing {
            Standing::Ours { .. } => present.get(..fitting.injected.kept(name)).unwrap_or(present),
            _ => present,
        };
        let (added, origin) = self.added(users, settings, fitting)?;
        let value = if users.is_empty() { added } else { format!("{users}{}{added}", self.separator) };
        if value == present {
            return Err((SkipReason::AlreadyInjected, Cow::Borrowed("")));
        }
        Ok((Sized { source: Source::Literal(Cow::Owned(value)), origin, needs_helper: false }, index))
    }

    /// Our flags with their numbers, those that the user has not decided on; or why there is none.
    fn added<'a>(
        &self,
        users: &str,
        settings: &RuntimeSizing,
        fitting: &Fitting<'a>,
    ) -> Result<(String, OriginBasis<'a>), NotSized<'a>> {
        let mut text = String::with_capacity(TEXT_BYTES);
        let mut origin = None;
        let mut first_reason = None;
        for flag in self.flags {
            match self.number(flag, users, settings, fitting) {
                Ok((number, of)) => {
                    if !text.is_empty() {
                        text.push(self.separator);
                    }
                    push_formatted(&mut text, flag.format, &number);
                    origin.get_or_insert(of);
                }
                Err(reason) => {
                    first_reason.get_or_insert(reason);
                }
            }
        }
        match origin {
            Some(origin) => Ok((text, origin)),
            None => Err(first_reason.unwrap_or((SkipReason::NotLiteral, Cow::Borrowed("")))),
        }
    }

    fn number<'a>(
        &self,
        flag: &Flag,
        users: &str,
        settings: &RuntimeSizing,
        fitting: &Fitting<'a>,
    ) -> Result<(Cow<'a, str>, OriginBasis<'a>), NotSized<'a>> {
        if let Some(part) = flag.family.iter().find(|part| users.contains(*part) || fitting.some_word_has(part)) {
            return Err((SkipReason::ConflictingWord, Cow::Borrowed(part)));
        }
        for name in self.also_in.iter().filter(|name| fitting.has(name)) {
            // A value that cannot be seen may decide on anything.
            let is_harmless = fitting
                .only_literal(name)
                .is_some_and(|(_, value)| !flag.family.iter().any(|part| value.contains(part)));
            if !is_harmless {
                return Err((SkipReason::Conflict, Cow::Borrowed(name)));
            }
        }
        let sized = size::size_literally(flag.formula, settings, fitting)?;
        match sized.source {
            Source::Literal(number) => Ok((number, sized.origin)),
            live => Ok((Cow::Owned(live.to_string()), sized.origin)),
        }
    }
}

/// Each `{}` is the number.
fn push_formatted(text: &mut String, format: &str, number: &str) {
    for (index, part) in format.split("{}").enumerate() {
        if index > 0 {
            text.push_str(number);
        }
        text.push_str(part);
    }
}
