//! Image references (`registry:5000/team/app:1.2@sha256:…`), whole grammar of distribution/reference, borrowed. Used for
//! containers and image volumes, and by exemptions, which match references as written or normalised.

use memchr::memchr;

/// The parts of an image reference, each as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Image<'a> {
    /// Host and port of the registry; absent for Docker Hub's short names.
    pub domain: Option<&'a str>,
    /// The repository, without Docker Hub's implied `library/`.
    pub path: &'a str,
    pub tag: Option<&'a str>,
    /// `algorithm:hex`; where present it decides what runs, and the tag is decoration.
    pub digest: Option<&'a str>,
}

/// What is wrong with an image reference, and what to write instead. Never echoes the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("no image; write one such as nginx:1.27")]
    Empty,
    #[error("white space is not allowed")]
    WhiteSpace,
    #[error("a URL; leave out everything up to `://`")]
    Scheme,
    #[error("an image ID; write repository@sha256:ID")]
    ImageId,
    #[error("not a registry before the first `/`; write host or host:port")]
    BadRegistry,
    #[error("no repository; write it before the tag or digest")]
    NoRepository,
    #[error("upper case in the repository; write it in lower case")]
    UpperCase,
    #[error("an empty part in the repository; write one `/` between two names and none at the end")]
    EmptyComponent,
    #[error("not a repository; write lower-case letters and digits, joined by `.`, `_`, `__` or dashes")]
    BadComponent,
    #[error("the repository is longer than {MAX_PATH} characters")]
    RepositoryTooLong,
    #[error("no tag after the `:`; write a tag or leave the `:` out")]
    EmptyTag,
    #[error("the tag is longer than {MAX_TAG} characters")]
    TagTooLong,
    #[error("not a tag; write letters, digits, `_`, `.` and `-`, and no `.` or `-` first")]
    BadTag,
    #[error("no digest after the `@`; write sha256: and 64 hex digits")]
    EmptyDigest,
    #[error("no such digest algorithm; write sha256, sha384 or sha512")]
    UnknownAlgorithm,
    #[error("not a digest; write sha256: and 64 lower-case hex digits")]
    BadDigest,
}

const HUB: &str = "docker.io";
/// An older name of Docker Hub that still means it.
const LEGACY_HUB: &str = "index.docker.io";
const LIBRARY: &str = "library/";
const MAX_PATH: usize = 255;
const MAX_TAG: usize = 128;

impl<'a> Image<'a> {
    /// Reads what container runtimes accept.
    ///
    /// # Errors
    /// The kubelet would answer `InvalidImageName`. The API server lets such a text pass on Pods.
    pub fn parse(text: &'a str) -> Result<Self, ImageError> {
        read(text).map_err(|error| explain(text, error))
    }

    /// The tag; `latest` where neither tag nor digest is written, none where only a digest is.
    pub fn effective_tag(&self) -> Option<&'a str> {
        self.tag.or(if self.digest.is_none() { Some("latest") } else { None })
    }

    /// With Docker Hub's implied parts: `nginx:1.27` is `docker.io/library/nginx:1.27`. An absent tag stays absent.
    pub fn normalised(&self) -> String {
        let (domain, library) = self.registry();
        let mut text = String::with_capacity(self.written_length() + HUB.len() + LIBRARY.len() + 3);
        text.push_str(domain);
        text.push('/');
        text.push_str(library);
        text.push_str(self.path);
        for (mark, part) in [(':', self.tag), ('@', self.digest)] {
            if let Some(part) = part {
                text.push(mark);
                text.push_str(part);
            }
        }
        text
    }

    /// The names between the slashes of the repository as written, for matching one exactly, such as `python`.
    pub fn components(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.path.split('/')
    }

    /// The registry's name, and `library/` where it is implied.
    fn registry(&self) -> (&'a str, &'static str) {
        let domain = self.domain.filter(|&domain| domain != LEGACY_HUB).unwrap_or(HUB);
        (domain, if domain == HUB && !self.path.contains('/') { LIBRARY } else { "" })
    }

    fn written_length(&self) -> usize {
        [self.domain, Some(self.path), self.tag, self.digest].into_iter().flatten().map(str::len).sum()
    }
}

