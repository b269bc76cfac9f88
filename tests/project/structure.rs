//! The design's arrows, read from the code: which module may use which, and what the core must not touch.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module with those it may use; a module not named here fails the test, so that a new arrow is drawn on purpose.
const ARROWS: &[(&str, &[&str])] = &[
    ("quantity", &[]),
    ("pointer", &["json"]),
    ("image", &[]),
    ("node", &[]),
    ("json", &[]),
    ("object", &["quantity"]),
    ("workload", &["object", "pointer"]),
    ("runtimes", &["image", "object", "workload"]),
    ("reader", &["node"]),
    ("policy", &["image", "node", "object", "quantity", "reader", "rules", "runtimes"]),
    ("suite", &["node", "policy", "reader", "rules", "verdict", "workload"]),
    ("verdict", &["policy", "rules", "runtimes", "workload"]),
    ("injected", &["json", "object", "runtimes", "verdict", "workload"]),
    ("wishes", &["object", "rules", "runtimes", "workload"]),
    (
        "fitting",
        &["image", "injected", "object", "policy", "quantity", "rules", "runtimes", "verdict", "wishes", "workload"],
    ),
    ("rules", &["fitting", "image", "object", "policy", "quantity", "runtimes", "verdict", "wishes", "workload"]),
    ("resize", &["fitting", "object", "quantity", "runtimes", "workload"]),
    ("review", &["fitting", "policy", "rules", "verdict", "workload"]),
    ("patch", &["fitting", "injected", "json", "object", "pointer", "policy", "verdict", "workload"]),
    (
        "admission",
        &[
            "fitting", "injected", "json", "object", "patch", "pointer", "policy", "resize", "review", "rules",
            "verdict", "workload",
        ],
    ),
    ("export", &["policy", "rules", "wishes"]),
    ("manifest", &["node", "patch", "pointer"]),
    ("policies", &["manifest", "node", "policy"]),
    ("report", &["node", "patch", "policy", "rules"]),
    ("certs", &[]),
    (
        "cluster",
        &["certs", "fitting", "object", "policies", "policy", "report", "review", "rules", "verdict", "workload"],
    ),
    ("server", &["admission", "certs", "policies", "policy", "report", "rules", "verdict"]),
    (
        "cli",
        &[
            "admission",
            "certs",
            "cluster",
            "export",
            "fitting",
            "manifest",
            "node",
            "patch",
            "pointer",
            "policies",
            "policy",
            "report",
            "review",
            "rules",
            "runtimes",
            "server",
            "suite",
            "verdict",
            "workload",
        ],
    ),
];

const CORE: &[&str] = &[
    "admission",
    "export",
    "fitting",
    "image",
    "injected",
    "json",
    "node",
    "object",
    "patch",
    "pointer",
    "policy",
    "quantity",
    "reader",
    "resize",
    "review",
    "rules",
    "runtimes",
    "suite",
    "verdict",
    "wishes",
    "workload",
];

/// No waiting, no I/O, no clock, no environment, no second representation of a user's object.
const FOREIGN_TO_CORE: &[&str] = &[
    "tokio::",
    "axum::",
    "hyper::",
    "rustls::",
    "kube::",
    "k8s_openapi",
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::time",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "static mut",
];

#[test]
fn modules_use_only_what_the_design_lets_them() {
    let allowed: BTreeMap<_, BTreeSet<_>> =
        ARROWS.iter().map(|(module, uses)| (*module, uses.iter().copied().collect())).collect();
    for (path, code) in sources() {
        let Some(module) = module_of(&path) else { continue };
        let uses = allowed.get(module.as_str()).unwrap_or_else(|| panic!("{module} is not in ARROWS"));
        for used in used_modules(&code).iter().filter(|used| **used != module) {
            assert!(uses.contains(used.as_str()), "{} uses {used}: an arrow that ARROWS does not have", path.display());
        }
    }
}

#[test]
fn the_core_is_pure() {
    for (path, code) in sources() {
        let is_core = module_of(&path).is_some_and(|module| CORE.contains(&module.as_str()));
        for word in FOREIGN_TO_CORE.iter().filter(|_| is_core) {
            assert!(!code.contains(word), "{} mentions {word}", path.display());
        }
    }
}

/// Every source file without its tests, relative to `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let walk =
        walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(|entry| entry.expect("src is readable"));
    let is_test = |path: &Path| path.file_name().is_some_and(|name| name == "tests.rs" || name == "properties.rs");
    let files = walk.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    let files = files.filter(|entry| !is_test(entry.path()));
    files
        .map(|entry| {
            let code = fs::read_to_string(entry.path()).expect("sources are text");
            let code = code.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            let lines: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (entry.path().strip_prefix(&root).expect("below src").to_owned(), lines.join("\n"))
        })
        .collect()
}

/// `rules/probes.rs` belongs to `rules`; `lib.rs` and `main.rs` to none.
fn module_of(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_string_lossy().into_owned();
    let module = first.strip_suffix(".rs").unwrap_or(&first);
    (!matches!(module, "lib" | "main")).then(|| module.to_owned())
}

/// The first segment of every path that starts at the crate, in `use` groups too.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(top_level_names(group)),
            None => used.extend(leading_name(rest)),
        }
    }
    used
}

fn top_level_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut expects_name) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            _ if depth == 0 && expects_name && !character.is_whitespace() => {
                names.extend(leading_name(&group[at..]));
                expects_name = false;
            }
            _ => {}
        }
    }
    names
}

fn leading_name(text: &str) -> Option<String> {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}
