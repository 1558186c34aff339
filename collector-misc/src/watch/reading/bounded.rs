//! Lists and maps of which only so much is read as any use has: a small text can make a large list.

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The most elements that are read, more than any object is told with.
const MOST: usize = 512;

/// For `#[serde(deserialize_with)]`: the beginning of a list, or none.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(List(PhantomData))
}

/// For `#[serde(deserialize_with)]`: the beginning of a map, or none. Values that are no texts are left out.
pub(super) fn map<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_any(Map)
}

struct List<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while list.len() < MOST
            && let Some(element) = elements.next_element()?
        {
            list.push(element);
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list)
    }
}

struct Map;

/// A text, or None for whatever else stands there.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Text, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Text, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

impl<'de> Visitor<'de> for Map {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while map.len() < MOST
            && let Some(name) = entries.next_key::<String>()?
        {
            if let Text(Some(value)) = entries.next_value()? {
                map.insert(name, value);
            }
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, list, map};
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Both {
        #[serde(default, deserialize_with = "list")]
        list: Vec<u32>,
        #[serde(default, deserialize_with = "map")]
        map: BTreeMap<String, String>,
    }

    #[test]
    fn of_what_is_too_long_the_beginning_is_read() {
        let list = vec!["7"; 100_000].join(",");
        let map: Vec<_> = (0..100_000).map(|number| format!("\"k{number}\":\"v\"")).collect();
        let text = format!("{{\"list\":[{list}],\"map\":{{{}}}}}", map.join(","));
        let both: Both = serde_json::from_str(&text).unwrap();
        assert_eq!((both.list.len(), both.map.len()), (MOST, MOST));
    }

    #[test]
    fn nulls_and_gaps_are_empty() {
        let both: Both = serde_json::from_str(
            r#"{"list": null, "map": {"a": {"c": [1]}, "b": "x", "d": null}}"#,
        )
        .unwrap();
        assert_eq!((both.list.len(), both.map), (0, [("b".into(), "x".into())].into()));
        assert!(serde_json::from_str::<Both>("{}").unwrap().map.is_empty());
        assert!(serde_json::from_str::<Both>(r#"{"list": 5}"#).is_err());
    }
}
