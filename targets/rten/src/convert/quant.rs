//! The arithmetic of 4-bit blocks.
//!
//! GGUF's Q4_1 stores blocks of 32 weights as `x = d * q + m`, `q` in `0..=15`. The engine's 4-bit product knows
//! `x = s * (q - 8)` only. With `s = d` and `o = m + 8 * d` the two differ by the constant `o` for each block, so
//!
//! ```text
//! y[n] = sum_k a[k] x[n][k] = sum_b s[n][b] sum_i a[b][i] (q - 8)  +  sum_b o[n][b] sum_i a[b][i]
//! ```
//!
//! which is the engine's product plus a small float product of the block sums of `a` with `o`. Nothing is lost.

use crate::error::{Error, Result};
use crate::gguf::{Encoding, Tensor};

/// Weights of a block.
pub(super) const BLOCK: usize = 32;

/// A matrix of `rows` outputs and `cols` inputs in 4-bit blocks.
#[derive(Debug, Default)]
pub(super) struct Nibbles {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// `[rows, cols / 32, 16]`: neighbours share a byte, the even one in the low half.
    pub(super) packed: Vec<u8>,
    /// `[rows, cols / 32]`.
    pub(super) scales: Vec<f32>,
    /// `[rows, cols / 32]`.
    pub(super) offsets: Vec<f32>,
}

impl Nibbles {
    /// Takes a Q4_1 matrix as it is, and a Q8_0 one by rounding each block to 16 steps between its extremes.
    pub(super) fn from_tensor(name: &str, tensor: &Tensor<'_>) -> Result<Self> {
        let [cols, rows] = tensor.dims[..] else {
            return Err(Error::gguf(format!("tensor {name} is not a matrix")));
        };
        let mut out = Self {
            rows,
            cols,
            ..Self::default()
        };
        match tensor.encoding {
            Encoding::Q4_1 => {
                for block in tensor.data.chunks_exact(20) {
                    let nibbles: [u8; BLOCK] =
                        std::array::from_fn(|i| (block[4 + i % 16] >> (4 * (i / 16))) & 15);
                    out.push(half(block, 0), half(block, 2), &nibbles);
                }
            }
            Encoding::Q8_0 => {
                for block in tensor.data.chunks_exact(34) {
                    let d = half(block, 0);
                    let values: [f32; BLOCK] =
                        std::array::from_fn(|i| d * f32::from(block[2 + i] as i8));
                    let (step, least, nibbles) = sixteen_steps(&values);
                    out.push(step, least, &nibbles);
                }
            }
            other => {
                return Err(Error::Unsupported(format!(
                    "tensor {name} is stored as {other:?}"
                )));
            }
        }
        Ok(out)
    }

    fn push(&mut self, d: f32, m: f32, nibbles: &[u8; BLOCK]) {
        self.scales.push(d);
        self.offsets.push(m + 8.0 * d);
        self.packed
            .extend(nibbles.chunks_exact(2).map(|pair| pair[0] | pair[1] << 4));
    }

    /// Puts the rows of `other`, of the same width, below these.
    pub(super) fn stack(mut self, other: Self) -> Result<Self> {
        if self.cols != other.cols {
            return Err(Error::gguf(format!(
                "widths {} and {} differ",
                self.cols, other.cols
            )));
        }
        self.rows += other.rows;
        self.packed.extend(other.packed);
        self.scales.extend(other.scales);
        self.offsets.extend(other.offsets);
        Ok(self)
    }

    /// The offsets as `[cols / 32, rows]`, the right-hand side of the product with the block sums.
    pub(super) fn offsets_transposed(&self) -> Vec<f32> {
        let blocks = self.cols / BLOCK;
        (0..blocks)
            .flat_map(|b| (0..self.rows).map(move |row| (row, b)))
            .map(|(row, b)| self.offsets[row * blocks + b])
            .collect()
    }
}

/// Rounds to `least + step * 0..=15`, trying a few slightly narrower ranges for the least square error.
fn sixteen_steps(values: &[f32; BLOCK]) -> (f32, f32, [u8; BLOCK]) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut best = (f32::INFINITY, 0.0, least, [0; BLOCK]);
    for shrink in [0.0, 0.02, 0.04, 0.06, 0.08] {
        let low = least + shrink * (most - least) / 2.0;
        let step = (most - least) * (1.0 - shrink) / 15.0;
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let nibbles = values.map(|x| ((x - low) * inverse).round().clamp(0.0, 15.0) as u8);
        let error = values
            .iter()
            .zip(nibbles)
            .map(|(x, q)| (x - low - step * f32::from(q)).powi(2))
            .sum::<f32>();
        if error < best.0 {
            best = (error, step, low, nibbles);
        }
    }
    (best.1, best.2, best.3)
}

/// The 16-bit float at byte `at`, widened.
pub(super) fn half(block: &[u8], at: usize) -> f32 {
    let bits = u32::from(u16::from_le_bytes([block[at], block[at + 1]]));
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, bits & 0x3ff);
    match (exponent, fraction) {
        (0, _) => (if sign == 1 { -1.0 } else { 1.0 }) * fraction as f32 * 2f32.powi(-24),
        (31, 0) => f32::from_bits(sign << 31 | 0x7f80_0000),
        (31, _) => f32::NAN,
        _ => f32::from_bits(sign << 31 | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_widen_exactly() {
        for (bits, value) in [
            (0x3c00u16, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(half(&bits.to_le_bytes(), 0), value);
        }
        assert!(half(&0x7e00u16.to_le_bytes(), 0).is_nan());
    }

    #[test]
    fn a_q4_1_block_keeps_its_values() -> Result<()> {
        let mut data = vec![0u8; 20];
        data[..2].copy_from_slice(&0x3800u16.to_le_bytes()); // d = 0.5
        data[2..4].copy_from_slice(&0xc000u16.to_le_bytes()); // m = -2
        for (i, byte) in data[4..].iter_mut().enumerate() {
            *byte = i as u8 | (15 - i as u8) << 4;
        }
        let tensor = Tensor {
            dims: vec![32, 1],
            encoding: Encoding::Q4_1,
            data: &data,
        };
        let out = Nibbles::from_tensor("t", &tensor)?;
        let value = |i: usize| {
            let q = (out.packed[i / 2] >> (4 * (i % 2))) & 15;
            out.scales[0] * (f32::from(q) - 8.0) + out.offsets[0]
        };
        assert_eq!(value(3), 0.5 * 3.0 - 2.0);
        assert_eq!(value(17), 0.5 * 14.0 - 2.0);
        Ok(())
    }
}
