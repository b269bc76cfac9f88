//! Any text as tests of policies: `just fuzz suite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::suite::check(bytes));
