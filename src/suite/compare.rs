//! What is expected against what was found: each finding answers one expectation, and nothing may be left over on either side.

use super::{Expectation, Expected, Found, Group};

/// What is wrong with a test's expectations; where nothing is, both lists are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// Expected, but not found.
    pub missing: Vec<Expectation>,
    /// Found, but not expected.
    pub unexpected: Vec<Found>,
    /// What the test would have to expect instead: its own words where they hold.
    pub instead: Vec<Expectation>,
    of_several: bool,
}

/// Compares what a test expects of some objects (`KIND/NAME`) with all that was found in them.
pub fn compare(expected: &Expected, objects: &[String], found: &[Found]) -> Difference {
    let is_looked_at = |found: &&Found| expected.with_injections || found.group != Group::Inject;
    let mut found: Vec<&Found> = found.iter().filter(is_looked_at).collect();
    found.sort_by_key(|found| found.group);
    let mut expectations = expected.expectations.clone();
    if expected.unmatched {
        let unmatched =
            |object: &String| Expectation { object: Some(object.clone()), ..Expectation::of_group(Group::Unmatched) };
        expectations.extend(objects.iter().map(unmatched));
    }
    let of_several = objects.len() > 1;
    let answers = answers(&expectations, &found);
    let answered = |index: usize| answers.contains(&Some(index));
    let missing = expectations.iter().enumerate().filter(|(index, _)| !answered(*index));
    let pairs = || found.iter().zip(&answers);
    // Of some objects and not of others a test cannot say it.
    let all_unmatched = found.iter().filter(|found| found.group == Group::Unmatched).count() == objects.len();
    Difference {
        missing: missing.map(|(_, expectation)| expectation.clone()).collect(),
        unexpected: pairs().filter(|(_, answer)| answer.is_none()).map(|(found, _)| (*found).clone()).collect(),
        instead: pairs()
            .filter(|(found, _)| all_unmatched || found.group != Group::Unmatched)
            .map(|(found, answer)| match answer {
                Some(index) => expectations[*index].clone(),
                None => found.expectation(of_several),
            })
            .collect(),
        of_several,
    }
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }

    /// `1 is expected and not found, 2 are found and not expected`.
    pub fn headline(&self) -> String {
        let parts = [
            (self.missing.len(), "is expected and not found", "are expected and not found"),
            (self.unexpected.len(), "is found and not expected", "are found and not expected"),
        ];
        let told = parts.iter().filter(|(number, ..)| *number > 0);
        let told = told.map(|(number, one, many)| format!("{number} {}", if *number == 1 { one } else { many }));
        told.collect::<Vec<_>>().join(", ")
    }

    /// `-` for what is missing, `+` for what is not expected, each with what is known of it in a line of its own.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.missing.iter().map(|missing| format!("- {missing}")).collect();
        for found in &self.unexpected {
            lines.push(format!("+ {}", found.expectation(self.of_several)));
            lines.push(format!("  {}: {}", found.place, found.told));
        }
        lines
    }
}

/// The index of the expectation that each finding answers: as many as can be (augmenting paths), since a vague expectation may
/// take the finding that a precise one needs.
fn answers(expectations: &[Expectation], found: &[&Found]) -> Vec<Option<usize>> {
    let mut answers = vec![None; found.len()];
    for index in 0..expectations.len() {
        let mut tried = vec![false; found.len()];
        settle(index, expectations, found, &mut answers, &mut tried);
    }
    answers
}

