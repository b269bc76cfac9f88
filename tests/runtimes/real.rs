//! The real runtimes, started with exactly the environment that podfit injects: what they make of it, and that none refuses
//! to start. Whatever is on the PATH is checked; what is not is named. `install.sh` brings more.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use podfit::quantity::Quantity;
use serde_json::json;
use tempfile::TempDir;

use crate::trial::{Trial, pod_with, policy};

/// The table of limits: every class of values that the formulas make, their extremes, and what a mistaken unit may say.
const LIMITS: [(&str, &str); 8] = [
    ("1m", "16Mi"),
    ("100m", "64Mi"),
    ("500m", "128Mi"),
    ("1500m", "512Mi"),
    ("2", "1Gi"),
    ("7500m", "12Gi"),
    ("64", "256Gi"),
    ("1024", "7Ei"),
];

/// What a runtime says of itself, by key.
type Said = BTreeMap<String, String>;
type Environment = BTreeMap<String, String>;

struct Runtime {
    name: &'static str,
    /// Of the rule `runtime-sizing`.
    settings: &'static str,
    /// The command that prints `key=value` lines, or why there is none.
    command: fn(&Workshop) -> Result<Vec<String>, String>,
    /// Words for the command beside it, where they stand in for the limit that a cgroup would be.
    stand_in: fn(&Limits) -> Vec<String>,
    /// What must be said.
    check: fn(&Environment, &Limits, &Said) -> Result<(), String>,
}

struct Limits {
    memory: u64,
}

impl Limits {
    /// Whether a flag can stand in for the limit: one above the machine's memory would not count in a container either.
    fn stands_in(&self) -> bool {
        self.memory <= 2 << 30
    }
}

/// A folder for programs to be built in.
struct Workshop {
    folder: TempDir,
}

