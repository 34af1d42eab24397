//! A JSON object field by field, with what is wrong in words.
//!
//! Without derived readers: each of those weighs kilobytes in a module that is loaded before the
//! first word, and a body here has a handful of fields.

use tau_core::json::{self, FromJson, Map, Value};

use crate::errors::ApiError;

/// The fields of an object that were not asked for yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object.
    pub(crate) fn read(text: &[u8]) -> Result<Self, ApiError> {
        match json::from_slice(text)? {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(ApiError::invalid("the body is not a JSON object")),
        }
    }

    /// A field as it is; null counts as none.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, "a string")),
        }
    }

    /// A string that must be there.
    pub(crate) fn needed_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?
            .ok_or_else(|| ApiError::invalid(format!("the field {name} is missing")))
    }

    /// A whole number from 0.
    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, "a whole number from 0")),
            },
        }
    }

    /// Something the core has a reader for.
    pub(crate) fn parsed<T: FromJson>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => parse(name, value).map(Some),
        }
    }

    /// To be called last: what was not asked for is a mistake.
    pub(crate) fn end(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::invalid(format!(
                "there is no field {name:?} here"
            ))),
        }
    }
}

/// Reads the value of a field.
pub(crate) fn parse<T: FromJson>(name: &str, value: Value) -> Result<T, ApiError> {
    json::from_value(value).map_err(|error| ApiError::invalid(format!("the field {name}: {error}")))
}

fn wrong(name: &str, what: &str) -> ApiError {
    ApiError::invalid(format!("the field {name} is not {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn fields_are_what_they_should_be_or_it_is_said_which_is_not() {
        let mut body = fields(r#"{"a": "x", "b": 7, "d": null}"#);
        assert_eq!(body.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(body.number("b").unwrap(), Some(7));
        assert_eq!(body.text("d").unwrap(), None);
        assert!(body.end().is_ok());

        for wrong in [r#"{"a": 1}"#, r#"{"a": ["x"]}"#] {
            let error = fields(wrong).text("a").unwrap_err();
            assert_eq!(error.message(), "the field a is not a string");
        }
        for wrong in [r#"{"a": -1}"#, r#"{"a": 1.5}"#, r#"{"a": "1"}"#] {
            assert!(fields(wrong).number("a").is_err(), "{wrong}");
        }
        assert!(fields("{}").needed_text("a").is_err());
    }

    #[test]
    fn what_nobody_asked_for_is_a_mistake() {
        let mut body = fields(r#"{"text": "x", "txt": "y"}"#);
        assert!(body.needed_text("text").is_ok());
        let error = body.end().unwrap_err();
        assert_eq!(error.message(), "there is no field \"txt\" here");
        assert!(Fields::read(b"[]").is_err());
        assert!(Fields::read(b"{").is_err());
    }
}
