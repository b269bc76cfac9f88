//! Every runtime's value for every kind of limit, as literals, with everything switched on.

use std::collections::BTreeMap;

use crate::trial::{Trial, pod, policy};

const EVERYTHING: &str = "runtimes: [go, rust, python, java, node, deno, dotnet, erlang, ruby, glibc, nginx, julia, build], \
    optIn: [JAVA_TOOL_OPTIONS, NODE_OPTIONS, DENO_V8_FLAGS, DOTNET_GCHeapHardLimit, ERL_AFLAGS, MALLOC_ARENA_MAX, \
    NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE, JULIA_NUM_THREADS, CARGO_BUILD_JOBS], values: Literal";

/// `up`, `down`: CPU in cores, rounded. `percent`: of the JVM's heap. `-`: not injected.
const ROWS: &str = "
    name                        | cpu   | memory         | GOMAXPROCS | GOMEMLIMIT   | down | up | percent | MiB    | heap         | arenas
    a tenth of a core           | 100m  | 64Mi           | 2          | 60397977     | 1    | 1  | -       | -      | 0x3000000    | 8
    the smallest for node       | 250m  | 128Mi          | 2          | 120795955    | 1    | 1  | -       | 64     | 0x6000000    | 8
    a quarter taken exactly     | 250m  | 256Mi          | 2          | 241591910    | 1    | 1  | -       | 192    | 0xc000000    | 8
    half a core                 | 500m  | 512Mi          | 2          | 483183820    | 1    | 1  | 65.0    | 384    | 0x18000000   | 8
    just under one core         | 999m  | 512Mi          | 2          | 483183820    | 1    | 1  | 65.0    | 384    | 0x18000000   | 8
    one core                    | 1     | 1Gi            | 2          | 966367641    | 1    | 1  | 75.0    | 768    | 0x30000000   | 8
    just over one core          | 1001m | 1Gi            | 2          | 966367641    | 1    | 2  | 75.0    | 768    | 0x30000000   | 16
    a core and a fifth          | 1200m | 1Gi            | 2          | 966367641    | 1    | 2  | 75.0    | 768    | 0x30000000   | 16
    a core and a half           | 1500m | 2Gi            | 2          | 1932735283   | 1    | 2  | 75.0    | 1536   | 0x60000000   | 16
    just under two cores        | 1999m | 2Gi            | 2          | 1932735283   | 1    | 2  | 75.0    | 1536   | 0x60000000   | 16
    two cores                   | 2     | 4Gi            | 2          | 3865470566   | 2    | 2  | 75.0    | 3072   | 0xc0000000   | 16
    two and a half, as decimal  | 2.5   | 4Gi            | 3          | 3865470566   | 2    | 3  | 75.0    | 3072   | 0xc0000000   | 24
    three cores                 | 3     | 6Gi            | 3          | 5798205849   | 3    | 3  | 75.0    | 4608   | 0x120000000  | 24
    four cores                  | 4     | 8Gi            | 4          | 7730941132   | 4    | 4  | 75.0    | 6144   | 0x180000000  | 32
    seven and a half            | 7500m | 12Gi           | 8          | 11596411699  | 7    | 8  | 75.0    | 9216   | 0x240000000  | 64
    eight cores                 | 8     | 16Gi           | 8          | 15461882265  | 8    | 8  | 75.0    | 12288  | 0x300000000  | 64
    sixteen cores               | 16    | 32Gi           | 16         | 30923764531  | 16   | 16 | 75.0    | 24576  | 0x600000000  | 128
    the last count injected     | 64    | 256Gi          | 64         | 247390116249 | 64   | 64 | 75.0    | 196608 | 0x3000000000 | 512
    memory alone                | -     | 1Gi            | -          | 966367641    | -    | -  | 75.0    | 768    | 0x30000000   | -
    CPU alone                   | 2     | -              | 2          | -            | 2    | 2  | -       | -      | -            | 16
    no limit                    | -     | -              | -          | -            | -    | -  | -       | -      | -            | -
    a billion, no gibibyte      | 500m  | 1G             | 2          | 900000000    | 1    | 1  | 65.0    | 714    | 0x2cb41780   | 8
    an exponent                 | 1     | 129e6          | 2          | 116100000    | 1    | 1  | -       | -      | 0x5c449b0    | 8
    thousandths of a byte       | 1     | 128974848000m  | 2          | 116077363    | 1    | 1  | -       | -      | 0x5c40000    | 8
    zero is no limit            | 0     | 0              | -          | -            | -    | -  | -       | -      | -            | -
    above skipAbove             | 65    | 15Mi           | -          | -            | -    | -  | -       | -      | -            | -
    a fraction above skipAbove  | 64001m| 16Mi           | -          | 15099494     | 64   | -  | -       | -      | -            | -
    the smallest heap of .NET   | 1m    | 27962027       | 2          | 25165824     | 1    | 1  | -       | -      | 0x1400000    | 8
    no limit has a digit        | Mi    | m              | -          | -            | -    | -  | -       | -      | -            | -
