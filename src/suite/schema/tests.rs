//! Suites as they are read, and the mistakes of those that are not.

use std::fmt::Write as _;

use jiff::civil::date;

use super::{super::fixture, *};

#[test]
fn a_whole_suite_is_read() {
    let suite = fixture::read(
        "\
metadata: {name: shop, labels: {a: b}}
policy: ../policies
today: 2027-01-31
namespace: shop
namespaces: {shop: {team: shop}, bank: {}}
tests:
- name: one
  manifests: [a.yaml, b]
  objects: [{kind: Pod}]
  namespace: bank
  today: 2027-02-01
  asAdmission: true
  expect:
    deny: [{rule: image-tag}]
    audit: [{object: web, rule: probes, container: a, subject: readinessProbe, message: port, policy: p}]
    exempt: [{rule: image-tag, reason: vendor}]
    inject: {web/a: {X: 2, Z: a}}
- {name: two, manifests: [c], expect: {unmatched: true}}
",
    )
    .unwrap();
    assert_eq!(suite.name.as_deref(), Some("shop"));
    assert!(matches!(suite.policies, Policies::Path { ref path, .. } if path == "../policies"));
    assert_eq!(suite.namespaces["shop"]["team"], "shop");
    assert!(suite.namespaces["bank"].is_empty());
    let [one, two] = &suite.tests[..] else { panic!("{:?}", suite.tests) };
    assert_eq!((one.name.as_str(), one.manifests.len(), one.objects.len()), ("one", 2, 1));
    assert_eq!((one.namespace.as_deref(), one.today, one.as_admission), (Some("bank"), Some(date(2027, 2, 1)), true));
    let told: Vec<String> = one.expected.expectations.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "deny: {rule: image-tag}",
            "audit: {object: web, rule: probes, container: a, subject: readinessProbe, message: port, policy: p}",
            "exempt: {rule: image-tag, reason: vendor}",
            "inject: web/a: X: 2",
            "inject: web/a: Z: a",
        ]
    );
    assert!(one.expected.with_injections && !one.expected.unmatched);
    assert_eq!((two.namespace.as_deref(), two.today, two.as_admission), (Some("shop"), Some(date(2027, 1, 31)), false));
    assert!(!two.expected.with_injections && two.expected.unmatched);
}

#[test]
fn all_mistakes_are_told_where_they_stand() {
    let rows = [
        ("nothing", "", "1:1: tests: is required\n"),
        ("no test", "tests: []", "3:8: tests: must hold at least one test\n"),
        (
            "an empty test",
            "tests: [{}]",
            "3:9: tests[0].name: is required\n\
             3:9: tests[0]: must name what is judged: `manifests`, `objects`, or both\n\
             3:9: tests[0].expect: is required\n",
        ),
        (
            "an expectation of nothing",
            "tests: [{name: x, manifests: [x], expect: }]",
            "3:10: tests[0].expect: is required\n",
        ),
        (
            "keys that nobody knows",
            "polcy: x\ntests: [{name: x, manifest: x, objects: [{}], expect: {denny: [], inject: {}}}]",
            "3:1: polcy: is not known; did you mean `policy`? Known here: apiVersion, kind, metadata, policy, policies, \
             today, namespace, namespaces or tests\n\
             4:19: tests[0].manifest: is not known; did you mean `manifests`? Known here: name, manifests, objects, \
             namespace, today, asAdmission or expect\n\
             4:56: tests[0].expect.denny: is not known; did you mean `deny`? Known here: deny, warn, audit, exempt, \
             inject or unmatched\n",
        ),
        (
            "expectations",
            "tests:\n- name: x\n  objects: [1]\n  expect:\n    deny:\n    - {rule: image-tags}\n    - container: a\n    \
             exempt: [{rule: probes, message: x}]\n    inject: {a: {X: [], Z: 1.5}}\n",
            "5:13: tests[0].objects[0]: must be a map, not 1\n\
             8:14: tests[0].expect.deny[0].rule: must be a rule, not `image-tags`; did you mean `image-tag`? Known: \
             resource-limits, image-tag, pod-identity, runtime-sizing, probes\n\
             9:7: tests[0].expect.deny[1].rule: is required\n\
             10:29: tests[0].expect.exempt[0].message: is not known; known here: rule, object, container, policy or \
             reason\n\
             11:21: tests[0].expect.inject.a.X: must be a text or a whole number, not a list\n\
             11:28: tests[0].expect.inject.a.Z: must be a text or a whole number, not 1.5\n",
        ),
        (
            "policies",
            "policy: '-'\npolicies:\n- {kind: SizingPolicy, spec: {imageTags: {}}}\n- 1\ntests: [{name: x, manifests: [x], expect: {}}]",
            "3:9: policy: must be a file or a folder\n\
             5:1: policies: must not stand beside `policy`; keep one of them\n\
             5:4: policies[0].apiVersion: is required\n\
             5:4: policies[0].metadata.name: is required\n\
             5:31: policies[0].spec.imageTags: is not known; did you mean `imageTag`? Known here: priority, match, \
             templates, resourceLimits, imageTag, podIdentity, runtimeSizing, probes or exemptions\n\
             6:3: policies[1]: must be a map, not 1\n",
        ),
        (
            "no policies",
            "policies: []\ntests: [{name: x, manifests: [x], expect: {}}]",
            "3:11: policies: must hold at least one policy; leave it out for the embedded one\n",
        ),
        (
            "policies of one name",
            "policies: [&a {apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy, metadata: {name: a}}, *a]\ntests: [{name: x, manifests: [x], expect: {}}]",
            "3:11: policies: must have names of their own: two policies are named `a`\n",
        ),
        (
            "tests of one name",
            "tests: [&a {name: x, manifests: [x], expect: {}}, *a]",
            "3:51: tests[1]: `x` is the name of another test here\n",
        ),
    ];
    for (name, text, expected) in rows {
        let mut told = String::new();
        for Mistake { span, path, message } in fixture::read(text).unwrap_err() {
            writeln!(told, "{}:{}: {path}: {message}", span.start.line, span.start.column).unwrap();
        }
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn documents_that_mean_to_be_suites_are_told_from_others() {
    let rows = [
        ("{apiVersion: podfit.dev/v1alpha1, kind: PolicyTest}", true),
        ("{apiVersion: podfit.dev/v1, kind: PolicyTests}", true),
        ("{kind: PolicyTest}", true),
        ("{apiVersion: podfit.dev/v1alpha1, kind: SizingPolicy}", false),
        ("{apiVersion: v1, kind: Pod}", false),
        ("[]", false),
    ];
    for (text, expected) in rows {
        let document = crate::manifest::read(text).remove(0).unwrap();
        assert_eq!(is_suite(&document.node), expected, "{text}");
    }
}

#[test]
fn the_schema_names_every_key() {
    let schema = json_schema();
    let keys = |schema: &Json| schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let test = &schema["properties"]["tests"]["items"];
    let expect = &test["properties"]["expect"];
    assert_eq!(keys(&schema), "apiVersion kind metadata policy policies today namespace namespaces tests");
    assert_eq!(keys(test), "name manifests objects namespace today asAdmission expect");
    assert_eq!(keys(expect), "deny warn audit exempt inject unmatched");
    assert_eq!(schema["required"], json!(["apiVersion", "kind", "tests"]));
    assert_eq!(schema["properties"]["policies"]["items"]["title"], "SizingPolicy");
}