fn read(text: &str) -> Result<Image<'_>, ImageError> {
    if text.is_empty() {
        return Err(ImageError::Empty);
    }
    if is_lower_hex(text, 64) {
        return Err(ImageError::ImageId);
    }
    let (domain, rest) = split_domain(text);
    let (rest, digest) = split_at_mark(rest, b'@');
    let (path, tag) = split_at_mark(rest, b':');
    let image = Image { domain, path, tag, digest };
    domain.map_or(Ok(()), check_domain)?;
    check_path(&image)?;
    tag.map_or(Ok(()), check_tag)?;
    digest.map_or(Ok(()), check_digest)?;
    Ok(image)
}

/// Mistakes that break the grammar at some odd place, named by what was meant.
#[cold]
fn explain(text: &str, error: ImageError) -> ImageError {
    if text.contains(char::is_whitespace) {
        ImageError::WhiteSpace
    } else if text.contains("://") {
        ImageError::Scheme
    } else {
        error
    }
}

/// Without a slash there is no domain: `registry:5000` is an image with a tag.
fn split_domain(text: &str) -> (Option<&str>, &str) {
    match split_once(text, b'/') {
        Some((first, rest)) if names_a_registry(first) => (Some(first), rest),
        _ => (None, text),
    }
}

/// Anything else is a namespace of Docker Hub, where upper case is not allowed.
fn names_a_registry(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|byte| matches!(byte, b'.' | b':' | b'A'..=b'Z'))
}

