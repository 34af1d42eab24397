//! Pages made readable: any bytes, under any name of an encoding.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tau_core::{
    ids::UnixMillis,
    policy::Policy,
    session::HttpHead,
    tool::http::{Content, Exchange, Response},
};

fuzz_target!(|data: &[u8]| {
    let policy = Policy::default();
    let limits = policy.http.limits(policy.preset);
    let Ok(exchange) = Exchange::new(&json!({"url": "https://example.com/a/b?c"}), &limits) else {
        panic!("an address that may be asked");
    };
    let head = HttpHead {
        status: 200,
        headers: vec![("content-type".into(), "text/html; charset=utf-8".into())],
        at: UnixMillis(0),
    };
    let response = Response::new(&exchange, &head, data, false, |bytes, _| {
        String::from_utf8_lossy(bytes).into_owned()
    });
    if let Content::Text(text) = &response.content {
        // Entities and links can make a text longer, but not without bound.
        assert!(
            text.len() <= 8 * data.len() + 1024,
            "{} from {}",
            text.len(),
            data.len()
        );
    }
    let _ = (response.to_output(4096), response.to_json());
});
