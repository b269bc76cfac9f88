//! Kubernetes quantities (`500m`, `1.5Gi`, `1e3`), whole grammar. Used for limits and requests, in policies and in Pods.
//! Integers only, one pass, no allocation: a limit of `1E999999` passes the API's validation and reaches every webhook.

/// An amount in billionths of its unit (cores or bytes), saturating. Finer amounts are rounded up, as Kubernetes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i128);

/// What is wrong with the text of a quantity, and what to write instead. Never echoes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("no amount; write one such as 500m or 256Mi")]
    Empty,
    #[error("white space is not allowed")]
    WhiteSpace,
    #[error("not a number; write an amount such as 500m or 256Mi")]
    NotANumber,
    #[error("two decimal points")]
    TwoPoints,
    #[error("`,` or `_` in the number; write digits and at most one decimal point")]
    Separator,
    #[error("a hexadecimal number; write a decimal one")]
    Hexadecimal,
    #[error("the exponent is not a whole number; write it as in 1e3")]
    BadExponent,
    #[error("the exponent is out of range")]
    ExponentOutOfRange,
    /// A suffix whose meaning is plain; holds how to write it.
    #[error("no such suffix; write {0}")]
    MisspeltSuffix(&'static str),
    #[error("no such suffix; write one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or none")]
    UnknownSuffix,
}

const NANO_DIGITS: i64 = 9;
const NANO_PER_MILLI: u64 = 1_000_000;
const NANO_PER_UNIT: u64 = 1_000_000_000;

/// All that fit.
const POWERS_OF_TEN: [u128; 39] = {
    let mut powers = [1; 39];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// Kubernetes caps amounts with a binary suffix, and only those, at 2^63 - 1 units.
const BINARY_CAP: i128 = i64::MAX as i128 * NANO_PER_UNIT as i128;

impl Quantity {
    pub const ZERO: Self = Self(0);

    /// From thousandths of the unit.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis as i128 * NANO_PER_MILLI as i128)
    }

    /// From whole units: cores or bytes.
    pub const fn from_units(units: u64) -> Self {
        Self(units as i128 * NANO_PER_UNIT as i128)
    }

    /// Reads what the API server accepts, to the same value. A text without any digit (`Mi`, `m`, `+`) is zero there, and
    /// so it is here; only here `Pi`, `Ei` and `e-10` are too.
    ///
    /// # Errors
    /// The text is no quantity; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        if let Some(nano) = usual(text) {
            return Ok(Self(nano));
        }
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        let number = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (digits, suffix) = Digits::read(number);
        let nano = match Scale::read(suffix) {
            Some(Scale::Decimal(exponent)) => digits.nano(exponent),
            Some(Scale::Binary(power)) => digits.times_1024(power).nano(0).min(BINARY_CAP),
            None => return Err(mistake(number, suffix)),
        };
        Ok(Self(if text.starts_with('-') { -nano } else { nano }))
    }

    /// False for zero too, which means "no limit" to the kubelet.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Thousandths of the unit, rounded up; 0 if negative, at most `i64::MAX`.
    pub fn millis(self) -> u64 {
        self.rounded_up_to(NANO_PER_MILLI)
    }

    /// Whole units (cores or bytes), rounded up; 0 if negative, at most `i64::MAX`.
    pub fn units(self) -> u64 {
        self.rounded_up_to(NANO_PER_UNIT)
    }

    fn rounded_up_to(self, nano: u64) -> u64 {
        let amount = self.0.max(0).unsigned_abs();
        // Most amounts fit 64 bits, and a division of 128 takes a call.
        if let Ok(amount) = u64::try_from(amount) {
            return amount.div_ceil(nano);
        }
        i64::try_from(amount.div_ceil(nano.into())).unwrap_or(i64::MAX).unsigned_abs()
    }
}

/// What nearly all people write, a few digits and a usual suffix, in billionths. Every object has many of them, and the
/// arithmetic for all others takes more than twice as long.
fn usual(text: &str) -> Option<i128> {
    // So that no product is near any bound.
    const MOST_DIGITS: usize = 9;
    let (digits, suffix) = split_digits(text);
    let factor: u64 = match suffix.as_bytes() {
        b"m" => NANO_PER_MILLI,
        b"" => NANO_PER_UNIT,
        b"Ki" => NANO_PER_UNIT << 10,
        b"Mi" => NANO_PER_UNIT << 20,
        b"Gi" => NANO_PER_UNIT << 30,
        _ => return None,
    };
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let number = digits.bytes().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    Some(i128::from(number) * i128::from(factor))
}

