//! Java: the heap's share of memory and the processor count, in `JAVA_TOOL_OPTIONS`, which every JVM reads.

use super::{Flag, Formula, Rounding, Runtime, Signs, Tier, Value, Variable};

pub static JAVA: Runtime = Runtime {
    name: "java",
    about: "The JVM reads limits since 10 and 8u191, and gives the heap a quarter of memory only.",
    signs: Signs {
        open_telemetry: Some("java"),
        datadog: Some("java"),
        commands: &["java", "gradle", "mvn"],
        variables: &["CATALINA_OPTS", "JAVA_HOME", "JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPRING_*"],
        images: &["amazoncorretto", "eclipse-temurin", "ibm-semeru-runtimes", "openjdk", "sapmachine"],
        products: &["tomcat"],
    },
    variables: &[Variable {
        name: "JAVA_TOOL_OPTIONS",
        value: Value::Flags {
            flags: &[
                Flag {
                    formula: Formula::HeapPercent,
                    format: "-XX:MaxRAMPercentage={}",
                    family: &["-Xmx", "RAMPercentage", "RAMFraction", "-XX:MaxRAM", "-XX:MaxHeapSize"],
                },
                Flag {
                    formula: Formula::Workers { rounding: Rounding::Up, minimum: 1 },
                    format: "-XX:ActiveProcessorCount={}",
                    family: &["ActiveProcessorCount"],
                },
            ],
            separator: ' ',
            also_in: &["JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS"],
        },
        tier: Tier::OptIn,
        // Paketo's launcher computes a heap of its own.
        conflicts: &["BPL_JVM_*"],
        conflicting_words: &[],
        since: &["8u191", "10"],
        about: "Heap of 75 % of memory (65 % under 1Gi, none under 512Mi) and the CPU limit rounded up (docs.oracle.com, the java command); replaces what the image sets, hence opt-in.",
    }],
};
