//! Runs a command to its end, and tells how long it took and how much memory it had at most.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// What a command cost: time, and the bytes of its high-water mark, which is read until the process is gone.
pub fn measure(command: &mut Command) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = kilobytes.map_or(peak, |kilobytes| kilobytes << 10);
        thread::sleep(Duration::from_millis(5));
    }
    (start.elapsed(), peak)
}
