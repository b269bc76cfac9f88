//! Tells the program how many jobs cargo counts, which only a build script hears.

fn main() {
    let jobs = std::env::var("NUM_JOBS").expect("cargo says it to every build script");
    println!("cargo::rustc-env=JOBS={jobs}");
    // Never there, so that the script runs each time.
    println!("cargo::rerun-if-changed=always");
}
