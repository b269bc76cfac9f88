//! The head of a review: all that decides whether the object is looked at. Read first and alone, because it ends where the
//! object begins: kube-apiserver writes `object` behind everything that is needed here. Keys in another order are read too.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Operation;
use crate::{
    object::{self, List, Text},
    workload::{Kind, Workload, WorkloadSeed},
};

const API_VERSION: &str = "admission.k8s.io/v1";

#[derive(Debug, Default)]
pub struct Head<'a> {
    body: &'a str,
    pub uid: Cow<'a, str>,
    pub group: Cow<'a, str>,
    pub kind: Cow<'a, str>,
    pub sub_resource: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub namespace: Cow<'a, str>,
    pub operation: Operation,
    user: UserInfo<'a>,
}

/// The objects of a request; the old one stays raw until a finding asks for it.
#[derive(Debug, Default)]
pub struct Objects<'a> {
    pub object: Option<Workload<'a>>,
    pub old_object: Option<&'a RawValue>,
    sub_resource: Cow<'a, str>,
    name: Cow<'a, str>,
}

impl<'a> Head<'a> {
    /// # Errors
    /// Where the body is no review: no JSON, another version, no request, no uid.
    pub fn read(body: &'a str) -> Result<Self, String> {
        object::start_counting();
        let mut found = Found { head: Self { body, ..Self::default() }, ..Found::default() };
        let mut deserializer = serde_json::Deserializer::from_str(body);
        let read = (&mut deserializer).deserialize_map(&mut found);
        match read.and_then(|()| deserializer.end()) {
            Err(error) if !found.stopped => Err(without_value(&error)),
            _ => found.checked(),
        }
    }

    /// Decodes the object as a kind, in one pass over the body, and takes what stands behind it.
    pub fn objects(&mut self, kind: Kind) -> Result<Objects<'a>, serde_json::Error> {
        object::start_counting();
        let mut deserializer = serde_json::Deserializer::from_str(self.body);
        let objects = (&mut deserializer).deserialize_map(Envelope(kind))?;
        deserializer.end()?;
        self.sub_resource.clone_from(&objects.sub_resource);
        self.name.clone_from(&objects.name);
        Ok(objects)
    }

    pub fn user(&self) -> &str {
        self.user.username.as_str()
    }

    /// Whether the caller is a kubelet.
    pub fn is_node(&self) -> bool {
        self.user.groups.iter().any(|group| group.as_str() == "system:nodes")
    }
}

/// What is wrong, without the value that is: it may be a secret of the user's.
pub fn without_value(error: &serde_json::Error) -> String {
    const LONGEST: usize = 200;
    let text = error.to_string();
    let told = match (text.split_once(": "), text.rfind(", expected ")) {
        (Some((what @ ("invalid type" | "invalid value"), _)), Some(at)) => format!("{what}{}", &text[at..]),
        _ => text,
    };
    told.chars().take(LONGEST).collect()
}

#[derive(Debug, Default)]
struct Found<'a> {
    head: Head<'a>,
    api_version: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    has_request: bool,
    /// Of a request: the keys that have been read, as one bit each.
    seen: u16,
    /// At the object, with all that there is to know.
    stopped: bool,
}

const UID: u16 = 1;
const KIND: u16 = 2;
const OPERATION: u16 = 4;
const USER: u16 = 8;
const SUB_RESOURCE: u16 = 16;
const NAME: u16 = 32;
const NAMESPACE: u16 = 64;

/// What an early answer needs. `subResource` and `name` may be absent, so they may still come; `Head::objects` reads on.
const ENOUGH: u16 = UID | KIND | OPERATION | USER | NAMESPACE;

impl<'a> Found<'a> {
    /// The version stands behind the request in some writings.
    fn may_stop(&self) -> bool {
        self.seen & ENOUGH == ENOUGH && self.api_version.is_some() && self.kind.is_some()
    }

    fn checked(self) -> Result<Head<'a>, String> {
        let version = self.api_version.as_deref().unwrap_or_default();
        if version != API_VERSION || self.kind.as_deref() != Some("AdmissionReview") {
            return Err(format!("apiVersion and kind must be {API_VERSION} and AdmissionReview"));
        }
        if !self.has_request {
            return Err("it has no request".to_owned());
        }
        if self.head.uid.is_empty() {
            return Err("the request has no uid".to_owned());
        }
        Ok(self.head)
    }
}

