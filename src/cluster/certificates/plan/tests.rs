//! Every transition, by what is seen.

use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::certs::{Authority, Pair, Validity};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// With so much left of each.
fn held(authority_left: SignedDuration, leaf_left: SignedDuration) -> Held {
    let validity = |life: SignedDuration, left| Validity { from: now() + left - life, until: now() + left };
    let pair = Pair { ca: "A".to_owned(), certificate: "a".to_owned(), key: "key of a".to_owned() };
    Held {
        signing: Some(Signing {
            certificate: "A".to_owned(),
            key: Some("key of A".to_owned()),
            validity: validity(DAY * 90 + HOUR, authority_left),
        }),
        leaf: Some(Leaf { pair: Arc::new(pair), validity: validity(DAY + HOUR, leaf_left) }),
        ..Held::default()
    }
}

fn good() -> Held {
    held(DAY * 80, HOUR * 20)
}

fn announced() -> Held {
    let next = Authority { certificate: "B".to_owned(), key: "key of B".to_owned() };
    Held { next: Some(next), ..good() }
}

fn switched() -> Held {
    Held { previous: Some("Z".to_owned()), ..good() }
}

fn keyless() -> Held {
    let signing = good().signing.map(|signing| Signing { key: None, ..signing });
    Held { signing, ..good() }
}

/// With another CA.
fn other() -> Held {
    let signing = good().signing.map(|signing| Signing { certificate: "Y".to_owned(), ..signing });
    Held { signing, ..good() }
}

/// What a row sees: all is trusted and settled, nothing is remembered or asked for, unless it says otherwise.
struct Row {
    name: &'static str,
    held: Held,
    asked: Option<Rotate>,
    remembered: Option<Held>,
    trusted: bool,
    bundled: bool,
    unchanged: Duration,
    step: Step,
}

fn row(name: &'static str, held: Held, step: Step) -> Row {
    let unchanged = Duration::from_hours(1);
    Row { name, held, asked: None, remembered: None, trusted: true, bundled: true, unchanged, step }
}

fn check(rows: Vec<Row>) {
    for Row { name, held, asked, remembered, trusted, bundled, unchanged, step } in rows {
        let remembered = remembered.as_ref();
        let seen = Seen { held: &held, asked, remembered, trusted, bundled, unchanged };
        assert_eq!(plan(now(), &seen, &Periods::default()), step, "{name}");
    }
}

#[test]
fn nothing_is_held() {
    let empty = Held::default;
    let patience = || Step::Wait("another replica may still write back what it remembers".to_owned());
    check(vec![
        Row { bundled: false, unchanged: Duration::ZERO, ..row("first start", empty(), Step::Make) },
        Row { unchanged: Duration::from_secs(11), ..row("deleted, and we have just started", empty(), patience()) },
        Row { unchanged: Duration::from_secs(12), ..row("deleted, and nobody writes it back", empty(), Step::Make) },
        Row { remembered: Some(good()), ..row("deleted, and we remember it", empty(), Step::Restore) },
        Row {
            remembered: Some(held(DAY * 80, -HOUR)),
            ..row("deleted, and we remember its CA: the leaf comes after", empty(), Step::Restore)
        },
        Row {
            remembered: Some(held(-HOUR, -HOUR)),
            ..row("deleted, and what we remember has ended", empty(), Step::Make)
        },
        Row { remembered: Some(keyless()), ..row("deleted, and we remember no key", empty(), Step::Make) },
    ]);
}

#[test]
fn a_leaf_is_renewed() {
    let third = HOUR * 25 / 3;
    let second = SignedDuration::from_secs(1);
    check(vec![
        row("all good", good(), Step::Rest),
        Row { trusted: false, ..row("all good, a bundle removed: the leaf is none the worse", good(), Step::Rest) },
        row("at a third of its life", held(DAY * 80, third), Step::Renew),
        row("just before", held(DAY * 80, third + second), Step::Rest),
        row("ended: a clock has jumped, or nobody has served", held(DAY * 80, -HOUR), Step::Renew),
        row("ends now", held(DAY * 80, SignedDuration::ZERO), Step::Renew),
        row("missing, half-written or another's", Held { leaf: None, ..good() }, Step::Renew),
        Row { trusted: false, ..row("due, and no configuration holds our CA", held(DAY * 80, HOUR), Step::Renew) },
        row("due between two CAs", Held { next: announced().next, ..held(DAY * 80, HOUR) }, Step::Renew),
        row("due with its CA", held(DAY, HOUR), Step::Renew),
        Row { asked: Some(Rotate::Leaf), ..row("asked for", good(), Step::Renew) },
    ]);
}

