//! Policies from a file or a folder, in two steps: reading the texts, which the reloader compares with those in use, and
//! compiling them, which reports all mistakes of all files at once.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    manifest::{self, SyntaxError},
    node::{Node, Position, Span},
    policy::{self, DEFAULT_POLICY, Policy, PolicySet},
};

/// The largest policy file, in bytes: far above what fits into a ConfigMap.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The name that the embedded default policy has in messages.
const DEFAULT_NAME: &str = "(embedded default policy)";

/// A file or folder that holds policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
}

/// What the files of a source said when they were read, in the order of their names. Equal texts make equal policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Where they come from, for messages.
    origin: String,
    files: Vec<PolicyFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PolicyFile {
    name: String,
    text: String,
}

/// Everything wrong in the policies of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    mistakes: Vec<PolicyMistake>,
    texts: Vec<PolicyFile>,
}

/// Something wrong in one file, or with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyMistake {
    /// As the source was named, joined with the file's own name; the source itself where no file is to blame.
    pub file: String,
    /// Absent where the file as a whole is to blame.
    pub span: Option<Span>,
    /// Such as `spec.imageTag.mode`; empty for the document or file.
    pub path: String,
    pub message: String,
}

/// The policies of a file or folder.
///
/// # Errors
/// As [`Source::read`] and [`compile`].
pub fn load(path: &Path) -> Result<PolicySet, PolicyError> {
    compile(&Source { path: path.to_owned() }.read()?)
}

/// The embedded default policy, which takes the same road as any other.
///
/// # Errors
/// None that a test would not have found.
pub fn load_default() -> Result<PolicySet, PolicyError> {
    let file = PolicyFile { name: DEFAULT_NAME.to_owned(), text: DEFAULT_POLICY.to_owned() };
    compile(&Texts { origin: DEFAULT_NAME.to_owned(), files: vec![file] })
}

/// The policies that texts hold, every document of every file being one.
///
/// # Errors
/// A text is no YAML, a document is no policy or has mistakes, a name stands twice, or there is no policy at all.
pub fn compile(texts: &Texts) -> Result<PolicySet, PolicyError> {
    let mut compiling = Compiling::default();
    for file in &texts.files {
        compiling.read(file);
    }
    let mut mistakes = compiling.mistakes;
    if compiling.policies.is_empty() && mistakes.is_empty() {
        mistakes.push(PolicyMistake::of_file(&texts.origin, "no policy found"));
    }
    if mistakes.is_empty() {
        match PolicySet::new(compiling.policies) {
            Ok(set) => return Ok(set),
            Err(duplicate) => mistakes.push(PolicyMistake::of_file(&texts.origin, &duplicate.to_string())),
        }
    }
    Err(PolicyError { mistakes, texts: texts.files.clone() })
}

impl Source {
    /// Reads the file, or of the folder every `*.yaml`, `*.yml` and `*.json` whose name has no leading dot. Links are
    /// followed: a ConfigMap is mounted as links into a folder `..data`, which is swapped whole.
    ///
    /// # Errors
    /// The source, or any file of it, cannot be read, is no UTF-8 or is larger than 4 MiB; all such files at once.
    pub fn read(&self) -> Result<Texts, PolicyError> {
        let origin = self.path.display().to_string();
        let paths = self.file_paths().map_err(|error| PolicyError::of_file(&origin, &error.to_string()))?;
        let mut files = Vec::new();
        let mut mistakes = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            match read_text(&path) {
                Ok(text) => files.push(PolicyFile { name, text }),
                Err(error) => mistakes.push(PolicyMistake::of_file(&name, &error.to_string())),
            }
        }
        if mistakes.is_empty() { Ok(Texts { origin, files }) } else { Err(PolicyError { mistakes, texts: Vec::new() }) }
    }

    fn file_paths(&self) -> io::Result<Vec<PathBuf>> {
        if !fs::metadata(&self.path)?.is_dir() {
            return Ok(vec![self.path.clone()]);
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if is_policy_name(&path) && !path.is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

impl PolicyError {
    /// In the order of files, and in each of the text.
    pub fn mistakes(&self) -> &[PolicyMistake] {
        &self.mistakes
    }

    /// The text of a file that a mistake names, to show the lines in question.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.texts.iter().find(|text| text.name == file).map(|text| text.text.as_str())
    }

    fn of_file(file: &str, message: &str) -> Self {
        Self { mistakes: vec![PolicyMistake::of_file(file, message)], texts: Vec::new() }
    }
}

impl std::error::Error for PolicyError {}

/// One line per mistake.
impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(formatter, "{newline}{mistake}")?;
        }
        Ok(())
    }
}

