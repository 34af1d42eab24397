//! Who does the work of a search: a home with threads shares it out.

use alloc::{boxed::Box, vec::Vec};

/// A piece of work. Pieces do not depend on one another.
pub type Piece<'a> = Box<dyn FnOnce() + Send + 'a>;

/// The sum of the products of bytes, which are whole numbers from -127 to 127, with others of at most
/// 4,095 in size, 4,096 of each at most.
pub type Dot = fn(&[u8], &[i16]) -> i32;

/// [`Dot`] in what every machine has, written so that compilers multiply and add many at a time: where
/// it is put into a function of a larger instruction set, more of them.
#[inline]
#[must_use]
pub fn dot(numbers: &[u8], query: &[i16]) -> i32 {
    let products = numbers.iter().zip(query);
    products
        .map(|(number, wanted)| i32::from(number.cast_signed()) * i32::from(*wanted))
        .sum()
}

/// Does pieces of work, side by side where it can.
pub trait Workers {
    /// How many pieces are done side by side.
    fn count(&self) -> usize;

    /// The fastest on this machine. All come to the same.
    fn dot(&self) -> Dot {
        dot
    }

    /// Does all of them; returns when the last is done.
    fn run(&self, pieces: Vec<Piece<'_>>);
}

/// One after another.
#[derive(Clone, Copy, Debug, Default)]
pub struct InTurn;

impl Workers for InTurn {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, pieces: Vec<Piece<'_>>) {
        for piece in pieces {
            piece();
        }
    }
}
