//! Sorting by one machine for all kinds: the library's own is kilobytes of a module for each kind.
//!
//! Invariant: stable, and `n log n` steps whatever the order was.

use alloc::vec::Vec;

/// Sorts `items`, where `is_before` says of two of them whether the first must come first.
pub fn sort_by<T>(items: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    if items.is_sorted_by(|a, b| !is_before(b, a)) {
        return;
    }
    let mut order = sorted(items.len(), &|a, b| is_before(&items[a], &items[b]));
    for start in 0..items.len() {
        let mut at = start;
        // Round the circle of places that take each other's item.
        loop {
            let from = order[at];
            order[at] = at;
            if from == start {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// Which item comes to each place.
#[inline(never)]
fn sorted(count: usize, is_before: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut merged = Vec::with_capacity(count);
    let mut width = 1;
    while width < count {
        merged.clear();
        for run in order.chunks(width * 2) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([a, ..], [b, ..]) = (left, right) {
                let taken = match is_before(*b, *a) {
                    true => &mut right,
                    false => &mut left,
                };
                merged.push(taken[0]);
                *taken = &taken[1..];
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        core::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_library_does_and_equals_stay_in_order(
            keys in proptest::collection::vec(0_u8..20, 0..200)
        ) {
            let mut items: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            sort_by(&mut items, |(a, _), (b, _)| a < b);
            prop_assert_eq!(items, expected);
        }
    }
}