/// `file:line:column: path: message`.
impl fmt::Display for PolicyMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(Span { start, .. }) = self.span {
            write!(formatter, ":{}:{}", start.line, start.column)?;
        }
        if !self.path.is_empty() {
            write!(formatter, ": {}", self.path)?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl PolicyMistake {
    fn of_file(file: &str, message: &str) -> Self {
        Self { file: file.to_owned(), span: None, path: String::new(), message: message.to_owned() }
    }
}

#[derive(Default)]
struct Compiling {
    policies: Vec<Policy>,
    mistakes: Vec<PolicyMistake>,
    /// Where each name was first given: `file:line`.
    names: HashMap<String, String>,
}

impl Compiling {
    fn read(&mut self, file: &PolicyFile) {
        let earlier = self.mistakes.len();
        for document in manifest::read(&file.text) {
            match document {
                Ok(document) => self.read_document(file, &document.node),
                Err(error) => self.mistakes.push(syntax_mistake(file, error)),
            }
        }
        self.mistakes[earlier..].sort_by_key(|mistake| mistake.span.map(|span| span.start));
    }

    fn read_document(&mut self, file: &PolicyFile, node: &Node) {
        self.note_name(file, node);
        match policy::compile(node) {
            Ok(policy) => self.policies.push(policy),
            Err(mistakes) => self.mistakes.extend(mistakes.into_iter().map(|mistake| PolicyMistake {
                file: file.name.clone(),
                span: Some(mistake.span),
                path: mistake.path,
                message: mistake.message,
            })),
        }
    }

    /// From the tree, so that a name given twice is told even where one of the two has mistakes.
    fn note_name(&mut self, file: &PolicyFile, node: &Node) {
        if node.get("kind").and_then(Node::as_text) != Some(policy::KIND) {
            return;
        }
        let Some(name_node) = node.get("metadata").and_then(|metadata| metadata.get("name")) else { return };
        let Some(name) = name_node.as_text() else { return };
        let Position { line, .. } = name_node.span.start;
        if let Some(first) = self.names.get(name) {
            self.mistakes.push(PolicyMistake {
                file: file.name.clone(),
                span: Some(name_node.span),
                path: "metadata.name".to_owned(),
                message: format!("`{name}` is the name of another policy, at {first}"),
            });
        } else {
            self.names.insert(name.to_owned(), format!("{}:{line}", file.name));
        }
    }
}

fn syntax_mistake(file: &PolicyFile, error: SyntaxError) -> PolicyMistake {
    let start = position(&file.text, error.line, error.column);
    PolicyMistake {
        file: file.name.clone(),
        span: Some(Span { start, end: start }),
        path: String::new(),
        message: error.message,
    }
}

/// The place of a line and column, both counted from 1.
fn position(text: &str, line: usize, column: usize) -> Position {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(line_start..).unwrap_or_default();
    let inside = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(offset, _)| offset);
    Position { offset: line_start + inside, line, column }
}

