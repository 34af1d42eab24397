//! A program's memory as its functions' arguments point into it. Everything is checked; a pointer
//! that leads outside is [`Errno::Fault`], never a panic.

use crate::Errno;
use alloc::{string::String, vec::Vec};

/// The linear memory of the program that calls.
pub struct Memory<'a>(&'a mut [u8]);

impl<'a> Memory<'a> {
    /// Memory of these bytes; empty for a program that exports none.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// The `length` bytes at `at`.
    pub fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Errno> {
        let end = (at as usize).checked_add(length as usize);
        let end = end.ok_or(Errno::Fault)?;
        self.0.get(at as usize..end).ok_or(Errno::Fault)
    }

    /// The same, to write into.
    pub fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Errno> {
        let end = (at as usize).checked_add(length as usize);
        let end = end.ok_or(Errno::Fault)?;
        self.0.get_mut(at as usize..end).ok_or(Errno::Fault)
    }

    /// The text of `length` bytes at `at`.
    pub fn text(&self, at: u32, length: u32) -> Result<String, Errno> {
        let bytes = self.bytes(at, length)?;
        let text = core::str::from_utf8(bytes).map_err(|_| Errno::IllegalBytes)?;
        Ok(String::from(text))
    }

    /// The number in one byte.
    pub fn u8(&self, at: u32) -> Result<u8, Errno> {
        Ok(self.array::<1>(at)?[0])
    }

    /// The number in two bytes.
    pub fn u16(&self, at: u32) -> Result<u16, Errno> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// The number in four bytes.
    pub fn u32(&self, at: u32) -> Result<u32, Errno> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// The number in eight bytes.
    pub fn u64(&self, at: u32) -> Result<u64, Errno> {
        self.array(at).map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&self, at: u32) -> Result<[u8; N], Errno> {
        let bytes = self.bytes(at, N as u32)?;
        bytes.try_into().map_err(|_| Errno::Fault)
    }

    /// Writes `bytes` at `at`.
    pub fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        self.bytes_mut(at, length)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a number of four bytes.
    pub fn put_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }

    /// Writes a number of eight bytes.
    pub fn put_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }

    /// The pieces that `count` pairs of address and length at `at` describe.
    pub(crate) fn pieces(&self, at: u32, count: u32) -> Result<Vec<(u32, u32)>, Errno> {
        // Asked for at once, so that a count from nowhere makes no list.
        let bytes = self.bytes(at, count.checked_mul(8).ok_or(Errno::Fault)?)?;
        let pairs = bytes.chunks_exact(8).map(|pair| {
            let [a, b, c, d, e, f, g, h] = pair else {
                return (0, 0);
            };
            (
                u32::from_le_bytes([*a, *b, *c, *d]),
                u32::from_le_bytes([*e, *f, *g, *h]),
            )
        });
        Ok(pairs.collect())
    }
}
