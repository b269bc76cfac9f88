//! What rules read of a Pod, borrowed from JSON text: this file is the exact list of the fields podfit looks at. Every
//! other field is skipped at any depth and survives, since a patch touches only our own paths.
//!
//! Absent, `null` and empty are the same, except where said. A repeated key that is read here is a decode error (serde's
//! derive says so), since the API server and we could otherwise read two different Pods.

use std::{
    borrow::{Borrow, Cow},
    cell::Cell,
    fmt,
    marker::PhantomData,
    thread::LocalKey,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};

use crate::quantity::Quantity;

mod pairs;

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
#[derive(Debug, Clone, PartialEq)]
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

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor { element: PhantomData, spend: spend_one_element })
    }
}

struct ListVisitor<T> {
    element: PhantomData<T>,
    /// Counts one element, and says so where it is one too many.
    spend: fn() -> Result<(), String>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }
    fn visit_unit<E>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<List<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            (self.spend)().map_err(A::Error::custom)?;
            elements.push(element);
        }
        Ok(List(elements))
    }
}

fn spend_one_element() -> Result<(), String> {
    spend(&ELEMENTS_LEFT, MAX_LIST_ELEMENTS, "list elements")
}

fn spend_one_container() -> Result<(), String> {
    spend_one_element()?;
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

/// `null` is the default, as everywhere in the Kubernetes API.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Lets structs be read from maps alone. Serde's derive would take a list for one too, and a patch of its fields would not
/// apply. The derive, with `remote = "Self"`, makes a function of the type's own: a call of `Type::deserialize` would be that
/// one, so say `Deserialize::deserialize`.
macro_rules! read_from_maps {
    ($($name:ident $(<$parameter:ident>)?),+ $(,)?) => {$(
        impl<'de: 'a, 'a $(, $parameter: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $name<'a $(, $parameter)?> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct FromMap<T>(std::marker::PhantomData<T>);

                impl<'de: 'a, 'a $(, $parameter: serde::Deserialize<'de>)?> serde::de::Visitor<'de>
                    for FromMap<$name<'a $(, $parameter)?>>
                {
                    type Value = $name<'a $(, $parameter)?>;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("a map")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(FromMap(std::marker::PhantomData))
            }
        }
    )+};
}
pub(crate) use read_from_maps;

read_from_maps!(
    Metadata,
    OwnerReference,
    PodSpec,
    Os,
    Container,
    Env,
    EnvSource,
    Resources,
    Amounts,
    ResizePolicy,
    Port,
    VolumeMount,
    Volume,
    ImageVolume,
    EmptyDir
);

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub generate_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Pairs<'a>,
    /// Absent and `null` differ from empty for a patch: there is no parent to add to.
    #[serde(borrow)]
    pub annotations: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    pub owner_references: List<OwnerReference<'a>>,
    #[serde(default, rename = "deletionTimestamp")]
    pub deletion: Present,
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

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct OwnerReference<'a> {
    #[serde(borrow, default)]
    pub api_version: Text<'a>,
    #[serde(borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub name: Text<'a>,
    pub controller: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct PodSpec<'a> {
    #[serde(borrow, default, deserialize_with = "containers")]
    pub init_containers: List<Container<'a>>,
    #[serde(borrow, default, deserialize_with = "containers")]
    pub containers: List<Container<'a>>,
    #[serde(borrow, default, deserialize_with = "containers")]
    pub ephemeral_containers: List<Container<'a>>,
    #[serde(borrow, default)]
    pub volumes: List<Volume<'a>>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub resources: Resources<'a>,
    #[serde(borrow)]
    pub restart_policy: Option<Text<'a>>,
    #[serde(borrow)]
    pub priority_class_name: Option<Text<'a>>,
    pub host_network: Option<bool>,
    #[serde(borrow, default, deserialize_with = "null_is_default")]
    pub os: Os<'a>,
    #[serde(borrow, default)]
    pub node_selector: Pairs<'a>,
}

fn containers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<List<Container<'de>>, D::Error> {
    deserializer.deserialize_any(ListVisitor { element: PhantomData, spend: spend_one_container })
}

impl PodSpec<'_> {
    pub fn is_windows(&self) -> bool {
        self.os.name.as_ref().is_some_and(|name| name.as_str() == "windows")
            || self.node_selector.get("kubernetes.io/os") == Some("windows")
    }
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Os<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Container<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub image: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub command: List<Text<'a>>,
    #[serde(borrow, default)]
    pub args: List<Text<'a>>,
    /// Absent and `null` differ from empty for a patch.
    #[serde(borrow)]
    pub env: Option<List<Env<'a>>>,
    #[serde(borrow, default)]
    pub env_from: List<EnvSource<'a>>,
    /// Absent and `null` differ from empty for a patch.
    #[serde(borrow)]
    pub resources: Option<Resources<'a>>,
    #[serde(borrow)]
    pub resize_policy: Option<List<ResizePolicy<'a>>>,
    #[serde(borrow, default)]
    pub ports: List<Port<'a>>,
    #[serde(borrow, default)]
    pub volume_mounts: List<VolumeMount<'a>>,
    #[serde(borrow)]
    pub restart_policy: Option<Text<'a>>,
    #[serde(default)]
    pub readiness_probe: Present,
    #[serde(default)]
    pub liveness_probe: Present,
    #[serde(default)]
    pub startup_probe: Present,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Env<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
    #[serde(default)]
    pub value_from: Present,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct EnvSource<'a> {
    #[serde(borrow)]
    pub prefix: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Resources<'a> {
    #[serde(borrow)]
    pub limits: Option<Amounts<'a>>,
    #[serde(borrow)]
    pub requests: Option<Amounts<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Amounts<'a> {
    #[serde(borrow)]
    pub cpu: Option<Given<'a>>,
    #[serde(borrow)]
    pub memory: Option<Given<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct ResizePolicy<'a> {
    #[serde(borrow, default)]
    pub resource_name: Text<'a>,
    #[serde(borrow, default)]
    pub restart_policy: Text<'a>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Port<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    pub container_port: Option<u32>,
    #[serde(borrow)]
    pub protocol: Option<Text<'a>>,
}

impl Port<'_> {
    pub fn is_tcp(&self) -> bool {
        self.protocol.as_ref().is_none_or(|protocol| matches!(protocol.as_str(), "" | "TCP"))
    }
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct VolumeMount<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Volume<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub image: Option<ImageVolume<'a>>,
    /// Boxed, since an object may have a hundred thousand volumes of other kinds.
    #[serde(borrow)]
    pub empty_dir: Option<Box<EmptyDir<'a>>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct ImageVolume<'a> {
    #[serde(borrow)]
    pub reference: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct EmptyDir<'a> {
    #[serde(borrow)]
    pub medium: Option<Text<'a>>,
    #[serde(borrow)]
    pub size_limit: Option<Given<'a>>,
}
