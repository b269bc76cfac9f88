//! Every `console` block of the documentation runs as one shell script in a copy of the examples and policies, and prints what
//! the page says. `PODFIT_UPDATE_DOCUMENTATION=1` writes what was printed into the page instead.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

#[path = "documentation/blocks.rs"]
mod blocks;

#[test]
fn the_examples_print_what_the_pages_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("pages are text");
        let run = blocks::rewritten(&text, "console", |block| run_block(root, block));
        if std::env::var_os("PODFIT_UPDATE_DOCUMENTATION").is_some() {
            fs::write(&page, run).expect("pages can be written");
        } else {
            assert_eq!(text, run, "{} does not say what its commands print", page.display());
        }
    }
}

/// The README's table of runtimes is the catalogue's.
#[test]
fn the_table_of_runtimes_is_the_catalogue() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&page).expect("pages are text");
    let (before, rest) = text.split_once("<!-- runtimes -->\n").expect("the table has a beginning");
    let (_, after) = rest.split_once("<!-- /runtimes -->").expect("the table has an end");
    let written = format!("{before}<!-- runtimes -->\n{}<!-- /runtimes -->{after}", podfit::runtimes::table());
    if std::env::var_os("PODFIT_UPDATE_DOCUMENTATION").is_some() {
        fs::write(&page, written).expect("pages can be written");
    } else {
        assert_eq!(text, written, "just readme writes it");
    }
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = ["README.md", "certs/README.md", "deploy/README.md"].map(|page| root.join(page)).to_vec();
    let docs =
        fs::read_dir(root.join("docs")).into_iter().flatten().map(|entry| entry.expect("docs are readable").path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages.sort();
    pages
}

/// In a folder with the examples and policies.
fn run_block(root: &Path, block: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder of our own");
    for shown in ["examples", "deploy/policies"] {
        copy(&root.join(shown), &folder.path().join(shown));
    }
    let (webhook, admin) = (free_port(), free_port());
    let change = |command: String| command.replace("8443", &webhook).replace("8080/", &format!("{admin}/"));
    let restore = |printed: String| printed.replace(&webhook, "8443");
    let binary = Path::new(env!("CARGO_BIN_EXE_podfit")).parent().expect("a folder");
    blocks::run(block, &[binary], change, restore, |bash| {
        bash.current_dir(folder.path())
            .env("PODFIT_LISTEN", format!("127.0.0.1:{webhook}"))
            .env("PODFIT_ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
            .env("PODFIT_LOG_LEVEL", "error")
            .stdin(Stdio::null());
    })
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port().to_string()
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("examples are readable");
        let target = to.join(entry.path().strip_prefix(from).expect("below"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).expect("a folder");
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}
