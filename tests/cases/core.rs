//! The cases through the core: `review` and `patch::to_json`, and once more on what came of it.

use podfit::{
    fitting::Pod,
    patch,
    policy::{Mode, PolicySet, Subject},
    review::review,
};
use serde_json::Value;

use crate::{
    Differences, by_ground,
    case::{self, Case},
    view,
};

#[test]
fn core() {
    let cases = case::all();
    let mut differences = Differences::default();
    for (ground, cases) in by_ground(&cases) {
        let policies = ground.policies();
        for case in cases {
            judge(case, &policies, &mut differences);
        }
    }
    differences.check();
}

fn judge(case: &Case, policies: &PolicySet, differences: &mut Differences) {
    let expected = &case.expected;
    let operations = with_verdict(case, policies, &case.object, |verdict, pod| {
        let findings = &verdict.findings;
        let words: Vec<_> = findings.iter().map(|finding| view::finding(finding, pod.workload)).collect();
        differences.compare(case, "findings", &words, &expected.findings);
        if let Some(messages) = &expected.messages {
            let found: Vec<_> = findings.iter().map(podfit::verdict::Finding::message).collect();
            differences.compare(case, "messages", &found, messages);
        }
        let skips: Vec<_> = verdict.skips.iter().map(view::skip).collect();
        differences.compare(case, "skips", &skips, &expected.skips);
        let exempted: Vec<_> = verdict.exempted.iter().map(view::exempted).collect();
        differences.compare(case, "exempted", &exempted, &expected.exempted);
        view::operations(patch::to_json(verdict, pod).as_deref())
    });
    differences.compare_patch(case, "patch", &operations);
    let fixed = view::applied(&case.object, &operations);
    with_verdict(case, policies, &fixed, |verdict, pod| {
        let again = patch::to_json(verdict, pod);
        differences.compare(case, "a second review patches", &again, &None);
        let left = verdict.findings.iter().filter(|finding| finding.mode == Mode::Inject);
        let left: Vec<_> = left.map(|finding| view::finding(finding, pod.workload)).collect();
        differences.compare(case, "a second review injects", &left, &Vec::<String>::new());
    });
}

fn with_verdict<T>(
    case: &Case,
    policies: &PolicySet,
    object: &Value,
    look: impl FnOnce(&podfit::verdict::Verdict<'_>, &Pod<'_>) -> T,
) -> T {
    let json = object.to_string();
    let workload = case.decode(&json);
    let ground = &case.ground;
    let pod_labels = &workload.pod_metadata().labels;
    let subject = Subject { namespace: &ground.namespace, namespace_labels: ground.labels.as_ref(), pod_labels };
    let pod = Pod::read(&workload);
    look(&review(&policies.in_force(&subject), &pod, ground.today()), &pod)
}
