//! How far a scan has come: one line on a terminal, which is gone when the report comes.

use std::io;

use crate::cluster::scan::Progress;

/// Back to the first column, and everything right of it away.
const CLEAR: &str = "\r\u{1b}[K";

pub(super) struct Line<W> {
    terminal: Option<W>,
}

impl<W: io::Write> Line<W> {
    /// Shows nothing where nobody looks.
    pub(super) fn on(output: W, is_terminal: bool) -> Self {
        Self { terminal: is_terminal.then_some(output) }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        self.write(&format!("{CLEAR}{progress}"));
    }

    pub(super) fn clear(&mut self) {
        self.write(CLEAR);
    }

    fn write(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            // A scan goes on without it.
            let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sees_one_line_and_then_none() {
        let rows = [("terminal", true, "\r\u{1b}[K500 of 1200 Pods\r\u{1b}[K1000 Pods\r\u{1b}[K"), ("pipe", false, "")];
        for (name, is_terminal, expected) in rows {
            let mut written = Vec::new();
            let mut line = Line::on(&mut written, is_terminal);
            line.show(Progress { pods: 500, of: Some(1200) });
            line.show(Progress { pods: 1000, of: None });
            line.clear();
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{name}");
        }
    }
}
