//! The table that is printed: what was measured, of the bare server and of podfit.

use std::fmt;

pub struct Row {
    pub what: String,
    pub bare: String,
    pub podfit: String,
}

impl Row {
    pub const HEADING: &str = "| | bare | podfit |\n|---|---|---|";
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "| {} | {} | {} |", self.what, self.bare, self.podfit)
    }
}

pub fn mebibytes(kibibytes: u64) -> String {
    format!("{}.{} MiB", kibibytes >> 10, (kibibytes % 1024) * 10 / 1024)
}