/// The number `value` × 10^`power`, and something below its last digit if `more`.
#[derive(Debug, Clone, Copy)]
struct Digits {
    value: u128,
    power: i64,
    more: bool,
}

impl Digits {
    /// Above this, one digit more need not fit, and is dropped. In billionths, such a value with a digit more saturates:
    /// so the dropped digits only ever decide the rounding.
    const FULL: u128 = (u128::MAX - 9) / 10;

    /// Reads `12`, `1.5`, `5.`, `.5` or nothing; answers the rest of the text too.
    fn read(text: &str) -> (Self, &str) {
        let mut digits = Self { value: 0, power: 0, more: false };
        let (whole, rest) = split_digits(text);
        for digit in whole.bytes() {
            digits.power += i64::from(!digits.push(digit - b'0'));
        }
        let Some(after_point) = rest.strip_prefix('.') else { return (digits, rest) };
        let (fraction, rest) = split_digits(after_point);
        for digit in fraction.bytes() {
            digits.power -= i64::from(digits.push(digit - b'0'));
        }
        (digits, rest)
    }

    /// Whether there was room for the digit.
    fn push(&mut self, digit: u8) -> bool {
        let fits = self.value <= Self::FULL;
        if fits {
            self.value = self.value * 10 + u128::from(digit);
        } else {
            self.more |= digit != 0;
        }
        fits
    }

    /// Exact up to 34 digits; beyond them the error is far below a billionth of the unit, and up.
    fn times_1024(mut self, times: u32) -> Self {
        for _ in 0..times {
            if self.value > u128::MAX / 1024 {
                self.more |= !self.value.is_multiple_of(10_000);
                self.value /= 10_000;
                self.power += 4;
            }
            self.value *= 1024;
        }
        self
    }

