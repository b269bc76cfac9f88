//! Reads a review in one pass: the head, and the object where the head does not settle the answer already. kube-apiserver
//! writes `object` behind everything that decides about it; keys in another order are read too. What kube-apiserver does not
//! write, or what is wrong, takes a second pass by `serde_json`, from the beginning: it reads all of JSON, and says what is wrong.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Decision, Operation, Scope};
use crate::{
    json::compact::Compact,
    object::{self, List, Text, fields::read_fields},
    workload::{Workload, WorkloadSeed},
};

const API_VERSION: &str = "admission.k8s.io/v1";

/// All that decides whether the object is looked at.
#[derive(Debug, Default)]
pub struct Head<'a> {
    pub uid: Cow<'a, str>,
    pub group: Cow<'a, str>,
    pub kind: Cow<'a, str>,
    pub sub_resource: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub namespace: Cow<'a, str>,
    pub operation: Operation,
    user: UserInfo<'a>,
}

impl Head<'_> {
    pub fn user(&self) -> &str {
        self.user.username.as_str()
    }

    /// Whether the caller is a kubelet.
    pub fn is_node(&self) -> bool {
        self.user.groups.iter().any(|group| group.as_str() == "system:nodes")
    }
}

/// What a body is, once it is a review.
#[expect(clippy::large_enum_variant, reason = "one per review, taken apart at once: a box would cost more")]
pub enum Reading<'a> {
    /// The head says it all; what stands behind it has not been read.
    Settled(Decision),
    /// To be judged; the old object stays raw until a finding asks for it.
    Whole { scope: Scope, object: Option<Workload<'a>>, old_object: Option<&'a RawValue> },
    /// Ours to judge, and it does not decode.
    Broken { scope: Scope, error: serde_json::Error },
}

/// What a body says, or why it is no review.
type Read<'a> = Result<(Head<'a>, Reading<'a>), String>;

/// What of a request is to be judged, or the decision where nothing is.
pub type Choice = Result<Scope, Decision>;

