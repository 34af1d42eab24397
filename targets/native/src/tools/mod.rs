//! The tools of the native home.