    /// The number × 10^`exponent` in billionths, rounded up, saturating.
    fn nano(self, exponent: i32) -> i128 {
        if self.value == 0 {
            return 0;
        }
        let power = self.power + i64::from(exponent) + NANO_DIGITS;
        let factor = usize::try_from(power.unsigned_abs()).ok().and_then(|power| POWERS_OF_TEN.get(power).copied());
        let (quotient, more) = match factor {
            Some(factor) if power >= 0 => (self.value.saturating_mul(factor), self.more),
            Some(divisor) => (self.value / divisor, self.more || !self.value.is_multiple_of(divisor)),
            None if power >= 0 => (u128::MAX, false),
            None => (0, true),
        };
        i128::try_from(quotient.saturating_add(u128::from(more))).unwrap_or(i128::MAX)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// What a suffix multiplies by: a power of 10, or a power of 1024.
enum Scale {
    Decimal(i32),
    Binary(u32),
}

impl Scale {
    fn read(suffix: &str) -> Option<Self> {
        Some(match suffix.as_bytes() {
            b"n" => Self::Decimal(-9),
            b"u" => Self::Decimal(-6),
            b"m" => Self::Decimal(-3),
            b"" => Self::Decimal(0),
            b"k" => Self::Decimal(3),
            b"M" => Self::Decimal(6),
            b"G" => Self::Decimal(9),
            b"T" => Self::Decimal(12),
            b"P" => Self::Decimal(15),
            b"E" => Self::Decimal(18),
            b"Ki" => Self::Binary(1),
            b"Mi" => Self::Binary(2),
            b"Gi" => Self::Binary(3),
            b"Ti" => Self::Binary(4),
            b"Pi" => Self::Binary(5),
            b"Ei" => Self::Binary(6),
            _ => Self::Decimal(read_exponent(suffix)?),
        })
    }
}

/// Kubernetes reads 64 bits and keeps the lower 32: to the kubelet `1e4294967296` is 1, and so it is here.
#[expect(clippy::cast_possible_truncation)]
fn read_exponent(suffix: &str) -> Option<i32> {
    suffix.strip_prefix(['e', 'E'])?.parse::<i64>().ok().map(|exponent| exponent as i32)
}

/// `suffix` is the part of `number` that could not be read.
#[cold]
fn mistake(number: &str, suffix: &str) -> QuantityError {
    let read = &number[..number.len() - suffix.len()];
    let has_digit = |text: &str| text.contains(|character: char| character.is_ascii_digit());
    if suffix.contains(char::is_whitespace) {
        QuantityError::WhiteSpace
    } else if suffix.contains([',', '_']) && has_digit(number) {
        QuantityError::Separator
    } else if suffix.starts_with('.') {
        QuantityError::TwoPoints
    } else if !has_digit(read) {
        QuantityError::NotANumber
    } else if suffix.starts_with(['x', 'X']) {
        QuantityError::Hexadecimal
    } else {
        mistake_in_exponent(suffix).unwrap_or_else(|| mistake_in_suffix(suffix))
    }
}

fn mistake_in_exponent(suffix: &str) -> Option<QuantityError> {
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let whole = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    match split_digits(whole) {
        (digits, "") if !digits.is_empty() => Some(QuantityError::ExponentOutOfRange),
        (_, rest) if rest.starts_with(|character: char| character.is_alphabetic()) => None,
        _ => Some(QuantityError::BadExponent),
    }
}

fn mistake_in_suffix(suffix: &str) -> QuantityError {
    const WELL_MEANT: [(&str, &str); 20] = [
        ("k", "k (1000) or Ki (1024)"),
        ("m", "M or Mi"),
        ("g", "G or Gi"),
        ("t", "T or Ti"),
        ("p", "P or Pi"),
        ("e", "E or Ei"),
        ("ki", "Ki"),
        ("mi", "Mi"),
        ("gi", "Gi"),
        ("ti", "Ti"),
        ("pi", "Pi"),
        ("ei", "Ei"),
        ("", "none for bytes"),
        ("byte", "none for bytes"),
        ("bytes", "none for bytes"),
        ("core", "none for cores"),
        ("cores", "none for cores"),
        ("cpu", "none for cores"),
        ("cpus", "none for cores"),
        ("vcpu", "none for cores"),
    ];
    let unit = suffix.strip_suffix(['b', 'B']).unwrap_or(suffix);
    let well_meant = WELL_MEANT.iter().find(|(meant, _)| meant.eq_ignore_ascii_case(unit));
    well_meant.map_or(QuantityError::UnknownSuffix, |(_, right)| QuantityError::MisspeltSuffix(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: i128 = 9_223_372_036_854_775_807_000_000_000;

    #[test]
    fn every_form_of_the_grammar_has_its_value_in_billionths() {
        let rows: &[(&str, i128)] = &[
            ("0", 0),
            ("5", 5_000_000_000),
            ("1.5", 1_500_000_000),
            ("0.5", 500_000_000),
            (".5", 500_000_000),
            ("00.50", 500_000_000),
            ("5.", 5_000_000_000),
            ("+1", 1_000_000_000),
            ("-1", -1_000_000_000),
            ("-0", 0),
            ("0m", 0),
            ("1000m", 1_000_000_000),
            ("500m", 500_000_000),
            ("128m", 128_000_000),
            ("100u", 100_000),
            ("0.1m", 100_000),
            ("1n", 1),
            ("0.1n", 1),
            ("-0.1n", -1),
            ("1.0000000001", 1_000_000_001),
            ("1k", 1_000_000_000_000),
            ("1M", 1_000_000_000_000_000),
            ("1G", 1_000_000_000_000_000_000),
            ("1T", 1_000_000_000_000_000_000_000),
            ("1P", 1_000_000_000_000_000_000_000_000),
            ("1E", 1_000_000_000_000_000_000_000_000_000),
            ("10E", 10_000_000_000_000_000_000_000_000_000),
            ("1.5Gi", 1_610_612_736_000_000_000),
            ("0.5Gi", 536_870_912_000_000_000),
            ("1Ki", 1_024_000_000_000),
            ("1000Ki", 1_024_000_000_000_000),
            ("1024Ki", 1_048_576_000_000_000),
            ("256Mi", 268_435_456_000_000_000),
            ("1Ti", 1_099_511_627_776_000_000_000),
            ("1Pi", 1_125_899_906_842_624_000_000_000),
            ("1Ei", 1_152_921_504_606_846_976_000_000_000),
            ("0.1Ki", 102_400_000_000),
            ("0.00000000001Ki", 11),
            ("7.9999999999999999999999999999999999999999Ei", CAP),
            ("1.0000000000000000000000000000000000000001Ei", 1_152_921_504_606_846_976_000_000_001),
            ("0.0000000000000000000000000000000000000000000000000001Ei", 1),
            ("1e3", 1_000_000_000_000),
            ("1E3", 1_000_000_000_000),
            ("1e+3", 1_000_000_000_000),
            ("1E-2", 10_000_000),
            ("1e-40", 1),
            ("-1e-40", -1),
            ("0e-40", 0),
            ("0E999999", 0),
        ];
        for &(text, nano) in rows {
            assert_eq!(Quantity::parse(text), Ok(Quantity(nano)), "{text}");
        }
    }

    #[test]
    fn a_text_without_any_digit_is_zero() {
        for text in ["Mi", "m", "+", "-", ".", "-.", "+k", ".Gi", "E", "e3"] {
            assert_eq!(Quantity::parse(text), Ok(Quantity::ZERO), "{text}");
        }
    }

    #[test]
    fn amounts_saturate_without_unbounded_work() {
        let million_nines = "9".repeat(1_000_000);
        let million_zeros = "0".repeat(1_000_000);
        let rows = [
            ("cap of binary suffixes", "8Ei".to_owned(), CAP),
            ("cap, 9", "9Ei".to_owned(), CAP),
            ("cap, long", "9223372036854775808Ki".to_owned(), CAP),
            ("cap, negative", "-8Ei".to_owned(), -CAP),
            ("cap, long number", format!("{million_nines}Ki"), CAP),
            ("large exponent", "1e40".to_owned(), i128::MAX),
            ("larger", "1E999999".to_owned(), i128::MAX),
            ("negative", "-1E999999".to_owned(), -i128::MAX),
            ("lower 32 bits are 1215752191", "1E99999999999".to_owned(), i128::MAX),
            ("lower 32 bits are 0", "1e4294967296".to_owned(), 1_000_000_000),
            ("lower 32 bits are -1", "1e4294967295".to_owned(), 100_000_000),
            ("many digits", million_nines.clone(), i128::MAX),
            ("many digits, moved back", format!("{million_nines}e-1000000"), 1_000_000_000),
            ("many digits after the point", format!("1.{million_nines}"), 2_000_000_000),
            ("many zeros before", format!("{million_zeros}1"), 1_000_000_000),
            ("many zeros after the point", format!("0.{million_zeros}1"), 1),
            ("many zeros after the point, moved back", format!("0.{million_zeros}1e1000001"), 1_000_000_000),
            ("largest that is exact", "170141183460469231731687303715884105727n".to_owned(), i128::MAX),
            ("one less", "170141183460469231731687303715884105726n".to_owned(), i128::MAX - 1),
        ];
        for (name, text, nano) in rows {
            assert_eq!(Quantity::parse(&text), Ok(Quantity(nano)), "{name}");
        }
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        use QuantityError as E;
        let rows = [
            ("", E::Empty),
            (" ", E::WhiteSpace),
            (" 1", E::WhiteSpace),
            ("1 ", E::WhiteSpace),
            ("1 Gi", E::WhiteSpace),
            ("1\u{a0}Gi", E::WhiteSpace),
            ("1,5", E::Separator),
            ("1_000", E::Separator),
            ("1.2.3", E::TwoPoints),
            ("..", E::TwoPoints),
            ("0x10", E::Hexadecimal),
            ("unlimited", E::NotANumber),
            ("+-1", E::NotANumber),
            ("\u{661}", E::NotANumber),
            ("1e", E::BadExponent),
            ("1e+", E::BadExponent),
            ("1e3.5", E::BadExponent),
            ("1e9223372036854775808", E::ExponentOutOfRange),
            ("1e-9223372036854775809", E::ExponentOutOfRange),
            ("1K", E::MisspeltSuffix("k (1000) or Ki (1024)")),
            ("1KB", E::MisspeltSuffix("k (1000) or Ki (1024)")),
            ("1ki", E::MisspeltSuffix("Ki")),
            ("1mi", E::MisspeltSuffix("Mi")),
            ("1g", E::MisspeltSuffix("G or Gi")),
            ("1MB", E::MisspeltSuffix("M or Mi")),
            ("1GB", E::MisspeltSuffix("G or Gi")),
            ("1GiB", E::MisspeltSuffix("Gi")),
            ("1EB", E::MisspeltSuffix("E or Ei")),
            ("1ei", E::MisspeltSuffix("Ei")),
            ("10B", E::MisspeltSuffix("none for bytes")),
            ("2cores", E::MisspeltSuffix("none for cores")),
            ("1Mii", E::UnknownSuffix),
            ("1Mi5", E::UnknownSuffix),
            ("1kk", E::UnknownSuffix),
            ("1+5", E::UnknownSuffix),
            ("50%", E::UnknownSuffix),
        ];
        for (text, error) in rows {
            assert_eq!(Quantity::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(E::MisspeltSuffix("Gi").to_string(), "no such suffix; write Gi");
    }

    #[test]
    fn millis_and_units_are_rounded_up_and_bounded() {
        const MAX: u64 = i64::MAX.unsigned_abs();
        let rows = [
            ("0", 0, 0),
            ("-1", 0, 0),
            ("1n", 1, 1),
            ("0.1m", 1, 1),
            ("128m", 128, 1),
            ("500m", 500, 1),
            ("1500m", 1500, 2),
            ("2.5", 2500, 3),
            ("1", 1000, 1),
            ("1.0001", 1001, 2),
            ("128Mi", 134_217_728_000, 134_217_728),
            ("8Ei", MAX, MAX),
            ("10E", MAX, MAX),
            ("1E999999", MAX, MAX),
            ("-1E999999", 0, 0),
        ];
        for (text, millis, units) in rows {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!((quantity.millis(), quantity.units()), (millis, units), "{text}");
        }
    }

    /// The kubelet's arithmetic of a `resourceFieldRef`: the ceiling of limit / divisor.
    #[test]
    fn quantities_divide_as_the_kubelet_divides_them() {
        let rows = [
            ("500m", "1", 1),
            ("1500m", "1", 2),
            ("1", "1m", 1000),
            ("2500m", "1m", 2500),
            ("100M", "1Mi", 96),
            ("128Mi", "1Mi", 128),
            ("1.5Gi", "1Gi", 2),
            ("128m", "1", 1),
        ];
        for (limit, divisor, expected) in rows {
            let [limit, divisor] = [limit, divisor].map(|text| Quantity::parse(text).unwrap());
            let value = match divisor.millis() {
                1 => limit.millis(),
                _ => limit.units().div_ceil(divisor.units()),
            };
            assert_eq!(value, expected, "{limit:?} / {divisor:?}");
        }
    }

    #[test]
    fn numbers_become_quantities() {
        assert_eq!(Quantity::from_millis(1500), Quantity::parse("1.5").unwrap());
        assert_eq!(Quantity::from_units(1 << 30), Quantity::parse("1Gi").unwrap());
        assert_eq!(Quantity::from_millis(u64::MAX).units(), 18_446_744_073_709_552);
        assert_eq!(Quantity::from_units(u64::MAX).units(), i64::MAX.unsigned_abs());
        assert_eq!(Quantity::default(), Quantity::ZERO);
        assert!(!Quantity::ZERO.is_positive() && Quantity(1).is_positive() && !Quantity(-1).is_positive());
    }

    const SUFFIXES: [(&str, i128); 16] = [
        ("n", 1),
        ("u", 1_000),
        ("m", 1_000_000),
        ("", 1_000_000_000),
        ("k", 1_000_000_000_000),
        ("M", 1_000_000_000_000_000),
        ("G", 1_000_000_000_000_000_000),
        ("T", 1_000_000_000_000_000_000_000),
        ("P", 1_000_000_000_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000_000_000_000),
        ("Ki", 1_000_000_000 << 10),
        ("Mi", 1_000_000_000 << 20),
        ("Gi", 1_000_000_000 << 30),
        ("Ti", 1_000_000_000 << 40),
        ("Pi", 1_000_000_000 << 50),
        ("Ei", 1_000_000_000 << 60),
    ];

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Quantity::parse(&text);
        }

        #[test]
        fn no_text_that_resembles_a_quantity_panics(text in "[+-]?[0-9]{0,45}[.]?[0-9]{0,60}([KMGTPE]i?|[numk]|[eE][+-]?[0-9]{0,22})?") {
            let _ = Quantity::parse(&text);
        }

        #[test]
        fn whole_numbers_keep_their_value_under_every_suffix(number in -1_000_000_i64..1_000_000, (suffix, nano) in prop::sample::select(&SUFFIXES[..])) {
            let exact = i128::from(number) * nano;
            let expected = if suffix.ends_with('i') { exact.clamp(-CAP, CAP) } else { exact };
            prop_assert_eq!(Quantity::parse(&format!("{number}{suffix}")), Ok(Quantity(expected)));
            prop_assert_eq!(Quantity::parse(&format!("{number}.0{suffix}")), Ok(Quantity(expected)));
        }

        #[test]
        fn decimals_are_ordered_by_value(left in any::<u64>(), right in any::<u64>(), places in 0_usize..12) {
            let write = |number: u64| {
                let digits = format!("{number:020}");
                Quantity::parse(&format!("{}.{}", &digits[..20 - places], &digits[20 - places..])).unwrap()
            };
            prop_assert!((write(left) <= write(right)) || left > right);
            prop_assert!(places > 9 || write(left).cmp(&write(right)) == left.cmp(&right));
        }
    }
}
