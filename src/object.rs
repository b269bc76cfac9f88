//! What rules read of a Pod, borrowed from JSON text: this file is the exact list of the fields podfit looks at. Every
//! other field is skipped at any depth and survives, since a patch touches only our own paths.
//!
//! Absent, `null` and empty are the same, except where said. A repeated key that is read here is a decode error, since the API
//! server and we could otherwise read two different Pods.

use std::{
    borrow::{Borrow, Cow},
    cell::Cell,
    fmt,
    thread::LocalKey,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, Visitor},
};

use crate::quantity::Quantity;

pub(crate) mod fields;
mod pairs;

use fields::read_fields;
pub use pairs::Pairs;

/// Elements of all lists of one object together: what a body of 8 MiB may make us allocate.
pub const MAX_LIST_ELEMENTS: usize = 100_000;
/// Containers of the three lists together.
pub const MAX_CONTAINERS: usize = 10_000;

thread_local! {
    /// What is left of `MAX_LIST_ELEMENTS` in the decoding under way; a serde visitor has no other way to share a count.
    static ELEMENTS_LEFT: Cell<usize> = const { Cell::new(0) };
    static CONTAINERS_LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Decodes one object under the bounds of this file.
pub fn decode<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, serde_json::Error> {
    start_counting();
    serde_json::from_str(json)
}

/// To be called before a decoding that does not go through `decode`.
pub fn start_counting() {
    ELEMENTS_LEFT.set(MAX_LIST_ELEMENTS);
    CONTAINERS_LEFT.set(MAX_CONTAINERS);
}

/// A text, or a number as people write it in manifests (the API server itself always sends texts).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that maps with such keys are asked by plain text.
impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a number")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
}

/// A quantity as given, and its value where it has one: a bad quantity is a finding, not a decode error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Given<'a> {
    pub text: Cow<'a, str>,
    pub value: Option<Quantity>,
}

impl Given<'_> {
    /// The amount if it is a real one: Kubernetes takes zero (and `Mi`, which is zero) for "no limit".
    pub fn positive(&self) -> Option<Quantity> {
        self.value.filter(|quantity| quantity.is_positive())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Given<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let value = Quantity::parse(&text).ok();
        Ok(Self { text, value })
    }
}

/// A list whose `null` elements keep their index, since a patch counts them.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T>(pub Vec<Option<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> List<T> {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().flatten()
    }
    pub fn indexed(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().filter_map(|(index, element)| Some((index, element.as_ref()?)))
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn spend_one_element() -> Result<(), String> {
    spend(&ELEMENTS_LEFT, MAX_LIST_ELEMENTS, "list elements")
}

fn spend_one_container() -> Result<(), String> {
    spend(&CONTAINERS_LEFT, MAX_CONTAINERS, "containers")
}

fn spend(left: &'static LocalKey<Cell<usize>>, most: usize, what: &str) -> Result<(), String> {
    let after = left.get().checked_sub(1).ok_or_else(|| format!("more than {most} {what}"))?;
    left.set(after);
    Ok(())
}

/// Whether a field is there at all, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<IgnoredAny>::deserialize(deserializer)?.is_some()))
    }
}

read_fields! {
    pub struct Metadata<'a> {
        pub name: Option<Text<'a>> = "name",
        pub generate_name: Option<Text<'a>> = "generateName",
        pub namespace: Option<Text<'a>> = "namespace",
        pub deletion: Present = "deletionTimestamp",
        pub labels: Pairs<'a> = "labels",
        /// Absent and `null` differ from empty for a patch: there is no parent to add to.
        pub annotations: Option<Pairs<'a>> = "annotations",
        pub owner_references: List<OwnerReference<'a>> = "ownerReferences",
    }
}

impl Metadata<'_> {
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)
    }
    pub fn has_annotation(&self, key: &str) -> bool {
        self.annotations.as_ref().is_some_and(|all| all.has(key))
    }
    /// The direct owner that controls this object, a `ReplicaSet` for most Pods.
    pub fn controller(&self) -> Option<&OwnerReference<'_>> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
    pub fn controller_kind(&self) -> Option<&str> {
        self.controller().map(|owner| owner.kind.as_str())
    }
}

