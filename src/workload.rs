//! A workload: a Pod, or an object with a pod template, as rules see it. One walk over all containers for everybody.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Visitor},
};
use serde_path_to_error::{Segment, Track};

use crate::{
    object::{
        self, Container, List, Metadata, PodSpec,
        fields::{self, read_fields},
    },
    pointer,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
    CronJob,
    PodTemplate,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Pod,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::Job,
        Self::CronJob,
        Self::PodTemplate,
    ];

    /// The kind of an object, whatever the version: our view is the same in all of them.
    pub fn of(group: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind && known.group() == group)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::PodTemplate => "PodTemplate",
        }
    }

    pub fn is_template(self) -> bool {
        self != Self::Pod
    }

    fn group(self) -> &'static str {
        match self {
            Self::Pod | Self::ReplicationController | Self::PodTemplate => "",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps",
            Self::Job | Self::CronJob => "batch",
        }
    }

    /// Where the Pod stands in the object, as a pointer.
    fn prefix(self) -> &'static str {
        match self {
            Self::Pod => "",
            Self::CronJob => "/spec/jobTemplate/spec/template",
            Self::PodTemplate => "/template",
            _ => "/spec/template",
        }
    }
}

/// One decoded object, borrowed from its JSON text.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload<'a> {
    pub kind: Kind,
    /// The object's own metadata.
    pub metadata: Metadata<'a>,
    /// The template's metadata; a Pod has none beside its own.
    template_metadata: Option<Metadata<'a>>,
    has_pod_metadata: bool,
    pub spec: PodSpec<'a>,
}

impl<'a> Workload<'a> {
    /// Decodes an object of a kind. The kind is an argument since items of a list carry none.
    ///
    /// # Errors
    /// Where a field that is read has a wrong type, stands twice, or a bound of `object` is exceeded.
    pub fn decode(kind: Kind, json: &'a str) -> Result<Self, serde_json::Error> {
        object::start_counting();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let workload = Self::read(kind, &mut deserializer)?;
        deserializer.end()?;
        Ok(workload)
    }

    /// Where an object that does not decode is wrong, as a pointer. A second decoding, which remembers the way: only people
    /// at a terminal are worth it.
    pub fn fault(kind: Kind, json: &'a str) -> Option<String> {
        object::start_counting();
        let mut track = Track::new();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let read = Self::read(kind, serde_path_to_error::Deserializer::new(&mut deserializer, &mut track));
        read.is_err().then(|| {
            let mut pointer = String::new();
            for segment in &track.path() {
                match segment {
                    Segment::Seq { index } => pointer::push_index(&mut pointer, *index),
                    Segment::Map { key } => pointer::push(&mut pointer, key),
                    Segment::Enum { .. } | Segment::Unknown => {}
                }
            }
            pointer
        })
    }

