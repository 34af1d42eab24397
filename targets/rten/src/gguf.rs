//! Reads GGUF, the file SmolLM2 comes in.
//!
//! Invariant: the bytes are not trusted. Every count and offset is checked against what is left of the file before
//! anything is allocated or read, so a malformed file is an [`Error::Malformed`], never a panic or a huge allocation.
//!
//! Format: the GGUF specification, version 2 and 3, little-endian.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Deepest nesting of arrays in metadata. Real files have one level.
const MAX_ARRAY_DEPTH: u32 = 3;
const MAX_DIMS: u32 = 4;

/// A parsed file that borrows its bytes.
#[derive(Debug)]
pub struct Gguf<'a> {
    metadata: BTreeMap<&'a str, Value<'a>>,
    tensors: BTreeMap<&'a str, Tensor<'a>>,
}

/// A metadata value. Integers are widened.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// A float of either width.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    Text(&'a str),
    /// Values of one type.
    Array(Vec<Value<'a>>),
}

/// How a tensor's elements are stored. Types that no model here uses are kept as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 32-bit floats.
    F32,
    /// Blocks of 32: scale `d`, minimum `m` (f16), 32 nibbles; `x = d * q + m`.
    Q4_1,
    /// Blocks of 32: scale `d` (f16), 32 signed bytes; `x = d * q`.
    Q8_0,
    /// Anything else, by its number in the specification.
    Other(u32),
}

impl Encoding {
    /// Elements and bytes of a block.
    fn block(self) -> Option<(u64, u64)> {
        match self {
            Self::F32 => Some((1, 4)),
            Self::Q4_1 => Some((32, 20)),
            Self::Q8_0 => Some((32, 34)),
            Self::Other(_) => None,
        }
    }
}

/// A tensor's shape and bytes.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    /// Sizes, the fastest-moving first (the reverse of ONNX).
    pub dims: Vec<usize>,
    /// How `data` is stored.
    pub encoding: Encoding,
    /// Exactly the bytes the shape needs; empty for [`Encoding::Other`].
    pub data: &'a [u8],
}

impl<'a> Gguf<'a> {
    /// Parses a whole file. Fails with [`Error::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4)? != b"GGUF" {
            return Err(Error::gguf("it does not begin with GGUF"));
        }
        let version = reader.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::gguf(format!("version {version} is not 2 or 3")));
        }
        // The smallest tensor entry has 24 bytes, the smallest metadata entry 13.
        let tensor_count = reader.count(24, "tensors")?;
        let metadata_count = reader.count(13, "metadata entries")?;

        let mut metadata = BTreeMap::new();
        for _ in 0..metadata_count {
            let key = reader.text()?;
            let kind = reader.u32()?;
            metadata.insert(key, reader.value(kind, 0)?);
        }
        let mut entries = Vec::new();
        for _ in 0..tensor_count {
            entries.push(reader.tensor_entry()?);
        }

        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(Value::Unsigned(a)) if a.is_power_of_two() && *a <= 1 << 20 => *a,
            Some(other) => return Err(Error::gguf(format!("alignment {other:?}"))),
        };
        let start = (reader.at as u64).next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for entry in entries {
            let data = entry.slice(bytes, start)?;
            let tensor = Tensor {
                dims: entry.dims,
                encoding: entry.encoding,
                data,
            };
            if tensors.insert(entry.name, tensor).is_some() {
                return Err(Error::gguf(format!("tensor {} occurs twice", entry.name)));
            }
        }
        Ok(Self { metadata, tensors })
    }

    /// A tensor by name. Fails if there is none.
    pub fn tensor(&self, name: &str) -> Result<&Tensor<'a>> {
        self.tensors
            .get(name)
            .ok_or_else(|| Error::gguf(format!("tensor {name} is missing")))
    }

    /// A metadata value, if present.
    pub fn value(&self, key: &str) -> Option<&Value<'a>> {
        self.metadata.get(key)
    }

    /// A non-negative integer from the metadata.
    pub fn integer(&self, key: &str) -> Result<usize> {
        let found = match self.value(key) {
            Some(Value::Unsigned(n)) => usize::try_from(*n).ok(),
            Some(Value::Signed(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        found.ok_or_else(|| Error::gguf(format!("{key} is missing or not an integer")))
    }

    /// A float from the metadata.
    pub fn float(&self, key: &str) -> Result<f64> {
        match self.value(key) {
            Some(Value::Float(x)) if x.is_finite() => Ok(*x),
            _ => Err(Error::gguf(format!(
                "{key} is missing or not a finite number"
            ))),
        }
    }

    /// A text from the metadata.
    pub fn text(&self, key: &str) -> Result<&'a str> {
        match self.value(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(Error::gguf(format!("{key} is missing or not a text"))),
        }
    }

    /// An array of texts from the metadata.
    pub fn texts(&self, key: &str) -> Result<Vec<&'a str>> {
        let Some(Value::Array(values)) = self.value(key) else {
            return Err(Error::gguf(format!("{key} is missing or not an array")));
        };
        values
            .iter()
            .map(|value| match value {
                Value::Text(text) => Ok(*text),
                _ => Err(Error::gguf(format!(
                    "{key} holds something else than texts"
                ))),
            })
            .collect()
    }

    /// An array of integers from the metadata.
    pub fn integers(&self, key: &str) -> Result<Vec<i64>> {
        let Some(Value::Array(values)) = self.value(key) else {
            return Err(Error::gguf(format!("{key} is missing or not an array")));
        };
        values
            .iter()
            .map(|value| match value {
                Value::Signed(n) => Ok(*n),
                Value::Unsigned(n) => {
                    i64::try_from(*n).map_err(|_| Error::gguf(format!("{key} holds {n}")))
                }
                _ => Err(Error::gguf(format!(
                    "{key} holds something else than integers"
                ))),
            })
            .collect()
    }
}