impl<'de> Visitor<'de> for &mut Found<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an AdmissionReview")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "apiVersion" => once(&mut self.api_version, "apiVersion", map.next_value::<Text<'de>>()?.0)?,
                "kind" => once(&mut self.kind, "kind", map.next_value::<Text<'de>>()?.0)?,
                "request" => map.next_value_seed(Request(self))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn once<T, E: serde::de::Error>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(E::duplicate_field(key)) } else { Ok(()) }
}

struct Request<'f, 'a>(&'f mut Found<'a>);

impl<'de> DeserializeSeed<'de> for Request<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Request<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a request")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(found) = self;
        found.has_request = true;
        while let Some(Text(key)) = map.next_key()? {
            let may_stop = found.may_stop();
            let head = &mut found.head;
            match key.as_ref() {
                "uid" => head.uid = text(&mut found.seen, UID, &mut map)?,
                "kind" => {
                    let GroupKind { group, kind } = value(&mut found.seen, KIND, &mut map)?;
                    (head.group, head.kind) = (group.0, kind.0);
                }
                "subResource" => head.sub_resource = text(&mut found.seen, SUB_RESOURCE, &mut map)?,
                "name" => head.name = text(&mut found.seen, NAME, &mut map)?,
                "namespace" => head.namespace = text(&mut found.seen, NAMESPACE, &mut map)?,
                "operation" => head.operation = text(&mut found.seen, OPERATION, &mut map)?.as_ref().into(),
                "userInfo" => head.user = value(&mut found.seen, USER, &mut map)?,
                // The error ends the reading here; what has been found stands.
                "object" | "oldObject" if may_stop => {
                    found.stopped = true;
                    return Err(A::Error::custom("head read"));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn text<'de, A: MapAccess<'de>>(seen: &mut u16, bit: u16, map: &mut A) -> Result<Cow<'de, str>, A::Error> {
    Ok(value::<Text<'de>, A>(seen, bit, map)?.0)
}

fn value<'de, T: Deserialize<'de>, A: MapAccess<'de>>(seen: &mut u16, bit: u16, map: &mut A) -> Result<T, A::Error> {
    if *seen & bit != 0 {
        return Err(A::Error::custom("a key of the request stands twice"));
    }
    let value = map.next_value()?;
    *seen |= bit;
    Ok(value)
}

#[derive(Deserialize)]
struct GroupKind<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UserInfo<'a> {
    #[serde(borrow)]
    username: Text<'a>,
    #[serde(borrow)]
    groups: List<Text<'a>>,
}

impl From<&str> for Operation {
    fn from(word: &str) -> Self {
        match word {
            "CREATE" => Self::Create,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// The second reading: everything is skipped but the objects.
struct Envelope(Kind);

impl<'de> Visitor<'de> for Envelope {
    type Value = Objects<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an AdmissionReview")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Objects<'de>, A::Error> {
        let mut objects = None;
        while let Some(Text(key)) = map.next_key()? {
            if key == "request" {
                once(&mut objects, "request", map.next_value_seed(ObjectsSeed(self.0))?)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(objects.unwrap_or_default())
    }
}

struct ObjectsSeed(Kind);

impl<'de> DeserializeSeed<'de> for ObjectsSeed {
    type Value = Objects<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Objects<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectsSeed {
    type Value = Objects<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Objects<'de>, A::Error> {
        let (mut object, mut old_object, mut seen) = (None, None, 0);
        let (mut sub_resource, mut name) = (Cow::default(), Cow::default());
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "object" => once(&mut object, "object", map.next_value_seed(WorkloadSeed(self.0))?)?,
                "oldObject" => once(&mut old_object, "oldObject", map.next_value::<Option<&'de RawValue>>()?)?,
                "subResource" => sub_resource = text(&mut seen, SUB_RESOURCE, &mut map)?,
                "name" => name = text(&mut seen, NAME, &mut map)?,
                key => skip(&mut seen, key, &mut map)?,
            }
        }
        let (object, old_object) = (object.flatten(), old_object.flatten());
        Ok(Objects { object, old_object, sub_resource, name })
    }
}

/// Passes over a value; one that the head has read must not come again behind the object.
fn skip<'de, A: MapAccess<'de>>(seen: &mut u16, key: &str, map: &mut A) -> Result<(), A::Error> {
    let bit = match key {
        "uid" => UID,
        "kind" => KIND,
        "operation" => OPERATION,
        "userInfo" => USER,
        "namespace" => NAMESPACE,
        _ => return map.next_value::<IgnoredAny>().map(drop),
    };
    value::<IgnoredAny, A>(seen, bit, map).map(drop)
}