fn split_at_mark(text: &str, mark: u8) -> (&str, Option<&str>) {
    split_once(text, mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// As of `str`, which looks for characters and takes several times as long.
fn split_once(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = memchr(mark, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// `team.a_b/app` names no host but passes in distribution/reference, as a repository without a registry.
fn check_domain(domain: &str) -> Result<(), ImageError> {
    if is_host_and_port(domain) || is_component(domain.as_bytes()) { Ok(()) } else { Err(ImageError::BadRegistry) }
}

fn is_host_and_port(domain: &str) -> bool {
    let (is_host, port) = if let Some((address, after)) = domain.strip_prefix('[').and_then(|rest| rest.split_once(']'))
    {
        (is_ipv6_address(address), after)
    } else {
        let (host, port) = domain.split_at(memchr(b':', domain.as_bytes()).unwrap_or(domain.len()));
        (host.as_bytes().split(|byte| *byte == b'.').all(is_label), port)
    };
    is_host
        && (port.is_empty() || port.strip_prefix(':').is_some_and(|digits| all(digits, |byte| byte.is_ascii_digit())))
}

/// Any hex digits and colons, as loose as distribution/reference; no zone (`fe80::1%eth0`).
fn is_ipv6_address(address: &str) -> bool {
    all(address, |byte| byte.is_ascii_hexdigit() || byte == b':')
}

fn is_label(label: &[u8]) -> bool {
    let may_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    may_end(label.first())
        && may_end(label.last())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn check_path(image: &Image) -> Result<(), ImageError> {
    if image.path.is_empty() && (image.tag.is_some() || image.digest.is_some()) {
        return Err(ImageError::NoRepository);
    }
    // Most are so short that what counts of them does not matter.
    if image.written_length() > MAX_PATH - LIBRARY.len() - 1 && repository_length(image) > MAX_PATH {
        return Err(ImageError::RepositoryTooLong);
    }
    image.path.as_bytes().split(|byte| *byte == b'/').try_for_each(check_component)
}

/// Of the normalised repository: the registry does not count, but a first part that names no host is none.
fn repository_length(image: &Image) -> usize {
    let first = image.domain.filter(|domain| !is_host_and_port(domain)).map_or(0, |first| first.len() + 1);
    first + image.registry().1.len() + image.path.len()
}

fn check_component(component: &[u8]) -> Result<(), ImageError> {
    if is_component(component) {
        Ok(())
    } else if component.is_empty() {
        Err(ImageError::EmptyComponent)
    } else if is_component(&component.to_ascii_lowercase()) {
        Err(ImageError::UpperCase)
    } else {
        Err(ImageError::BadComponent)
    }
}

/// Words of lower-case letters and digits, joined by one `.`, one or two `_`, or any number of dashes.
fn is_component(component: &[u8]) -> bool {
    let mut rest = component;
    loop {
        let word = count_while(rest, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        rest = &rest[word..];
        if word == 0 || rest.is_empty() {
            return word > 0;
        }
        rest = match rest {
            [b'_', b'_', after @ ..] | [b'_' | b'.', after @ ..] => after,
            _ => &rest[count_while(rest, |byte| byte == b'-')..],
        };
    }
}

fn check_tag(tag: &str) -> Result<(), ImageError> {
    if tag.is_empty() {
        Err(ImageError::EmptyTag)
    } else if tag.starts_with(['.', '-']) || !all(tag, is_tag_byte) {
        Err(ImageError::BadTag)
    } else if tag.len() > MAX_TAG {
        Err(ImageError::TagTooLong)
    } else {
        Ok(())
    }
}

fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The algorithms that the runtimes register; they take no upper-case hex digits.
fn check_digest(digest: &str) -> Result<(), ImageError> {
    if digest.is_empty() {
        return Err(ImageError::EmptyDigest);
    }
    let (algorithm, hex) = digest.split_once(':').ok_or(ImageError::BadDigest)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(ImageError::UnknownAlgorithm),
    };
    if is_lower_hex(hex, length) { Ok(()) } else { Err(ImageError::BadDigest) }
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && all(text, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn all(text: &str, accepted: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(accepted)
}

fn count_while(bytes: &[u8], accepted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&byte| !accepted(byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// Rows write `<64>` and `<128>` for that many hex digits.
    fn written(row: &str) -> String {
        row.replace("<64>", HEX).replace("<128>", &HEX.repeat(2)).replace("<96>", &HEX.repeat(2)[..96])
    }

    #[test]
    fn every_form_of_the_grammar_has_its_parts() {
        // reference, domain, path, tag, digest, effective tag, normalised
        type Row = (
            &'static str,
            Option<&'static str>,
            &'static str,
            Option<&'static str>,
            Option<&'static str>,
            Option<&'static str>,
            &'static str,
        );
        let latest = Some("latest");
        #[rustfmt::skip]
        let rows: &[Row] = &[
            ("nginx", None, "nginx", None, None, latest, "docker.io/library/nginx"),
            ("nginx:latest", None, "nginx", latest, None, latest, "docker.io/library/nginx:latest"),
            ("nginx:1.27", None, "nginx", Some("1.27"), None, Some("1.27"), "docker.io/library/nginx:1.27"),
            ("nginx@sha256:<64>", None, "nginx", None, Some("sha256:<64>"), None, "docker.io/library/nginx@sha256:<64>"),
            ("nginx:latest@sha256:<64>", None, "nginx", latest, Some("sha256:<64>"), latest, "docker.io/library/nginx:latest@sha256:<64>"),
            ("nginx@sha384:<96>", None, "nginx", None, Some("sha384:<96>"), None, "docker.io/library/nginx@sha384:<96>"),
            ("nginx@sha512:<128>", None, "nginx", None, Some("sha512:<128>"), None, "docker.io/library/nginx@sha512:<128>"),
            ("registry:5000/app", Some("registry:5000"), "app", None, None, latest, "registry:5000/app"),
            ("registry:5000/app:1", Some("registry:5000"), "app", Some("1"), None, Some("1"), "registry:5000/app:1"),
            ("registry:5000", None, "registry", Some("5000"), None, Some("5000"), "docker.io/library/registry:5000"),
            ("192.168.1.1:5000", None, "192.168.1.1", Some("5000"), None, Some("5000"), "docker.io/library/192.168.1.1:5000"),
            ("localhost/app", Some("localhost"), "app", None, None, latest, "localhost/app"),
            ("localhost", None, "localhost", None, None, latest, "docker.io/library/localhost"),
            ("[::1]:5000/app", Some("[::1]:5000"), "app", None, None, latest, "[::1]:5000/app"),
            ("[::1]/app", Some("[::1]"), "app", None, None, latest, "[::1]/app"),
            ("Repo/app", Some("Repo"), "app", None, None, latest, "Repo/app"),
            ("app:LATEST", None, "app", Some("LATEST"), None, Some("LATEST"), "docker.io/library/app:LATEST"),
            ("app:latest-alpine", None, "app", Some("latest-alpine"), None, Some("latest-alpine"), "docker.io/library/app:latest-alpine"),
            ("app:notlatest", None, "app", Some("notlatest"), None, Some("notlatest"), "docker.io/library/app:notlatest"),
            ("sha256:<64>", None, "sha256", Some("<64>"), None, Some("<64>"), "docker.io/library/sha256:<64>"),
            ("docker.io/nginx", Some("docker.io"), "nginx", None, None, latest, "docker.io/library/nginx"),
            ("docker.io/library/nginx", Some("docker.io"), "library/nginx", None, None, latest, "docker.io/library/nginx"),
            ("index.docker.io/nginx:1", Some("index.docker.io"), "nginx", Some("1"), None, Some("1"), "docker.io/library/nginx:1"),
            ("index.docker.io/a/b", Some("index.docker.io"), "a/b", None, None, latest, "docker.io/a/b"),
            ("bitnami/redis", None, "bitnami/redis", None, None, latest, "docker.io/bitnami/redis"),
            ("ghcr.io/a/b_c/d__e.f---g:v1_.-", Some("ghcr.io"), "a/b_c/d__e.f---g", Some("v1_.-"), None, Some("v1_.-"), "ghcr.io/a/b_c/d__e.f---g:v1_.-"),
            ("a.b_c/app", Some("a.b_c"), "app", None, None, latest, "a.b_c/app"),
        ];
        for &(text, domain, path, tag, digest, effective, normalised) in rows {
            let text = written(text);
            let [tag, digest, effective] = [tag, digest, effective].map(|part| part.map(written));
            let image = Image { domain, path, tag: tag.as_deref(), digest: digest.as_deref() };
            assert_eq!(Image::parse(&text), Ok(image), "{text}");
            assert_eq!(image.effective_tag(), effective.as_deref(), "{text}");
            assert_eq!(image.normalised(), written(normalised), "{text}");
        }
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        use ImageError as E;
        let rows = [
            ("", E::Empty),
            (" ", E::WhiteSpace),
            (" nginx", E::WhiteSpace),
            ("nginx ", E::WhiteSpace),
            ("nginx:1 2", E::WhiteSpace),
            ("docker://nginx:1", E::Scheme),
            ("https://r/nginx", E::Scheme),
            ("<64>", E::ImageId),
            ("[fe80::1%eth0]/app", E::BadRegistry),
            ("host:/app", E::BadRegistry),
            ("host:port/app", E::BadRegistry),
            ("host:1:2/app", E::BadRegistry),
            ("-host.example/app", E::BadRegistry),
            ("host..example/app", E::BadRegistry),
            ("Team_A/app", E::BadRegistry),
            ("./app", E::BadRegistry),
            (":tag", E::NoRepository),
            ("@sha256:<64>", E::NoRepository),
            ("host.example/:1", E::NoRepository),
            ("Nginx", E::UpperCase),
            ("repo/App:1", E::UpperCase),
            ("a//b", E::EmptyComponent),
            ("a/b/", E::EmptyComponent),
            ("/a", E::EmptyComponent),
            ("host.example/", E::EmptyComponent),
            ("-a/b", E::BadComponent),
            ("a___b", E::BadComponent),
            ("a..b", E::BadComponent),
            ("a._b", E::BadComponent),
            ("a-", E::BadComponent),
            ("ä", E::BadComponent),
            ("${IMAGE}:1", E::BadComponent),
            ("nginx:", E::EmptyTag),
            ("nginx:@sha256:<64>", E::EmptyTag),
            ("nginx:.1", E::BadTag),
            ("nginx:1+2", E::BadTag),
            ("x/y:t:u", E::BadTag),
            ("nginx:<128>0", E::TagTooLong),
            ("nginx@", E::EmptyDigest),
            ("nginx@sha256", E::BadDigest),
            ("nginx@sha256:abc", E::BadDigest),
            ("nginx@sha256:<64>0", E::BadDigest),
            ("nginx@sha512:<64>", E::BadDigest),
            ("nginx@md5:0123456789abcdef0123456789abcdef", E::UnknownAlgorithm),
            ("nginx@SHA256:<64>", E::UnknownAlgorithm),
        ];
        for (text, error) in rows {
            assert_eq!(Image::parse(&written(text)), Err(error), "{text:?}");
        }
        let upper = format!("nginx@sha256:{}", HEX.to_uppercase());
        assert_eq!(Image::parse(&upper), Err(E::BadDigest));
        assert_eq!(E::TagTooLong.to_string(), "the tag is longer than 128 characters");
    }

    #[test]
    fn lengths_are_bounded_where_the_runtimes_bound_them() {
        let name = |length: usize| "a".repeat(length);
        let host = format!("{}.example", name(300));
        let rows = [
            ("tag of 128", format!("nginx:{}", name(128)), None),
            ("tag of 129", format!("nginx:{}", name(129)), Some(ImageError::TagTooLong)),
            ("library/ counts", name(247), None),
            ("library/ counts, too long", name(248), Some(ImageError::RepositoryTooLong)),
            ("the registry does not count", format!("{host}/{}", name(255)), None),
            ("too long", format!("{host}/{}", name(256)), Some(ImageError::RepositoryTooLong)),
            ("a first part that is no registry", format!("a.b_c/{}", name(249)), None),
            ("it counts", format!("a.b_c/{}", name(250)), Some(ImageError::RepositoryTooLong)),
            ("a megabyte", name(1 << 20), Some(ImageError::RepositoryTooLong)),
        ];
        for (row, text, error) in rows {
            assert_eq!(Image::parse(&text).err(), error, "{row}");
        }
    }

    #[test]
    fn components_are_those_written() {
        let rows: &[(&str, &[&str])] = &[
            ("python:3.13", &["python"]),
            ("registry:5000/team/python-app", &["team", "python-app"]),
            ("docker.io/library/python", &["library", "python"]),
        ];
        for &(text, components) in rows {
            assert_eq!(Image::parse(text).unwrap().components().collect::<Vec<_>>(), components, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Image::parse(&text);
        }

        #[test]
        fn no_text_that_resembles_a_reference_panics(text in r"[a-zA-Z0-9.:/@_\[\]\- ]{0,40}(@sha256:[0-9a-f]{63,65})?") {
            let _ = Image::parse(&text);
        }

        #[test]
        fn a_reference_reads_back_into_its_parts(
            domain in prop::option::of(r"localhost|[A-Z][a-z]{0,5}|[a-z0-9]{1,5}(-[a-z0-9]{1,3})?\.[a-z]{2,4}(:[0-9]{1,5})?|\[[0-9a-f]{0,4}::[0-9a-f]{0,4}\](:[0-9]{1,5})?"),
            path in r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}){0,3}",
            tag in prop::option::of(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
            digest in prop::option::of("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}"),
        ) {
            // Without a registry, a first name with a point or `localhost` would be read as one.
            let first = path.split('/').next().unwrap();
            prop_assume!(domain.is_some() || !path.contains('/') || !(first.contains('.') || first == "localhost"));
            let image = Image { domain: domain.as_deref(), path: &path, tag: tag.as_deref(), digest: digest.as_deref() };
            let mut text = String::new();
            for (before, part, after) in [("", image.domain, "/"), ("", Some(image.path), ""), (":", image.tag, ""), ("@", image.digest, "")] {
                if let Some(part) = part {
                    text.extend([before, part, after]);
                }
            }
            prop_assert_eq!(Image::parse(&text), Ok(image));
            let normalised = image.normalised();
            prop_assert_eq!(Image::parse(&normalised).unwrap().normalised(), normalised);
        }
    }
}
