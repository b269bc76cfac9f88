//! The promises of the contract, each over generated Pods and policies.

use std::collections::BTreeMap;

use podfit::{
    admission::{Decision, Phase},
    manifest, patch,
    policy::{EnvFrom, InForce, Labels, Mode, Rounding, Subject},
    quantity::Quantity,
    runtimes::{self, Formula, MEMORY_HELPER},
    workload::{Kind, Workload},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    checks::strict::{self, Applied},
    pods::{self, SECRET},
    policies,
    request::{NAMESPACE, request, review_body},
    world::{Case, answer, answer_body, cases, choices, config, judged, patch_in, patch_of, patched, told},
    yaml,
};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn review_twice_is_review_once(case in cases()) {
        let json = case.pod.to_string();
        let Some(operations) = patch_of(&case.policies, &json) else { return Ok(()) };
        let after = patched(&case.pod, &operations).to_string();
        prop_assert_eq!(patch_of(&case.policies, &after), Some(vec![]), "after {}", Value::from(operations));
        let said = |json: &str| judged(&case.policies, Kind::Pod, json, |verdict, _| told(verdict));
        prop_assert_eq!(said(&after), said(&json));
    }

    #[test]
    fn managed_fields_change_no_answer(case in cases(), fields in managed_fields()) {
        let mut managed = case.pod.clone();
        let Some(metadata) = managed["metadata"].as_object_mut() else { return Ok(()) };
        metadata.insert("managedFields".to_owned(), fields);
        for phase in [Phase::Mutate, Phase::Validate] {
            let ask = |pod| answer(phase, &request("", "Pod", "CREATE", pod, &Value::Null), &case.policies);
            let (with, without) = (ask(&managed), ask(&case.pod));
            prop_assert_eq!(with.record.decision, without.record.decision);
            // What does not decode is told with its column.
            if without.record.decision != Decision::Failed {
                prop_assert_eq!(String::from_utf8(with.body), String::from_utf8(without.body));
            }
        }
    }

    /// What is taken out before decoding is found by its layout: kube-apiserver's.
    #[test]
    fn a_layout_changes_no_answer(case in cases(), other_limit in any::<bool>()) {
        let Some(operations) = patch_of(&case.policies, &case.pod.to_string()) else { return Ok(()) };
        let mut pod = patched(&case.pod, &operations);
        let containers = pod["spec"]["containers"].as_array_mut();
        for container in containers.into_iter().flatten().filter(|_| other_limit) {
            if let Some(limit) = container.pointer_mut("/resources/limits/cpu") {
                *limit = json!("7");
            }
        }
        for (phase, old) in [(Phase::Mutate, &Value::Null), (Phase::Validate, &Value::Null), (Phase::Validate, &case.pod)] {
            let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
            alike_in_both_layouts(phase, &request("", "Pod", operation, &pod, old), &case)?;
        }
    }

    /// The same of a record on an object, on its template, on both or on neither, before and after.
    #[test]
    fn a_layout_changes_no_answer_about_a_template(case in cases(), places in any::<[bool; 4]>()) {
        let Some(operations) = patch_of(&case.policies, &case.pod.to_string()) else { return Ok(()) };
        let pod = patched(&case.pod, &operations);
        let record = &pod["metadata"]["annotations"]["podfit.dev/injected"];
        let marked = |metadata: &Value, is_marked: bool| {
            let mut metadata = metadata.clone();
            let marks = if is_marked { json!({"podfit.dev/injected": record}) } else { json!({}) };
            metadata["annotations"] = marks;
            metadata
        };
        let deployment = |own, of_template| {
            let template = json!({"metadata": marked(&pod["metadata"], of_template), "spec": pod["spec"]});
            json!({"metadata": marked(&json!({"name": "web"}), own), "spec": {"template": template}})
        };
        let (new, old) = (deployment(places[0], places[1]), deployment(places[2], places[3]));
        for old in [&Value::Null, &old] {
            let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
            alike_in_both_layouts(Phase::Validate, &request("apps", "Deployment", operation, &new, old), &case)?;
        }
    }

    #[test]
    fn what_the_user_wrote_stays(case in cases()) {
        let Some((operations, applied)) = applied(&case)? else { return Ok(()) };
        prop_assert_eq!(&applied.tree, &patched(&case.pod, &operations));
        // As text: the order of keys counts.
        prop_assert_eq!(applied.undone().to_string(), case.pod.to_string());
        for (pointer, before) in &applied.replaced {
            prop_assert!(is_recorded(&case.pod, pointer, before), "{pointer} is no literal of ours: {before}");
        }
        for (pointer, container) in containers(&applied.tree) {
            for name in added_names(&operations, &pointer) {
                let ours = names(container).filter(|other| same_name(&case.pod, other, &name)).count();
                prop_assert_eq!(ours, 1, "{} in {}", name, pointer);
            }
        }
    }

    #[test]
    fn a_patch_touches_nothing_but_what_podfit_is_for(case in cases()) {
        let Some((operations, _)) = applied(&case)? else { return Ok(()) };
        for operation in &operations {
            let path = operation["path"].as_str().unwrap();
            prop_assert!(is_ours_to_write(path), "{operation}");
        }
    }

    #[test]
    fn nothing_is_shadowed(case in cases()) {
        let Some((operations, _)) = applied(&case)? else { return Ok(()) };
        let labels = pod_labels(&case.pod);
        let subject = Subject { namespace: NAMESPACE, namespace_labels: None, pod_labels: &labels };
        let in_force = case.policies.in_force(&subject);
        for (pointer, container) in containers(&case.pod) {
            for name in added_names(&operations, &pointer) {
                let conflicts = runtimes::variables().filter(|variable| variable.name == name).flat_map(|variable| variable.conflicts);
                for conflict in conflicts {
                    prop_assert!(!names(container).any(|other| other == *conflict), "{name} beside {conflict}");
                }
                if skips_env_from(&in_force, &name, &operations, &pointer) {
                    let supplied = prefixes(container).find(|prefix| name.starts_with(prefix));
                    prop_assert_eq!(supplied, None, "{} in {}", name, pointer);
                }
            }
        }
    }

    #[test]
    fn injected_values_are_such_as_their_readers_take(case in cases()) {
        let Some((operations, applied)) = applied(&case)? else { return Ok(()) };
        for operation in &operations {
            let pointer = operation["path"].as_str().unwrap();
            let Some((container, _)) = pointer.split_once("/env") else { continue };
            let variables = operation["value"].as_array().map_or(std::slice::from_ref(&operation["value"]), |list| list);
            for variable in variables {
                let complaint = value_complaint(&applied.tree, container, variable);
                prop_assert_eq!(complaint, None, "{} in {}", variable, container);
            }
        }
    }

    #[test]
    fn the_same_object_gets_the_same_bytes(case in cases(), mut choices in choices(1_500)) {
        let mixed = pods::shuffled(&case.pod, &mut choices);
        for phase in [Phase::Mutate, Phase::Validate] {
            let ask = |pod| answer(phase, &request("", "Pod", "CREATE", pod, &Value::Null), &case.policies);
            let first = ask(&case.pod);
            prop_assert_eq!(&first.body, &ask(&case.pod).body);
            // What does not decode is told by its place in the text.
            if first.record.decision != Decision::Failed {
                let mixed = ask(&mixed);
                prop_assert_eq!(String::from_utf8(first.body).unwrap(), String::from_utf8(mixed.body).unwrap());
            }
        }
    }

    #[test]
    fn nothing_is_new_since_itself(case in cases()) {
        let json = case.pod.to_string();
        let left = judged(&case.policies, Kind::Pod, &json, |verdict, pod| {
            let subject = super::world::subject(pod);
            let mut again = podfit::review::review(&case.policies.in_force(&subject), pod, super::world::TODAY);
            again.new_since(verdict);
            again.findings.len()
        });
        prop_assert!(matches!(left, None | Some(0)), "{left:?}");
    }

    #[test]
    fn an_update_that_changes_nothing_is_allowed(case in cases(), mut choices in choices(1_500)) {
        let (group, kind, template) = pods::workload(&mut choices);
        for (group, kind, object) in [("", "Pod", &case.pod), (group, kind, &template)] {
            let answer = answer(Phase::Validate, &request(group, kind, "UPDATE", object, object), &case.policies);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            prop_assert!(answer.status == 500 || body["response"]["allowed"] == json!(true), "{body}");
        }
    }

    #[test]
    fn mutate_never_denies_and_validate_never_patches(case in cases(), mut choices in choices(1_500)) {
        let (group, kind, template) = pods::workload(&mut choices);
        let objects = [&Value::Null, &case.pod, &template];
        let other = (*choices.pick(&["", "apps", "x"]), *choices.pick(&["Pod", "Binding", "Scale", "Deployment"]));
        let (group, kind) = *choices.pick(&[("", "Pod"), (group, kind), other]);
        let operation = *choices.pick(&["CREATE", "UPDATE", "DELETE", "CONNECT", "", "PATCH"]);
        let (object, old): (&Value, &Value) = (choices.pick::<&Value>(&objects), choices.pick::<&Value>(&objects));
        let mut asked = request(group, kind, operation, object, old);
        let place = *choices.pick(&[2, 8, 10]);
        let sub_resource = json!(choices.pick(&["", "resize", "status", "ephemeralcontainers", "scale", "eviction"]));
        asked.as_object_mut().unwrap().shift_insert(place, "subResource".to_owned(), sub_resource);
        asked["userInfo"]["groups"] = json!(choices.pick(&[json!(["system:nodes"]), json!(null), json!([])]));
        asked["uid"] = json!(choices.pick(&["u", "\"\\\n\u{2028}", "日本"]));
        for phase in [Phase::Mutate, Phase::Validate] {
            let answer = answer(phase, &asked, &case.policies);
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let response = &body["response"];
            if phase == Phase::Validate && answer.status == 500 {
                prop_assert_eq!(&body["kind"], "Status");
                continue;
            }
            prop_assert_eq!(answer.status, 200, "{}", asked);
            prop_assert_eq!(&response["uid"], &asked["uid"]);
            if phase == Phase::Mutate {
                prop_assert_eq!(&response["allowed"], true);
                prop_assert_eq!(response.get("patch").is_some(), response.get("patchType").is_some());
                let is_pod = kind == "Pod" && operation == "CREATE" && asked["subResource"] == "";
                prop_assert!(is_pod || response.get("patch").is_none());
            } else {
                prop_assert!(response["allowed"].is_boolean());
                prop_assert!(response.get("patch").is_none() && response.get("patchType").is_none());
            }
        }
    }

    #[test]
    fn contents_are_never_told(case in cases(), mut choices in choices(1_500)) {
        let (group, kind, template) = pods::workload(&mut choices);
        for (group, kind, object) in [("", "Pod", &case.pod), (group, kind, &template)] {
            for phase in [Phase::Mutate, Phase::Validate] {
                let answer = answer(phase, &request(group, kind, "CREATE", object, &Value::Null), &case.policies);
                let body = String::from_utf8(answer.body).unwrap();
                prop_assert!(!body.contains(SECRET), "{body}");
                prop_assert!(!format!("{:?}", answer.record).contains(SECRET), "{:?}", answer.record);
                let body: Value = serde_json::from_str(&body).unwrap();
                let operations = patch_in(&body["response"]).unwrap_or_default();
                let told = operations.iter().find(|operation| !is_annotation(operation) && operation.to_string().contains(SECRET));
                prop_assert_eq!(told, None);
            }
        }
    }

    #[test]
    fn a_template_is_answered_no_stricter_than_its_policy_says(case in cases(), mut choices in choices(1_500)) {
        let (group, kind, template) = pods::workload(&mut choices);
        let answer = answer(Phase::Validate, &request(group, kind, "CREATE", &template, &Value::Null), &case.policies);
        let templates = case.policies.policies().iter().map(|policy| policy.templates).max();
        let strictest = answer.record.findings.iter().map(|(_, mode, _)| *mode).max();
        prop_assert!(strictest.is_none_or(|mode| Some(mode) <= templates && mode >= Mode::Audit), "{strictest:?}");
    }

    #[test]
    fn a_manifest_is_judged_as_its_json(case in cases()) {
        let text = yaml::text(&case.pod);
        let document = manifest::read(&text).remove(0).unwrap();
        let same: Value = serde_json::from_str(&document.json).unwrap();
        prop_assert_eq!(same.to_string(), case.pod.to_string());
        let all = |json: &str| judged(&case.policies, Kind::Pod, json, |verdict, _| format!("{verdict:#?}"));
        prop_assert_eq!(all(&document.json), all(&case.pod.to_string()));
    }

    #[test]
    fn a_fixed_manifest_is_the_patched_object(case in cases()) {
        let text = yaml::text(&case.pod);
        let json = case.pod.to_string();
        let Some(operations) = judged(&case.policies, Kind::Pod, &json, patch::operations) else { return Ok(()) };
        let written = patch_of(&case.policies, &json).unwrap();
        let fixed = manifest::apply(&text, &[operations]).unwrap();
        let again = manifest::read(&fixed.text).remove(0).unwrap();
        let read: Value = serde_json::from_str(&again.json).unwrap();
        prop_assert_eq!(read, patched(&case.pod, &written), "{}", fixed.text);
    }

    #[test]
    fn a_policy_text_compiles_to_the_same_policy_in_any_order(mut choices in choices(800)) {
        let texts = policies::policy_texts(&mut choices);
        let set = policies::compile(&texts);
        let turned: Vec<String> = texts.iter().rev().cloned().collect();
        prop_assert_eq!(set, policies::compile(&turned));
    }
}

