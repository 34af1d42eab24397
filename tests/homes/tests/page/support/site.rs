//! The built page as a static server gives it, and an empty page that tests put the agent into.

use tau_homes::tools::built;

use super::http::{Server, send};

/// What the empty page says: the agent reads it in tests.
pub(crate) const TEXT: &str = "The launch is on Tuesday.";

/// Serves `build/browser`, and a page of its own at `/blank`.
pub(crate) async fn serve() -> Server {
    let directory = built("build/browser", "tau_agent_bg.wasm").unwrap();
    Server::start(move |asked, mut stream| {
        let directory = directory.clone();
        async move {
            let path = asked.path.split('?').next().unwrap_or_default();
            if path == "/blank" {
                let page = format!(
                    "<!doctype html><title>Blank</title><link rel=icon href='data:,'><main>{TEXT}</main>"
                );
                let headers = [("content-type", "text/html; charset=utf-8")];
                return send(&mut stream, "200 OK", &headers, page.as_bytes()).await;
            }
            let name = match path.trim_start_matches('/') {
                "" => "index.html",
                name => name,
            };
            // The only client is the test's own browser, but nothing outside is served to it either.
            let file = directory.join(name);
            match (name.contains(".."), std::fs::read(&file)) {
                (false, Ok(body)) => {
                    // For pages of other origins, as `docs/browser.md` asks.
                    let headers = [
                        ("content-type", kind(name)),
                        ("access-control-allow-origin", "*"),
                    ];
                    send(&mut stream, "200 OK", &headers, &body).await
                }
                _ => send(&mut stream, "404 Not Found", &[], b"").await,
            }
        }
    })
    .await
}

/// What a file of the page is, by its name.
pub(crate) fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
