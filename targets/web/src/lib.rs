//! Tau's adapters for what every JavaScript runtime has: fetch, timers, random values.
