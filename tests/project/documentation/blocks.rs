//! The console blocks of a page: commands behind `$ `, with `>` for what goes on, and what they print. The README's test runs
//! them, and the suite of a cluster those that need one.

use std::{env, path::Path, process::Command};

const MARK: &str = "<<end of command>>";

/// The page with what its blocks of this kind print, as `run` does now.
pub fn rewritten(text: &str, kind: &str, mut run: impl FnMut(&str) -> String) -> String {
    let fence = format!("```{kind}\n");
    let mut page = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(&fence) {
        let (before, block) = rest.split_at(start + fence.len());
        let end = block.find("```").expect("a block is closed");
        page.push_str(before);
        page.push_str(&run(&block[..end]));
        rest = &block[end..];
    }
    page + rest
}

/// Runs the commands of a block in one shell: bash, whose folder and environment `prepare` sets, with these programs first on its
/// PATH. `change` is what becomes of a command, and of what all of them print.
pub fn run(
    block: &str,
    programs: &[&Path],
    change: impl Fn(String) -> String,
    restore: impl Fn(String) -> String,
    prepare: impl FnOnce(&mut Command),
) -> String {
    let commands = commands(block);
    let mut script = String::from("exec 2>&1\n");
    for command in &commands {
        script.push_str(&format!("{}\necho '{MARK}'\n", change(command.join("\n"))));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = programs.iter().map(|path| path.to_path_buf()).chain(env::split_paths(&path));
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).env("PATH", env::join_paths(folders).expect("folders without colons"));
    prepare(&mut bash);
    let output = bash.output().expect("bash runs");
    let printed = restore(String::from_utf8(output.stdout).expect("output is text"));
    let mark = format!("{MARK}\n");
    let mut outputs = printed.split(&mark);
    commands.iter().map(|command| rendered(command, outputs.next().unwrap_or_default())).collect()
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
