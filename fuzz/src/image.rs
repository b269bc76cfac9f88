//! Image references, against the regular expression that distribution/reference publishes as their grammar.

use std::sync::LazyLock;

use podfit::image::Image;
use regex::Regex;

/// <https://github.com/distribution/reference/blob/v0.6.0/regexp.go>, with the groups domain, path, tag and digest.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let host = format!(r"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    let path = format!("{component}(?:/{component})*");
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    let tag = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";
    Regex::new(&format!("^(?:({host})/)?({path})(?::({tag}))?(?:@({digest}))?$")).expect("the grammar is one")
});

/// # Panics
/// Where the two readings differ, or a normalised reference is read otherwise than its original.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let ours = Image::parse(text).ok();
    let read = ours.map(|image| {
        let normalised = image.normalised();
        let again = Image::parse(&normalised).expect("what is normalised is a reference");
        assert_eq!(again.normalised(), normalised);
        let [tag, digest] = [image.tag, image.digest].map(|part| part.map(str::to_owned));
        (normalised, tag, digest)
    });
    assert_eq!(read, normalised(text), "{text:?}");
}

/// `ParseNormalizedNamed`.
fn normalised(text: &str) -> Option<(String, Option<String>, Option<String>)> {
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let whole = with_implied_parts(text);
    let parts = REFERENCE.captures(&whole)?;
    let part = |group| parts.get(group).map(|part| part.as_str().to_owned());
    let digest = part(4);
    let is_known = digest.as_deref().is_none_or(is_known_digest);
    (is_known && parts[2].len() <= 255).then(|| (whole.clone(), part(3), digest))
}

fn with_implied_parts(text: &str) -> String {
    let (domain, rest) = match text.split_once('/') {
        Some(("index.docker.io", rest)) => ("docker.io", rest),
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first => {
            (first, rest)
        }
        _ => ("docker.io", text),
    };
    let library = if domain == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    format!("{domain}/{library}{rest}")
}

/// As opencontainers/go-digest has them.
fn is_known_digest(digest: &str) -> bool {
    let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && !hex.bytes().any(|byte| byte.is_ascii_uppercase())
}
