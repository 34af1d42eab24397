use alloc::vec;

use super::*;

#[test]
fn names_of_things_in_programs_are_whole_and_in_parts() {
    assert_eq!(
        plain("parseHttp2Header"),
        vec!["parse", "http", "header", "parsehttp2header"]
    );
}
