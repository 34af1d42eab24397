//! Tau's store in a web page: IndexedDB.