struct Entry<'a> {
    name: &'a str,
    dims: Vec<usize>,
    encoding: Encoding,
    offset: u64,
    elements: u64,
}

impl<'a> Entry<'a> {
    fn slice(&self, bytes: &'a [u8], start: u64) -> Result<&'a [u8]> {
        let name = self.name;
        let Some((block, block_bytes)) = self.encoding.block() else {
            return Ok(&[]);
        };
        let row = self.dims.first().copied().unwrap_or(1) as u64;
        if !row.is_multiple_of(block) {
            return Err(Error::gguf(format!(
                "tensor {name}: rows of {row} in blocks of {block}"
            )));
        }
        let range = (|| {
            let length = (self.elements / block).checked_mul(block_bytes)?;
            let from = start.checked_add(self.offset)?;
            let to = from.checked_add(length)?;
            Some(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
        })();
        range
            .and_then(|range| bytes.get(range))
            .ok_or_else(|| Error::gguf(format!("tensor {name} lies outside the file")))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::gguf(format!(
                "{length} bytes wanted at {}, the file has {}",
                self.at,
                self.bytes.len()
            )));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count whose items need at least `least` bytes each.
    fn count(&mut self, least: usize, what: &str) -> Result<usize> {
        let count = self.u64()?;
        let left = (self.bytes.len() - self.at) / least;
        match usize::try_from(count) {
            Ok(count) if count <= left => Ok(count),
            _ => Err(Error::gguf(format!("{count} {what} cannot fit"))),
        }
    }

    fn text(&mut self) -> Result<&'a str> {
        let length = self.count(1, "bytes of text")?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| Error::gguf(format!("text at {at} is not UTF-8")))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value<'a>> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>()?[0].into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 => {
                if depth >= MAX_ARRAY_DEPTH {
                    return Err(Error::gguf("arrays nested too deeply"));
                }
                let kind = self.u32()?;
                let count = self.count(1, "array items")?;
                // Grown as items are read: a lying count cannot reserve memory.
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(kind, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(Error::gguf(format!("metadata type {other} at {}", self.at))),
        })
    }

    fn tensor_entry(&mut self) -> Result<Entry<'a>> {
        let name = self.text()?;
        let dim_count = self.u32()?;
        if dim_count > MAX_DIMS {
            return Err(Error::gguf(format!(
                "tensor {name} has {dim_count} dimensions"
            )));
        }
        let mut dims = Vec::new();
        let mut elements = 1u64;
        for _ in 0..dim_count {
            let size = self.u64()?;
            elements = elements
                .checked_mul(size)
                .ok_or_else(|| Error::gguf(format!("tensor {name} is too large")))?;
            dims.push(
                usize::try_from(size)
                    .map_err(|_| Error::gguf(format!("tensor {name} has a side of {size}")))?,
            );
        }
        let encoding = match self.u32()? {
            0 => Encoding::F32,
            3 => Encoding::Q4_1,
            8 => Encoding::Q8_0,
            other => Encoding::Other(other),
        };
        Ok(Entry {
            name,
            dims,
            encoding,
            offset: self.u64()?,
            elements,
        })
    }
}
