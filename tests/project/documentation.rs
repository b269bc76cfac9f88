//! Every `console` block of the documentation runs as one shell script in a copy of the examples and policies, and prints what
//! the page says. Its cluster is a stand-in. `PODFIT_UPDATE_DOCUMENTATION=1` writes what was printed into the page instead.

#[path = "../stand_in/mod.rs"]
mod stand_in;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use stand_in::{Items, StandIn, shop};

const MARK: &str = "<<end of command>>";

#[test]
fn the_examples_print_what_the_pages_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages(root) {
        let text = fs::read_to_string(&page).expect("pages are text");
        let run = run_page(root, &text);
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

/// The page with every console block's output as it is now.
fn run_page(root: &Path, text: &str) -> String {
    let mut page = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("```console\n") {
        let (before, block) = rest.split_at(start + "```console\n".len());
        let end = block.find("```").expect("a block is closed");
        page.push_str(before);
        page.push_str(&run_block(root, &block[..end]));
        rest = &block[end..];
    }
    page + rest
}

/// Runs the commands of a block (lines behind `$ `, with `>` for what goes on) in one shell, in a folder with the examples.
fn run_block(root: &Path, block: &str) -> String {
    let commands = commands(block);
    let folder = tempfile::tempdir().expect("a folder of our own");
    for shown in ["examples", "deploy/policies"] {
        copy(&root.join(shown), &folder.path().join(shown));
    }
    let cluster = cluster();
    let (webhook, admin) = (free_port(), free_port());
    let mut script = String::from("exec 2>&1\n");
    for command in &commands {
        let command = command.join("\n").replace("8443", &webhook).replace("8080/", &format!("{admin}/"));
        script.push_str(&format!("{command}\necho '{MARK}'\n"));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_podfit")).parent().expect("a folder").to_owned();
    let path = std::env::join_paths(
        [binary].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path.expect("folders without colons"))
        .env("PODFIT_LISTEN", format!("127.0.0.1:{webhook}"))
        .env("PODFIT_ADMIN_LISTEN", format!("127.0.0.1:{admin}"))
        .env("PODFIT_LOG_LEVEL", "error")
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let printed = String::from_utf8(output.stdout).expect("output is text").replace(&webhook, "8443");
    let mark = format!("{MARK}\n");
    let mut outputs = printed.split(&mark);
    commands.iter().map(|command| rendered(command, outputs.next().unwrap_or_default())).collect()
}

/// A small one, with the CRDs of openreports.io.
fn cluster() -> StandIn {
    let mut world = shop();
    world.collections.insert("/apis/openreports.io/v1alpha1/reports".to_owned(), Items::Kept(Vec::new()));
    StandIn::start(world)
}

fn commands(block: &str) -> Vec<Vec<&str>> {
    let mut commands: Vec<Vec<&str>> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(vec![command]);
        } else if let (Some(more), Some(last)) = (line.strip_prefix("> "), commands.last_mut()) {
            last.push(more);
        }
    }
    commands
}

fn rendered(command: &[&str], output: &str) -> String {
    let newline = if output.is_empty() || output.ends_with('\n') { "" } else { "\n" };
    format!("$ {}\n{output}{newline}", command.join("\n> "))
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
