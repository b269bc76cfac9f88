//! Reads JSON objects field by field, each value into its place: what serde's derive makes holds all fields beside one another
//! until the last is read, and moves them, and takes a list for an object, which a patch of its fields would not apply to.
//! `object.rs`, `workload.rs` and `admission/head.rs` say what is read.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Given, List, Pairs, Present, Text, spend_one_element};

/// An object of which some fields are read: `read_fields` writes it.
pub(crate) trait Fields<'de>: Default {
    const NAMES: &'static [&'static str];

    /// Reads the value of the field whose name stands at `index`.
    fn read_field<A: MapAccess<'de>>(&mut self, index: usize, map: &mut A) -> Result<(), A::Error>;
}

/// A value that is read into its place. `null` is its default, as everywhere in the Kubernetes API; a bare `bool` or number
/// takes none, so make it an `Option`.
pub(crate) trait Fill<'de>: Default {
    fn fill<D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error>;

    /// Counts one of a list, where there may be so many and no more.
    fn count() -> Result<(), String> {
        Ok(())
    }
}

/// Fills one object; `null` leaves it empty.
pub(crate) fn fill<'de, T: Fields<'de>, D: Deserializer<'de>>(object: &mut T, deserializer: D) -> Result<(), D::Error> {
    deserializer.deserialize_option(Object(object))
}

/// Reads one object, which must not be `null`.
pub(crate) fn read<'de, T: Fields<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut object = T::default();
    deserializer.deserialize_map(Object(&mut object))?;
    Ok(object)
}

/// Defines structs, and what is read of a JSON object into them: each field with its key. Of two fields of one key none is
/// right, so that is an error.
macro_rules! read_fields {
    ($(
        $(#[$meta:meta])*
        $visible:vis struct $name:ident<'a> $(counted by $count:path)? {$(
            $(#[$field_meta:meta])*
            $field_visible:vis $field:ident: $value:ty = $key:literal
        ),+ $(,)?}
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default)]
        $visible struct $name<'a> {$(
            $(#[$field_meta])*
            $field_visible $field: $value,
        )+}

        impl<'de> $crate::object::fields::Fields<'de> for $name<'de> {
            const NAMES: &'static [&'static str] = &[$($key),+];

            fn read_field<A: serde::de::MapAccess<'de>>(&mut self, index: usize, map: &mut A) -> Result<(), A::Error> {
                #[expect(non_camel_case_types, reason = "each is the name of a field")]
                enum Index { $($field),+ }
                match index {
                    $(_ if index == Index::$field as usize => {
                        map.next_value_seed($crate::object::fields::FieldValue(&mut self.$field))
                    })+
                    // An index comes from `NAMES`.
                    _ => Ok(()),
                }
            }
        }

        impl<'de> $crate::object::fields::Fill<'de> for $name<'de> {
            fn fill<D: serde::Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
                $crate::object::fields::fill(self, deserializer)
            }
            $(
                fn count() -> Result<(), String> {
                    $count()
                }
            )?
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::object::fields::read(deserializer)
            }
        }
    )+};
}
pub(crate) use read_fields;

struct Object<'p, T>(&'p mut T);

impl<'de, T: Fields<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // A bit for each.
        const { assert!(T::NAMES.len() <= 32) };
        let mut seen = 0_u32;
        let mut first = 0;
        while let Some(index) = map.next_key_seed(Key { names: T::NAMES, first })? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            first = index + 1;
            if seen & 1 << index != 0 {
                return Err(A::Error::duplicate_field(T::NAMES[index]));
            }
            seen |= 1 << index;
            self.0.read_field(index, &mut map)?;
        }
        Ok(())
    }
}

/// The index of a key among those that are read. `object.rs` has them in the order of Kubernetes' own types, in which they come:
/// so it is looked for from the first that may be next.
struct Key {
    names: &'static [&'static str],
    first: usize,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let (before, from_first) = self.names.split_at(self.first);
        let position = |names: &[&str]| names.iter().position(|name| *name == key);
        Ok(position(from_first).map(|index| self.first + index).or_else(|| position(before)))
    }
}

/// A value of an object, and where it belongs.
pub(crate) struct FieldValue<'p, T>(pub(crate) &'p mut T);

impl<'de, T: Fill<'de>> DeserializeSeed<'de> for FieldValue<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.fill(deserializer)
    }
}

macro_rules! read_whole {
    ($($value:ty),+) => {$(
        impl<'de: 'a, 'a> Fill<'de> for $value {
            fn fill<D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
                *self = Deserialize::deserialize(deserializer)?;
                Ok(())
            }
        }
    )+};
}

read_whole!(Text<'a>, Given<'a>, Pairs<'a>, Present, bool, u32);

impl<'de, T: Fill<'de>> Fill<'de> for Box<T> {
    fn fill<D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        (**self).fill(deserializer)
    }
}

impl<'de, T: Fill<'de>> Fill<'de> for Option<T> {
    fn fill<D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(Nullable(self))
    }
}

struct Nullable<'p, T>(&'p mut Option<T>);

impl<'de, T: Fill<'de>> Visitor<'de> for Nullable<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or null")
    }
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.insert(T::default()).fill(deserializer)
    }
}

impl<'de, T: Fill<'de>> Fill<'de> for List<T> {
    fn fill<D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Elements(&mut self.0))
    }
}

impl<'de, T: Fill<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        list.fill(deserializer)?;
        Ok(list)
    }
}

struct Elements<'p, T>(&'p mut Vec<Option<T>>);

impl<'de, T: Fill<'de>> Visitor<'de> for Elements<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Element(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// The next element of a list.
struct Element<'p, T>(&'p mut Vec<Option<T>>);

impl<'de, T: Fill<'de>> DeserializeSeed<'de> for Element<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        spend_one_element().and_then(|()| T::count()).map_err(D::Error::custom)?;
        self.0.push(None);
        match self.0.last_mut() {
            Some(element) => element.fill(deserializer),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    read_fields! {
        struct Variable<'a> {
            name: Text<'a> = "name",
            value: Text<'a> = "value",
        }
    }

    #[test]
    fn keys_are_read_in_any_order() {
        let rows = [
            r#"{"name":"a","value":"b"}"#,
            r#"{"value":"b","name":"a"}"#,
            r#"{"none":[],"value":"b","none":{},"name":"a"}"#,
        ];
        for json in rows {
            let Variable { name, value } = serde_json::from_str(json).expect(json);
            assert_eq!((name.as_str(), value.as_str()), ("a", "b"), "{json}");
        }
    }
}
