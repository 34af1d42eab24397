//! What a Tau tool in Rust needs: arguments in, an answer out, requests through Tau.
//!
//! A tool is a program for WASI: JSON arguments on standard input, its answer on standard output.
//! What goes wrong is said on standard error, with exit code 1. It reaches what its manifest asks for,
//! and nothing else; files are `std::fs`, the time is `std::time`.

use serde::{Serialize, de::DeserializeOwned};
use std::process::ExitCode;

/// Reads the arguments, has `tool` answer, and writes the answer as JSON.
pub fn run<A, R>(tool: impl FnOnce(A) -> Result<R, String>) -> ExitCode
where
    A: DeserializeOwned,
    R: Serialize,
{
    let answer = serde_json::from_reader(std::io::stdin().lock())
        .map_err(|error| format!("the arguments do not fit: {error}"))
        .and_then(tool)
        .and_then(|answer| serde_json::to_string(&answer).map_err(|error| error.to_string()));
    match answer {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Requests, sent by Tau to the hosts that the manifest names. Tau decides about each like about its
/// own: what it refuses, and what does not work, comes back as an error that says why.
pub mod http {
    use serde_json::{Value, json};

    /// What came back.
    pub struct Response {
        /// For example 200.
        pub status: u16,
        /// The body as text; what is no text is left out.
        pub body: String,
        /// Everything Tau tells of the answer.
        pub all: Value,
    }

    /// Asks for `url`.
    pub fn get(url: &str) -> Result<Response, String> {
        send(&json!({ "method": "GET", "url": url }))
    }

    /// Sends `{method, url, headers, body}` or, instead of a body, `json`.
    pub fn send(request: &Value) -> Result<Response, String> {
        let answer = exchange(request.to_string().as_bytes())?;
        let all: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        if let Some(reason) = all["reason"].as_str() {
            return Err(reason.into());
        }
        Ok(Response {
            status: all["status"].as_u64().unwrap_or_default() as u16,
            body: all["body"].as_str().unwrap_or_default().into(),
            all,
        })
    }

    #[cfg(target_family = "wasm")]
    fn exchange(request: &[u8]) -> Result<Vec<u8>, String> {
        /// What Tau gives a module beside WASI.
        mod tau {
            #[link(wasm_import_module = "tau")]
            unsafe extern "C" {
                pub(super) fn http(request: *const u8, length: usize, answer: *mut usize) -> u16;
                pub(super) fn http_read(buffer: *mut u8, length: usize, read: *mut usize) -> u16;
            }
        }

        let mut length = 0;
        // SAFETY: Tau reads `request` and writes one number; both are this function's.
        let failed = unsafe { tau::http(request.as_ptr(), request.len(), &mut length) } != 0;
        let mut answer = vec![0; length];
        let mut done = 0;
        while done < length {
            let rest = &mut answer[done..];
            let mut read = 0;
            // SAFETY: Tau writes at most `rest.len()` bytes there, and one number.
            let errno = unsafe { tau::http_read(rest.as_mut_ptr(), rest.len(), &mut read) };
            if errno != 0 || read == 0 {
                return Err("the answer ended early".into());
            }
            done += read;
        }
        match failed && answer.is_empty() {
            true => Err("the request was not sent".into()),
            false => Ok(answer),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn exchange(_: &[u8]) -> Result<Vec<u8>, String> {
        Err("requests are sent by Tau: build the tool for wasm32-wasip1".into())
    }
}
