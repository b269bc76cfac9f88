//! Any text as policies: `just fuzz policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::policy::check(bytes));