    fn read<D: Deserializer<'a>>(kind: Kind, deserializer: D) -> Result<Self, D::Error> {
        let (metadata, template) = match kind {
            Kind::Pod => {
                return Ok(Self::of(kind, Metadata::default(), Some(fields::read(deserializer)?)));
            }
            Kind::PodTemplate => {
                let PodTemplate { metadata, template } = fields::read(deserializer)?;
                (metadata, template)
            }
            Kind::CronJob => {
                let CronJob { metadata, spec } = fields::read(deserializer)?;
                let job = spec.and_then(|spec| spec.job_template).and_then(|job| job.spec);
                (metadata, job.and_then(|job| job.template))
            }
            _ => {
                let Templated { metadata, spec } = fields::read(deserializer)?;
                (metadata, spec.and_then(|spec| spec.template))
            }
        };
        Ok(Self::of(kind, metadata, template))
    }

    fn of(kind: Kind, metadata: Metadata<'a>, template: Option<Template<'a>>) -> Self {
        let Template { metadata: template_metadata, spec } = template.unwrap_or_default();
        let has_pod_metadata = template_metadata.is_some();
        let template_metadata = template_metadata.unwrap_or_default();
        if kind.is_template() {
            Self { kind, metadata, template_metadata: Some(template_metadata), has_pod_metadata, spec }
        } else {
            Self { kind, metadata: template_metadata, template_metadata: None, has_pod_metadata, spec }
        }
    }

    /// The metadata that the Pod has or will have: labels and annotations for selectors and wishes.
    pub fn pod_metadata(&self) -> &Metadata<'a> {
        self.template_metadata.as_ref().unwrap_or(&self.metadata)
    }

    /// Takes the labels of another version of the object: a version is judged under the policies and exemptions of now, or
    /// a change of labels would make old findings new.
    pub fn take_labels_of(&mut self, other: &Self) {
        let labels = other.pod_metadata().labels.clone();
        match &mut self.template_metadata {
            Some(metadata) => metadata.labels = labels,
            None => self.metadata.labels = labels,
        }
    }

    /// Whether the Pod's metadata is there to add to; only a manifest may lack it.
    pub fn has_pod_metadata(&self) -> bool {
        self.has_pod_metadata
    }

    /// The name, or what it will be generated from: `web-7d4b9c-*`.
    pub fn name(&self) -> String {
        match (&self.metadata.name, &self.metadata.generate_name) {
            (Some(name), _) if !name.as_str().is_empty() => name.as_str().to_owned(),
            (_, Some(prefix)) => format!("{}*", prefix.as_str()),
            _ => String::new(),
        }
    }

    /// Every container in the order in which a Pod has them: init and sidecar, regular, ephemeral.
    pub fn containers(&self) -> impl Iterator<Item = ContainerAt<'_, 'a>> {
        ContainerList::ALL.into_iter().flat_map(move |list| {
            self.list(list).indexed().map(move |(index, container)| ContainerAt {
                kind: ContainerKind::of(list, container),
                list,
                index,
                container,
            })
        })
    }

    pub fn list(&self, list: ContainerList) -> &List<Container<'a>> {
        match list {
            ContainerList::Init => &self.spec.init_containers,
            ContainerList::Regular => &self.spec.containers,
            ContainerList::Ephemeral => &self.spec.ephemeral_containers,
        }
    }

    /// The container of a place; volumes and the Pod itself are none.
    pub fn container_at(&self, place: Place) -> Option<&Container<'a>> {
        match place {
            Place::Container { list, index } => self.list(list).0.get(index)?.as_ref(),
            Place::Volume(_) | Place::Pod => None,
        }
    }

    /// All elements of the three lists.
    pub fn container_count(&self) -> usize {
        ContainerList::ALL.into_iter().map(|list| self.list(list).len()).sum()
    }

    /// The pointer of the Pod inside the object: empty for a Pod.
    pub fn prefix(&self) -> &'static str {
        self.kind.prefix()
    }

    /// A Pod that runs to its end: probes and the like have no business there.
    pub fn is_batch(&self) -> bool {
        let restarts = self.spec.restart_policy.as_ref().is_none_or(|policy| matches!(policy.as_str(), "" | "Always"));
        !restarts || matches!(self.kind, Kind::Job | Kind::CronJob) || self.controller_kind() == Some("Job")
    }

    /// The kind that makes the Pods of this workload: the template's own kind, or the Pod's controller.
    pub fn controller_kind(&self) -> Option<&str> {
        if self.kind.is_template() { Some(self.kind.as_str()) } else { self.metadata.controller_kind() }
    }

    /// Written by the kubelet for a Pod of its own, which the API server only shows.
    pub fn is_mirror(&self) -> bool {
        self.kind == Kind::Pod && self.metadata.has_annotation("kubernetes.io/config.mirror")
    }

    /// A DaemonSet's Pod of the class `system-node-critical` is warned about, never denied: without it a node is no node.
    pub fn is_node_critical(&self) -> bool {
        self.controller_kind() == Some("DaemonSet")
            && self.spec.priority_class_name.as_ref().is_some_and(|class| class.as_str() == "system-node-critical")
    }
}

/// Decodes an object as a kind where it stands in a larger text; nothing for `null`.
pub struct WorkloadSeed(pub Kind);