fn alike_in_both_layouts(phase: Phase, request: &Value, case: &Case) -> Result<(), TestCaseError> {
    let body = review_body(request);
    let ask = |body: String| answer_body(phase, body.as_bytes(), &case.policies);
    let (compact, wide) = (ask(body.to_string()), ask(serde_json::to_string_pretty(&body).unwrap()));
    prop_assert_eq!(compact.record.decision, wide.record.decision);
    prop_assert_eq!(&compact.record.skips, &wide.record.skips);
    // What does not decode is told with its line.
    if wide.record.decision != Decision::Failed {
        prop_assert_eq!(String::from_utf8(compact.body), String::from_utf8(wide.body));
    }
    Ok(())
}

/// The patch of a case, and the Pod with it; nothing where the Pod does not decode.
fn applied(case: &Case) -> Result<Option<(Vec<Value>, Applied)>, TestCaseError> {
    let Some(operations) = patch_of(&case.policies, &case.pod.to_string()) else { return Ok(None) };
    let applied = strict::apply(&case.pod, &operations).map_err(TestCaseError::fail)?;
    Ok(Some((operations, applied)))
}

fn is_annotation(operation: &Value) -> bool {
    operation["path"].as_str().is_some_and(|path| path.starts_with("/metadata"))
}

fn is_ours_to_write(path: &str) -> bool {
    if path.starts_with("/metadata") {
        return ["/metadata", "/metadata/annotations", "/metadata/annotations/podfit.dev~1injected"].contains(&path);
    }
    let tokens: Vec<&str> = path.split('/').skip(1).collect();
    let ["spec", "containers" | "initContainers", index, field @ ..] = &tokens[..] else { return false };
    let is_field = match field {
        ["env" | "resources" | "resizePolicy" | "readinessProbe" | "livenessProbe" | "startupProbe"]
        | ["resources", "limits" | "requests"]
        | ["resources", "limits" | "requests", "cpu" | "memory"] => true,
        ["env" | "resizePolicy", index] => index.parse::<usize>().is_ok(),
        _ => false,
    };
    is_field && index.parse::<usize>().is_ok()
}

