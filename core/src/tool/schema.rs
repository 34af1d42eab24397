//! Schema subset.
