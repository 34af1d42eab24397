//! From a text to a tree, from the tree to a type.

use alloc::{
    borrow::{Cow, ToOwned},
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{fmt, mem};
use serde_json::{Map, Value};

/// Why something is not what it should be: where in the tree, and what is wrong there. Boxed: it is
/// in the result of every reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    what: String,
    is_syntax: bool,
}

impl Error {
    #[cold]
    fn new(what: String) -> Self {
        let is_syntax = false;
        Self(Box::new(Problem { what, is_syntax }))
    }

    /// Whether the text is no JSON at all.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        self.0.is_syntax
    }

    /// Another mistake, in words.
    #[cold]
    pub fn custom(what: &dyn fmt::Display) -> Self {
        Self::new(what.to_string())
    }

    #[cold]
    fn expected(what: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self::new(format!("expected {what}, found {found}"))
    }

    #[cold]
    fn unknown(what: &str, name: &str, known: &[&str]) -> Self {
        let known = known.join("`, `");
        Self::new(format!("unknown {what} `{name}`, known are `{known}`"))
    }

    /// The same, found in this field.
    #[cold]
    fn within(mut self, name: &str) -> Self {
        let what = &self.0.what;
        let colon = if what.starts_with('.') { "" } else { ": " };
        self.0.what = format!(".{name}{colon}{what}");
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.what.trim_start_matches('.'))
    }
}

impl core::error::Error for Error {}

/// A type that can be taken out of a tree.
pub trait FromJson: Sized {
    /// Takes it; what is left of the tree is of no use.
    fn from_json(value: &mut Value) -> Result<Self, Error>;

    /// What a field of this type is that is not there.
    fn absent() -> Option<Self> {
        None
    }
}

/// Reads a text of JSON.
pub fn from_slice<T: FromJson>(text: &[u8]) -> Result<T, Error> {
    T::from_json(&mut tree(text)?)
}

/// Reads a text of JSON.
pub fn from_str<T: FromJson>(text: &str) -> Result<T, Error> {
    from_slice(text.as_bytes())
}

/// Reads a tree.
pub fn from_value<T: FromJson>(mut value: Value) -> Result<T, Error> {
    T::from_json(&mut value)
}

/// The one place where JSON is parsed.
#[inline(never)]
fn tree(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text).map_err(|error| {
        let (what, is_syntax) = (error.to_string(), true);
        Error(Box::new(Problem { what, is_syntax }))
    })
}

/// The fields of an object; with the names of all it may have, if others are a mistake.
pub fn object<'a>(
    value: &'a mut Value,
    known: Option<&[&str]>,
) -> Result<&'a mut Map<String, Value>, Error> {
    let Value::Object(object) = value else {
        return Err(Error::expected("an object", value));
    };
    if let Some(known) = known
        && let Some(name) = object.keys().find(|name| !known.contains(&name.as_str()))
    {
        return Err(Error::unknown("field", name, known));
    }
    Ok(object)
}

/// A field that must be there, unless its type can do without.
pub fn field<T: FromJson>(object: &mut Map<String, Value>, name: &str) -> Result<T, Error> {
    match object.get_mut(name) {
        Some(value) => T::from_json(value).map_err(|error| error.within(name)),
        None => T::absent().ok_or_else(|| missing(name)),
    }
}

#[cold]
fn missing(name: &str) -> Error {
    Error::new(format!("missing field `{name}`"))
}

/// A field that may be missing.
pub fn field_or_default<T: FromJson + Default>(
    object: &mut Map<String, Value>,
    name: &str,
) -> Result<T, Error> {
    match object.contains_key(name) {
        true => field(object, name),
        false => Ok(T::default()),
    }
}

/// A field that may be missing, and what it is then.
pub fn field_or<T: FromJson>(
    object: &mut Map<String, Value>,
    name: &str,
    default: T,
) -> Result<T, Error> {
    match object.contains_key(name) {
        true => field(object, name),
        false => Ok(default),
    }
}

/// Which of `names` an object has in its field `tag`, which is no field of the variant.
pub fn tagged(value: &mut Value, tag: &str, names: &[&str]) -> Result<usize, Error> {
    match object(value, None)?.remove(tag) {
        Some(mut name) => named(&mut name, names).map_err(|error| error.within(tag)),
        None => Err(missing(tag)),
    }
}

