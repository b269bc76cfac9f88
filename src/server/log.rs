//! Logs that never hold a review up: lines go through a bounded channel to a thread that writes them; what does not fit
//! is lost and counted. `cli/serve.rs` starts them, the server writes its lines through here.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    panic,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use tracing::{debug, enabled, info, level_filters::LevelFilter, warn};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::{Bounds, Listeners, Settings, certificate::Resolver};
use crate::{
    admission::{Decision, Record},
    policy::PolicySet,
    rules::Rule,
};

/// Lines that wait for a slow sink; at the few KB that a denial may take, some MB.
const WAITING_LINES: usize = 1024;

const NAMED_POLICIES: usize = 8;

/// How long the last lines may take at the end of the process.
const FLUSH: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// Text for a person, JSON for a collector.
    pub fn of_terminal() -> Self {
        if io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Counts the lines that were lost.
#[derive(Debug, Clone, Default)]
pub struct LostLines(Counter);

impl LostLines {
    pub(super) fn counter(&self) -> Counter {
        self.0.clone()
    }
}

/// The process's log. Dropping it waits for the lines that are on their way.
#[derive(Debug)]
pub struct Log {
    lines: SyncSender<Message>,
    lost: LostLines,
}

/// Starts the process's log on standard error. A panic becomes a line with its place; its text may quote a request.
///
/// # Errors
///
/// Where there is a log already, or no thread to be had.
pub fn start(format: Format, level: LevelFilter) -> anyhow::Result<Log> {
    let log = Log::to(io::stderr())?;
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("podfit", level);
    // It would say each failed call as an error; whoever has called says it, once.
    let targets = targets.with_target("kube_client", LevelFilter::OFF).with_target("kube_runtime", LevelFilter::OFF);
    let writer = log.writer();
    let layer = fmt::layer().with_writer(writer).with_target(false);
    let layer = match format {
        Format::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked; please report this");
    }));
    Ok(log)
}

/// As one line without control or direction characters: no name in a Pod can forge a log line or colour a terminal.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) { line.extend(character.escape_default()) } else { line.push(character) }
    }
    Cow::Owned(line)
}

/// The first line: what is served where, by which policies, and until when the certificate holds.
pub(super) fn serving(listeners: &Listeners, settings: &Settings, certificate: &Resolver) -> io::Result<()> {
    info!(
        webhook = %format!("https://{} /mutate /validate", listeners.webhook.local_addr()?),
        admin = %format!("http://{}", listeners.admin.local_addr()?),
        policy = %settings.policies.origin(),
        policies = %names(settings.policies.book().load().policies()),
        certificate = settings.certificate.as_str(),
        certificate_until = %until(certificate.not_after()),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    let connections = settings.bounds.connections;
    if connections < Bounds::default().connections {
        warn!(connections, "the limit of open files (RLIMIT_NOFILE) leaves room for few connections");
    }
    Ok(())
}

/// A folder may hold hundreds.
pub(super) fn names(policies: &PolicySet) -> String {
    let all = policies.policies();
    let mut names: Vec<_> = all.iter().take(NAMED_POLICIES).map(|policy| policy.name.clone()).collect();
    if all.len() > NAMED_POLICIES {
        names.push(format!("and {} more", all.len() - NAMED_POLICIES));
    }
    one_line(&names.join(", ")).into_owned()
}

pub(super) fn until(not_after: Option<Timestamp>) -> String {
    not_after.map_or("none yet".to_owned(), |until| until.to_string())
}

macro_rules! line {
    ($level:ident, $record:expr) => {
        $level!(
            phase = $record.phase.as_str(),
            operation = $record.operation.as_str(),
            decision = $record.decision.as_str(),
            uid = %one_line(&$record.uid),
            namespace = %one_line(&$record.namespace),
            name = %one_line(&$record.name),
            kind = %one_line(&$record.kind),
            user = %one_line(&$record.user),
            rules = %rules($record),
            "{}", one_line(if $record.message.is_empty() { "reviewed" } else { &$record.message })
        )
    };
}

/// One line per review, at the end: `info` for what a person may ask about, `debug` for the rest.
pub(super) fn review(record: &Record) {
    if matches!(record.decision, Decision::Denied | Decision::Warned | Decision::Failed | Decision::Deferred) {
        line!(info, record);
    } else if enabled!(tracing::Level::DEBUG) {
        line!(debug, record);
    }
}

impl Log {
    fn to(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let lost = LostLines::default();
        let of_thread = lost.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&waiting, sink, &of_thread))?;
        Ok(Self { lines, lost })
    }

    pub fn lost_lines(&self) -> LostLines {
        self.lost.clone()
    }

    fn writer(&self) -> Writer {
        Writer { lines: self.lines.clone(), lost: self.lost.clone() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (done, wait) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            // A sink that takes nothing must not keep the process alive.
            let _ = wait.recv_timeout(FLUSH);
        }
    }
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// A closed sink (EPIPE) is a lost line as well, never the end of the server.
fn write_all(waiting: &Receiver<Message>, mut sink: impl Write, lost: &LostLines) {
    for message in waiting {
        match message {
            Message::Line(line) => {
                if sink.write_all(&line).and_then(|()| sink.flush()).is_err() {
                    lost.0.inc();
                }
            }
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// The formatter calls `write` once per line.
#[derive(Debug, Clone)]
struct Writer {
    lines: SyncSender<Message>,
    lost: LostLines,
}

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.0.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Rules with findings, each once, in their order.
fn rules(record: &Record) -> String {
    let mut text = String::new();
    for rule in Rule::ALL.into_iter().filter(|rule| record.findings.iter().any(|(found, ..)| found == rule)) {
        let separator = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{separator}{}", rule.id());
    }
    text
}

/// C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of what follows.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Sender;

    /// Takes a line only when the test lets it.
    struct Gate {
        open: Receiver<io::Result<()>>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.open.recv().unwrap()?;
            self.taken.send(line.to_vec()).unwrap();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_sink_loses_lines_and_blocks_nobody() {
        let (open, gate) = std::sync::mpsc::channel();
        let (taken, lines) = std::sync::mpsc::channel();
        let log = Log::to(Gate { open: gate, taken }).unwrap();
        let mut writer = log.writer();
        for number in 0..WAITING_LINES + 11 {
            writer.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        // One line may be with the sink already, and so outside the channel.
        assert!((10..=11).contains(&log.lost.0.get()));
        open.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        open.send(Ok(())).unwrap();
        assert_eq!(lines.recv().unwrap(), b"1\n");
        assert!((11..=12).contains(&log.lost.0.get()));
        drop(open);
    }

    #[test]
    fn a_line_stays_a_line() {
        for (name, text, line) in [
            ("plain", "web-0", "web-0"),
            ("non-ASCII", "käse", "käse"),
            ("newline", "a\nb", "a\\nb"),
            ("escape sequence", "\u{1b}[31mred", "\\u{1b}[31mred"),
            ("direction", "a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(one_line(text), line, "{name}");
        }
    }
}
