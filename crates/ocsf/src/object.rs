use event_model::Timestamp;
use serde_json::{Map, Value};

/// An object of the schema under construction. What is not known is left out: no attribute is empty.
#[derive(Default)]
pub struct Object(Map<String, Value>);

impl Object {
    /// One without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute, unless its value is null or empty.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(attributes) => attributes.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        if !is_empty {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds an attribute where there is a value for it.
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a number of the schema's choice, and the word for it: `severity_id` and `severity`.
    pub fn with_choice(self, name: &str, (number, caption): Choice) -> Self {
        self.with(&format!("{name}_id"), number).with(name, caption)
    }

    /// Adds a moment: milliseconds since 1970.
    pub fn with_time(self, name: &str, moment: Timestamp) -> Self {
        if moment == Timestamp::default() { self } else { self.with(name, milliseconds(moment)) }
    }

    /// The attribute of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether it has that attribute.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Nothing, where it has no attribute.
    pub fn unless_empty(self) -> Option<Value> {
        (!self.0.is_empty()).then(|| self.into())
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// A number that the schema defines, and its caption.
pub type Choice = (u32, &'static str);

/// A moment as the schema's `timestamp_t`.
pub fn milliseconds(moment: Timestamp) -> u64 {
    moment.0 / 1_000_000
}
