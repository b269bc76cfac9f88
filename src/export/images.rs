//! `image-tag` in CEL: on Pods, on their ephemeral containers and, where the policy refuses templates, on those.

use super::{
    Judgement,
    cel::{self, Variable},
};
use crate::policy::{ImageTag, Pattern};

pub const TOO_LONG: &str = "image-tag: an image of more than 1,000 characters, or with a repository of more than 255, is allowed; no node \
                            runs it";

/// What container runtimes accept; see `image.rs`, whose parts these are.
fn reference() -> String {
    let label = "[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?";
    let component = "[0-9a-z]+(?:(?:\\.|__?|-+)[0-9a-z]+)*";
    let registry = format!("(?:{label}(?:\\.{label})*|\\[[0-9A-Fa-f:]+\\])(?::[0-9]+)?");
    let digest = "(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})";
    format!("^(?:{registry}/)?{component}(?:/{component})*(?::[0-9A-Za-z_][0-9A-Za-z_.-]{{0,127}})?(?:@{digest})?$")
}

/// A longer text could use up CEL's cost limit, and end the judgement of the whole Pod.
const LONGEST: usize = 1_000;

/// An ID would pass for a repository's name.
const ID: &str = "^[0-9a-f]{64}$";

/// Of a reference without a digest.
const UNTAGGED: &str = "(?:^|/)[^/:]*$";

pub fn judge(settings: &ImageTag, judgement: &Judgement<'_>) -> Vec<Variable> {
    let bad = format!("{}{}", is_bad(settings, judgement), judgement.exemptions.none_covers());
    let identity = "c.of.name + ' ' + c.image";
    let before = format!("variables.containersBefore.filter(c, {bad}).map(c, {identity})");
    let now = format!("variables.containers.filter(c, {bad}\n    && !({identity} in variables.unfixedBefore))");
    let words = format!("variables.unfixed.map(c, {})", words(settings, &judgement.signature()));
    vec![
        Variable::new("unfixedBefore", before),
        Variable::new("unfixed", now),
        judgement.conclusion("request.?subResource.orValue('') != 'resize'", &[words]),
    ]
}

/// The variable that lists the images that are no references: the long expression stands in it alone.
pub const UNREADABLE: &str = "unreadable";

pub fn unreadable([now, before]: [&str; 2]) -> Variable {
    let (reference, id) = (cel::raw(&reference()), cel::raw(ID));
    let expression = format!(
        "(variables.{now} + variables.{before}).map(c, c.image)\n  \
         .filter(i, size(i) <= {LONGEST} && (!i.matches({reference})\n    || i.matches({id})))"
    );
    Variable::new(UNREADABLE, expression)
}

fn is_bad(settings: &ImageTag, judgement: &Judgement<'_>) -> String {
    let mut reasons = vec![format!("c.image in variables.{UNREADABLE}")];
    if settings.require_digest {
        reasons.push("!c.image.contains('@')".to_owned());
    } else if !settings.forbidden.is_empty() {
        let loose = cel::raw(&loose(&settings.forbidden));
        reasons.push(format!("!c.image.contains('@') && c.image.matches({loose})"));
    }
    // Templates may leave the image open; only a Pod must have one.
    let is_open = "\n    && !(request.kind.kind != 'Pod' && c.image.trim() == '')";
    let is_open = if judgement.ground.judges_templates() { is_open } else { "" };
    format!("size(c.image) <= {LONGEST}\n    && ({}){is_open}", reasons.join("\n      || "))
}

fn loose(forbidden: &[Pattern]) -> String {
    let tags = format!(":{}$", cel::alternatives(forbidden, "[0-9A-Za-z_.-]*"));
    // With neither tag nor digest the tag is `latest`.
    let is_latest_forbidden = forbidden.iter().any(|pattern| pattern.matches("latest"));
    if is_latest_forbidden { format!("{UNTAGGED}|{tags}") } else { tags }
}

/// Only an image that is no reference may be long, or have line breaks, which would cost the whole message.
fn words(settings: &ImageTag, signature: &str) -> String {
    let shown = "(size(c.image) > 300 ? c.image.substring(0, 300) : c.image).replace('\\n', ' ')";
    let loose = if settings.require_digest {
        "'uses the image \"' + c.image + '\" without a digest; write \"' + c.image + '@sha256:...\"'".to_owned()
    } else {
        format!(
            "c.image.matches({})\n      \
             ? 'uses the image \"' + c.image + '\", which has no tag, so \"latest\" is implied; write a fixed tag or a digest'\n      \
             : 'uses the image \"' + c.image + '\", whose tag \"' + c.image.substring(c.image.lastIndexOf(':') + 1)\n        \
             + '\" is not fixed; write a fixed tag or a digest'",
            cel::raw(UNTAGGED)
        )
    };
    format!(
        "c.kind + ' \"' + c.of.name + '\" '\n    \
         + (c.image in variables.{UNREADABLE}\n      \
         ? 'has the image \"' + {shown} + '\", which is no image reference'\n      \
         : {loose})\n    \
         + {signature}"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::image::{Image, ImageError};

    fn is_unreadable(image: &str) -> bool {
        let matches = |expression: &str| Regex::new(expression).unwrap().is_match(image);
        !matches(&reference()) || matches(ID)
    }

    /// But for the length of a repository.
    fn is_alike(image: &str) -> bool {
        let expected = Image::parse(image).err().filter(|error| *error != ImageError::RepositoryTooLong);
        is_unreadable(image) == expected.is_some()
    }

    proptest! {
        #[test]
        fn any_text_is_a_reference_for_both_or_for_neither(image in r"\PC{0,60}") {
            prop_assert!(is_alike(&image));
        }

        #[test]
        fn what_resembles_a_reference_is_one_for_both_or_for_neither(
            image in r"([a-zA-Z0-9._\-]{0,8}[:/\[\]]){0,3}[a-z0-9._\-]{0,10}(:[a-zA-Z0-9._\-]{0,130})?(@sha(256|512):[0-9a-f]{63,65})?"
        ) {
            prop_assert!(is_alike(&image));
        }

        #[test]
        fn tags_are_forbidden_by_both_or_by_neither(
            image in r"([a-z]{1,3}:?[0-9]{0,2}/)?[a-z]{1,3}(:[a-z.1-]{1,4}|:latest)?",
            forbidden in prop::collection::vec(r"[a-z.1]{0,2}\*?[a-z.]{0,2}|latest|l\*", 1..4),
        ) {
            let forbidden: Vec<Pattern> = forbidden.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
            prop_assume!(!forbidden.is_empty());
            if let Ok(parsed) = Image::parse(&image) {
                let tag = parsed.effective_tag().unwrap();
                let expected = forbidden.iter().any(|pattern| pattern.matches(tag));
                prop_assert_eq!(Regex::new(&loose(&forbidden)).unwrap().is_match(&image), expected);
            }
        }
    }
}
