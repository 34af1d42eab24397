//! Tau's store and timer in a Durable Object: SQL storage and alarms.
