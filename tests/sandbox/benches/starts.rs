//! What starting a program costs, by what confines it.
fn main() {}
