//! Exemptions: what a policy names as not looked at, with a reason.

use jiff::civil::Date;

use super::{LabelSelector, Pattern, Subject};
use crate::{image::Image, rules::Rule};

/// What given rules do not look at. Its fields must all hold, of the entries of one any; nothing given is any.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemption {
    pub reason: String,
    /// The last valid day, UTC.
    pub expires: Option<Date>,
    pub rules: Vec<Rule>,
    pub namespaces: Option<Vec<Pattern>>,
    pub pod_selector: Option<LabelSelector>,
    pub containers: Option<Vec<Pattern>>,
    pub images: Option<Vec<Pattern>>,
}

/// Before its end an exemption is to be renewed, or what it exempts to be mended: these many days before.
const DAYS_OF_NOTICE: i64 = 14;

/// How an exemption stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// Active, and within two weeks no more.
    Expiring,
    Expired,
}

impl Exemption {
    pub fn standing(&self, today: Date) -> Standing {
        let days_left = |last: Date| today.duration_until(last).as_hours() / 24;
        match self.expires.map(days_left) {
            Some(..0) => Standing::Expired,
            Some(0..DAYS_OF_NOTICE) => Standing::Expiring,
            _ => Standing::Active,
        }
    }

    pub fn is_expired(&self, today: Date) -> bool {
        self.standing(today) == Standing::Expired
    }

    /// Whether `rule` looks past this container on `today`. An image volume is asked for with an empty container name: only
    /// an exemption without `containers`, or with `*`, holds for it.
    pub fn covers(&self, rule: Rule, today: Date, subject: &Subject<'_>, container: &str, image: &str) -> bool {
        self.matches_pod(subject) && self.covers_container(rule, today, container, image)
    }

    /// The part of `covers` that is left where the Pod is known to match, as `InForce::exemptions` are.
    pub fn covers_container(&self, rule: Rule, today: Date, container: &str, image: &str) -> bool {
        self.rules.contains(&rule)
            && !self.is_expired(today)
            && any_or_absent(self.containers.as_deref(), |pattern| pattern.matches(container))
            && self.images.as_deref().is_none_or(|patterns| image_matches(patterns, image))
    }

    /// Whether anything of this Pod can be exempt: namespace and labels, whatever the containers, the rules and the day.
    pub fn matches_pod(&self, subject: &Subject<'_>) -> bool {
        any_or_absent(self.namespaces.as_deref(), |pattern| pattern.matches(subject.namespace))
            && self.pod_selector.as_ref().is_none_or(|selector| selector.matches(subject.pod_labels))
    }
}

fn any_or_absent(patterns: Option<&[Pattern]>, matches: impl Fn(&Pattern) -> bool) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(matches))
}

/// As written, or with the registry and repository that `nginx` leaves out.
fn image_matches(patterns: &[Pattern], image: &str) -> bool {
    let any = |image: &str| patterns.iter().any(|pattern| pattern.matches(image));
    any(image) || Image::parse(image).is_ok_and(|image| any(&image.normalised()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{
        super::{Labels, fixture},
        *,
    };

    #[test]
    fn fields_and_entries_or() {
        let rows = [
            ("container", "{containers: [app]}", true),
            ("container by wildcard", "{containers: [web, 'a*']}", true),
            ("another container", "{containers: [web]}", false),
            ("namespace", "{namespaces: [legacy-*]}", true),
            ("another namespace", "{namespaces: [legacy]}", false),
            ("Pod labels", "{podSelector: {matchLabels: {app: api}}}", true),
            ("other Pod labels", "{podSelector: {matchLabels: {app: web}}}", false),
            ("image as written", "{images: ['vendor/*']}", true),
            ("image normalised", "{images: ['docker.io/vendor/tool:latest']}", true),
            ("image, only a part", "{images: [tool]}", false),
            ("all fields", "{namespaces: ['*'], containers: [app], images: ['*:latest']}", true),
            ("all fields but one", "{namespaces: ['*'], containers: [app], images: ['*:1']}", false),
            ("empty fields ask nothing", "{namespaces: [], podSelector: {}, containers: [app]}", true),
        ];
        for (name, selector, expected) in rows {
            assert_eq!(covers(&exemption(selector), Rule::ImageTag, "app"), expected, "{name}");
        }
    }

    #[test]
    fn only_the_named_rules_are_exempt() {
        let exemption = exemption("{containers: ['*']}");
        let covered: Vec<_> = Rule::ALL.into_iter().filter(|&rule| covers(&exemption, rule, "app")).collect();
        assert_eq!(covered, [Rule::ImageTag, Rule::Probes]);
    }

    #[test]
    fn an_image_volume_is_no_named_container() {
        let rows = [("{images: ['*']}", true), ("{containers: ['*']}", true), ("{containers: ['a*']}", false)];
        for (selector, expected) in rows {
            assert_eq!(covers(&exemption(selector), Rule::ImageTag, ""), expected, "{selector}");
        }
    }

    #[test]
    fn the_day_of_expiry_is_the_last_valid_one() {
        let mut exemption = exemption("{containers: ['*']}");
        let rows = [
            ("never", None, false),
            ("tomorrow", Some(date(2027, 2, 1)), false),
            ("today", Some(date(2027, 1, 31)), false),
            ("yesterday", Some(date(2027, 1, 30)), true),
        ];
        for (name, expires, expected) in rows {
            exemption.expires = expires;
            assert_eq!(exemption.is_expired(TODAY), expected, "{name}");
            assert_eq!(covers(&exemption, Rule::ImageTag, "app"), !expected, "{name}");
        }
    }

    const TODAY: Date = date(2027, 1, 31);

    fn exemption(selector: &str) -> Exemption {
        let spec = format!("{{exemptions: [{{reason: r, rules: [image-tag, probes], match: {selector}}}]}}");
        fixture::policy("one", &spec).exemptions.remove(0)
    }

    fn covers(exemption: &Exemption, rule: Rule, container: &str) -> bool {
        let pod_labels = Labels::from([("app".to_owned(), "api".to_owned())]);
        let subject = Subject { namespace: "legacy-shop", namespace_labels: None, pod_labels: &pod_labels };
        exemption.covers(rule, TODAY, &subject, container, "vendor/tool:latest")
    }
}
