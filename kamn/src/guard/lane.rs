//! Which numbers of one sender were taken in one place.

use alloc::{vec, vec::Vec};

use super::{NONCE_MAX, Refusal};

/// In what order a sender's numbers may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// 1, 2, 3 and so on, none left out: for transports that lose and swap nothing.
    Strict,
    /// Any number once, as long as it is less than so many behind the newest.
    Window(WindowSize),
}

/// How many numbers back are remembered: 64 to 4096, a multiple of 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize(usize);

impl WindowSize {
    /// A window of so many numbers, if that is a size it can have.
    #[must_use]
    pub fn new(numbers: usize) -> Option<Self> {
        let is_size = (64..=4096).contains(&numbers) && numbers.is_multiple_of(64);
        is_size.then_some(Self(numbers))
    }

    /// How many numbers.
    #[must_use]
    pub fn numbers(self) -> usize {
        self.0
    }

    fn words(self) -> usize {
        self.0 / 64
    }
}

/// The numbers that were taken: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) newest: u64,
    /// Bit n of word m says that `newest - (64 * m + n)` was taken. Empty where the order is strict.
    pub(super) taken: Vec<u64>,
    /// Until when one of its messages could come again.
    pub(super) until_ms: u64,
}

impl Lane {
    /// The lane before its first number.
    pub(super) fn new(order: Order) -> Self {
        let taken = match order {
            Order::Strict => Vec::new(),
            Order::Window(size) => vec![0; size.words()],
        };
        Self {
            newest: 0,
            taken,
            until_ms: 0,
        }
    }

    /// Whether `nonce` may come now.
    pub(super) fn check(&self, nonce: u64) -> Result<(), Refusal> {
        let newest = self.newest;
        if self.taken.is_empty() {
            let expected = newest + 1;
            if nonce != expected {
                let found = nonce;
                return Err(Refusal::NonceOutOfSequence { expected, found });
            }
            return Ok(());
        }
        if nonce > newest {
            return Ok(());
        }
        match self.place(nonce) {
            None => Err(Refusal::NonceTooOld {
                newest,
                found: nonce,
            }),
            Some((word, bit)) if self.taken[word] & bit != 0 => Err(Refusal::Replay),
            Some(_) => Ok(()),
        }
    }

    /// Remembers a number that was checked.
    pub(super) fn take(&mut self, nonce: u64) {
        if nonce > self.newest {
            self.advance(nonce - self.newest);
            self.newest = nonce;
        }
        if let Some((word, bit)) = self.place(nonce) {
            self.taken[word] |= bit;
        }
    }

    /// Whether it could have come about: as restored from outside.
    pub(super) fn is_sound(&self, order: Order) -> bool {
        let is_number = (1..=NONCE_MAX).contains(&self.newest);
        let words = match order {
            Order::Strict => return is_number && self.taken.is_empty(),
            Order::Window(size) => size.words(),
        };
        // Numbers below 1 were never taken, and the newest was.
        let mut below = (0..words * 64).filter(|back| *back as u64 >= self.newest);
        is_number
            && self.taken.len() == words
            && self.taken[0] & 1 == 1
            && below.all(|back| self.taken[back / 64] & (1 << (back % 64)) == 0)
    }

    fn place(&self, nonce: u64) -> Option<(usize, u64)> {
        let back = self.newest - nonce;
        let word = usize::try_from(back / 64).ok()?;
        (word < self.taken.len()).then_some((word, 1 << (back % 64)))
    }

    fn advance(&mut self, by: u64) {
        let words = self.taken.len();
        let (whole, bits) = (usize::try_from(by / 64).unwrap_or(words), by % 64);
        for at in (0..words).rev() {
            let from = |word: usize| at.checked_sub(word).map_or(0, |place| self.taken[place]);
            let high = from(whole) << bits;
            let low = match bits {
                0 => 0,
                _ => whole.checked_add(1).map_or(0, from) >> (64 - bits),
            };
            self.taken[at] = high | low;
        }
    }
}