const RUNTIMES: [Runtime; 21] = [
    Runtime {
        name: "go",
        settings: "{runtimes: [go]}",
        command: |shop| shop.build("go", &["build", "-o"], "go.go"),
        stand_in: nothing,
        check: |set, _, said| {
            equal(said, &[("cpus", &set["GOMAXPROCS"]), ("memory", or(set, "GOMEMLIMIT", GO_UNLIMITED))])
        },
    },
    Runtime {
        name: "tokio",
        settings: "{runtimes: [rust]}",
        command: |_| ourselves("tokio"),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("workers", &set["TOKIO_WORKER_THREADS"])]),
    },
    Runtime {
        name: "rayon",
        settings: "{runtimes: [rust]}",
        command: |_| ourselves("rayon"),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("workers", &set["RAYON_NUM_THREADS"])]),
    },
    Runtime {
        name: "python3",
        settings: PYTHON,
        command: |_| python("python3"),
        stand_in: nothing,
        check: python_counts,
    },
    Runtime {
        name: "python3.12",
        settings: PYTHON,
        command: |_| python("python3.12"),
        stand_in: nothing,
        check: python_counts,
    },
    Runtime {
        name: "python3.13",
        settings: PYTHON,
        command: |_| python("python3.13"),
        stand_in: nothing,
        check: python_counts,
    },
    Runtime {
        name: "numpy and numba",
        settings: PYTHON,
        command: |shop| numeric(shop),
        stand_in: nothing,
        check: |set, _, said| {
            let openblas = set["OMP_NUM_THREADS"].parse::<usize>().unwrap().min(cores());
            equal(said, &[("numba", &set["NUMBA_NUM_THREADS"]), ("openblas", &openblas.to_string())])
        },
    },
    Runtime {
        name: "OpenBLAS alone",
        settings: "{runtimes: [python], skip: [OMP_NUM_THREADS]}",
        command: |shop| numeric(shop),
        stand_in: nothing,
        check: |set, _, said| {
            let openblas = set["OPENBLAS_NUM_THREADS"].parse::<usize>().unwrap().min(cores());
            equal(said, &[("openblas", &openblas.to_string())])
        },
    },
    Runtime {
        name: "OpenMP",
        settings: PYTHON,
        command: |shop| shop.build("gcc", &["-fopenmp", "-o"], "openmp.c"),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("threads", &set["OMP_NUM_THREADS"]), ("team", &set["OMP_NUM_THREADS"])]),
    },
    Runtime {
        name: "nproc",
        settings: PYTHON,
        command: |_| shell("nproc", "echo count=$(nproc)"),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("count", &set["OMP_NUM_THREADS"])]),
    },
    Runtime {
        name: "malloc",
        settings: "{runtimes: [], optIn: [MALLOC_ARENA_MAX]}",
        command: |shop| shop.build("gcc", &["-pthread", "-o"], "arenas.c"),
        stand_in: nothing,
        check: |set, _, said| {
            let most: u64 = set["MALLOC_ARENA_MAX"].parse().unwrap();
            between(said, "arenas", 1, most)
        },
    },
    Runtime {
        name: "java",
        settings: "{runtimes: [java], optIn: [JAVA_TOOL_OPTIONS]}",
        command: |_| program("java", &["-XX:+PrintFlagsFinal"]),
        stand_in: |limits| {
            let memory = limits.stands_in().then(|| format!("-XX:MaxRAM={}", limits.memory));
            memory.into_iter().chain([String::from("-version")]).collect()
        },
        check: |set, limits, said| {
            let options = &set["JAVA_TOOL_OPTIONS"];
            let number = |flag: &str| options.split(' ').find_map(|word| word.strip_prefix(flag));
            equal(said, &[("ActiveProcessorCount", number("-XX:ActiveProcessorCount=").unwrap())])?;
            let percent = number("-XX:MaxRAMPercentage=").filter(|_| limits.stands_in());
            let Some(percent) = percent else { return Ok(()) };
            let percent: u64 = percent.trim_end_matches(".0").parse().unwrap();
            // Rounded to whole regions of the heap, 32 MiB at most.
            let heap = limits.memory / 100 * percent;
            between(said, "MaxHeapSize", heap - (32 << 20), heap + (32 << 20))
        },
    },
    Runtime {
        name: "node",
        settings: NODE,
        command: |_| v8("node"),
        stand_in: nothing,
        check: |set, _, said| v8_heap(set.get("NODE_OPTIONS"), said),
    },
    Runtime {
        name: "node26",
        settings: NODE,
        command: |_| v8("node26"),
        stand_in: nothing,
        check: |set, _, said| v8_heap(set.get("NODE_OPTIONS"), said),
    },
    Runtime {
        name: "deno",
        settings: "{runtimes: [deno], optIn: [DENO_V8_FLAGS]}",
        command: |_| program("deno", &["eval", &V8_PROGRAM.replace("require(\"v8\")", "(await import(\"node:v8\"))")]),
        stand_in: nothing,
        check: |set, _, said| v8_heap(set.get("DENO_V8_FLAGS"), said),
    },
    Runtime {
        name: "bun",
        settings: "{runtimes: [go]}",
        command: |_| program("bun", &["-e", "console.log(`cpus=${navigator.hardwareConcurrency}`)"]),
        stand_in: nothing,
        check: |_, _, said| equal(said, &[("cpus", &cores().to_string())]),
    },
    Runtime {
        name: "erl",
        settings: "{runtimes: [erlang], optIn: [ERL_AFLAGS]}",
        command: |_| {
            let said = "[erlang:system_info(schedulers), erlang:system_info(schedulers_online)]";
            let script = format!("io:format(\"schedulers=~p~nonline=~p~n\", {said}), halt().");
            program("erl", &["-noshell", "-eval", &script])
        },
        stand_in: nothing,
        check: |set, _, said| {
            let count = set["ERL_AFLAGS"].split(':').next_back().unwrap();
            equal(said, &[("schedulers", count), ("online", count)])
        },
    },
    Runtime {
        name: "ruby",
        settings: "{runtimes: [ruby], optIn: [MALLOC_ARENA_MAX]}",
        command: |_| program("ruby", &["-e", "puts 'arenas=' + ENV['MALLOC_ARENA_MAX']"]),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("arenas", &set["MALLOC_ARENA_MAX"])]),
    },
    Runtime {
        name: "dotnet",
        settings: "{runtimes: [dotnet], cpuFrom: Requests, optIn: [DOTNET_GCHeapHardLimit]}",
        command: |_| program("python3-with-dotnet", &[&source_path("dotnet.py").display().to_string()]),
        stand_in: nothing,
        check: |set, _, said| {
            equal(said, &[("processors", or(set, "DOTNET_PROCESSOR_COUNT", &cores().to_string()))])?;
            let Some(heap) = set.get("DOTNET_GCHeapHardLimit") else { return Ok(()) };
            let heap = u64::from_str_radix(heap.trim_start_matches("0x"), 16).unwrap();
            equal(said, &[("heap", &heap.to_string())])
        },
    },
    Runtime {
        name: "cargo",
        settings: "{runtimes: [build], optIn: [CARGO_BUILD_JOBS]}",
        command: Workshop::cargo,
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("jobs", &set["CARGO_BUILD_JOBS"])]),
    },
    Runtime {
        name: "julia",
        settings: "{runtimes: [julia], optIn: [JULIA_NUM_THREADS]}",
        command: |_| program("julia", &["-e", "println(\"threads=\", Threads.nthreads())"]),
        stand_in: nothing,
        check: |set, _, said| equal(said, &[("threads", &set["JULIA_NUM_THREADS"])]),
    },
];

