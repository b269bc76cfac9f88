//! Quantities and image references as Kubernetes' own libraries read them: tests/golden/ has what they made of thousands of
//! texts, and `just golden` writes it anew.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path};

use podfit::{image::Image, quantity::Quantity};

/// Each text that podfit reads otherwise, with what Go makes of it and what podfit does.
type Differences = BTreeMap<String, (String, String)>;

#[test]
fn quantities_are_read_as_the_api_server_reads_them() {
    let mut amounts = Vec::new();
    let mut differences = Differences::new();
    for (text, go) in rows("quantities.txt") {
        let ours = Quantity::parse(&text);
        match (go.parse::<i128>(), ours) {
            (Ok(nano), Ok(ours)) => {
                assert_eq!(ours.millis(), rounded_up(nano, 1_000_000), "{text:?} in thousandths");
                assert_eq!(ours.units(), rounded_up(nano, 1_000_000_000), "{text:?}");
                assert_eq!(ours.is_positive(), nano > 0, "{text:?}");
                amounts.push((nano, ours, text));
            }
            (Err(_), Err(_)) => {}
            (_, ours) => drop(differences.insert(text, (go, format!("{ours:?}")))),
        }
    }
    // What both accessors round away shows in the order.
    amounts.sort_by_key(|(nano, ..)| *nano);
    for pair in amounts.windows(2) {
        let [(nano, ours, text), (next_nano, next_ours, next_text)] = pair else { unreachable!("two at a time") };
        assert_eq!(ours.cmp(next_ours), nano.cmp(next_nano), "{text:?} beside {next_text:?}");
    }
    // Go takes a text without any digit for zero up to `Ti` and refuses it above. No such limit is one, so podfit takes all
    // of them for zero.
    let known = differences
        .extract_if(.., |text, (go, ours)| go == "refused" && ours == "Ok(Quantity(0))" && has_no_amount(text));
    assert_ne!(known.count(), 0, "a difference that is none any more");
    assert_eq!(differences, Differences::new(), "{differences:#?}");
}

#[test]
fn images_are_read_as_the_kubelet_reads_them() {
    let mut differences = Differences::new();
    for (text, go) in rows("images.txt") {
        let ours = Image::parse(&text).map_or_else(
            |_| "refused".to_owned(),
            |image| {
                let [tag, digest] = [image.tag, image.digest].map(Option::unwrap_or_default);
                format!("{} {tag} {digest}", image.normalised())
            },
        );
        if ours != go {
            differences.insert(text, (go, ours));
        }
    }
    assert_eq!(differences, Differences::new(), "{differences:#?}");
}

fn has_no_amount(text: &str) -> bool {
    text.trim_start_matches(['+', '-', '.']).starts_with(|first: char| first.is_ascii_alphabetic())
}

/// The text of each row, and what Go made of it.
fn rows(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = fs::read_to_string(&path).expect("the rows are checked in");
    let rows: Vec<_> = text
        .lines()
        .map(|row| {
            let (go, text) = row.split_once('\t').expect("a row has two parts");
            (serde_json::from_str(text).expect("a text is JSON"), go.to_owned())
        })
        .collect();
    assert!(rows.len() > 3_000, "{} has {} rows", path.display(), rows.len());
    rows
}

/// In steps of so many billionths; 0 if negative, at most what 64 bits with a sign hold.
fn rounded_up(nano: i128, step: u128) -> u64 {
    let steps = u128::try_from(nano).unwrap_or(0).div_ceil(step);
    i64::try_from(steps).unwrap_or(i64::MAX).unsigned_abs()
}
