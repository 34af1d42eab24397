//! A vector in a byte a number.

use alloc::{boxed::Box, vec::Vec};

use super::math::sqrt;

/// A direction: whole numbers from -127 to 127, of which only the proportions count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantised {
    pub(super) numbers: Box<[i8]>,
    /// What makes its length 1.
    pub(super) scale: f32,
}

impl Quantised {
    /// The nearest to `vector`; none when it has no direction.
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        if !(largest > f32::MIN_POSITIVE && vector.iter().all(|x| x.is_finite())) {
            return None;
        }
        let rounded = |x: &f32| {
            let scaled = x * (127.0 / largest);
            // Half away from zero, without a library's `round`.
            (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i8
        };
        Some(Self::new(vector.iter().map(rounded).collect()))
    }

    /// From its numbers, not all of them 0.
    pub(super) fn new(numbers: Vec<i8>) -> Self {
        let square: i64 = numbers.iter().map(|x| i64::from(*x) * i64::from(*x)).sum();
        Self {
            numbers: numbers.into(),
            scale: (1.0 / sqrt(square.max(1) as f64)) as f32,
        }
    }

    /// The cosine of the angle to `query`, whose length is 1.
    pub(super) fn cosine(&self, query: &[f32]) -> f32 {
        dot(&self.numbers, query) * self.scale
    }
}

/// The sum of the products, in eight sums side by side so that a compiler can vectorise it.
pub(super) fn dot(numbers: &[i8], query: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (numbers, rest) = numbers.as_chunks::<8>();
    let (query, query_rest) = query.as_chunks::<8>();
    for (numbers, query) in numbers.iter().zip(query) {
        for at in 0..8 {
            sums[at] += f32::from(numbers[at]) * query[at];
        }
    }
    for (at, (number, query)) in rest.iter().zip(query_rest).enumerate() {
        sums[at] += f32::from(*number) * query;
    }
    ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]))
}