const PYTHON: &str = "{runtimes: [python]}";
const NODE: &str = "{runtimes: [node], optIn: [NODE_OPTIONS]}";
const GO_UNLIMITED: &str = "9223372036854775807";
const V8_PROGRAM: &str = "console.log(`heap=${require(\"v8\").getHeapStatistics().heap_size_limit}`)";

#[test]
fn every_runtime_starts_and_does_what_it_is_told() {
    let next = AtomicUsize::new(0);
    let (faults, left_out) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..cores().max(4) {
            scope.spawn(|| {
                while let Some(runtime) = RUNTIMES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match try_out(runtime) {
                        Ok(found) => faults.lock().unwrap().extend(found),
                        Err(reason) => left_out.lock().unwrap().push(format!("{} ({reason})", runtime.name)),
                    }
                }
            });
        }
    });
    let left_out = left_out.into_inner().unwrap();
    let names = if left_out.is_empty() { "none".to_owned() } else { left_out.join(", ") };
    let line = format!("real runtimes: {} checked; left out: {names}\n", RUNTIMES.len() - left_out.len());
    // Past the capture of tests that pass: what was not checked must not go unseen.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a runtime did not make of the limits as it should have; or why it could not be asked.
fn try_out(runtime: &Runtime) -> Result<Vec<String>, String> {
    let shop = Workshop { folder: tempfile::tempdir().unwrap() };
    let command = (runtime.command)(&shop)?;
    let policies = ["Auto", "Literal"].map(|form| {
        let settings = runtime.settings.trim_start_matches('{');
        policy(&format!("{{values: {form}, skipAbove: 1024, {settings}"))
    });
    let restarts = json!({"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]});
    let mut faults = Vec::new();
    let mut seen = Vec::new();
    for (cpu, memory) in LIMITS {
        for policy in &policies {
            let environment = Trial::of(policy, &pod_with(cpu, memory, &restarts)).injected;
            // Live and literal values are often the same.
            if seen.contains(&environment) {
                continue;
            }
            let limits = Limits { memory: Quantity::parse(memory).unwrap().units() };
            let found = run(&command, &(runtime.stand_in)(&limits), &environment)
                .and_then(|said| (runtime.check)(&environment, &limits, &said));
            if let Err(fault) = found {
                faults.push(format!("{} at {cpu}, {memory} with {environment:?}: {fault}", runtime.name));
            }
            seen.push(environment);
        }
    }
    Ok(faults)
}

fn run(command: &[String], stand_in: &[String], environment: &Environment) -> Result<Said, String> {
    let home = env::var_os("HOME").map(|home| ("HOME", home));
    let kept = home.into_iter().chain([("PATH", search_path())]);
    let output = Command::new(&command[0])
        .args(&command[1..])
        .args(stand_in)
        .env_clear()
        .envs(kept)
        .envs(environment)
        .output()
        .map_err(|error| error.to_string())?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("{}: {text}{errors}", output.status));
    }
    // `key=value`, and Java's `type key = value {origin}`.
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let words = pairs.filter_map(|(key, value)| {
        Some((key.split(' ').rfind(|word| !word.is_empty())?, value.split_whitespace().next()?))
    });
    Ok(words.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

impl Workshop {
    /// Builds one of `programs/` with a compiler; `options` end in the one that names the output.
    fn build(&self, compiler: &str, options: &[&str], source: &str) -> Result<Vec<String>, String> {
        find(compiler)?;
        let program = self.folder.path().join("program");
        let built = Command::new(compiler)
            .env("PATH", search_path())
            .args(options)
            .arg(&program)
            .arg(source_path(source))
            .output();
        let built = built.map_err(|error| error.to_string())?;
        assert!(built.status.success(), "{source}: {}", String::from_utf8_lossy(&built.stderr));
        Ok(vec![program.display().to_string()])
    }

    /// The cargo that runs these tests, on a package whose build script hears the number of jobs. Both programs by their
    /// paths: a version manager's shims need more of the environment than a container has.
    fn cargo(&self) -> Result<Vec<String>, String> {
        let cargo = env::var_os("CARGO").map(PathBuf::from).ok_or("not run by cargo")?;
        for file in ["Cargo.toml", "build.rs", "main.rs"] {
            fs::copy(source_path("jobs").join(file), self.folder.path().join(file))
                .map_err(|error| error.to_string())?;
        }
        let manifest = self.folder.path().join("Cargo.toml");
        let rustc = format!("build.rustc=\"{}\"", cargo.with_file_name("rustc").display());
        let (cargo, manifest) = (cargo.display().to_string(), manifest.display().to_string());
        let words = [&cargo, "run", "--quiet", "--offline", "--config", &rustc, "--manifest-path", &manifest];
        Ok(words.map(str::to_owned).into())
    }
}

fn source_path(source: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtimes/programs").join(source)
}

/// A program on the PATH with its arguments.
fn program(name: &str, arguments: &[&str]) -> Result<Vec<String>, String> {
    find(name)?;
    Ok([name].iter().chain(arguments).map(ToString::to_string).collect())
}

fn shell(needed: &str, script: &str) -> Result<Vec<String>, String> {
    find(needed)?;
    Ok(["sh", "-c", script, "sh"].map(str::to_owned).into())
}

/// `PODFIT_RUNTIMES`, the folder that `install.sh` fills, and the PATH. A changed PATH itself would make cargo build anew.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::var_os("PODFIT_RUNTIMES").map(PathBuf::from);
    env::join_paths(installed.into_iter().chain(env::split_paths(&path))).unwrap_or(path)
}

/// Whether a program is there and starts: a version manager leaves shims that do not.
fn find(name: &str) -> Result<(), String> {
    let on_path = env::split_paths(&search_path()).any(|folder| folder.join(name).is_file());
    if !on_path {
        return Err("not on the PATH".to_owned());
    }
    let version = match name {
        "go" => "version",
        "erl" => "-version",
        _ => "--version",
    };
    let started =
        Command::new(name).env("PATH", search_path()).arg(version).output().is_ok_and(|output| output.status.success());
    if started { Ok(()) } else { Err("does not start".to_owned()) }
}

fn python(name: &str) -> Result<Vec<String>, String> {
    program(name, &["-c", "import os, sys; print(f'cpus={os.cpu_count()}\\nminor={sys.version_info.minor}')"])
}

fn numeric(_: &Workshop) -> Result<Vec<String>, String> {
    let path = source_path("numeric.py");
    program("python3-with-libraries", &[&path.display().to_string()])
}

fn v8(name: &str) -> Result<Vec<String>, String> {
    program(name, &["-e", V8_PROGRAM])
}

/// This very program, as one of the tests below.
fn ourselves(test: &str) -> Result<Vec<String>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?.display().to_string();
    Ok([program.as_str(), "--exact", &format!("real::{test}"), "--ignored", "--nocapture"].map(str::to_owned).into())
}

