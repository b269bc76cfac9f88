//! Any text as an image reference: `just fuzz image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| podfit_fuzz::image::check(bytes));
