//! Who does the work of a search: a home with threads shares it out.

use alloc::{boxed::Box, vec::Vec};

/// A piece of work. Pieces do not depend on one another.
pub type Piece<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Does pieces of work, side by side where it can.
pub trait Workers {
    /// How many pieces are done side by side.
    fn count(&self) -> usize;

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
