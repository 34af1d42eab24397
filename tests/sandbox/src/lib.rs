//! Attempts to get out of the sandboxes: see `README.md` and `tests/escapes.rs`.
