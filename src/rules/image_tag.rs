//! `image-tag`: every image names a fixed version.
//!
//! Looks at: `image` of all containers, ephemeral ones too, and `volumes[].image.reference`.
//! Asks: a tag that the policy does not forbid (`latest` unless it says otherwise; an image with neither tag nor digest
//! means `latest`), or a digest, which makes the tag irrelevant. With `requireDigest`, a digest.
//! Fix: none; only its author knows which version is meant.
//! Exempt: by policy, per container or image.
//! Why: what `latest` runs depends on when and where the node pulled it; an image that cannot be parsed never starts.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::{
    fitting::{Fitting, Report, spared},
    image::{Image, ImageError},
    policy::{Governed, ImageTag, Mode},
    rules::Rule,
    verdict::{Field, Finding, Verdict, quoted},
    workload::{Place, Workload},
};

pub fn judge<'a>(governed: &Governed<'a, ImageTag>, fitting: &Fitting<'a>, verdict: &mut Verdict<'a>) {
    let settings = governed.settings;
    let image = fitting.at.image();
    if settings.mode == Mode::Disabled || is_left_open(image, fitting.pod.workload) {
        return;
    }
    let Err(Problem { reason, words }) = check(settings, image, fitting.image()) else { return };
    let report = Report { rule: Rule::ImageTag, mode: settings.mode, policy: governed.policy, verdict };
    let problem = format!("{} {} {words}", fitting.at.kind.as_str(), quoted(fitting.at.name()));
    let finding = Finding { value: Cow::Borrowed(image), problem, ..report.finding(fitting, Field::Image, reason) };
    report.verdict.findings.push(finding);
}

/// Image volumes (KEP-4639) run what their reference says as much as containers do.
pub fn of_volumes<'a>(
    governed: &Governed<'a, ImageTag>,
    workload: &'a Workload<'a>,
) -> impl Iterator<Item = Finding<'a>> {
    let (settings, policy) = (governed.settings, governed.policy);
    let volumes = workload.spec.volumes.indexed().filter(|_| settings.mode != Mode::Disabled);
    volumes.filter_map(move |(index, volume)| {
        let reference = volume.image.as_ref()?.reference.as_ref().map_or("", |reference| reference.as_str());
        if is_left_open(reference, workload) {
            return None;
        }
        let Problem { reason, words } = check(settings, reference, Image::parse(reference)).err()?;
        Some(Finding {
            rule: Rule::ImageTag,
            policy: &policy.name,
            policy_mode: settings.mode,
            mode: spared(settings.mode, workload),
            templates: policy.templates,
            place: Place::Volume(index),
            field: Field::ImageReference,
            container: Some(volume.name.as_str()),
            reason,
            value: Cow::Borrowed(reference),
            problem: format!("volume {} {words}", quoted(volume.name.as_str())),
            edits: SmallVec::new(),
        })
    })
}

/// Templates may leave the image open (image triggers write a blank there); only a Pod must have one.
fn is_left_open(image: &str, workload: &Workload<'_>) -> bool {
    workload.kind.is_template() && image.trim().is_empty()
}

struct Problem {
    reason: &'static str,
    words: String,
}

fn check(settings: &ImageTag, text: &str, image: Result<Image<'_>, ImageError>) -> Result<(), Problem> {
    let image = image.map_err(|error| unparsable(text, error))?;
    if image.digest.is_some() {
        return Ok(());
    }
    if settings.require_digest {
        let pinned = shown(&format!("{text}@sha256:..."));
        let words = format!("uses the image {} without a digest; write {pinned}", shown(text));
        return Err(Problem { reason: "image has no digest", words });
    }
    // With neither tag nor digest the tag is `latest`.
    let tag = image.effective_tag().unwrap_or_default();
    if !settings.forbidden.iter().any(|pattern| pattern.matches(tag)) {
        return Ok(());
    }
    let words = if image.tag.is_none() {
        format!(
            "uses the image {}, which has no tag, so \"latest\" is implied; write a fixed tag or a digest",
            shown(text)
        )
    } else {
        format!("uses the image {}, whose tag {tag:?} is not fixed; write a fixed tag or a digest", shown(text))
    };
    Err(Problem { reason: "image has no fixed tag", words })
}

fn unparsable(text: &str, error: ImageError) -> Problem {
    Problem { reason: "image is no image reference", words: format!("has the image {}: {error}", shown(text)) }
}

/// Quoted, without control characters, and no longer than the longest real reference.
fn shown(text: &str) -> String {
    const LONGEST: usize = 300;
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    format!("{:?}", &text[..end])
}