#[test]
#[ignore = "started with an environment by the test above"]
fn tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    println!("\nworkers={}", runtime.metrics().num_workers());
}

#[test]
#[ignore = "started with an environment by the test above"]
fn rayon() {
    println!("\nworkers={}", rayon::current_num_threads());
}

fn nothing(_: &Limits) -> Vec<String> {
    Vec::new()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

fn or<'e>(set: &'e Environment, name: &str, otherwise: &'e str) -> &'e str {
    set.get(name).map_or(otherwise, String::as_str)
}

fn equal(said: &Said, expected: &[(&str, &str)]) -> Result<(), String> {
    let differs = expected.iter().find(|(key, value)| said.get(*key).map(String::as_str) != Some(value));
    differs.map_or(Ok(()), |(key, value)| Err(format!("{key} is not {value}: {said:?}")))
}

fn between(said: &Said, key: &str, least: u64, most: u64) -> Result<(), String> {
    let number: u64 = said.get(key).and_then(|value| value.parse().ok()).ok_or(format!("no {key}: {said:?}"))?;
    if (least..=most).contains(&number) {
        Ok(())
    } else {
        Err(format!("{key} is {number}, not from {least} to {most}"))
    }
}

/// 3.12 and older ignore the variable.
fn python_counts(set: &Environment, _: &Limits, said: &Said) -> Result<(), String> {
    let knows = said["minor"].parse::<u32>().is_ok_and(|minor| minor >= 13);
    let count = if knows { set["PYTHON_CPU_COUNT"].clone() } else { cores().to_string() };
    equal(said, &[("cpus", &count)])
}

/// The limit is the old generation and what a young one may take beside it.
fn v8_heap(flag: Option<&String>, said: &Said) -> Result<(), String> {
    let Some(flag) = flag else { return Ok(()) };
    let old: u64 = flag.rsplit('=').next().unwrap().parse().unwrap();
    between(said, "heap", old << 20, (old + 256) << 20)
}
