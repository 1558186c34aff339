//! The published schema, as `reduce.py` took it from the framework's repository, and what it says of an object.

use regex::Regex;
use serde_json::{Map, Value};
use std::collections::HashMap;

pub struct Schema {
    whole: Value,
    patterns: HashMap<String, Regex>,
}

/// One look at a finding: where it is, and what was found wrong.
struct Look<'s> {
    schema: &'s Schema,
    profiles: Vec<String>,
    wrong: Vec<String>,
}

impl Schema {
    pub fn read() -> Self {
        let whole: Value = serde_json::from_str(include_str!("classes.json")).expect("the schema");
        let types = whole["types"].as_object().expect("types");
        let pattern = |(name, kind): (&String, &Value)| {
            let text = kind["regex"].as_str()?;
            Some((name.clone(), Regex::new(text).expect("a pattern of the schema")))
        };
        let patterns = types.iter().filter_map(pattern).collect();
        Self { whole, patterns }
    }

    pub fn version(&self) -> &str {
        self.whole["version"].as_str().expect("a version")
    }

    /// What is wrong with an event, each with its way.
    pub fn problems(&self, finding: &Value) -> Vec<String> {
        let classes = self.whole["classes"].as_object().expect("classes");
        let Some(class) = classes.values().find(|class| class["uid"] == finding["class_uid"])
        else {
            return vec![format!("class_uid: {} is none that was looked at", finding["class_uid"])];
        };
        let profiles = finding["metadata"]["profiles"].as_array().into_iter().flatten();
        let profiles = profiles.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        let mut look = Look { schema: self, profiles, wrong: vec![] };
        look.object("", finding, class);
        look.type_of(finding);
        look.wrong
    }
}

impl Look<'_> {
    fn add(&mut self, way: &str, what: impl std::fmt::Display) {
        self.wrong.push(format!("{}: {what}", way.trim_start_matches('.')));
    }

    fn object(&mut self, way: &str, value: &Value, definition: &Value) {
        let Some(object) = value.as_object() else {
            return self.add(way, format_args!("{value} is no object"));
        };
        let attributes = definition["attributes"].as_object().expect("attributes");
        self.required(way, object, definition);
        for (name, value) in object {
            let way = format!("{way}.{name}");
            match attributes.get(name) {
                None => self.add(&way, "unknown attribute"),
                Some(attribute) => {
                    self.caption(&way, name, object, attributes);
                    self.attribute(&way, value, attribute);
                }
            }
        }
    }

    /// A type's number is made of its class's and its activity's.
    fn type_of(&mut self, event: &Value) {
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        if number("type_uid") != number("class_uid") * 100 + number("activity_id") {
            self.add("type_uid", format_args!("{} is not the activity's", event["type_uid"]));
        }
    }

    fn required(&mut self, way: &str, object: &Map<String, Value>, definition: &Value) {
        let attributes = definition["attributes"].as_object().expect("attributes");
        for (name, attribute) in attributes {
            let asked = attribute["profile"].as_str().is_none_or(|profile| self.applies(profile));
            if attribute["requirement"] == "required" && asked && !object.contains_key(name) {
                self.add(way, format_args!("needs {name}"));
            }
        }
        let one_of: Vec<&str> = definition["at_least_one"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !one_of.is_empty() && !one_of.iter().any(|name| object.contains_key(*name)) {
            self.add(way, format_args!("needs one of {}", one_of.join(", ")));
        }
    }

    fn applies(&self, profile: &str) -> bool {
        self.profiles.iter().any(|known| known == profile)
    }

    fn attribute(&mut self, way: &str, value: &Value, attribute: &Value) {
        if let Some(profile) = attribute["profile"].as_str().filter(|name| !self.applies(name)) {
            self.add(way, format_args!("belongs to the profile {profile}"));
        }
        if attribute["deprecated"] == true {
            self.add(way, "is deprecated");
        }
        if attribute["array"] != true {
            return self.value(way, value, attribute);
        }
        match value.as_array() {
            None => self.add(way, format_args!("{value} is no array")),
            Some(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(&format!("{way}[{place}]"), item, attribute);
                }
            }
        }
    }

    fn value(&mut self, way: &str, value: &Value, attribute: &Value) {
        let kind = attribute["type"].as_str().expect("a type");
        let schema = self.schema;
        if let Some(definition) = schema.whole["objects"].get(kind) {
            return self.object(way, value, definition);
        }
        if !self.is_of(value, kind) {
            return self.add(way, format_args!("{value} is no {kind}"));
        }
        let choices = attribute["enum"].as_object();
        if choices.is_some_and(|choices| !choices.contains_key(&text_of(value))) {
            self.add(way, format_args!("{value} is none of the schema's"));
        }
    }

    fn is_of(&self, value: &Value, kind: &str) -> bool {
        let definition = &self.schema.whole["types"][kind];
        let base = definition["type"].as_str().unwrap_or(kind);
        let is_right = match base {
            "string_t" => value.is_string(),
            "integer_t" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            "long_t" => value.is_i64(),
            "boolean_t" => value.is_boolean(),
            "float_t" => value.is_number(),
            "json_t" => true,
            "object" => value.is_object(),
            other => panic!("the type {other} is not known to this test"),
        };
        let text = text_of(value);
        let longest = definition["max_len"].as_u64();
        let range = definition["range"].as_array();
        is_right
            && self.schema.patterns.get(kind).is_none_or(|pattern| pattern.is_match(&text))
            && longest.is_none_or(|longest| text.len() as u64 <= longest)
            && range.is_none_or(|range| {
                range[0].as_i64() <= value.as_i64() && value.as_i64() <= range[1].as_i64()
            })
    }

    /// A word beside a number is that number's: `severity` is the caption of `severity_id`.
    fn caption(
        &mut self,
        way: &str,
        name: &str,
        object: &Map<String, Value>,
        attributes: &Map<String, Value>,
    ) {
        let number = format!("{}_id", name.strip_suffix("_name").unwrap_or(name));
        let (Some(value), Some(choices)) =
            (object.get(&number), attributes.get(&number).and_then(|it| it["enum"].as_object()))
        else {
            return;
        };
        // 99 stands for what the schema has no word for.
        let caption = choices.get(&text_of(value)).filter(|_| *value != 99);
        if caption.is_some_and(|caption| *caption != object[name]) {
            self.add(way, format_args!("{} is not the caption of {value}", object[name]));
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