impl<'de> DeserializeSeed<'de> for WorkloadSeed {
    type Value = Option<Workload<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for WorkloadSeed {
    type Value = Option<Workload<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or null")
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Workload::read(self.0, deserializer).map(Some)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerList {
    Init,
    Regular,
    Ephemeral,
}

impl ContainerList {
    pub const ALL: [Self; 3] = [Self::Init, Self::Regular, Self::Ephemeral];

    pub fn field(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Regular => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    Init,
    /// An init container with `restartPolicy: Always`, and nothing else: regular containers may carry a restartPolicy too.
    Sidecar,
    Regular,
    Ephemeral,
}

impl ContainerKind {
    fn of(list: ContainerList, container: &Container<'_>) -> Self {
        match list {
            ContainerList::Init if container.restart_policy.as_ref().is_some_and(|p| p.as_str() == "Always") => {
                Self::Sidecar
            }
            ContainerList::Init => Self::Init,
            ContainerList::Regular => Self::Regular,
            ContainerList::Ephemeral => Self::Ephemeral,
        }
    }

    pub fn is_long_running(self) -> bool {
        matches!(self, Self::Regular | Self::Sidecar)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init container",
            Self::Sidecar => "sidecar",
            Self::Regular => "container",
            Self::Ephemeral => "ephemeral container",
        }
    }
}

/// A container and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct ContainerAt<'w, 'a> {
    pub kind: ContainerKind,
    pub list: ContainerList,
    pub index: usize,
    pub container: &'w Container<'a>,
}

impl<'w> ContainerAt<'w, '_> {
    pub fn name(&self) -> &'w str {
        self.container.name.as_str()
    }
    pub fn image(&self) -> &'w str {
        self.container.image.as_ref().map_or("", |image| image.as_str())
    }
    pub fn place(&self) -> Place {
        Place::Container { list: self.list, index: self.index }
    }
}

/// A part of a Pod that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Container { list: ContainerList, index: usize },
    Volume(usize),
    Pod,
}

impl Place {
    /// Appends the place to a pointer that ends at the Pod.
    pub fn push(self, target: &mut String) {
        match self {
            Self::Container { list, index } => {
                target.push_str("/spec/");
                target.push_str(list.field());
                pointer::push_index(target, index);
            }
            Self::Volume(index) => {
                target.push_str("/spec/volumes");
                pointer::push_index(target, index);
            }
            Self::Pod => {}
        }
    }
}

