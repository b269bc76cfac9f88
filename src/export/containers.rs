//! What rules look at: the Pod or template of a request, its containers and image volumes, and those of the object before.

use super::{Ground, cel::Variable, images};

/// The Pod, the Pod before, and the labels that selectors ask. An UPDATE is judged by the labels of now, before and after.
pub fn subject(ground: Ground<'_>) -> Vec<Variable> {
    let before = format!("oldObject == null ? dyn({{}})\n: {}", pod_of("oldObject", ground));
    vec![
        Variable::new("pod", pod_of("object", ground)),
        Variable::new("before", before),
        Variable::new("labels", "variables.pod.?metadata.?labels.orValue({})"),
        Variable::new("namespaceLabels", "namespaceObject.?metadata.?labels.orValue({})"),
    ]
}

/// `dyn` keeps the API server from warning of fields that one of several kinds does not have.
fn pod_of(object: &str, ground: Ground<'_>) -> String {
    if !ground.judges_templates() {
        return format!("dyn({object})");
    }
    format!(
        "request.kind.kind == 'Pod' ? dyn({object})\n\
         : request.kind.kind == 'CronJob' ? dyn({object}).?spec.?jobTemplate.?spec.?template.orValue({{}})\n\
         : request.kind.kind == 'PodTemplate' ? dyn({object}).?template.orValue({{}})\n\
         : dyn({object}).?spec.?template.orValue({{}})"
    )
}

/// Each container as what it is (`kind`), as it stands (`of`), with its image and, where an exemption asks for that, the
/// image's full name; and the images of all of them that are no references.
pub fn lists(need_full_names: bool) -> Vec<Variable> {
    let names = if need_full_names { ["listed", "listedBefore"] } else { LISTS };
    let mut variables =
        vec![Variable::new(names[0], list("variables.pod")), Variable::new(names[1], list("variables.before"))];
    variables.push(images::unreadable(names));
    if need_full_names {
        variables.extend(LISTS.iter().zip(names).map(|(full, plain)| Variable::new(*full, with_full_names(plain))));
    }
    variables
}

const LISTS: [&str; 2] = ["containers", "containersBefore"];

fn list(pod: &str) -> String {
    let kinds = [
        ("initContainers", "dyn(c.?restartPolicy.orValue('') == 'Always' ? 'sidecar' : 'init container')"),
        ("containers", "dyn('container')"),
        ("ephemeralContainers", "dyn('ephemeral container')"),
    ];
    let mut parts = kinds.map(|(field, kind)| {
        let map = format!("map(c, {{'kind': {kind}, 'of': c, 'image': c.?image.orValue('')}})");
        format!("{pod}.?spec.?{field}.orValue([])\n  .{map}")
    });
    let volume = "map(v, {'kind': dyn('volume'), 'of': v, 'image': v.image.?reference.orValue('')})";
    let volumes = format!("{pod}.?spec.?volumes.orValue([]).filter(v, has(v.image))\n  .{volume}");
    parts[2].push_str(&format!("\n+ {volumes}"));
    parts.join("\n+ ")
}

/// As `image.rs` normalises: Docker Hub's short names get their registry, and `library/` too.
fn with_full_names(list: &str) -> String {
    format!(
        "variables.{list}.map(c, {{'kind': c.kind, 'of': c.of, 'image': c.image, 'full': dyn(\n  \
         c.image in variables.{} ? c.image\n  \
         : c.image.matches(r'^(?:index\\.)?docker\\.io/')\n    \
         ? 'docker.io/' + (c.image.matches(r'^[^/]*/[^/]*$') ? 'library/' : '') + c.image.substring(c.image.indexOf('/') + 1)\n  \
         : c.image.matches(r'^(?:localhost|[^/]*[.:A-Z][^/]*)/') ? c.image\n  \
         : 'docker.io/' + (c.image.contains('/') ? '' : 'library/') + c.image)}})",
        images::UNREADABLE
    )
}
