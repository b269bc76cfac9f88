//! Any bytes as a body of both endpoints: `just fuzz SECONDS`.
#![no_main]

#[path = "../any_body.rs"]
mod any_body;

libfuzzer_sys::fuzz_target!(|body: &[u8]| any_body::check(body));
