//! How many files the process may have open: each connection is one. Out of them it would answer no probe either. Container
//! runtimes give 1,024, and let a process take more by itself. `serve` asks at its start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the admin port's connections, for files, and for connections to the cluster.
const SPARE: u64 = 128;

/// Raises the soft limit, as far as it goes, for so many connections; how many there is room for.
pub(super) fn connections(wanted: usize) -> usize {
    let most = room(raised(wanted as u64 + SPARE));
    usize::try_from(most).map_or(wanted, |most| wanted.min(most))
}

fn raised(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let raised = wanted.min(hard);
    if soft < raised && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }).is_ok() {
        raised
    } else {
        soft
    }
}

/// Under a very low limit half of it.
fn room(open_files: u64) -> u64 {
    open_files.saturating_sub(SPARE).max(open_files / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_files_are_kept_for_the_rest() {
        for (open_files, connections) in [(64, 32), (256, 128), (1024, 896), (u64::MAX, u64::MAX - SPARE)] {
            assert_eq!(room(open_files), connections);
        }
        assert_eq!(connections(16), 16);
    }
}
