//! How the stand-in answers: what it has in pages of the length asked for, a `Status` where the real one would send one.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use axum::{
    body::Bytes,
    extract::State as Extracted,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    State,
    world::{Expiry, Items, World},
};

/// What a request is about.
struct Target<'p> {
    /// `/api/v1` or `/apis/apps/v1`.
    group: String,
    namespace: Option<&'p str>,
    plural: &'p str,
    name: Option<&'p str>,
}

pub async fn answer(
    Extracted(state): Extracted<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    state.requests.lock().unwrap().push(format!("{method} {uri}"));
    let mut world = state.world.lock().unwrap();
    let segments: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let (group, rest) = segments.split_at(if segments[0] == "api" { 2 } else { 3 });
    let group = format!("/{}", group.join("/"));
    let Some(target) = target(group.clone(), rest) else { return discovery(&world, &group) };
    let wants_metadata = headers.get(header::ACCEPT).is_some_and(|it| it.to_str().unwrap().contains("PartialObject"));
    if let Some(denied) = denied(&world, &method, &target) {
        return denied;
    }
    match (&method, target.name) {
        (&Method::GET, None) => list(&mut world, &target, &query(&uri), wants_metadata),
        (&Method::GET, Some(name)) => found(world.find(&target.key(), target.namespace, name), wants_metadata, &target),
        (&Method::PATCH, Some(name)) => {
            let object: Value = serde_json::from_slice(&body).unwrap();
            json_of(StatusCode::OK, &world.apply(&target.key(), target.namespace.unwrap(), name, object))
        }
        (&Method::DELETE, Some(name)) => found(world.remove(&target.key(), target.namespace, name), false, &target),
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not of this stand-in", None),
    }
}

impl Target<'_> {
    fn key(&self) -> String {
        format!("{}/{}", self.group, self.plural)
    }
}

fn target<'p>(group: String, rest: &[&'p str]) -> Option<Target<'p>> {
    let target = |namespace, plural, name| Some(Target { group, namespace, plural, name });
    match *rest {
        [] => None,
        ["namespaces"] => target(None, "namespaces", None),
        ["namespaces", name] => target(None, "namespaces", Some(name)),
        ["namespaces", namespace, plural] => target(Some(namespace), plural, None),
        ["namespaces", namespace, plural, name] => target(Some(namespace), plural, Some(name)),
        [plural] => target(None, plural, None),
        [plural, name, ..] => target(None, plural, Some(name)),
    }
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.replace("%3D", "="))).collect()
}

fn discovery(world: &World, group: &str) -> Response {
    let prefix = format!("{group}/");
    let plurals = world.collections.keys().filter_map(|key| key.strip_prefix(&prefix));
    let resources: Vec<Value> = plurals
        .map(|plural| json!({"name": plural, "singularName": "", "namespaced": true, "kind": "Any", "verbs": ["list"]}))
        .collect();
    if resources.is_empty() {
        return status(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource", None);
    }
    let group = group.trim_start_matches("/apis/");
    json_of(StatusCode::OK, &json!({"kind": "APIResourceList", "groupVersion": group, "resources": resources}))
}

/// In the API server's own words.
fn denied(world: &World, method: &Method, target: &Target<'_>) -> Option<Response> {
    world.denied.iter().find(|denied| denied.holds(target.plural, target.namespace))?;
    let verb = match (method, target.name) {
        (&Method::GET, None) => "list",
        (&Method::GET, Some(_)) => "get",
        (&Method::PATCH, _) => "patch",
        _ => "delete",
    };
    let group = target.group.trim_start_matches("/apis/").split('/').next().filter(|_| target.group != "/api/v1");
    let at = target.namespace.map_or("at the cluster scope".to_owned(), |it| format!("in the namespace \"{it}\""));
    let plural = target.plural;
    let group = group.unwrap_or_default();
    let dot = if group.is_empty() { "" } else { "." };
    let message = format!(
        "{plural}{dot}{group} is forbidden: User \"ann\" cannot {verb} resource \"{plural}\" in API group \"{group}\" {at}"
    );
    Some(status(StatusCode::FORBIDDEN, "Forbidden", &message, None))
}

fn list(world: &mut World, target: &Target<'_>, query: &BTreeMap<String, String>, wants_metadata: bool) -> Response {
    let Some(items) = world.collections.get(&target.key()) else {
        return status(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource", None);
    };
    let limit = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let token = query.get("continue").map(String::as_str);
    let start = token.map_or(0, |token| token.trim_start_matches("later-").parse().unwrap());
    if let (Some(token), Some(expiry)) = (token, world.expiry)
        && !token.starts_with("later-")
    {
        world.expiry = None;
        let token = (expiry == Expiry::WithToken).then(|| format!("later-{start}"));
        let message = "The provided continue parameter is too old to display a consistent list result.";
        return status(StatusCode::GONE, "Expired", message, token.as_deref());
    }
    let selector = query.get("labelSelector").map(|selector| selector.replace("%2F", "/"));
    let texts = match items {
        Items::Kept(kept) => {
            let mine =
                kept.iter().filter(|it| target.namespace.is_none_or(|wanted| it["metadata"]["namespace"] == wanted));
            let mine = mine.filter(|it| selector.as_deref().is_none_or(|selector| has_label(it, selector)));
            mine.map(|item| shown(item, wants_metadata, false)).collect()
        }
        Items::Made { .. } => Vec::new(),
    };
    let (count, page) = match items {
        Items::Kept(_) => (texts.len(), texts.into_iter().skip(start).take(limit).collect::<Vec<_>>().join(",")),
        Items::Made { count, make } => {
            let mut page = String::new();
            for index in start..(*count).min(start.saturating_add(limit)) {
                page.push_str(if index == start { "" } else { "," });
                make(index, &mut page);
            }
            (*count, page)
        }
    };
    let remaining = count.saturating_sub(start.saturating_add(limit));
    let mut text = String::with_capacity(page.len() + 256);
    text.push_str(r#"{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"4711""#);
    if remaining > 0 {
        write!(text, r#","continue":"{}","remainingItemCount":{remaining}"#, start + limit).unwrap();
    }
    write!(text, r#"}},"items":[{page}]}}"#).unwrap();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn has_label(item: &Value, selector: &str) -> bool {
    let (key, value) = selector.split_once('=').unwrap();
    item["metadata"]["labels"][key] == value
}

/// Items of a list carry no kind.
fn shown(item: &Value, wants_metadata: bool, has_kind: bool) -> String {
    let mut item = item.clone();
    if wants_metadata {
        item = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": item["metadata"]});
    } else if !has_kind {
        item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
    }
    item.to_string()
}

fn found(object: Option<Value>, wants_metadata: bool, target: &Target<'_>) -> Response {
    let Some(object) = object else {
        let message = format!("{} \"{}\" not found", target.plural, target.name.unwrap_or_default());
        return status(StatusCode::NOT_FOUND, "NotFound", &message, None);
    };
    ([(header::CONTENT_TYPE, "application/json")], shown(&object, wants_metadata, true)).into_response()
}

fn status(code: StatusCode, reason: &str, message: &str, token: Option<&str>) -> Response {
    let metadata = token.map_or(json!({}), |token| json!({"continue": token}));
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "message": message,
        "reason": reason, "code": code.as_u16()});
    json_of(code, &status)
}

fn json_of(code: StatusCode, value: &Value) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
