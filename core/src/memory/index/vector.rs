//! A vector in a byte a number.

use alloc::{boxed::Box, vec::Vec};

use super::{math::sqrt, workers::Dot};

/// A direction: whole numbers from -127 to 127, as bytes, of which only the proportions count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantised {
    pub(super) numbers: Box<[u8]>,
    /// What makes its length 1.
    pub(super) scale: f32,
}

impl Quantised {
    /// The nearest to `vector`; none when it has no direction.
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let largest = largest(vector)?;
        let rounded = |x: &f32| (round(x * (127.0 / largest)) as i8).cast_unsigned();
        Some(Self::new(vector.iter().map(rounded).collect()))
    }

    /// From its numbers, not all of them 0.
    pub(super) fn new(numbers: Vec<u8>) -> Self {
        let squares = numbers.iter().map(|x| i64::from(x.cast_signed()).pow(2));
        let square: i64 = squares.sum();
        Self {
            numbers: numbers.into(),
            scale: (1.0 / sqrt(square.max(1) as f64)) as f32,
        }
    }
}

/// A query's vector, in whole numbers for the scan and as it is for what the scan found.
pub(super) struct Wanted<'a> {
    exact: &'a [f32],
    /// From -4,095 to 4,095: the sum of 4,096 products with bytes fits 32 bits.
    whole: Vec<i16>,
    scale: f32,
    dot: Dot,
}

impl<'a> Wanted<'a> {
    /// None when it has no direction or too many numbers.
    pub(super) fn new(vector: &'a [f32], dot: Dot) -> Option<Self> {
        const MOST: f32 = 4_095.0;
        let largest = largest(vector).filter(|_| vector.len() <= 4_096)?;
        let whole = vector.iter().map(|x| round(x * (MOST / largest)) as i16);
        Some(Self {
            exact: vector,
            whole: whole.collect(),
            scale: largest / MOST,
            dot,
        })
    }

    pub(super) fn dimensions(&self) -> usize {
        self.exact.len()
    }

    /// The cosine of the angle to a vector of so many bytes, nearly.
    pub(super) fn estimate(&self, numbers: &[u8], scale: f32) -> f32 {
        (self.dot)(numbers, &self.whole) as f32 * (scale * self.scale)
    }

    /// The cosine of the angle to that vector.
    pub(super) fn cosine(&self, numbers: &[u8], scale: f32) -> f32 {
        exact_dot(numbers, self.exact) * scale
    }
}

/// The largest size of a number; none when there is no direction.
fn largest(vector: &[f32]) -> Option<f32> {
    let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    (largest > f32::MIN_POSITIVE && vector.iter().all(|x| x.is_finite())).then_some(largest)
}

/// Half away from zero, without a library's `round`.
fn round(x: f32) -> f32 {
    (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32 as f32
}

/// The sum of the products, in eight sums side by side: floats are added in this order everywhere.
fn exact_dot(numbers: &[u8], query: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (numbers, rest) = numbers.as_chunks::<8>();
    let (query, query_rest) = query.as_chunks::<8>();
    for (numbers, query) in numbers.iter().zip(query) {
        for at in 0..8 {
            sums[at] += f32::from(numbers[at].cast_signed()) * query[at];
        }
    }
    for (at, (number, query)) in rest.iter().zip(query_rest).enumerate() {
        sums[at] += f32::from(number.cast_signed()) * query;
    }
    ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))
}