read_fields! {
    struct Template<'a> {
        metadata: Option<Metadata<'a>> = "metadata",
        spec: PodSpec<'a> = "spec",
    }

    struct PodTemplate<'a> {
        metadata: Metadata<'a> = "metadata",
        template: Option<Template<'a>> = "template",
    }

    /// A Deployment, a Job and the like.
    struct Templated<'a> {
        metadata: Metadata<'a> = "metadata",
        spec: Option<TemplatedSpec<'a>> = "spec",
    }

    struct TemplatedSpec<'a> {
        template: Option<Template<'a>> = "template",
    }

    struct CronJob<'a> {
        metadata: Metadata<'a> = "metadata",
        spec: Option<CronJobSpec<'a>> = "spec",
    }

    struct CronJobSpec<'a> {
        job_template: Option<JobTemplate<'a>> = "jobTemplate",
    }

    struct JobTemplate<'a> {
        spec: Option<TemplatedSpec<'a>> = "spec",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_finds_its_template() {
        let rows = [
            (Kind::Pod, r#"{"metadata":{"name":"x"},"spec":{"containers":[{"name":"a"}]}}"#),
            (
                Kind::Deployment,
                r#"{"metadata":{"name":"x"},"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}"#,
            ),
            (
                Kind::CronJob,
                r#"{"metadata":{"name":"x"},"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}}}"#,
            ),
            (Kind::PodTemplate, r#"{"metadata":{"name":"x"},"template":{"spec":{"containers":[{"name":"a"}]}}}"#),
        ];
        for (kind, json) in rows {
            let workload = Workload::decode(kind, json).expect(json);
            let names: Vec<_> = workload.containers().map(|at| at.name().to_owned()).collect();
            assert_eq!((workload.name().as_str(), names), ("x", vec!["a".to_owned()]), "{kind:?}");
        }
    }

    #[test]
    fn null_and_absent_are_empty_and_null_elements_keep_their_index() {
        for json in [
            "{}",
            r#"{"spec":null,"metadata":null}"#,
            r#"{"spec":{"template":null}}"#,
            r#"{"spec":{"containers":null}}"#,
        ] {
            for kind in Kind::ALL {
                assert_eq!(Workload::decode(kind, json).expect(json).container_count(), 0, "{kind:?} {json}");
            }
        }
        let pod = Workload::decode(Kind::Pod, r#"{"spec":{"containers":[null,{"name":"b"}]}}"#).expect("a Pod");
        assert_eq!(pod.containers().map(|at| at.index).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn what_a_patch_adds_to_is_told_from_what_is_not_there() {
        for (field, env, resources) in [
            (r#""env":null,"resources":null"#, None, None),
            (r#""env":[],"resources":{}"#, Some(List::default()), Some(object::Resources::default())),
            (r#""\u0065nv":[],"resources":null"#, Some(List::default()), None),
        ] {
            let json = format!(r#"{{"spec":{{"resources":null,"containers":[{{"name":"a",{field}}}]}}}}"#);
            let pod = Workload::decode(Kind::Pod, &json).expect(&json);
            let container = pod.containers().next().expect("a container").container;
            assert_eq!((&container.env, &container.resources), (&env, &resources), "{json}");
        }
    }

    #[test]
    fn a_fault_is_found() {
        for (json, pointer) in [
            (r#"{"spec":{"containers":[{},{"env":[{"name":{}}]}]}}"#, "/spec/containers/1/env/0/name"),
            (r#"{"spec":{"containers":[[]]}}"#, "/spec/containers/0"),
            (r#"{"metadata":{"labels":7}}"#, "/metadata/labels"),
        ] {
            assert_eq!(Workload::fault(Kind::Pod, json).as_deref(), Some(pointer), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_one_way_only_is_refused() {
        let rows = [
            r#"{"spec":{},"spec":{}}"#,
            r#"{"spec":{"containers":[{"name":"a","image":"a:1","image":"a:2"}]}}"#,
            r#"{"metadata":{"annotations":{"a":"1","a":"2"}}}"#,
            r#"{"spec":{"containers":{}}}"#,
            r#"{"spec":null,"spec":{}}"#,
            r#"{"spec":{},"sp\u0065c":{}}"#,
            "null",
            // A list is no struct.
            "[]",
            r#"{"spec":[]}"#,
            r#"{"spec":{"containers":[[]]}}"#,
            r#"{"spec":{"containers":[{"env":[[]]}]}}"#,
            r#"{"spec":"#,
        ];
        for json in rows {
            assert!(Workload::decode(Kind::Pod, json).is_err(), "{json}");
        }
    }

    #[test]
    fn bounds_hold() {
        let pod = |list: &str, element: &str, count| {
            format!(r#"{{"spec":{{"{list}":[{}]}}}}"#, vec![element; count].join(","))
        };
        let rows = [
            ("containers", "{}", object::MAX_CONTAINERS, true),
            ("containers", "{}", object::MAX_CONTAINERS + 1, false),
            ("volumes", "null", object::MAX_LIST_ELEMENTS, true),
            ("volumes", "null", object::MAX_LIST_ELEMENTS + 1, false),
        ];
        for (list, element, count, fits) in rows {
            assert_eq!(Workload::decode(Kind::Pod, &pod(list, element, count)).is_ok(), fits, "{count} {list}");
        }
        let third = vec!["{}"; object::MAX_CONTAINERS / 3].join(",");
        for (one_more, fits) in [("", true), (",{},null", false)] {
            let json = format!(
                r#"{{"spec":{{"initContainers":[{third}],"containers":[{third}],"ephemeralContainers":[{third}{one_more}]}}}}"#
            );
            assert_eq!(Workload::decode(Kind::Pod, &json).is_ok(), fits, "{one_more}");
        }
    }
}
