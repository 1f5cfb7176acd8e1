//! JSON values that only pass through.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value as the text in which it came, so that whoever reads it at the end finds every digit of a number, every key in
/// its place and every escape: Python has integers of any size and half surrogate pairs, and Rust's numbers have 64 bits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

/// The members of an object, in order; of those with one name the last, as in Python.
pub type Members = IndexMap<String, JsonText>;

impl JsonText {
    /// Takes a text that is JSON.
    pub fn new(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// Writes a value.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The value to look at, if it is one of Rust's; numbers are rounded.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        serde_json::from_str(self.text()).ok()
    }

    /// The value, if it is a string.
    #[must_use]
    pub fn as_string(&self) -> Option<String> {
        serde_json::from_str(self.text()).ok()
    }

    /// Its members, if it is an object.
    #[must_use]
    pub fn members(&self) -> Option<Members> {
        serde_json::from_str(self.text()).ok()
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        // A value's own text is JSON.
        Self(RawValue::from_string(value.to_string()).unwrap_or_default())
    }
}

impl From<&str> for JsonText {
    fn from(text: &str) -> Self {
        Self::from(Value::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_changes() {
        let text = r#"{"b":[1e400,-0,12345678901234567890123,0.10,"\ud800"],"a":{"z":1,"a": 2}}"#;
        let members: Members = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&members).unwrap(), text);
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(JsonText::new(&deep).unwrap().text(), deep);
        assert!(JsonText::new("NaN").is_err());
        assert_eq!(JsonText::from("a\"b").text(), r#""a\"b""#);
    }
}
