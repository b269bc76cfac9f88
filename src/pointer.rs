//! JSON Pointers (RFC 6901): written from tokens so that escaping is never by hand, and read back for look-ups in a manifest.

use std::{borrow::Cow, fmt::Write as _};

use crate::json::push_number;

/// Appends `/token`, escaped.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Appends `/index`.
pub fn push_index(pointer: &mut String, index: usize) {
    pointer.push('/');
    push_number(pointer, index);
}

/// The tokens of a pointer, unescaped.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| {
        let is_escaped = token.contains('~');
        if is_escaped { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
    })
}

/// A pointer as people of Kubernetes write a field path: `/spec/containers/0/image` is `spec.containers[0].image`.
pub fn field_path(pointer: &str) -> String {
    let mut path = String::with_capacity(pointer.len());
    for token in tokens(pointer) {
        // Indexes, keys that would read as several names, and the empty key.
        if token.bytes().all(|byte| byte.is_ascii_digit()) || token.contains(['.', '/']) {
            let _ = write!(path, "[{token}]");
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&token);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped_and_read_back() {
        let mut pointer = String::new();
        for token in ["metadata", "annotations", "podfit.dev/in~jected"] {
            push(&mut pointer, token);
        }
        push_index(&mut pointer, 7);
        assert_eq!(pointer, "/metadata/annotations/podfit.dev~1in~0jected/7");
        assert_eq!(tokens(&pointer).collect::<Vec<_>>(), ["metadata", "annotations", "podfit.dev/in~jected", "7"]);
    }

    #[test]
    fn field_paths_read_as_kubernetes_writes_them() {
        let rows = [
            ("", ""),
            ("/spec/containers/0/resources/limits/cpu", "spec.containers[0].resources.limits.cpu"),
            ("/metadata/annotations/podfit.dev~1skip", "metadata.annotations[podfit.dev/skip]"),
            ("/metadata/labels/", "metadata.labels[]"),
            ("/0/kind", "[0].kind"),
        ];
        for (pointer, expected) in rows {
            assert_eq!(field_path(pointer), expected);
        }
    }
}