fn is_policy_name(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !is_hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "is larger than 4 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_every_manifest_of_it_but_dot_names() {
        let folder = folder(&[
            ("b.yaml", &policy("b")),
            ("a.yml", &format!("{}---\n# nothing\n---\n{}", policy("a"), policy("a2"))),
            ("c.json", r#"{"apiVersion":"podfit.dev/v1alpha1","kind":"SizingPolicy","metadata":{"name":"c"}}"#),
            (".hidden.yaml", "]["),
            ("README.md", "]["),
        ]);
        fs::create_dir(folder.path().join("deeper.yaml")).unwrap();
        assert_eq!(names(&load(folder.path()).unwrap()), ["a", "a2", "b", "c"]);
        assert_eq!(names(&load(&folder.path().join("b.yaml")).unwrap()), ["b"]);
    }

    #[test]
    fn the_default_policy_takes_the_same_road() {
        assert_eq!(names(&load_default().unwrap()), ["default"]);
    }

    #[test]
    fn all_mistakes_of_all_files_are_told() {
        let rows: [(&str, &[NameAndText<'_>], &str); 9] = [
            ("an empty folder", &[], "DIR: no policy found"),
            ("an empty file", &[("a.yaml", "# nothing\n")], "DIR: no policy found"),
            (
                "two files",
                &[("b.yaml", &policy("b").replace("{}", "{imageTags: {}}")), ("a.yaml", &policy("A"))],
                "DIR/a.yaml:3:18: metadata.name: must be at most 253 lower-case letters, digits, `-` and `.`, with a letter or digit at each end of a part, not `A`\n\
                 DIR/b.yaml:4:8: spec.imageTags: is not known; did you mean `imageTag`? Known here: priority, match, templates, resourceLimits, imageTag, podIdentity, runtimeSizing, probes or exemptions",
            ),
            (
                "a name in two files",
                &[("a.yaml", &policy("one")), ("b.yaml", &policy("one"))],
                "DIR/b.yaml:3:18: metadata.name: `one` is the name of another policy, at DIR/a.yaml:3",
            ),
            (
                "a name twice in one file, and a mistake before it",
                &[(
                    "a.yaml",
                    &format!("{0}---\n{0}", policy("one"))
                        .replace("---\napiVersion: podfit.dev/v1alpha1", "---\napiVersion: podfit.dev/v1"),
                )],
                "DIR/a.yaml:6:13: apiVersion: must be `podfit.dev/v1alpha1`, not `podfit.dev/v1`\n\
                 DIR/a.yaml:8:18: metadata.name: `one` is the name of another policy, at DIR/a.yaml:3",
            ),
            (
                "another kind",
                &[
                    ("a.yaml", &policy("one")),
                    ("b.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\nspec: {}\n"),
                ],
                "DIR/b.yaml:1:13: apiVersion: must be `podfit.dev/v1alpha1`, not `v1`\n\
                 DIR/b.yaml:2:7: kind: must be `SizingPolicy`, not `Namespace`",
            ),
            ("no map", &[("a.yaml", "- 1\n")], "DIR/a.yaml:1:1: must be a map, not a list"),
            ("no UTF-8", &[("a.yaml", "")], "DIR/latin.yaml: stream did not contain valid UTF-8"),
            (
                "no YAML",
                &[("a.yaml", &format!("{}---\nspec: [}}\n", policy("one")))],
                "DIR/a.yaml:6:7: mismatched bracket '[' closed by '}'",
            ),
        ];
        for (name, files, expected) in rows {
            let folder = folder(files);
            if name == "no UTF-8" {
                fs::write(folder.path().join("latin.yaml"), b"name: caf\xe9\n").unwrap();
            }
            let found = load(folder.path()).unwrap_err().to_string();
            let found = found.replace(&folder.path().display().to_string(), "DIR");
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn an_unreadable_source_is_named() {
        let folder = folder(&[]);
        let error = load(&folder.path().join("absent.yaml")).unwrap_err();
        let expected = format!("{}/absent.yaml: No such file or directory (os error 2)", folder.path().display());
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_text_of_a_mistake_can_be_shown() {
        let folder = folder(&[("a.yaml", "kind: SizingPolicy\n")]);
        let error = load(folder.path()).unwrap_err();
        assert_eq!(error.text(&error.mistakes()[0].file), Some("kind: SizingPolicy\n"));
    }

    #[test]
    fn a_changed_text_is_seen_through_the_links_of_a_config_map() {
        let folder = folder(&[]);
        let path = |name: &str| folder.path().join(name);
        for (version, name) in [("..one", "first"), ("..two", "second")] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("policy.yaml"), policy(name)).unwrap();
        }
        std::os::unix::fs::symlink("..one", path("..data")).unwrap();
        std::os::unix::fs::symlink("..data/policy.yaml", path("policy.yaml")).unwrap();
        let source = Source { path: folder.path().to_owned() };
        let first = source.read().unwrap();
        assert_eq!(source.read(), Ok(first.clone()));
        fs::remove_file(path("..data")).unwrap();
        std::os::unix::fs::symlink("..two", path("..data")).unwrap();
        let second = source.read().unwrap();
        assert_ne!(first, second);
        assert_eq!(names(&compile(&second).unwrap()), ["second"]);
    }

    type NameAndText<'t> = (&'t str, &'t str);

    fn folder(files: &[NameAndText<'_>]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn policy(name: &str) -> String {
        format!("apiVersion: podfit.dev/v1alpha1\nkind: SizingPolicy\nmetadata: {{name: {name}}}\nspec: {{}}\n")
    }

    fn names(set: &PolicySet) -> Vec<&str> {
        set.policies().iter().map(|policy| policy.name.as_str()).collect()
    }
}
