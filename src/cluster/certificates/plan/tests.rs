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

fn next() -> Option<Authority> {
    Some(Authority { certificate: "B".to_owned(), key: "key of B".to_owned() })
}

/// The CA, or what is left of it.
fn signing(held: &Held, change: impl FnOnce(&mut Signing)) -> Option<Signing> {
    let mut signing = held.signing.clone();
    if let Some(signing) = signing.as_mut() {
        change(signing);
    }
    signing
}

fn keyless() -> Held {
    Held { signing: signing(&good(), |signing| signing.key = None), ..good() }
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

fn waits(text: &str) -> Step {
    Step::Wait(text.to_owned())
}

#[test]
fn every_transition() {
    let periods = Periods::default();
    let announced = || Held { next: next(), ..good() };
    let switched = || Held { previous: Some("Z".to_owned()), ..good() };
    let empty = Held::default;
    let patience = || waits("another replica may still write back what it remembers");
    let begins = |at: &str| {
        waits(&format!(
            "the certificate begins only at {at}: the clock of this node is wrong, or was where it was made"
        ))
    };
    for Row { name, held, asked, remembered, trusted, bundled, unchanged, step } in [
        row("all good", good(), Step::Rest),
        Row { trusted: false, ..row("all good, a bundle removed: the leaf is none the worse", good(), Step::Rest) },
        // Nothing held
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
        // The leaf
        row("leaf at a third of its life", held(DAY * 80, HOUR * 25 / 3), Step::Renew),
        row("leaf just before", held(DAY * 80, HOUR * 25 / 3 + SignedDuration::from_secs(1)), Step::Rest),
        row("leaf ended: a clock has jumped, or nobody has served", held(DAY * 80, -HOUR), Step::Renew),
        row("leaf ends now", held(DAY * 80, SignedDuration::ZERO), Step::Renew),
        row("leaf missing, half-written or another's", Held { leaf: None, ..good() }, Step::Renew),
        Row { trusted: false, ..row("leaf due, and no configuration holds our CA", held(DAY * 80, HOUR), Step::Renew) },
        row("leaf due between two CAs", Held { next: next(), ..held(DAY * 80, HOUR) }, Step::Renew),
        Row { asked: Some(Rotate::Leaf), ..row("leaf asked for", good(), Step::Renew) },
        // The CA
        row("CA at a third of its life", held((DAY * 90 + HOUR) / 3, HOUR * 20), Step::Announce),
        row("CA just before", held((DAY * 90 + HOUR) / 3 + SignedDuration::from_secs(1), HOUR * 20), Step::Rest),
        row("CA due, leaf due too", held(DAY, HOUR), Step::Renew),
        Row { trusted: false, ..row("CA due, bundle not everywhere", held(DAY, HOUR * 20), Step::Announce) },
        Row { asked: Some(Rotate::Authority), ..row("CA asked for", good(), Step::Announce) },
        Row {
            asked: Some(Rotate::Authority),
            ..row("CA asked for, with one that retires", switched(), Step::Announce)
        },
        Row {
            asked: Some(Rotate::Authority),
            unchanged: Duration::ZERO,
            ..row("CA asked for again before it signs", announced(), Step::Rest)
        },
        row("next CA trusted for long enough", announced(), Step::Switch),
        Row { unchanged: Duration::from_secs(59), ..row("next CA trusted for too short", announced(), Step::Rest) },
        Row { trusted: false, ..row("next CA not trusted everywhere", announced(), Step::Rest) },
        row("previous CA after its time", switched(), Step::Retire),
        Row { unchanged: Duration::from_secs(599), ..row("previous CA before", switched(), Step::Rest) },
        Row { trusted: false, ..row("previous CA, a configuration not seen", switched(), Step::Rest) },
        row(
            "CA due again while one retires",
            Held { previous: switched().previous, ..held(DAY, HOUR * 20) },
            Step::Announce,
        ),
        row("next CA while one retires", Held { next: next(), ..switched() }, Step::Switch),
        Row { bundled: false, ..row("CA ended", held(-HOUR, -HOUR), Step::Make) },
        Row {
            unchanged: Duration::ZERO,
            ..row("CA ended, others may know a better one", held(-HOUR, -HOUR), patience())
        },
        Row {
            remembered: Some(good()),
            ..row("CA ended, replaced by hand with an old one", held(-HOUR, -HOUR), Step::Restore)
        },
        // Its key
        row("key of the CA lost: what it has signed holds, and the next CA takes over", keyless(), Step::Announce),
        row("key lost, next CA trusted", Held { next: next(), ..keyless() }, Step::Switch),
        Row { remembered: Some(good()), ..row("key lost, and we remember it", keyless(), Step::Restore) },
        Row {
            remembered: Some(Held {
                signing: signing(&good(), |signing| signing.certificate = "Y".to_owned()),
                ..good()
            }),
            ..row("key lost, and we remember another CA's", keyless(), Step::Announce)
        },
        Row { asked: Some(Rotate::Leaf), ..row("key lost, leaf asked for", keyless(), Step::Announce) },
        row("key lost, leaf lost", Held { leaf: None, ..keyless() }, Step::Make),
        row(
            "key lost, leaf due: it lasts until the next CA signs",
            Held { signing: keyless().signing, ..held(DAY * 80, HOUR) },
            Step::Announce,
        ),
        // The clock
        row(
            "leaf not begun: our clock has gone back, or another's was ahead",
            held(DAY * 80, DAY + HOUR * 2),
            begins("2026-11-23T11:00:00Z"),
        ),
        row("CA not begun", held(DAY * 91 + HOUR, HOUR * 20), begins("2026-11-24T10:00:00Z")),
        Row {
            asked: Some(Rotate::Leaf),
            ..row("leaf not begun, asked for", held(DAY * 80, DAY + HOUR * 2), Step::Renew)
        },
        Row {
            asked: Some(Rotate::Authority),
            ..row("CA not begun, asked for", held(DAY * 91 + HOUR, HOUR * 20), Step::Announce)
        },
    ] {
        let remembered = remembered.as_ref();
        let seen = Seen { held: &held, asked, remembered, trusted, bundled, unchanged };
        assert_eq!(plan(now(), &seen, &periods), step, "{name}");
    }
}
