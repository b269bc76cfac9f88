//! The line of a source that a finding or an error is about. `text` and `html` show it.

use crate::node::Span;

/// A line that is longer (JSON without line breaks) is not shown: nobody would find the place in it.
pub const LONGEST_LINE_BYTES: usize = 2_000;

/// One line of a source, in three parts: the middle one is marked.
pub struct Excerpt<'a> {
    pub line: usize,
    pub before: &'a str,
    pub marked: &'a str,
    pub after: &'a str,
}

impl<'a> Excerpt<'a> {
    /// The first line of a span. Nothing where the source has no such place.
    pub fn of_span(source: &'a str, span: Span) -> Option<Self> {
        let (before, from) = source.split_at_checked(span.start.offset)?;
        let (_, before) = before.rsplit_once('\n').unwrap_or(("", before));
        let rest = from.lines().next().unwrap_or_default();
        let length = span.end.offset.saturating_sub(span.start.offset).min(rest.len());
        let (marked, after) = rest.split_at_checked(length)?;
        Self { line: span.start.line, before, marked, after }.if_short()
    }

    /// One character, by line and column from 1; a column behind the line's end marks its end.
    pub fn of_place(source: &'a str, line: usize, column: usize) -> Option<Self> {
        let text = source.lines().nth(line.checked_sub(1)?)?;
        let place = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(offset, _)| offset);
        let (before, rest) = text.split_at(place);
        let (marked, after) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
        Self { line, before, marked, after }.if_short()
    }

    fn if_short(self) -> Option<Self> {
        (self.before.len() + self.marked.len() + self.after.len() <= LONGEST_LINE_BYTES).then_some(self)
    }
}
