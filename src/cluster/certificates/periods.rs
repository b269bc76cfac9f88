//! How long everything takes that has to do with certificates.

use std::time::Duration;

use jiff::SignedDuration;

/// The one table of times. Tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Periods {
    /// Between two looks.
    pub poll: Duration,
    /// From a write or a failure to the next look; doubled each time in a row.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// For how long a new CA must have been trusted before it signs: API servers follow their configurations by a watch.
    pub overlap: Duration,
    /// For how long an old CA stays trusted after it has signed its last: a replica that cannot reach the API server
    /// serves what it has.
    pub retirement: Duration,
    /// What replicas that remember a lost Secret get to write it back.
    pub patience: Duration,
    pub leaf: SignedDuration,
    pub authority: SignedDuration,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(5),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            overlap: Duration::from_mins(1),
            retirement: Duration::from_mins(10),
            patience: Duration::from_secs(12),
            leaf: SignedDuration::from_hours(24),
            authority: SignedDuration::from_hours(24 * 90),
        }
    }
}
