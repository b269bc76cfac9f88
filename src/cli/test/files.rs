//! The suites among the input: documents of kind `PolicyTest`, all others passed over.

use std::path::{Path, PathBuf};

use crate::{
    cli::input::{Inputs, Manifest},
    node::Node,
    report::{Report, ReportedError},
    suite::{self, Suite},
};

/// A file that holds suites without a mistake.
pub struct SuiteFile {
    pub name: String,
    pub text: String,
    pub suites: Vec<Suite>,
}

impl SuiteFile {
    /// What a path of the file leads to, as seen from the current folder.
    pub fn beside(&self, path: &str) -> PathBuf {
        let folder = Path::new(&self.name).parent().unwrap_or(Path::new(""));
        folder.join(path)
    }
}

/// Reads the suites of every file. A file with a mistake is not run at all; all mistakes are told.
pub fn read(inputs: Inputs, mistakes: &mut Report) -> Vec<SuiteFile> {
    mistakes.errors.extend(inputs.errors);
    let mut files = Vec::new();
    for manifest in inputs.manifests {
        let earlier = mistakes.errors.len();
        let suites = suites(&manifest, &mut mistakes.errors);
        if manifest.is_named && suites.is_empty() && mistakes.errors.len() == earlier {
            fail(&manifest, None, "holds no document of kind PolicyTest", &mut mistakes.errors);
        }
        if mistakes.errors.len() > earlier {
            mistakes.sources.insert(manifest.name, manifest.text);
        } else if !suites.is_empty() {
            files.push(SuiteFile { name: manifest.name, text: manifest.text, suites });
        }
    }
    files
}

fn suites(manifest: &Manifest, errors: &mut Vec<ReportedError>) -> Vec<Suite> {
    let mut suites = Vec::new();
    for document in &manifest.documents {
        match document {
            Ok(document) if suite::is_suite(&document.node) => suites.extend(compile(manifest, &document.node, errors)),
            // Of a folder anything may be no YAML, a template for instance; but a test must not be lost by a slip.
            Err(error) if manifest.is_named || manifest.text.contains(suite::KIND) => {
                fail(manifest, Some((error.line, error.column)), &error.message, errors);
            }
            Ok(_) | Err(_) => {}
        }
    }
    suites
}

fn compile(manifest: &Manifest, node: &Node, errors: &mut Vec<ReportedError>) -> Option<Suite> {
    let mistakes = match suite::compile(node) {
        Ok(suite) => return Some(suite),
        Err(mistakes) => mistakes,
    };
    for mistake in mistakes {
        let place = Some((mistake.span.start.line, mistake.span.start.column));
        let colon = if mistake.path.is_empty() { "" } else { ": " };
        fail(manifest, place, &format!("{}{colon}{}", mistake.path, mistake.message), errors);
    }
    None
}

fn fail(manifest: &Manifest, place: Option<(usize, usize)>, message: &str, errors: &mut Vec<ReportedError>) {
    errors.push(ReportedError { file: manifest.name.clone(), place, message: message.to_owned() });
}
