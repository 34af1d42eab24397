//! The embedded model as a module of its own for a web page, loaded on request.
