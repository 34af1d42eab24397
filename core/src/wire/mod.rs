//! Providers' wire formats: a [`ModelRequest`](crate::model::ModelRequest) out,
//! [`Delta`](crate::model::Delta)s in. Pure functions of bytes.
//!
//! One table says what is done with frames that are unknown, corrupt or cut off. The end of the
//! bytes without the provider's own end event is truncation, never success.