read_fields! {
    pub struct OwnerReference<'a> {
        pub api_version: Text<'a> = "apiVersion",
        pub kind: Text<'a> = "kind",
        pub name: Text<'a> = "name",
        pub controller: Option<bool> = "controller",
    }

    pub struct PodSpec<'a> {
        pub volumes: List<Volume<'a>> = "volumes",
        pub init_containers: List<Container<'a>> = "initContainers",
        pub containers: List<Container<'a>> = "containers",
        pub ephemeral_containers: List<Container<'a>> = "ephemeralContainers",
        pub restart_policy: Option<Text<'a>> = "restartPolicy",
        pub node_selector: Pairs<'a> = "nodeSelector",
        pub host_network: Option<bool> = "hostNetwork",
        pub priority_class_name: Option<Text<'a>> = "priorityClassName",
        pub os: Os<'a> = "os",
        pub resources: Resources<'a> = "resources",
    }
}

impl PodSpec<'_> {
    pub fn is_windows(&self) -> bool {
        self.os.name.as_ref().is_some_and(|name| name.as_str() == "windows")
            || self.node_selector.get("kubernetes.io/os") == Some("windows")
    }
}

read_fields! {
    pub struct Os<'a> {
        pub name: Option<Text<'a>> = "name",
    }

    pub struct Container<'a> counted by spend_one_container {
        pub name: Text<'a> = "name",
        pub image: Option<Text<'a>> = "image",
        pub command: List<Text<'a>> = "command",
        pub args: List<Text<'a>> = "args",
        pub ports: List<Port<'a>> = "ports",
        pub env_from: List<EnvSource<'a>> = "envFrom",
        /// Absent and `null` differ from empty for a patch.
        pub env: Option<List<Env<'a>>> = "env",
        /// Absent and `null` differ from empty for a patch.
        pub resources: Option<Resources<'a>> = "resources",
        pub resize_policy: Option<List<ResizePolicy<'a>>> = "resizePolicy",
        pub restart_policy: Option<Text<'a>> = "restartPolicy",
        pub volume_mounts: List<VolumeMount<'a>> = "volumeMounts",
        pub liveness_probe: Present = "livenessProbe",
        pub readiness_probe: Present = "readinessProbe",
        pub startup_probe: Present = "startupProbe",
    }

    pub struct Env<'a> {
        pub name: Text<'a> = "name",
        pub value: Option<Text<'a>> = "value",
        pub value_from: Present = "valueFrom",
    }

    pub struct EnvSource<'a> {
        pub prefix: Option<Text<'a>> = "prefix",
    }

    pub struct Resources<'a> {
        pub limits: Option<Amounts<'a>> = "limits",
        pub requests: Option<Amounts<'a>> = "requests",
    }

    pub struct Amounts<'a> {
        pub cpu: Option<Given<'a>> = "cpu",
        pub memory: Option<Given<'a>> = "memory",
    }

    pub struct ResizePolicy<'a> {
        pub resource_name: Text<'a> = "resourceName",
        pub restart_policy: Text<'a> = "restartPolicy",
    }

    pub struct Port<'a> {
        pub name: Option<Text<'a>> = "name",
        pub container_port: Option<u32> = "containerPort",
        pub protocol: Option<Text<'a>> = "protocol",
    }
}

impl Port<'_> {
    pub fn is_tcp(&self) -> bool {
        self.protocol.as_ref().is_none_or(|protocol| matches!(protocol.as_str(), "" | "TCP"))
    }
}

read_fields! {
    pub struct VolumeMount<'a> {
        pub name: Text<'a> = "name",
    }

    pub struct Volume<'a> {
        pub name: Text<'a> = "name",
        /// Boxed, since an object may have a hundred thousand volumes of other kinds.
        pub empty_dir: Option<Box<EmptyDir<'a>>> = "emptyDir",
        pub image: Option<ImageVolume<'a>> = "image",
    }

    pub struct ImageVolume<'a> {
        pub reference: Option<Text<'a>> = "reference",
    }

    pub struct EmptyDir<'a> {
        pub medium: Option<Text<'a>> = "medium",
        pub size_limit: Option<Given<'a>> = "sizeLimit",
    }
}
