//! Format text.

use std::io;

use super::{Appearance, Report};

pub fn write(_report: &Report, _appearance: Appearance, _output: &mut dyn io::Write) -> io::Result<()> {
    Ok(())
}
