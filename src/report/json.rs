//! Format json.

use std::io;

use super::Report;

pub fn write(_report: &Report, _output: &mut dyn io::Write) -> io::Result<()> {
    Ok(())
}
