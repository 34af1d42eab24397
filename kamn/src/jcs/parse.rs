//! From bytes to a value, strictly.

use alloc::{string::String, vec::Vec};

use super::{DEPTH_LIMIT, Error, Integer, Object, Value};

/// Reads one value from at most `limit_bytes` of JSON.
///
/// Refuses what two readers could take for two things: a name twice in an object, fractions,
/// exponents, negative zero, numbers beyond 2^53 - 1, half of a surrogate pair, anything after the
/// value, and what is no JSON (RFC 8259). Also null, and more than [`DEPTH_LIMIT`] levels.
pub fn parse(text: &[u8], limit_bytes: usize) -> Result<Value, Error> {
    if text.len() > limit_bytes {
        return Err(Error::TooLong {
            limit: limit_bytes,
            found: text.len(),
        });
    }
    let text = core::str::from_utf8(text).map_err(|error| Error::Syntax {
        at: error.valid_up_to(),
        why: "not UTF-8",
    })?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.refuse("something follows the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    /// Always on the boundary of a character.
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?).map(Value::Object),
            Some(b'[') => self.array(self.deeper(depth)?).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Integer),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            _ if self.take("null") => {
                self.at -= "null".len();
                Err(self.refuse("null, where what is absent must be left out"))
            }
            _ => Err(self.refuse("no value begins here")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, Error> {
        if depth < DEPTH_LIMIT {
            Ok(depth + 1)
        } else {
            Err(Error::TooDeep { at: self.at })
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, Error> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take("}") {
            return Ok(Object::new());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.refuse("a name in quotes is missing"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return Err(self.refuse("a colon is missing"));
            }
            members.push((name, self.value(depth)?));
            self.skip_space();
            if self.take("}") {
                return Object::of_members(members);
            }
            if !self.take(",") {
                return Err(self.refuse("the object does not end"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take("]") {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take("]") {
                return Ok(items);
            }
            if !self.take(",") {
                return Err(self.refuse("the array does not end"));
            }
        }
    }

    fn number(&mut self) -> Result<Integer, Error> {
        let at = self.at;
        let refused = |why| Err(Error::Number { at, why });
        let is_negative = self.take("-");
        let digits = self.text[self.at..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let text = &self.text[self.at..self.at + digits];
        self.at += digits;
        match (text, self.peek()) {
            ("", _) => return refused("no digit follows the sign"),
            (_, Some(b'.' | b'e' | b'E')) => return refused("not written as a whole number"),
            ("0", _) if is_negative => return refused("negative zero"),
            ("0", _) => {}
            (text, _) if text.starts_with('0') => return refused("a leading zero"),
            _ => {}
        }
        let number = text.parse::<i64>().ok().map(|n| match is_negative {
            true => -n,
            false => n,
        });
        match number.map(Integer::try_from) {
            Some(Ok(number)) => Ok(number),
            _ => refused("a number beyond 2^53 - 1"),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .ok_or_else(|| self.refuse("the string does not end"))?;
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.refuse("a control character in a string")),
            }
        }
    }

    /// The character of an escape, with the reader at its backslash.
    fn escape(&mut self) -> Result<char, Error> {
        let letter = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.refuse("an unknown escape")),
        };
        self.at += 2;
        Ok(letter)
    }

    /// The character of one `\uXXXX`, or of the two that are a surrogate pair.
    fn unicode(&mut self) -> Result<char, Error> {
        let begun = self.at;
        let first = self.unit()?;
        if let Some(letter) = char::from_u32(first.into()) {
            return Ok(letter);
        }
        let lone = Error::Syntax {
            at: begun,
            why: "half of a surrogate pair",
        };
        if !self.text[self.at..].starts_with("\\u") {
            return Err(lone);
        }
        let second = self.unit()?;
        char::decode_utf16([first, second])
            .next()
            .and_then(Result::ok)
            .ok_or(lone)
    }

    fn unit(&mut self) -> Result<u16, Error> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let unit = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.refuse("an escape without four hex digits"))?;
        self.at += 6;
        Ok(unit)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.text[self.at..].starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn refuse(&self, why: &'static str) -> Error {
        Error::Syntax { at: self.at, why }
    }
}
