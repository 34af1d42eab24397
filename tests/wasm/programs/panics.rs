//! A program that gives up, after some work in floating point.

fn main() {
    let sum: f64 = (1..2_000)
        .map(|n| (f64::from(n).sin() * 1e3).sqrt())
        .filter(|n| !n.is_nan())
        .sum();
    println!("{sum:.9}");
    let mut numbers: Vec<u64> = (0..5_000)
        .map(|n: u64| n.wrapping_mul(6_364_136_223_846_793_005) >> 33)
        .collect();
    numbers.sort_unstable();
    println!("{} {}", numbers[0], numbers[4_999]);
    assert_eq!(numbers.len(), 1, "this is where it ends");
}
