//! Tau in a Cloudflare Worker: one Durable Object, one session.
