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
    // Up, for all of them are compared with bounds.
    let tenths = (kibibytes * 10).div_ceil(1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