/// Every container with its pointer.
fn containers(pod: &Value) -> impl Iterator<Item = (String, &Value)> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|key| {
        let list = pod["spec"][key].as_array().into_iter().flatten().enumerate();
        list.map(move |(index, container)| (format!("/spec/{key}/{index}"), container))
    })
}

fn names(container: &Value) -> impl Iterator<Item = &str> {
    container["env"].as_array().into_iter().flatten().filter_map(|variable| variable["name"].as_str())
}

fn prefixes(container: &Value) -> impl Iterator<Item = &str> {
    let sources = container["envFrom"].as_array().into_iter().flatten().filter(|source| source.is_object());
    sources.map(|source| source["prefix"].as_str().unwrap_or_default())
}

fn same_name(pod: &Value, one: &str, other: &str) -> bool {
    let windows =
        pod["spec"]["os"]["name"] == "windows" || pod["spec"]["nodeSelector"]["kubernetes.io/os"] == "windows";
    if windows { one.eq_ignore_ascii_case(other) } else { one == other }
}

/// The names that a patch adds to the env of a container, in place of nothing.
fn added_names(operations: &[Value], container: &str) -> Vec<String> {
    let env = format!("{container}/env");
    let here = operations.iter().filter(|operation| {
        let path = operation["path"].as_str().unwrap();
        operation["op"] == "add" && (path == env || path.starts_with(&format!("{env}/")))
    });
    let variables = here.flat_map(|operation| match &operation["value"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    variables.map(|variable| variable["name"].as_str().unwrap().to_owned()).collect()
}

/// Whether the annotation of the Pod records this literal for its container.
fn is_recorded(pod: &Value, pointer: &str, variable: &Value) -> bool {
    let container = &pod.pointer(pointer.split_once("/env").unwrap().0).unwrap()["name"];
    let record = pod["metadata"]["annotations"]["podfit.dev/injected"].as_str().unwrap_or_default();
    let record: Value = serde_json::from_str(record).unwrap_or_default();
    let recorded = &record[container.as_str().unwrap_or_default()][variable["name"].as_str().unwrap()]["value"];
    let value = match &variable["value"] {
        Value::Number(number) => number.to_string(),
        other => other.as_str().unwrap().to_owned(),
    };
    recorded == &Value::from(value) && variable["valueFrom"].is_null()
}

fn pod_labels(pod: &Value) -> Labels {
    let labels = pod["metadata"]["labels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect::<BTreeMap<_, _>>()
}

/// Whether the rule that injects this name must leave alone what envFrom may supply.
fn skips_env_from(in_force: &InForce<'_>, name: &str, operations: &[Value], container: &str) -> bool {
    let field_path = operations.iter().any(|operation| {
        let path = operation["path"].as_str().unwrap();
        let list = operation["value"].as_array().map_or(std::slice::from_ref(&operation["value"]), |list| list);
        path.starts_with(&format!("{container}/env"))
            && list.iter().any(|variable| variable["name"] == name && variable["valueFrom"]["fieldRef"].is_object())
    });
    let env_from = if field_path {
        in_force.pod_identity.as_ref().map(|governed| governed.settings.env_from)
    } else {
        in_force.runtime_sizing.as_ref().map(|governed| governed.settings.env_from)
    };
    env_from == Some(EnvFrom::Skip)
}

/// What is wrong with an injected variable, judged by the Pod as it is with the patch.
fn value_complaint(pod: &Value, container: &str, variable: &Value) -> Option<String> {
    let name = variable["name"].as_str().unwrap();
    let limit = |resource: &str| limit(pod, container, resource);
    let reference = &variable["valueFrom"]["resourceFieldRef"];
    if reference.is_object() {
        let (resource, divisor) = (reference["resource"].as_str()?, reference["divisor"].as_str()?);
        let is_known = matches!((resource, divisor), ("limits.cpu", "1") | ("limits.memory", "1Mi"));
        let own = own_limit(pod, container, resource.strip_prefix("limits.")?);
        return (!is_known || own.is_none()).then(|| "live without a limit of its own".to_owned());
    }
    if variable["valueFrom"].is_object() {
        let path = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str().unwrap_or_default();
        return path.is_empty().then(|| "neither reference nor path".to_owned());
    }
    let value = variable["value"].as_str().unwrap_or_default();
    let Some(known) = runtimes::variables().find(|known| known.name == name) else {
        return (value.is_empty() || value == "0").then(|| "empty or zero".to_owned());
    };
    let runtimes::Value::One(formula) = known.value else {
        return value.is_empty().then(|| "empty".to_owned());
    };
    match formula {
        Formula::MemoryCeiling { .. } if value == format!("$({MEMORY_HELPER})000000") => {
            helper_complaint(pod, container)
        }
        Formula::MemoryCeiling { .. } => {
            let bytes: u64 = value.parse().unwrap_or(0);
            let limit = limit("memory").map_or(0, Quantity::units);
            (bytes == 0 || bytes > limit || !is_plain(value)).then(|| format!("not below the limit of {limit} bytes"))
        }
        // A platform's own variable of this name says its own minimum.
        Formula::Workers { .. } if value.contains('$') => None,
        Formula::Workers { rounding, minimum } => {
            let count: u64 = value.parse().unwrap_or(0);
            let millis = limit("cpu").map(Quantity::millis);
            let most = millis.map_or(u64::MAX, |millis| millis.div_ceil(1000)).max(minimum);
            let is_right =
                count >= if rounding == Rounding::Up { 1 } else { minimum } && count <= most && is_plain(value);
            (!is_right).then(|| format!("not from {minimum} to {most}"))
        }
        _ => (value.is_empty() || value == "0").then(|| "empty or zero".to_owned()),
    }
}

/// Digits as the runtimes parse them, without sign, suffix or leading zero.
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0')
}

/// A live memory ceiling resolves only behind its helper.
fn helper_complaint(pod: &Value, container: &str) -> Option<String> {
    let env: Vec<&Value> =
        pod.pointer(container)?["env"].as_array()?.iter().filter(|entry| entry.is_object()).collect();
    let place = |name: &str| env.iter().rposition(|variable| variable["name"] == name);
    let (helper, user) = (place(MEMORY_HELPER), place("GOMEMLIMIT"));
    (helper.is_none() || helper > user).then(|| "no helper before it".to_owned())
}

fn own_limit(pod: &Value, container: &str, resource: &str) -> Option<Quantity> {
    positive(&pod.pointer(container)?["resources"]["limits"][resource])
}

fn limit(pod: &Value, container: &str, resource: &str) -> Option<Quantity> {
    own_limit(pod, container, resource).or_else(|| positive(&pod["spec"]["resources"]["limits"][resource]))
}

fn positive(amount: &Value) -> Option<Quantity> {
    let text = match amount {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Quantity::parse(&text).ok().filter(|quantity| quantity.is_positive())
}

#[test]
fn what_does_not_decode_is_not_quoted() {
    let policies = policies::compile(&[podfit::policy::DEFAULT_POLICY.to_owned()]);
    let container = |field: Value| json!({"spec": {"containers": [field]}});
    let objects = [
        json!(SECRET),
        json!({"spec": {"hostNetwork": SECRET}}),
        json!({"metadata": {"annotations": SECRET}}),
        json!({"metadata": {"annotations": {"key": [SECRET]}}}),
        json!({"metadata": {"ownerReferences": [{"controller": format!("\"{SECRET}\\\", expected \"{SECRET}")}]}}),
        container(json!(SECRET)),
        container(json!({"env": SECRET})),
        container(json!({"env": [SECRET]})),
        container(json!({"ports": [{"containerPort": SECRET}]})),
    ];
    for object in objects {
        for phase in [Phase::Mutate, Phase::Validate] {
            let answer = answer(phase, &request("", "Pod", "CREATE", &object, &Value::Null), &policies);
            assert_eq!(answer.record.decision, Decision::Failed, "{object}");
            let body = String::from_utf8(answer.body).unwrap();
            assert!(
                !body.contains(SECRET) && !answer.record.message.contains(SECRET),
                "{body} {}",
                answer.record.message
            );
            assert!(answer.record.message.contains(" at line 1 column "), "{}", answer.record.message);
        }
    }
    let body = format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":"{SECRET}"}}"#);
    let answer = super::world::answer_body(Phase::Mutate, body.as_bytes(), &policies);
    assert_eq!((answer.status, answer.record.message.contains(SECRET)), (400, false), "{}", answer.record.message);
}

/// As the API server writes them, and with all that could be taken for their end.
fn managed_fields() -> impl Strategy<Value = Value> {
    let end = r#"]},"spec":{"#;
    prop::sample::select(vec![
        json!([]),
        json!([{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}}}}}}]),
        json!([{"manager": end}, {end: end}]),
        json!([{"a": [1]}, {"b": {"c": [2]}, "spec": {"containers": [{"name": "evil", "image": "evil"}]}}]),
        json!([[{"a": {"b": []}, "spec": {}}]]),
        json!({"not": "a list"}),
    ])
}

#[test]
fn a_generated_pod_mostly_decodes() {
    let mut random = super::choices::Random(1);
    let decoded =
        (0..500).filter(|_| Workload::decode(Kind::Pod, &pods::pod(&mut random.choices()).to_string()).is_ok());
    assert!(decoded.count() > 450, "properties over Pods that do not decode say nothing");
}
