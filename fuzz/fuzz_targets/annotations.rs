//! Any text as the annotations of a Pod: `just fuzz annotations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::annotations::check(bytes));
