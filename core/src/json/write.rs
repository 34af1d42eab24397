//! From a type to a text.

use alloc::{
    borrow::{Cow, ToOwned},
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::{
    fmt::{self, Write as _},
    mem,
};
use serde_json::{Map, Value};

/// A type that can be written as JSON.
pub trait ToJson {
    /// Writes it.
    fn to_json(&self, out: &mut Writer) {
        out.object(|out| self.members(out));
    }

    /// Writes the fields of what is an object, without its braces; other things have none.
    fn members(&self, _: &mut Writer) {}
}

/// `value` as JSON without spaces.
#[must_use]
pub fn to_string(value: &dyn ToJson) -> String {
    let mut out = Writer(String::new());
    value.to_json(&mut out);
    out.0
}

/// `value` as JSON without spaces, in UTF-8.
#[must_use]
pub fn to_vec(value: &dyn ToJson) -> Vec<u8> {
    to_string(value).into_bytes()
}

/// `value` as a tree.
#[must_use]
pub fn to_value(value: &dyn ToJson) -> Value {
    // What was just written can be read.
    super::from_str(&to_string(value)).unwrap_or_default()
}

/// An object as a tree. One call, where `serde_json::json!` is code for each field.
#[must_use]
pub fn object_of<const N: usize>(mut fields: [(&str, Value); N]) -> Value {
    collect(&mut fields)
}

#[inline(never)]
fn collect(fields: &mut [(&str, Value)]) -> Value {
    let mut object = Map::new();
    for (name, value) in fields {
        object.insert((*name).to_owned(), mem::take(value));
    }
    Value::Object(object)
}

/// A text of JSON as far as it is written.
pub struct Writer(String);

impl Writer {
    /// An object whose fields `members` writes.
    pub(super) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.0.push('{');
        members(self);
        self.0.push('}');
    }

    /// A field of the open object.
    pub fn field(&mut self, name: &str, value: &dyn ToJson) {
        self.key(name);
        value.to_json(self);
    }

    /// The field of the open object that says what it is.
    pub fn tag(&mut self, tag: &str, name: &str) {
        self.key(tag);
        self.text(name);
    }

    /// An object of one field.
    pub fn keyed(&mut self, name: &str, value: &dyn ToJson) {
        self.object(|out| out.field(name, value));
    }

    /// Begins an object of one field that is an object.
    pub fn open_keyed(&mut self, name: &str) {
        self.0.push('{');
        self.key(name);
        self.0.push('{');
    }

    /// Ends it.
    pub fn close_keyed(&mut self) {
        self.0.push_str("}}");
    }

    fn key(&mut self, name: &str) {
        self.next();
        self.text(name);
        self.0.push(':');
    }

    /// A comma, but for the first in an object or a list.
    fn next(&mut self) {
        // No value ends in an opening brace or bracket: a string ends in its quote.
        if !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        self.0.push('"');
        let mut plain = 0;
        for (place, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            // Only ASCII is escaped, so these are boundaries of characters.
            self.0.push_str(&text[plain..place]);
            plain = place + 1;
            self.escape(byte);
        }
        self.0.push_str(&text[plain..]);
        self.0.push('"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => return self.display(format_args!("\\u{byte:04x}")),
        };
        self.0.push('\\');
        self.0.push(char::from(short));
    }

    fn display(&mut self, value: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.0.write_fmt(value);
    }

    fn list<'a>(&mut self, items: impl Iterator<Item = &'a dyn ToJson>) {
        self.0.push('[');
        for item in items {
            self.next();
            item.to_json(self);
        }
        self.0.push(']');
    }
}

impl ToJson for Value {
    fn to_json(&self, out: &mut Writer) {
        match self {
            Self::Null => out.0.push_str("null"),
            Self::Bool(value) => value.to_json(out),
            Self::Number(number) => out.display(format_args!("{number}")),
            Self::String(text) => out.text(text),
            Self::Array(items) => items.to_json(out),
            Self::Object(_) => out.object(|out| self.members(out)),
        }
    }

    fn members(&self, out: &mut Writer) {
        if let Self::Object(object) = self {
            for (name, value) in object {
                out.field(name, value);
            }
        }
    }
}

impl ToJson for bool {
    fn to_json(&self, out: &mut Writer) {
        out.0.push_str(if *self { "true" } else { "false" });
    }
}

impl ToJson for u64 {
    fn to_json(&self, out: &mut Writer) {
        out.display(format_args!("{self}"));
    }
}

impl ToJson for usize {
    fn to_json(&self, out: &mut Writer) {
        out.display(format_args!("{self}"));
    }
}

impl ToJson for u32 {
    fn to_json(&self, out: &mut Writer) {
        u64::from(*self).to_json(out);
    }
}

impl ToJson for u16 {
    fn to_json(&self, out: &mut Writer) {
        u64::from(*self).to_json(out);
    }
}

impl ToJson for u8 {
    fn to_json(&self, out: &mut Writer) {
        u64::from(*self).to_json(out);
    }
}

/// What is no number in JSON is `null`.
impl ToJson for f64 {
    fn to_json(&self, out: &mut Writer) {
        Value::from(*self).to_json(out);
    }
}

impl ToJson for str {
    fn to_json(&self, out: &mut Writer) {
        out.text(self);
    }
}

impl ToJson for String {
    fn to_json(&self, out: &mut Writer) {
        out.text(self);
    }
}

impl ToJson for Cow<'_, str> {
    fn to_json(&self, out: &mut Writer) {
        out.text(self);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, out: &mut Writer) {
        match self {
            None => out.0.push_str("null"),
            Some(value) => value.to_json(out),
        }
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self, out: &mut Writer) {
        (**self).to_json(out);
    }

    fn members(&self, out: &mut Writer) {
        (**self).members(out);
    }
}

impl<T: ToJson + ?Sized> ToJson for Box<T> {
    fn to_json(&self, out: &mut Writer) {
        (**self).to_json(out);
    }

    fn members(&self, out: &mut Writer) {
        (**self).members(out);
    }
}

impl<T: ToJson + ?Sized> ToJson for Arc<T> {
    fn to_json(&self, out: &mut Writer) {
        (**self).to_json(out);
    }

    fn members(&self, out: &mut Writer) {
        (**self).members(out);
    }
}

impl<T: ToJson> ToJson for VecDeque<T> {
    fn to_json(&self, out: &mut Writer) {
        out.list(self.iter().map(|item| item as &dyn ToJson));
    }
}

impl<A: ToJson, B: ToJson> ToJson for (A, B) {
    fn to_json(&self, out: &mut Writer) {
        out.list([&self.0 as &dyn ToJson, &self.1].into_iter());
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, out: &mut Writer) {
        out.list(self.iter().map(|item| item as &dyn ToJson));
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self, out: &mut Writer) {
        self.as_slice().to_json(out);
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn to_json(&self, out: &mut Writer) {
        self.as_slice().to_json(out);
    }
}

impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn to_json(&self, out: &mut Writer) {
        out.object(|out| self.members(out));
    }

    fn members(&self, out: &mut Writer) {
        for (name, value) in self {
            out.field(name, value);
        }
    }
}
