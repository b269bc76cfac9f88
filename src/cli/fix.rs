//! `podfit fix`: the manifests with the injections made, as text, as a diff, or written back.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use anyhow::{Context as _, bail};
use clap::Args;
use similar::TextDiff;

use super::{
    Outcome,
    input::{Manifest, STANDARD_INPUT},
    judge::{JudgeArguments, Judged},
};
use crate::{
    manifest,
    patch::{self, Operation},
    policy::Mode,
    report::{ReportedError, visible},
};

/// Prints manifests with the injections made; comments and layout stay
///
/// Exit status: 0 nothing denied, 1 something is denied all the same (or, with --diff, something differs), 2 something could
/// not be judged.
#[derive(Debug, Args)]
pub(super) struct Fix {
    #[command(flatten)]
    judge: JudgeArguments,
    /// Print what would change, as a unified diff
    #[arg(long, conflicts_with = "write")]
    diff: bool,
    /// Write the files back
    #[arg(long)]
    write: bool,
}

/// The patches of a file, by document.
type Patches = BTreeMap<usize, Vec<Operation>>;

impl Fix {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        let (diff, write) = (self.diff, self.write);
        let bench = self.judge.prepare()?;
        let mut patches: BTreeMap<String, Patches> = BTreeMap::new();
        let mut denied = Vec::new();
        let mut rest = bench.judge(|judged| {
            let file = patches.entry(judged.manifest.name.clone()).or_default();
            file.entry(judged.index).or_default().extend(operations(&judged));
            denied.extend(refusals(&judged));
        });
        let (mut differs, mut printed) = (false, false);
        for manifest in &bench.inputs.manifests {
            let patches = patches.remove(&manifest.name).unwrap_or_default();
            let fixed = match fixed(manifest, patches) {
                Ok(fixed) => fixed,
                Err(error) => {
                    rest.errors.push(ReportedError {
                        file: manifest.name.clone(),
                        place: None,
                        message: error.to_string(),
                    });
                    continue;
                }
            };
            differs |= fixed != manifest.text;
            let done = match (diff, write) {
                (true, _) => Ok(print_diff(manifest, &fixed, output)?),
                (_, true) => write_back(manifest, &fixed),
                _ => Ok(print_whole(&fixed, &mut printed, output)?),
            };
            // The other files are written all the same.
            rest.errors.extend(done.err().map(|error| ReportedError {
                file: manifest.name.clone(),
                place: None,
                message: format!("{error:#}"),
            }));
        }
        output.flush()?;
        tell(&rest.errors, &denied, diff)?;
        Ok(match (rest.errors.is_empty(), if diff { differs } else { !denied.is_empty() }) {
            (false, _) => Outcome::NotJudged,
            (true, true) => Outcome::Denied,
            (true, false) => Outcome::NothingDenied,
        })
    }
}

/// The object's patch, with pointers that start at the document's root.
fn operations(judged: &Judged<'_>) -> Vec<Operation> {
    let mut operations = patch::operations(&judged.verdict, judged.pod);
    for operation in &mut operations {
        operation.pointer.insert_str(0, judged.pointer_prefix);
    }
    operations
}

fn refusals(judged: &Judged<'_>) -> Vec<String> {
    let denied = judged.verdict.findings.iter().filter(|finding| finding.mode == Mode::Deny);
    let line = |pointer: &str| judged.document.locate(&format!("{}{pointer}", judged.pointer_prefix)).start.line;
    denied
        .map(|finding| {
            let line = line(&finding.pointer(judged.pod.workload));
            format!("{}:{line}: {} [{}]", judged.manifest.name, finding.message(), finding.rule.id())
        })
        .collect()
}

/// The text with its patches applied; says which documents had to be written anew.
fn fixed(manifest: &Manifest, mut patches: Patches) -> anyhow::Result<String> {
    let patches: Vec<_> =
        (0..manifest.documents.len()).map(|index| patches.remove(&index).unwrap_or_default()).collect();
    if patches.iter().all(Vec::is_empty) {
        return Ok(manifest.text.clone());
    }
    let fixed = manifest::apply(&manifest.text, &patches)?;
    for (index, why) in fixed.reemitted {
        let number = index + 1;
        writeln!(
            io::stderr(),
            "note: {}: document {number} is written anew, without its comments and layout: {why}",
            manifest.name
        )?;
    }
    Ok(fixed.text)
}

fn print_diff(manifest: &Manifest, fixed: &str, output: &mut dyn Write) -> io::Result<()> {
    if fixed == manifest.text {
        return Ok(());
    }
    let name = manifest.name.trim_start_matches('/');
    let (old, new) = (format!("a/{name}"), format!("b/{name}"));
    let diff = TextDiff::from_lines(manifest.text.as_str(), fixed);
    let text = diff.unified_diff().header(&old, &new).to_string();
    if !super::stdout_appearance().colour {
        return output.write_all(text.as_bytes());
    }
    for line in text.lines() {
        let colour = match line.as_bytes().first() {
            Some(b'+') => "\x1b[32m",
            Some(b'-') => "\x1b[31m",
            Some(b'@') => "\x1b[36m",
            _ => "",
        };
        writeln!(output, "{colour}{line}{}", if colour.is_empty() { "" } else { "\x1b[0m" })?;
    }
    Ok(())
}

/// Files one after the other are one stream of documents.
fn print_whole(text: &str, printed: &mut bool, output: &mut dyn Write) -> io::Result<()> {
    if std::mem::replace(printed, true) && !text.starts_with("---") {
        output.write_all(b"---\n")?;
    }
    output.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        output.write_all(b"\n")?;
    }
    Ok(())
}

/// Beside and then in place, so that a full disk leaves the old file whole.
fn write_back(manifest: &Manifest, fixed: &str) -> anyhow::Result<()> {
    if fixed == manifest.text {
        return Ok(());
    }
    if manifest.name == STANDARD_INPUT {
        bail!("standard input cannot be written back; leave --write out to have it printed");
    }
    // Through a symlink, so that the link stays one.
    let path = fs::canonicalize(&manifest.name).context("cannot be found")?;
    replace(&path, fixed).context("cannot be written")?;
    writeln!(io::stderr(), "fixed {}", manifest.name)?;
    Ok(())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    // A name of this run's own: what a killed run left behind is in nobody's way.
    beside.push(format!(".podfit-{}", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::set_permissions(&beside, fs::metadata(path)?.permissions())?;
        fs::rename(&beside, path)
    })();
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // The write's own error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn tell(errors: &[ReportedError], denied: &[String], diff: bool) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for error in errors {
        let place = error.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        writeln!(stderr, "error: {}{place}: {}", error.file, visible(&error.message))?;
    }
    for refusal in denied.iter().filter(|_| !diff) {
        writeln!(stderr, "still denied: {}", visible(refusal))?;
    }
    Ok(())
}