#[test]
fn a_ca_takes_over_from_another() {
    let third = (DAY * 90 + HOUR) / 3;
    let due = || held(DAY, HOUR * 20);
    let asked = Some(Rotate::Authority);
    check(vec![
        row("at a third of its life", held(third, HOUR * 20), Step::Announce),
        row("just before", held(third + SignedDuration::from_secs(1), HOUR * 20), Step::Rest),
        Row { trusted: false, ..row("due, bundle not everywhere", due(), Step::Announce) },
        Row { asked, ..row("asked for", good(), Step::Announce) },
        Row { asked, ..row("asked for, with one that retires", switched(), Step::Announce) },
        Row { asked, unchanged: Duration::ZERO, ..row("asked for again before it signs", announced(), Step::Rest) },
        row("next trusted for long enough", announced(), Step::Switch),
        Row { unchanged: Duration::from_secs(59), ..row("next trusted for too short", announced(), Step::Rest) },
        Row { trusted: false, ..row("next not trusted everywhere", announced(), Step::Rest) },
        row("previous after its time", switched(), Step::Retire),
        Row { unchanged: Duration::from_secs(599), ..row("previous before", switched(), Step::Rest) },
        Row { trusted: false, ..row("previous, a configuration not seen", switched(), Step::Rest) },
        row("due again while one retires", Held { previous: switched().previous, ..due() }, Step::Announce),
        row("next while one retires", Held { next: announced().next, ..switched() }, Step::Switch),
    ]);
}

#[test]
fn a_ca_has_ended() {
    let ended = || held(-HOUR, -HOUR);
    let patience = Step::Wait("another replica may still write back what it remembers".to_owned());
    check(vec![
        row("and nobody knows a better one", ended(), Step::Make),
        Row { unchanged: Duration::ZERO, ..row("others may know a better one", ended(), patience) },
        Row { remembered: Some(good()), ..row("an old one, put back by hand", ended(), Step::Restore) },
    ]);
}

#[test]
fn the_key_of_a_ca_is_lost() {
    let due = Held { signing: keyless().signing, ..held(DAY * 80, HOUR) };
    check(vec![
        row("what it has signed holds, and the next CA takes over", keyless(), Step::Announce),
        row("next trusted", Held { next: announced().next, ..keyless() }, Step::Switch),
        Row { remembered: Some(good()), ..row("we remember it", keyless(), Step::Restore) },
        Row { remembered: Some(other()), ..row("we remember another CA's", keyless(), Step::Announce) },
        Row { asked: Some(Rotate::Leaf), ..row("leaf asked for", keyless(), Step::Announce) },
        row("leaf lost too", Held { leaf: None, ..keyless() }, Step::Make),
        row("leaf due: it lasts until the next CA signs", due, Step::Announce),
    ]);
}

#[test]
fn a_clock_is_wrong() {
    let late_leaf = || held(DAY * 80, DAY + HOUR * 2);
    let late_ca = || held(DAY * 91 + HOUR, HOUR * 20);
    let begins = |at: &str| {
        let text = "by the API server's clock: a clock is wrong, or was";
        Step::Wait(format!("the certificate begins only at {at} {text}"))
    };
    check(vec![
        row("leaf not begun", late_leaf(), begins("2026-11-23T11:00:00Z")),
        row("CA not begun", late_ca(), begins("2026-11-24T10:00:00Z")),
        Row { asked: Some(Rotate::Leaf), ..row("leaf not begun, another asked for", late_leaf(), Step::Renew) },
        Row { asked: Some(Rotate::Authority), ..row("CA not begun, another asked for", late_ca(), Step::Announce) },
        Row {
            unchanged: Duration::ZERO,
            ..row(
                "CA not begun, and another that is trusted",
                Held { next: announced().next, ..late_ca() },
                Step::Switch,
            )
        },
        Row {
            trusted: false,
            ..row(
                "CA not begun, and another that is not trusted",
                Held { next: announced().next, ..late_ca() },
                begins("2026-11-24T10:00:00Z"),
            )
        },
        Row { remembered: Some(late_ca()), ..row("CA not begun, and deleted", Held::default(), Step::Make) },
    ]);
}