/// Which of `names` a string is.
pub fn named(value: &mut Value, names: &[&str]) -> Result<usize, Error> {
    match value {
        Value::String(name) => place(name, names),
        other => Err(Error::expected("a string", other)),
    }
}

/// Which of `names` it is, and its content: a string, or an object of one field.
pub fn keyed<'a>(value: &'a mut Value, names: &[&str]) -> Result<(usize, &'a mut Value), Error> {
    if let Value::String(name) = value {
        let place = place(name, names)?;
        *value = Value::Null;
        return Ok((place, value));
    }
    let mut fields = object(value, None)?.iter_mut();
    match (fields.next(), fields.next()) {
        (Some((name, content)), None) => Ok((place(name, names)?, content)),
        _ => Err(Error::new("expected an object of one field".into())),
    }
}

fn place(name: &str, names: &[&str]) -> Result<usize, Error> {
    let place = names.iter().position(|known| *known == name);
    place.ok_or_else(|| Error::unknown("variant", name, names))
}

impl FromJson for Value {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        Ok(mem::take(value))
    }
}

impl FromJson for bool {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        let found = value.as_bool();
        found.ok_or_else(|| Error::expected("a boolean", value))
    }
}

impl FromJson for String {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        match value {
            Value::String(text) => Ok(mem::take(text)),
            other => Err(Error::expected("a string", other)),
        }
    }
}

/// A number of at most `max`.
fn number(value: &Value, max: u64) -> Result<u64, Error> {
    match value.as_u64() {
        Some(number) if number <= max => Ok(number),
        Some(number) => Err(Error::new(format!("{number} is above {max}"))),
        None => Err(Error::expected("a whole number from 0", value)),
    }
}

impl FromJson for u64 {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        number(value, Self::MAX)
    }
}

impl FromJson for u32 {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        // `number` keeps it in range.
        Ok(number(value, Self::MAX.into())? as Self)
    }
}

impl FromJson for usize {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        // `number` keeps it in range.
        Ok(number(value, Self::MAX as u64)? as Self)
    }
}

impl FromJson for f64 {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        let found = value.as_f64();
        found.ok_or_else(|| Error::expected("a number", value))
    }
}

impl FromJson for u8 {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        // `number` keeps it in range.
        Ok(number(value, Self::MAX.into())? as Self)
    }
}

impl FromJson for Cow<'_, str> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        String::from_json(value).map(Self::Owned)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::from_json(value).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        T::from_json(value).map(Self::new)
    }
}

impl<T: FromJson> FromJson for Arc<T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        T::from_json(value).map(Self::new)
    }
}

fn list(value: &mut Value) -> Result<&mut Vec<Value>, Error> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(Error::expected("a list", other)),
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        let mut read = Self::new();
        for (place, item) in list(value)?.iter_mut().enumerate() {
            read.push(T::from_json(item).map_err(|error| error.within(&place.to_string()))?);
        }
        Ok(read)
    }
}

impl<T: FromJson> FromJson for VecDeque<T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        Vec::from_json(value).map(Self::from)
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        match list(value)?.as_mut_slice() {
            [a, b] => Ok((A::from_json(a)?, B::from_json(b)?)),
            items => Err(Error::new(format!(
                "expected 2 items, found {}",
                items.len()
            ))),
        }
    }
}

impl<T: FromJson + Copy + Default, const N: usize> FromJson for [T; N] {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        let items = list(value)?;
        if items.len() != N {
            let found = items.len();
            return Err(Error::new(format!("expected {N} items, found {found}")));
        }
        let mut read = [T::default(); N];
        for (into, item) in read.iter_mut().zip(items) {
            *into = T::from_json(item)?;
        }
        Ok(read)
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: &mut Value) -> Result<Self, Error> {
        let mut read = Self::new();
        for (name, value) in object(value, None)?.iter_mut() {
            let value = T::from_json(value).map_err(|error| error.within(name))?;
            read.insert(name.to_owned(), value);
        }
        Ok(read)
    }
}
