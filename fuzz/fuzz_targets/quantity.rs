//! Any text as a quantity: `just fuzz quantity`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::quantity::check(bytes));
