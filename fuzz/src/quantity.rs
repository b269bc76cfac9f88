//! Quantities, against a second reading of their grammar that knows fractions only.

use podfit::quantity::Quantity;

const MOST: u64 = i64::MAX.unsigned_abs();

/// # Panics
/// Where the two readings differ, or one amount has two values.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let ours = Quantity::parse(text);
    let theirs = split(text);
    assert_eq!(ours.is_ok(), theirs.is_some(), "{text:?}: {ours:?}");
    let (Ok(ours), Some(parts)) = (ours, theirs) else { return };
    assert_eq!(ours.is_positive(), ours.units() > 0, "{text:?}");
    assert!(ours.millis() == MOST || ours.units() == ours.millis().div_ceil(1_000), "{text:?}");
    if let Some((numerator, denominator)) = fraction(&parts) {
        let thousandths = numerator * 1_000;
        assert_eq!(u128::from(ours.millis()), thousandths.div_ceil(denominator), "{text:?} in thousandths");
        assert_eq!(u128::from(ours.units()), numerator.div_ceil(denominator), "{text:?}");
    }
}

struct Parts<'t> {
    is_negative: bool,
    whole: &'t str,
    fraction: &'t str,
    scale: Scale,
}

enum Scale {
    Ten(i64),
    Two(u32),
}

fn split(text: &str) -> Option<Parts<'_>> {
    if text.is_empty() {
        return None;
    }
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (digits, suffix) =
        number.split_at(number.find(|mark: char| !mark.is_ascii_digit() && mark != '.').unwrap_or(number.len()));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = scale(suffix)?;
    (!fraction.contains('.')).then_some(Parts { is_negative: text.starts_with('-'), whole, fraction, scale })
}

fn scale(suffix: &str) -> Option<Scale> {
    let of_letter = |letters: &str, letter: &str| letters.find(letter);
    if let Some(letter) = suffix.strip_suffix('i') {
        let power = of_letter("KMGTPE", letter).filter(|_| letter.len() == 1)?;
        return Some(Scale::Two(10 * (u32::try_from(power).ok()? + 1)));
    }
    if suffix.is_empty() {
        return Some(Scale::Ten(0));
    }
    if let (1, Some(power)) = (suffix.len(), of_letter("num_kMGTPE", suffix).filter(|_| suffix != "_")) {
        return Some(Scale::Ten(3 * (i64::try_from(power).ok()? - 3)));
    }
    let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    // As the API server does.
    #[expect(clippy::cast_possible_truncation)]
    Some(Scale::Ten(i64::from(exponent as i32)))
}

/// The amount, where numerator and denominator are small enough to compute with, and nothing saturates.
fn fraction(parts: &Parts<'_>) -> Option<(u128, u128)> {
    let digits = format!("0{}{}", parts.whole, parts.fraction);
    if digits.len() > 16 || parts.is_negative {
        return parts.is_negative.then_some((0, 1));
    }
    let number: u128 = digits.parse().expect("digits are a number");
    let denominator = 10_u128.pow(u32::try_from(parts.fraction.len()).ok()?);
    let (numerator, denominator) = match parts.scale {
        Scale::Ten(power @ 0..=18) => (number * 10_u128.pow(u32::try_from(power).ok()?), denominator),
        Scale::Ten(power @ -9..0) => (number, denominator * 10_u128.pow(u32::try_from(-power).ok()?)),
        Scale::Two(power) if digits.len() < 6 || power < 30 => (number << power, denominator),
        _ => return None,
    };
    (numerator.div_ceil(denominator) < (MOST / 1_000).into()).then_some((numerator, denominator))
}
