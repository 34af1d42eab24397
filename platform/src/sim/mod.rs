//! A host in virtual time, for tests.
