//! The manifests that a command is given: files, folders, standard input. Read once, in a stable order.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use crate::{
    manifest::{self, Document, SyntaxError},
    report::ReportedError,
};

/// The name of standard input in reports.
pub const STANDARD_INPUT: &str = "-";

/// A file and its documents.
#[derive(Debug)]
pub struct Manifest {
    /// As the user would write it, or `-`.
    pub name: String,
    pub text: String,
    pub documents: Vec<Result<Document, SyntaxError>>,
    /// Named by the user, so that every document must be an object; a folder may hold other things.
    pub is_named: bool,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub struct Inputs {
    pub manifests: Vec<Manifest>,
    pub errors: Vec<ReportedError>,
    /// Folders without manifests: worth a word, no failure.
    pub notes: Vec<String>,
}

/// Reads paths in the order given: files, folders (`*.yaml`, `*.yml`, `*.json` at any depth, no dot names), `-`. None is the
/// current folder. A file that is named twice is read once.
pub fn read(paths: &[PathBuf]) -> Inputs {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut inputs = Inputs::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        if path == Path::new(STANDARD_INPUT) {
            inputs.standard_input();
        } else if path.is_dir() {
            inputs.folder(path, &mut seen);
        } else if seen.insert(path.clone()) {
            inputs.file(path, true);
        }
    }
    inputs
}

impl Inputs {
    fn standard_input(&mut self) {
        let mut bytes = Vec::new();
        match std::io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => self.add(STANDARD_INPUT.to_owned(), bytes, true),
            Err(error) => self.fail(STANDARD_INPUT.to_owned(), format!("cannot be read: {error}")),
        }
    }

    fn folder(&mut self, folder: &Path, seen: &mut BTreeSet<PathBuf>) {
        let mut found = false;
        let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || !is_dot_name(entry.path())) {
            match entry {
                Ok(entry) if is_manifest(entry.path()) && entry.path().is_file() => {
                    found = true;
                    let path = entry.path().strip_prefix(".").unwrap_or(entry.path());
                    if seen.insert(path.to_owned()) {
                        self.file(path, false);
                    }
                }
                Ok(_) => {}
                Err(error) => self.fail(folder.display().to_string(), format!("cannot be read: {error}")),
            }
        }
        if !found {
            self.notes.push(format!("{}: no *.yaml, *.yml or *.json file here", folder.display()));
        }
    }

    fn file(&mut self, path: &Path, is_named: bool) {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => self.add(name, bytes, is_named),
            Err(error) => self.fail(name, format!("cannot be read: {error}")),
        }
    }

    fn add(&mut self, name: String, bytes: Vec<u8>, is_named: bool) {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let documents = manifest::read(&text);
                self.manifests.push(Manifest { name, text, documents, is_named });
            }
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                self.fail(name, format!("is no UTF-8 text: byte {offset} fits no character"));
            }
        }
    }

    fn fail(&mut self, file: String, message: String) {
        self.errors.push(ReportedError { file, place: None, message });
    }
}

fn is_dot_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}
