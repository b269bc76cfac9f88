//! Python: the CPU count of CPython 3.13 and newer, and the thread pools of OpenMP, BLAS and numba, which spin.

use super::{Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

/// Launchers that set a smaller number per process where the variable is absent: ours would take that guard away and
/// multiply threads (torchrun, Dask, Ray, Spark, joblib).
static LAUNCHERS: &[&str] =
    &["torchrun", "torch.distributed*", "dask*", "ray", "ray-*", "spark*", "pyspark*", "joblib*", "accelerate"];

const SPINNING: Value = Value::One(Formula::Workers { rounding: Rounding::Down, minimum: 1 });

pub static PYTHON: Runtime = Runtime {
    name: "python",
    about: "CPython sees the node's cores in every version; OpenMP, OpenBLAS and numba too, and their threads spin while throttled.",
    signs: Signs {
        open_telemetry: Some("python"),
        datadog: Some("python"),
        commands: &[
            "celery",
            "ddtrace-run",
            "flask",
            "gunicorn",
            "hypercorn",
            "opentelemetry-instrument",
            "pip",
            "pytest",
            "python",
            "python2",
            "python3",
            "python3.*",
            "uvicorn",
        ],
        variables: &[
            "CELERY_BROKER_URL",
            "DJANGO_SETTINGS_MODULE",
            "FLASK_APP",
            "GUNICORN_CMD_ARGS",
            "PYTHONDONTWRITEBYTECODE",
            "PYTHONPATH",
            "PYTHONUNBUFFERED",
            "PYTHON_CPU_COUNT",
        ],
        images: &["python"],
        products: &[],
    },
    variables: &[
        Variable {
            name: "PYTHON_CPU_COUNT",
            value: Value::One(Formula::Workers { rounding: Rounding::Up, minimum: 1 }),
            tier: Tier::Detected,
            conflicts: &[],
            conflicting_words: &[],
            since: &["3.13"],
            about: "What os.cpu_count() says, from which pools are sized: the CPU limit rounded up (docs.python.org, PYTHON_CPU_COUNT); 3.12 and older ignore it.",
        },
        Variable {
            name: "OMP_NUM_THREADS",
            value: SPINNING,
            tier: Tier::Named,
            conflicts: &["OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"],
            conflicting_words: LAUNCHERS,
            since: &[],
            about: "Threads of OpenMP, which numpy, torch and nproc follow: the CPU limit rounded down, at least 1, over the processes (gcc.gnu.org, libgomp manual).",
        },
        Variable {
            name: "OPENBLAS_NUM_THREADS",
            value: SPINNING,
            tier: Tier::Named,
            conflicts: &["GOTO_NUM_THREADS", "OMP_NUM_THREADS"],
            conflicting_words: LAUNCHERS,
            since: &[],
            about: "Threads of OpenBLAS where OMP_NUM_THREADS is not wanted, which covers it: the CPU limit rounded down, at least 1 (OpenBLAS runtime variables).",
        },
        Variable {
            name: "MKL_NUM_THREADS",
            value: SPINNING,
            tier: Tier::Named,
            conflicts: &["OMP_NUM_THREADS"],
            conflicting_words: LAUNCHERS,
            since: &[],
            about: "Threads of Intel MKL where OMP_NUM_THREADS is not wanted, which covers it: the CPU limit rounded down, at least 1 (oneMKL developer guide).",
        },
        Variable {
            name: "NUMBA_NUM_THREADS",
            value: SPINNING,
            tier: Tier::Named,
            conflicts: &[],
            conflicting_words: LAUNCHERS,
            since: &[],
            about: "Threads of numba's parallel loops: the CPU limit rounded down, at least 1 (numba environment variables); 0 would stop the import.",
        },
    ],
};
