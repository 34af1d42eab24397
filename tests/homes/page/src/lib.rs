//! Scenarios and conformance suites inside a web page, for tests.