/// Reads a body; `choose` is asked as soon as there is enough to answer it.
///
/// # Errors
/// Where the body is no review: no JSON, another version, no request, no uid.
pub fn read<'a>(body: &'a str, choose: &dyn Fn(&Head<'a>) -> Choice) -> Read<'a> {
    read_compact(body, choose).unwrap_or_else(|| read_any(body, choose))
}

/// As kube-apiserver writes a body; nothing is told of any other.
fn read_compact<'a>(body: &'a str, choose: &dyn Fn(&Head<'a>) -> Choice) -> Option<Read<'a>> {
    object::start_counting();
    let mut reader = Reader::new(choose);
    let read = Compact::new(body).and_then(|mut compact| {
        (&mut compact).deserialize_map(&mut reader)?;
        compact.end()
    });
    (read.is_ok() || reader.is_settled).then(|| reader.conclude(Ok(())))
}

fn read_any<'a>(body: &'a str, choose: &dyn Fn(&Head<'a>) -> Choice) -> Read<'a> {
    object::start_counting();
    let mut reader = Reader::new(choose);
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let read = (&mut deserializer).deserialize_map(&mut reader).and_then(|()| deserializer.end());
    reader.conclude(read)
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

struct Reader<'a, 'c> {
    choose: &'c dyn Fn(&Head<'a>) -> Choice,
    choice: Option<Choice>,
    /// The reading was stopped where the head had settled the answer.
    is_settled: bool,
    head: Head<'a>,
    api_version: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    has_request: bool,
    /// Of a request: the keys that have been read, as one bit each.
    seen: u16,
    object: Option<Workload<'a>>,
    /// An object that came before it could be told what it is.
    early_object: Option<&'a RawValue>,
    old_object: Option<&'a RawValue>,
    /// `object` or `oldObject` stands twice, which was seen before there was a choice.
    is_ambiguous: bool,
}

const UID: u16 = 1;
const KIND: u16 = 2;
const OPERATION: u16 = 4;
const USER: u16 = 8;
const SUB_RESOURCE: u16 = 16;
const NAME: u16 = 32;
const NAMESPACE: u16 = 64;
const OBJECT: u16 = 128;
const OLD_OBJECT: u16 = 256;

const TWICE: &str = "a key of the request stands twice";

/// What a choice needs. A `subResource` may be absent, so it may still come: then the choice is made again.
const ENOUGH: u16 = UID | KIND | OPERATION | USER | NAMESPACE;

impl<'a, 'c> Reader<'a, 'c> {
    fn new(choose: &'c dyn Fn(&Head<'a>) -> Choice) -> Self {
        Self {
            choose,
            choice: None,
            is_settled: false,
            head: Head::default(),
            api_version: None,
            kind: None,
            has_request: false,
            seen: 0,
            object: None,
            early_object: None,
            old_object: None,
            is_ambiguous: false,
        }
    }

    /// The version stands behind the request in some writings.
    fn may_choose(&self) -> bool {
        self.seen & ENOUGH == ENOUGH && self.api_version.is_some() && self.kind.is_some()
    }

    fn conclude(mut self, read: Result<(), serde_json::Error>) -> Read<'a> {
        match (self.choice, read) {
            (None, Err(error)) => Err(without_value(&error)),
            (Some(Err(decision)), _) => self.finish(Reading::Settled(decision)),
            (Some(Ok(scope)), Err(error)) => self.finish(Reading::Broken { scope, error }),
            (_, Ok(())) => {
                let reading = self.reading();
                self.finish(reading)
            }
        }
    }

    fn finish(self, reading: Reading<'a>) -> Read<'a> {
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
        Ok((self.head, reading))
    }

    /// Of a body that has been read to its end.
    fn reading(&mut self) -> Reading<'a> {
        let choice = self.choice.take().unwrap_or_else(|| (self.choose)(&self.head));
        let scope = match choice {
            Ok(scope) => scope,
            Err(decision) => return Reading::Settled(decision),
        };
        let object = match self.early_object {
            _ if self.is_ambiguous => Err(serde_json::Error::custom(TWICE)),
            Some(early) => Workload::decode(scope.kind, early.get()).map(Some),
            None => Ok(self.object.take()),
        };
        match object {
            Ok(object) => Reading::Whole { scope, object, old_object: self.old_object },
            Err(error) => Reading::Broken { scope, error },
        }
    }

    fn object<A: MapAccess<'a>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        self.see_object(OBJECT)?;
        if !self.may_choose() {
            self.early_object = map.next_value()?;
            return Ok(());
        }
        let choice = *self.choice.insert((self.choose)(&self.head));
        self.is_settled = choice.is_err();
        // An error ends the reading here; what has been found stands.
        let scope = choice.map_err(|_| A::Error::custom("settled"))?;
        self.object = map.next_value_seed(WorkloadSeed(scope.kind))?;
        Ok(())
    }

    fn sub_resource<A: MapAccess<'a>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        self.head.sub_resource = self.text(SUB_RESOURCE, map)?;
        if self.choice.is_some() {
            self.choice = Some((self.choose)(&self.head));
        }
        Ok(())
    }

    fn text<A: MapAccess<'a>>(&mut self, bit: u16, map: &mut A) -> Result<Cow<'a, str>, A::Error> {
        self.see(bit)?;
        Ok(map.next_value::<Text<'a>>()?.0)
    }

    fn see<E: serde::de::Error>(&mut self, bit: u16) -> Result<(), E> {
        if self.seen & bit != 0 {
            return Err(E::custom(TWICE));
        }
        self.seen |= bit;
        Ok(())
    }

    /// Without a choice the uid may still come, and with it an answer.
    fn see_object<E: serde::de::Error>(&mut self, bit: u16) -> Result<(), E> {
        if self.choice.is_some() {
            return self.see(bit);
        }
        self.is_ambiguous |= self.seen & bit != 0;
        self.seen |= bit;
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Reader<'de, '_> {
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

struct Request<'r, 'a, 'c>(&'r mut Reader<'a, 'c>);

impl<'de> DeserializeSeed<'de> for Request<'_, 'de, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Request<'_, 'de, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a request")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(reader) = self;
        if std::mem::replace(&mut reader.has_request, true) {
            return Err(A::Error::duplicate_field("request"));
        }
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "uid" => reader.head.uid = reader.text(UID, &mut map)?,
                "kind" => {
                    reader.see(KIND)?;
                    let GroupKind { group, kind } = map.next_value()?;
                    (reader.head.group, reader.head.kind) = (group.0, kind.0);
                }
                "subResource" => reader.sub_resource(&mut map)?,
                "name" => reader.head.name = reader.text(NAME, &mut map)?,
                "namespace" => reader.head.namespace = reader.text(NAMESPACE, &mut map)?,
                "operation" => reader.head.operation = reader.text(OPERATION, &mut map)?.as_ref().into(),
                "userInfo" => {
                    reader.see(USER)?;
                    reader.head.user = map.next_value()?;
                }
                "object" => reader.object(&mut map)?,
                "oldObject" => {
                    reader.see_object(OLD_OBJECT)?;
                    reader.old_object = map.next_value()?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

read_fields! {
    struct GroupKind<'a> {
        group: Text<'a> = "group",
        kind: Text<'a> = "kind",
    }

    struct UserInfo<'a> {
        username: Text<'a> = "username",
        groups: List<Text<'a>> = "groups",
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;

    /// Else all reviews would take the longer way, and nothing would tell.
    #[test]
    fn what_kube_apiserver_writes_is_read_in_one_pass() {
        for body in [
            include_str!("../../tests/corpus/bodies/pod-create.json"),
            include_str!("../../tests/corpus/bodies/pod-create-recorded.json"),
            include_str!("../../tests/corpus/bodies/pod-update.json"),
            include_str!("../../tests/corpus/bodies/pod-delete.json"),
            include_str!("../../tests/corpus/bodies/pod-resize.json"),
            include_str!("../../tests/corpus/bodies/cronjob-create.json"),
        ] {
            let kind = |head: &Head<'_>| Kind::of(&head.group, &head.kind).ok_or(Decision::Ignored);
            let choose = |head: &Head<'_>| Ok(Scope { kind: kind(head)?, only: None });
            let reading = read_compact(body, &choose);
            assert!(matches!(reading, Some(Ok((_, Reading::Whole { .. })))), "{body}");
        }
    }
}
