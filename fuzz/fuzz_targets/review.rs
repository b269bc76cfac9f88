//! Any bytes as a body of both endpoints: `just fuzz review`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::review::check(bytes));
