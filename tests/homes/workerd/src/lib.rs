//! Scenarios and conformance suites inside workerd, for tests.