";

#[test]
fn every_limit_has_its_values() {
    let everything = policy(&format!("{{{EVERYTHING}}}"));
    for row in rows(ROWS) {
        let mut expected = expected(&row);
        // OMP_NUM_THREADS covers them.
        expected.retain(|name, _| !matches!(name.as_str(), "OPENBLAS_NUM_THREADS" | "MKL_NUM_THREADS"));
        let trial = Trial::of(&everything, &pod(row["cpu"], row["memory"]));
        assert_eq!(trial.injected, expected, "{}", row["name"]);
    }
}

#[test]
fn without_openmp_the_libraries_are_told() {
    let without = policy(&format!("{{{EVERYTHING}, skip: [OMP_NUM_THREADS]}}"));
    for row in rows(ROWS) {
        let mut expected = expected(&row);
        expected.remove("OMP_NUM_THREADS");
        let trial = Trial::of(&without, &pod(row["cpu"], row["memory"]));
        assert_eq!(trial.injected, expected, "{}", row["name"]);
    }
}

#[test]
fn a_lower_cap_leaves_counts_to_the_runtime() {
    let capped = policy(&format!("{{{EVERYTHING}, skipAbove: 32}}"));
    let trial = Trial::of(&capped, &pod("64", "256Gi"));
    let injected: Vec<(&str, &str)> =
        trial.injected.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        injected,
        [
            ("DENO_V8_FLAGS", "--max-old-space-size=196608"),
            ("DOTNET_GCHeapHardLimit", "0x3000000000"),
            ("GOMEMLIMIT", "247390116249"),
            ("JAVA_TOOL_OPTIONS", "-XX:MaxRAMPercentage=75.0"),
            ("NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE", "1"),
            ("NODE_OPTIONS", "--max-old-space-size=196608"),
        ]
    );
}

type Row = BTreeMap<&'static str, &'static str>;

fn rows(table: &'static str) -> Vec<Row> {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let cells = |line: &'static str| line.split('|').map(str::trim);
    let heads: Vec<_> = cells(lines.next().unwrap()).collect();
    lines.map(|line| heads.iter().copied().zip(cells(line)).collect()).collect()
}

/// Variables and values of a row.
fn expected(row: &Row) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::new();
    let mut add = |name: &str, column: &str, format: &str| {
        if row[column] != "-" {
            expected.insert(name.to_owned(), format.replace("{}", row[column]));
        }
    };
    add("GOMAXPROCS", "GOMAXPROCS", "{}");
    add("GOMEMLIMIT", "GOMEMLIMIT", "{}");
    for name in [
        "TOKIO_WORKER_THREADS",
        "RAYON_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "JULIA_NUM_THREADS",
        "CARGO_BUILD_JOBS",
    ] {
        add(name, "down", "{}");
    }
    add("ERL_AFLAGS", "down", "+S {}:{}");
    add("PYTHON_CPU_COUNT", "up", "{}");
    add("NODE_OPTIONS", "MiB", "--max-old-space-size={}");
    add("DENO_V8_FLAGS", "MiB", "--max-old-space-size={}");
    add("DOTNET_GCHeapHardLimit", "heap", "{}");
    add("MALLOC_ARENA_MAX", "arenas", "{}");
    let java = [("percent", "-XX:MaxRAMPercentage="), ("up", "-XX:ActiveProcessorCount=")];
    let java = java.into_iter().filter(|(column, _)| row[*column] != "-");
    let java: Vec<_> = java.map(|(column, flag)| format!("{flag}{}", row[column])).collect();
    if !java.is_empty() {
        expected.insert("JAVA_TOOL_OPTIONS".to_owned(), java.join(" "));
    }
    if !matches!(row["cpu"], "-" | "0" | "Mi") {
        expected.insert("NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE".to_owned(), "1".to_owned());
    }
    expected
}
