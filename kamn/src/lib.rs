//! KAMN identities: DIDs, keys and signatures, without any IO.

#![no_std]

extern crate alloc;
