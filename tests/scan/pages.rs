//! Lists that come in pages, and pages that the API server has forgotten.

use serde_json::json;

use crate::{
    StandIn, World, scan,
    stand_in::{Expiry, Items},
};

/// Pods that nobody owns.
fn crowd(count: usize, expiry: Option<Expiry>) -> StandIn {
    let mut world = World::empty();
    let pod = json!({"metadata": {"name": "NAME", "namespace": "shop"}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
    let (before, after) =
        pod.to_string().split_once("NAME").map(|(one, two)| (one.to_owned(), two.to_owned())).unwrap();
    let make = move |index: usize, text: &mut String| text.push_str(&format!("{before}pod-{index}{after}"));
    world.collections.insert("/api/v1/pods".to_owned(), Items::Made { count, make: Box::new(make) });
    world.expiry = expiry;
    StandIn::start(world)
}

fn summary(pods: usize) -> serde_json::Value {
    json!({"objects": pods, "pods": pods, "deny": 2 * pods, "warn": 0, "audit": 0, "inject": 2 * pods, "exempted": 0,
        "skipped": 3 * pods})
}

#[test]
fn pages_are_asked_for_one_after_the_other() {
    let stand_in = crowd(1_200, None);
    let printed = scan(&stand_in, &["-o", "json"]);
    let report = printed.json();
    let names: Vec<_> = report["objects"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = (0..1_200).map(|index| format!("pod-{index}")).collect();
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(report["summary"], summary(1_200));
    let requests = stand_in.requests();
    let pods: Vec<_> = requests.iter().filter(|request| request.contains("/pods?")).collect();
    let expected = ["limit=1", "limit=500", "limit=500&continue=500", "limit=500&continue=1000"];
    assert_eq!(pods, expected.map(|query| format!("GET /api/v1/pods?&{query}")).each_ref());
}

#[test]
fn a_forgotten_list_goes_on_as_of_later() {
    let stand_in = crowd(1_200, Some(Expiry::WithToken));
    let printed = scan(&stand_in, &["-o", "json"]);
    assert_eq!((printed.code, &printed.json()["summary"]), (1, &summary(1_200)));

    stand_in.change(|world| world.expiry = Some(Expiry::WithToken));
    let expected =
        "note: the list of pods took longer than the API server remembers how it began; its rest is as of later";
    assert_eq!(scan(&stand_in, &[]).told(), [expected]);
}

#[test]
fn a_list_that_cannot_go_on_is_an_error_and_what_came_is_judged() {
    let stand_in = crowd(1_200, Some(Expiry::WithoutToken));
    let printed = scan(&stand_in, &["-o", "json"]);
    let report = printed.json();
    let message = "list pods: 410 The provided continue parameter is too old to display a consistent list result.";
    let expected = json!([{"file": "/api/v1/pods", "message": message}]);
    assert_eq!((printed.code, &report["errors"], &report["summary"]), (2, &expected, &summary(500)));
}
