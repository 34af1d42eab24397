//! The same conversations natively, in workerd and in Chromium, and both new homes from outside.
