//! .NET: counts processors and bounds its heap by the limits itself, so that only requests and other wishes are left.

use super::{Formula, Runtime, Signs, Tier, Value, Variable};

pub static DOTNET: Runtime = Runtime {
    name: "dotnet",
    about: "Reads both limits itself: processors rounded up, a heap of 75 % of memory.",
    signs: Signs {
        open_telemetry: Some("dotnet"),
        datadog: Some("dotnet"),
        commands: &["dotnet"],
        variables: &["ASPNETCORE_*", "DOTNET_*"],
        images: &["aspnet", "dotnet"],
        products: &[],
    },
    variables: &[
        Variable {
            name: "DOTNET_PROCESSOR_COUNT",
            value: Value::One(Formula::WorkersOfRequest),
            tier: Tier::Detected,
            conflicts: &["COMPlus_PROCESSOR_COUNT"],
            conflicting_words: &[],
            since: &["6"],
            about: "Processors, decimal, only where requests are the basis: with a limit the runtime counts the same (learn.microsoft.com, Environment.ProcessorCount).",
        },
        Variable {
            name: "DOTNET_GCHeapHardLimit",
            value: Value::One(Formula::HeapHexadecimal),
            tier: Tier::OptIn,
            conflicts: &[
                "DOTNET_GCHeapHardLimit*",
                "COMPlus_GCHeapHardLimit*",
                "DOTNET_GCHeapAffinitizeMask",
                "DOTNET_gcServer",
            ],
            conflicting_words: &[],
            since: &["6"],
            about: "Heap of 75 % of the memory limit in bytes, hexadecimal (learn.microsoft.com, GC settings); the runtime's own default is the same, hence opt-in.",
        },
    ],
};
