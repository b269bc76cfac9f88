//! What a scalar means to kubectl. It reads YAML with sigs.k8s.io/yaml, a fork of go-yaml v2: YAML 1.1 booleans (`yes`,
//! `on`, `n`), octal `0644`, underscores in numbers; dates stay texts.

use crate::node::Value;

/// The value of a plain scalar. Refuses `.inf` and `.nan`: JSON cannot say them, and kubectl refuses them too.
pub(super) fn resolve(text: &str) -> Result<Value, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err("a number that JSON cannot hold; quote it if it is a text"),
        _ => number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    })
}

/// The value of a scalar under a tag of YAML's own (`!!str`, `!!int`, ...); any other tag makes a text.
pub(super) fn resolve_tagged(tag: Option<&str>, text: &str) -> Result<Value, &'static str> {
    let fits = |value: &Value| match tag {
        Some("null") => *value == Value::Null,
        Some("bool") => matches!(value, Value::Bool(_)),
        Some("int") => matches!(value, Value::Number(number) if !number.contains(['.', 'e', 'E'])),
        _ => matches!(value, Value::Number(_)),
    };
    match tag {
        Some("null" | "bool" | "int" | "float") => {
            resolve(text).ok().filter(fits).ok_or("a value that its tag does not allow")
        }
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// Whether a text may stand without quotes: every reader, of YAML 1.1 or 1.2, must see the same text.
pub(super) fn is_plain(text: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_./$()+=@%:,;<>~^ ".contains(character);
    let opening = |character: char| character.is_ascii_alphanumeric() || "_./$()+".contains(character);
    text.starts_with(opening)
        && text.chars().all(allowed)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !looks_numeric(text)
        && matches!(resolve(text), Ok(Value::Text(_)))
}

/// Also what only other readers take for a number or a date: `1:20` (sixty to the base), `2001-01-01`.
fn looks_numeric(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        && text.chars().all(|character| character.is_ascii_hexdigit() || "_:.+-xXoOtTzZ ".contains(character))
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<String> {
    match text.as_bytes().first()? {
        b'0'..=b'9' | b'+' | b'-' => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| float(&digits))
        }
        b'.' => float(text),
        _ => None,
    }
}

fn integer(text: &str) -> Option<String> {
    let (sign, digits) = split_sign(text);
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let value = digits.starts_with(|first: char| first.is_digit(radix)).then(|| u128::from_str_radix(digits, radix))?;
    match value.ok()? {
        0 => Some("0".to_owned()),
        value => Some(format!("{sign}{value}")),
    }
}

/// `[-+]? (\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)?`, and finite.
fn float(text: &str) -> Option<String> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let (sign, unsigned) = split_sign(text);
    let exponent_at = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let (mantissa, exponent) = unsigned.split_at(exponent_at);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        significant => significant,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}{exponent}"))
}

fn split_sign(text: &str) -> (&'static str, &str) {
    match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        let number = |text: &str| Value::Number(text.to_owned());
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = [
            ("", Value::Null),
            ("~", Value::Null),
            ("Null", Value::Null),
            ("nULL", text("nULL")),
            ("true", Value::Bool(true)),
            ("yes", Value::Bool(true)),
            ("y", Value::Bool(true)),
            ("On", Value::Bool(true)),
            ("oN", text("oN")),
            ("off", Value::Bool(false)),
            ("NO", Value::Bool(false)),
            ("0", number("0")),
            ("-0", number("0")),
            ("12", number("12")),
            ("+12", number("12")),
            ("-12", number("-12")),
            ("0o17", number("15")),
            ("0644", number("420")),
            ("-0644", number("-420")),
            ("0x1f", number("31")),
            ("0b101", number("5")),
            ("1_000", number("1000")),
            ("_1", text("_1")),
            ("08", number("8")),
            ("0x", text("0x")),
            ("0x+1", text("0x+1")),
            ("18446744073709551615", number("18446744073709551615")),
            ("1.50", number("1.50")),
            ("1.", number("1")),
            (".5", number("0.5")),
            ("-.5", number("-0.5")),
            ("007.5", number("7.5")),
            ("1e3", number("1e3")),
            ("1E+3", number("1E+3")),
            ("1e400", text("1e400")),
            ("+inf", text("+inf")),
            ("infinity", text("infinity")),
            ("-", text("-")),
            (".", text(".")),
            ("1e", text("1e")),
            ("1.2.3", text("1.2.3")),
            ("500m", text("500m")),
            ("2001-01-01", text("2001-01-01")),
            ("1:20", text("1:20")),
        ];
        for (input, expected) in rows {
            assert_eq!(resolve(input), Ok(expected), "{input}");
        }
        assert!(resolve(".inf").is_err());
        assert!(resolve("-.INF").is_err());
        assert!(resolve(".nan").is_err());
    }

    #[test]
    fn tags_decide() {
        let rows = [
            (Some("str"), "1", Some(Value::Text("1".into()))),
            (Some("int"), "1", Some(Value::Number("1".into()))),
            (Some("int"), "1.5", None),
            (Some("float"), "1", Some(Value::Number("1".into()))),
            (Some("bool"), "yes", Some(Value::Bool(true))),
            (Some("bool"), "1", None),
            (Some("null"), "", Some(Value::Null)),
            (None, "1", Some(Value::Text("1".into()))),
        ];
        for (tag, input, expected) in rows {
            assert_eq!(resolve_tagged(tag, input).ok(), expected, "{tag:?} {input}");
        }
    }

    #[test]
    fn only_texts_that_nobody_misreads_stand_without_quotes() {
        let plain = ["app", "500m", "128Mi", "/readyz", "$(POD_NAME)", "a:b", "podfit.dev/injected", "1.2.3-rc", "a b"];
        let quoted = [
            "",
            " a",
            "a ",
            "2",
            "1.5",
            "0644",
            "1:20",
            "2001-01-01",
            "1e3",
            "yes",
            "n",
            "null",
            "~",
            "a: b",
            "a:",
            "a #b",
            "-x",
            "*x",
            "&x",
            "{}",
            "[a",
            "'a",
            "\"a",
            "!a",
            "%a",
            "@a",
            "a\nb",
            "ä",
            "=",
            "<<",
            "?",
            "0o17",
        ];
        for text in plain {
            assert!(is_plain(text), "{text}");
        }
        for text in quoted {
            assert!(!is_plain(text), "{text}");
        }
    }
}