/// Finds an answer for one expectation; another one may have to move on to another finding. Each step of the recursion answers
/// one expectation more, of which a file has at most a thousand in a list.
fn settle(
    index: usize,
    expectations: &[Expectation],
    found: &[&Found],
    answers: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let fitting: Vec<usize> = (0..found.len()).filter(|&at| found[at].is(&expectations[index])).collect();
    if let Some(&at) = fitting.iter().find(|&&at| answers[at].is_none()) {
        answers[at] = Some(index);
        return true;
    }
    for at in fitting {
        let is_new = !std::mem::replace(&mut tried[at], true);
        if is_new && answers[at].is_some_and(|other| settle(other, expectations, found, answers, tried)) {
            answers[at] = Some(index);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{
        super::{expect_block, fixture},
        *,
    };
    use crate::{manifest, rules::Rule};

    type Row<'r> = (&'r str, &'r [&'r str], &'r str, Vec<Found>, &'r [&'r str]);

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_differs_is_told() {
        let one = ["Pod/web"];
        let two = ["Pod/web", "Deployment/web"];
        let rows: Vec<Row<'_>> = vec![
            ("nothing and nothing", &one, "{}", vec![], &[]),
            (
                "nothing, where a finding is expected",
                &one,
                "{deny: [{rule: image-tag}]}",
                vec![],
                &["- deny: {rule: image-tag}"],
            ),
            (
                "an unexpected finding",
                &one,
                "{}",
                vec![image("a")],
                &["+ deny: {rule: image-tag, container: a}", "  FILE: told"],
            ),
            ("a finding by its rule", &one, "{deny: [{rule: image-tag}]}", vec![image("a")], &[]),
            (
                "a finding by all its fields",
                &one,
                "{deny: [{object: web, rule: image-tag, container: a, subject: image, message: no tag, policy: shop}]}",
                vec![image("a")],
                &[],
            ),
            ("an object by kind and name", &one, "{deny: [{object: Pod/web, rule: image-tag}]}", vec![image("a")], &[]),
            (
                "another object",
                &one,
                "{deny: [{object: Job/web, rule: image-tag}]}",
                vec![image("a")],
                &[
                    "- deny: {object: Job/web, rule: image-tag}",
                    "+ deny: {rule: image-tag, container: a}",
                    "  FILE: told",
                ],
            ),
            (
                "another rule",
                &one,
                "{deny: [{rule: probes}]}",
                vec![image("a")],
                &["- deny: {rule: probes}", "+ deny: {rule: image-tag, container: a}", "  FILE: told"],
            ),
            (
                "another mode",
                &one,
                "{warn: [{rule: image-tag}]}",
                vec![image("a")],
                &["- warn: {rule: image-tag}", "+ deny: {rule: image-tag, container: a}", "  FILE: told"],
            ),
            (
                "another message",
                &one,
                "{deny: [{rule: image-tag, message: digest}]}",
                vec![image("a")],
                &[
                    "- deny: {rule: image-tag, message: digest}",
                    "+ deny: {rule: image-tag, container: a}",
                    "  FILE: told",
                ],
            ),
            (
                "another policy",
                &one,
                "{deny: [{rule: image-tag, policy: bank}]}",
                vec![image("a")],
                &["- deny: {rule: image-tag, policy: bank}", "+ deny: {rule: image-tag, container: a}", "  FILE: told"],
            ),
            (
                "one too many",
                &one,
                "{deny: [{rule: image-tag}]}",
                vec![image("a"), image("b")],
                &["+ deny: {rule: image-tag, container: b}", "  FILE: told"],
            ),
            (
                "one too few",
                &one,
                "{deny: [{rule: image-tag}, {rule: image-tag}]}",
                vec![image("a")],
                &["- deny: {rule: image-tag}"],
            ),
            (
                "any order",
                &one,
                "{deny: [{rule: image-tag, container: b}, {rule: image-tag, container: a}]}",
                vec![image("a"), image("b")],
                &[],
            ),
            (
                "a vague expectation leaves the precise one its finding",
                &one,
                "{deny: [{rule: image-tag}, {rule: image-tag, container: a}]}",
                vec![image("a"), image("b")],
                &[],
            ),
            (
                "and over several steps",
                &one,
                "{deny: [{rule: image-tag}, {rule: image-tag, message: tag}, {rule: image-tag, container: a}]}",
                vec![image("a"), image("b"), image("c")],
                &[],
            ),
            (
                "an unexpected finding of several objects",
                &two,
                "{}",
                vec![image("a")],
                &["+ deny: {object: Pod/web, rule: image-tag, container: a}", "  FILE: told"],
            ),
            ("injections are not looked at", &one, "{}", vec![injection("a", "GOMAXPROCS", "2")], &[]),
            (
                "unless a test speaks of them",
                &one,
                "{inject: {}}",
                vec![injection("a", "GOMAXPROCS", "2")],
                &["+ inject: a: GOMAXPROCS: 2", "  FILE: told"],
            ),
            ("an injection", &one, "{inject: {a: {GOMAXPROCS: 2}}}", vec![injection("a", "GOMAXPROCS", "2")], &[]),
            (
                "another value",
                &one,
                "{inject: {a: {GOMAXPROCS: 3}}}",
                vec![injection("a", "GOMAXPROCS", "2")],
                &["- inject: a: GOMAXPROCS: 3", "+ inject: a: GOMAXPROCS: 2", "  FILE: told"],
            ),
            (
                "a value is not a part of one",
                &one,
                "{inject: {a: {GOMAXPROCS: 2}}}",
                vec![injection("a", "GOMAXPROCS", "12")],
                &["- inject: a: GOMAXPROCS: 2", "+ inject: a: GOMAXPROCS: 12", "  FILE: told"],
            ),
            (
                "injections of several objects",
                &two,
                "{inject: {Pod/web/a: {X: 1}}}",
                vec![injection("a", "X", "1"), Found { object: "Deployment/web".into(), ..injection("a", "X", "1") }],
                &["+ inject: Deployment/web/a: X: 1", "  FILE: told"],
            ),
            ("an exemption", &one, "{exempt: [{rule: image-tag, reason: vendor}]}", vec![exempt("vendor")], &[]),
            (
                "an exemption for another reason",
                &one,
                "{exempt: [{rule: image-tag, reason: vend}]}",
                vec![exempt("vendor")],
                &[
                    "- exempt: {rule: image-tag, reason: vend}",
                    "+ exempt: {rule: image-tag, container: a, reason: vendor}",
                    "  FILE: told",
                ],
            ),
            (
                "an unexpected exemption",
                &one,
                "{}",
                vec![exempt("vendor")],
                &["+ exempt: {rule: image-tag, container: a, reason: vendor}", "  FILE: told"],
            ),
            ("no policy", &two, "{unmatched: true}", vec![unmatched("Pod/web"), unmatched("Deployment/web")], &[]),
            (
                "a policy for one of two",
                &two,
                "{unmatched: true}",
                vec![unmatched("Pod/web")],
                &["- unmatched: Deployment/web"],
            ),
            (
                "no policy, which nobody expects",
                &one,
                "{}",
                vec![unmatched("Pod/web")],
                &["+ unmatched: Pod/web", "  FILE: told"],
            ),
        ];
        for (name, objects, expect, found, lines) in rows {
            let objects: Vec<String> = objects.iter().map(|&object| object.to_owned()).collect();
            let difference = compare(&expected(expect), &objects, &found);
            assert_eq!(difference.lines(), lines, "{name}");
            assert_eq!(difference.is_empty(), lines.is_empty(), "{name}");
        }
    }

    #[test]
    fn numbers_are_told_in_words() {
        let headline =
            |expect: &str, found: &[Found]| compare(&expected(expect), &["Pod/web".to_owned()], found).headline();
        assert_eq!(headline("{deny: [{rule: probes}]}", &[]), "1 is expected and not found");
        assert_eq!(headline("{}", &[image("a"), image("b")]), "2 are found and not expected");
        assert_eq!(
            headline("{deny: [{rule: probes}, {rule: probes}]}", &[image("a")]),
            "2 are expected and not found, 1 is found and not expected"
        );
    }

    /// What is proposed is met by what was found, in the test's own words where they hold.
    #[test]
    fn what_is_proposed_would_pass() {
        let expect = "{deny: [{rule: image-tag, message: no tag}, {rule: probes}], inject: {a: {X: 1}}}";
        let found = [
            injection("a", "X", "yes"),
            image("a"),
            Found { group: Group::Warn, ..image("b") },
            exempt("a: 'b'"),
            injection("b", "Z", "limits.cpu, live"),
        ];
        let objects = ["Pod/web".to_owned()];
        let difference = compare(&expected(expect), &objects, &found);
        let block = expect_block(&difference.instead, true);
        let text = manifest::block(&block);
        assert_eq!(
            text,
            "\
expect:
  deny:
  - rule: image-tag
    message: no tag
  warn:
  - rule: image-tag
    container: b
  exempt:
  - rule: image-tag
    container: a
    reason: \"a: 'b'\"
  inject:
    a:
      X: \"yes\"
    b:
      Z: limits.cpu, live"
        );
        let again = compare(&expected(&block["expect"].to_string()), &objects, &found);
        assert_eq!(again.lines(), [""; 0]);
    }

    #[test]
    fn where_nothing_is_found_nothing_is_proposed() {
        let difference = compare(&expected("{deny: [{rule: probes}]}"), &["Pod/web".to_owned()], &[]);
        assert_eq!(manifest::block(&expect_block(&difference.instead, false)), "expect: {}");
        assert_eq!(manifest::block(&expect_block(&difference.instead, true)), "expect:\n  inject: {}");
        let all = compare(&expected("{}"), &["Pod/web".to_owned()], &[unmatched("Pod/web")]);
        assert_eq!(manifest::block(&expect_block(&all.instead, false)), "expect:\n  unmatched: true");
    }

    fn expected(expect: &str) -> Expected {
        let text = format!("tests: [{{name: x, manifests: [x], expect: {expect}}}]");
        fixture::read(&text).unwrap().tests.remove(0).expected
    }

    fn image(container: &str) -> Found {
        Found {
            group: Group::Deny,
            object: "Pod/web".to_owned(),
            rule: Some(Rule::ImageTag),
            container: container.to_owned(),
            subject: "image".to_owned(),
            policy: "shop".to_owned(),
            wording: "an image with no tag".to_owned(),
            place: "FILE".to_owned(),
            told: "told".to_owned(),
        }
    }

    fn injection(container: &str, subject: &str, value: &str) -> Found {
        let (subject, wording) = (subject.to_owned(), value.to_owned());
        Found { group: Group::Inject, rule: Some(Rule::RuntimeSizing), subject, wording, ..image(container) }
    }

    fn exempt(reason: &str) -> Found {
        Found { group: Group::Exempt, subject: String::new(), wording: reason.to_owned(), ..image("a") }
    }

    fn unmatched(object: &str) -> Found {
        let (container, subject) = (String::new(), String::new());
        Found { group: Group::Unmatched, object: object.to_owned(), rule: None, container, subject, ..exempt("") }
    }
}
