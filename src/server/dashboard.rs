//! The page on the admin port: what is in force, what was counted, what was refused lately. It is made when somebody asks
//! for it, and its script asks again every few seconds; while nobody looks it costs nothing. `routes.rs` answers with it.

use std::sync::Arc;

use axum::{
    http::{HeaderName, header},
    response::{Html, IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp, Unit};
use maud::{Markup, html};

use super::{health::Health, log::one_line, metrics::Metrics, refusals::Refusals};
use crate::{
    policies::Book,
    report::{
        count,
        html::{self, Page},
    },
};

mod tables;

/// A certificate that ends so soon should have been renewed.
const CERTIFICATE_ENDING: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) struct Dashboard {
    pub(super) book: Arc<Book>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) started: Timestamp,
}

impl Dashboard {
    /// No frame, no cache and no other site gets it: it tells the names of what runs here.
    pub(super) fn answer(&self, now: Timestamp) -> Response {
        let content = format!("{}; frame-ancestors 'none'", html::policy_of_content(true));
        let headers = [
            (header::CONTENT_SECURITY_POLICY, content.as_str()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        (headers, Html(self.page(now))).into_response()
    }

    fn page(&self, now: Timestamp) -> String {
        let book = self.book.load();
        let policies = book.policies().policies();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let content = html! {
            dl.tiles #state aria-label="State" { (self.state(now, policies.len())) }
            (section("refusals", "Recent refusals", &tables::refusals(&self.refusals.newest_first(), now)))
            div.pair #counts {
                (section("rules", "Findings and injections by rule", &tables::findings(&self.metrics)))
                (section("reviews", "Reviews by decision", &tables::reviews(&self.metrics)))
            }
            (section("policies", "Policies in force", &tables::policies(policies, today)))
            (section("skips", "Injections not made", &tables::skips(&self.metrics)))
        };
        let page = Page { title: "podfit dashboard", lead: &format!("as of {}", shown(now)), live: true };
        page.with(&content).into_string()
    }

    fn state(&self, now: Timestamp, policies: usize) -> Markup {
        let (ready, class) = match self.health.ready(now) {
            Ok(()) => ("yes".to_owned(), ""),
            Err(why) => (format!("no: {}", one_line(&why)), "deny"),
        };
        html! {
            (html::number("Ready", ready, class))
            (certificate(self.health.certificate_until(), now))
            (html::number("Policies", policies, ""))
            (html::number("In flight", self.metrics.in_flight(), ""))
            (html::number("Up", html! { (words(now.duration_since(self.started))) small { "since " (shown(self.started)) } }, ""))
        }
    }
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! { section id=(id) aria-label=(title) { h2 { (title) } (content) } }
}

fn certificate(until: Option<Timestamp>, now: Timestamp) -> Markup {
    let Some(until) = until else { return html::number("Certificate", "none yet", "deny") };
    let left = until.duration_since(now);
    let (state, class) = match left {
        left if left.is_negative() => ("ended".to_owned(), "deny"),
        left if left < CERTIFICATE_ENDING => (words(left), "warn"),
        left => (words(left), ""),
    };
    html::number("Certificate", html! { (state) small { "until " (shown(until)) } }, class)
}

/// Whole seconds, UTC: `2026-11-24 13:45:02Z`.
fn shown(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string().replace('T', " ")
}

/// The largest unit alone: `4 minutes`.
fn words(time: SignedDuration) -> String {
    let seconds = time.unsigned_abs().as_secs();
    let (unit, word) = match seconds {
        0..60 => (1, "second"),
        60..3_600 => (60, "minute"),
        3_600..86_400 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    count(usize::try_from(seconds / unit).unwrap_or(usize::MAX), word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_how_long_it_holds() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        for (name, until, class, said) in [
            ("none", None, "deny", "none yet"),
            ("ended", Some("2026-11-24T11:59:59Z"), "deny", "ended<small>until 2026-11-24 11:59:59Z</small>"),
            ("ending", Some("2026-11-25T13:00:00.9Z"), "warn", "1 day<small>until 2026-11-25 13:00:01Z</small>"),
            ("good", Some("2026-12-24T12:00:00Z"), "", "30 days<small>until 2026-12-24 12:00:00Z</small>"),
        ] {
            let until = until.map(|until| until.parse().unwrap());
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            let expected = format!("<div{class}><dt>Certificate</dt><dd>{said}</dd></div>");
            assert_eq!(certificate(until, now).into_string(), expected, "{name}");
        }
    }

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        for (seconds, said) in
            [(0, "0 seconds"), (1, "1 second"), (119, "1 minute"), (7_200, "2 hours"), (86_400 * 400, "400 days")]
        {
            assert_eq!(words(SignedDuration::from_secs(seconds)), said);
        }
    }
}
