//! Proofs that something is in a record, without the record: Merkle trees of RFC 9162, section 2.1.

use alloc::vec::Vec;

use crate::bytes::sha256;

/// A tree of more leaves than there can be has no longer way.
const PATH_LIMIT: usize = 63;

/// The way from a leaf to the root of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The leaf's place, from 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
    /// The hashes beside the way, from the leaf up.
    pub path: Vec<[u8; 32]>,
}

/// The hash of a leaf: never that of a node.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    let mut bytes = Vec::from([0]);
    bytes.extend_from_slice(leaf);
    sha256(&bytes)
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut bytes = Vec::from([1]);
    bytes.extend_from_slice(left);
    bytes.extend_from_slice(right);
    sha256(&bytes)
}

impl Inclusion {
    /// Whether the leaf of that hash is in the tree of that root, in this place
    /// (RFC 9162, section 2.1.3.2).
    #[must_use]
    pub fn is_of(&self, root: &[u8; 32], leaf: &[u8; 32]) -> bool {
        if self.index >= self.size || self.path.len() > PATH_LIMIT {
            return false;
        }
        let (mut place, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for beside in &self.path {
            if last == 0 {
                return false;
            }
            if place & 1 == 1 || place == last {
                hash = node_hash(beside, &hash);
                // On the right edge, levels without a neighbour are passed over.
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(&hash, beside);
            }
            place >>= 1;
            last >>= 1;
        }
        last == 0 && hash == *root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::hex;
    use proptest::prelude::*;

    /// The root and the way of a leaf, by the definition in section 2.1.1.
    fn tree(leaves: &[[u8; 32]], index: usize) -> ([u8; 32], Vec<[u8; 32]>) {
        if leaves.len() == 1 {
            return (leaves[0], Vec::new());
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        let (near, far, place) = match index < half {
            true => (left, right, index),
            false => (right, left, index - half),
        };
        let (root, mut path) = tree(near, place);
        let (beside, _) = tree(far, 0);
        path.push(beside);
        match index < half {
            true => (node_hash(&root, &beside), path),
            false => (node_hash(&beside, &root), path),
        }
    }

    #[test]
    fn trees_are_those_of_certificate_transparency() {
        // The test data of google/certificate-transparency: eight leaves and the root of all.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves = leaves.map(leaf_hash);
        let (root, _) = tree(&leaves, 0);
        assert_eq!(
            hex(&root),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }

    proptest! {
        #[test]
        fn leaf_is_in_its_place_alone(size in 1_usize..70, at: prop::sample::Index, bit in 0_usize..256) {
            let leaves: Vec<[u8; 32]> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let index = at.index(size);
            let (root, path) = tree(&leaves, index);
            let proof = Inclusion { index: index as u64, size: size as u64, path };
            prop_assert!(proof.is_of(&root, &leaves[index]));
            let mut other = leaves[index];
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!proof.is_of(&root, &other));
            let outside = Inclusion { index: size as u64, ..proof.clone() };
            prop_assert!(!outside.is_of(&root, &leaves[index]));
            for place in 0..proof.path.len() {
                let mut twisted = proof.clone();
                twisted.path[place][bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!twisted.is_of(&root, &leaves[index]));
                let mut short = proof.clone();
                short.path.remove(place);
                prop_assert!(!short.is_of(&root, &leaves[index]));
            }
            let mut long = proof.clone();
            long.path.push(root);
            prop_assert!(!long.is_of(&root, &leaves[index]));
        }
    }
}
