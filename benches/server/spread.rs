//! Figures of several rounds: the one in the middle, and how far they lie apart.

use std::{fmt, time::Duration};

pub struct Spread(Vec<f64>);

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// In milliseconds.
    pub fn of_times(times: &[Duration]) -> Self {
        Self::of(times.iter().map(|time| 1000.0 * time.as_secs_f64()))
    }

    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

/// `{:.2}` writes two decimals of each.
impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or(1);
        let (median, least, most) = (self.median(), self.0[0], self.0[self.0.len() - 1]);
        write!(formatter, "{median:.decimals$} ({least:.decimals$} to {most:.decimals$})")
    }
}
