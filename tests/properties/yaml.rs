//! A tree as block YAML, written apart from podfit's own writer so that it can witness against it.

use std::fmt::Write as _;

use serde_json::Value;

pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

/// What stands behind a `key:` or a `-`, or at the root.
fn write(value: &Value, indent: usize, out: &mut String) {
    let newline = |out: &mut String| {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&" ".repeat(indent));
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                newline(out);
                write!(out, "{}:", scalar(&Value::from(key.as_str()))).unwrap();
                write(member, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                newline(out);
                out.push('-');
                write(item, indent + 2, out);
            }
        }
        plain => {
            out.push(' ');
            out.push_str(&scalar(plain));
        }
    }
}

/// JSON, whose double-quoted texts mean the same in YAML; plain words go without quotes, as people write them.
fn scalar(value: &Value) -> String {
    let is_plain = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./-_".contains(&byte))
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str())
    };
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        // A line separator is a line break to YAML 1.1 readers, so it is escaped.
        Value::String(_) => value.to_string().replace('\u{2028}', "\\u2028").replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}
