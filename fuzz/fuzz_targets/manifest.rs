//! Any text as manifests: `just fuzz manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::manifest::check(bytes));
