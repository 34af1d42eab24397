//! What a Tau tool or channel in Rust needs: arguments in, an answer out, requests through Tau.
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

/// A channel: messages in, answers out. A module whose manifest says `"kind": "channel"`.
///
/// Each call is a fresh instance. What has to be known the next time is the state: at most 4 KiB, given
/// back once Tau has stored it together with the messages.
pub mod channel {
    use serde::Deserialize;
    use serde_json::{Value, json};
    use std::process::ExitCode;

    /// What a channel does.
    pub trait Channel {
        /// The messages since `state`, which is what it gave last and `null` the first time. It may wait
        /// up to `wait_ms` for one.
        fn receive(&self, state: &Value, wait_ms: u64) -> Result<Answer, Problem>;

        /// Sends an answer. The same one may come again, with the same id.
        fn send(&self, outgoing: &Outgoing) -> Result<(), Problem>;
    }

    /// What was received.
    pub struct Answer {
        /// Objects with `id`, `from`, `conversation`, `text` and perhaps `at`, in ms since 1970; at most
        /// 32, oldest first.
        pub messages: Vec<Value>,
        /// What the next `receive` gets.
        pub state: Value,
    }

    /// What is sent.
    #[derive(Deserialize)]
    pub struct Outgoing {
        /// The same when it is sent again.
        pub id: String,
        /// Where to.
        pub conversation: String,
        /// What.
        pub text: String,
        /// The id of the message it answers.
        pub reply_to: String,
    }

    /// What did not work.
    pub struct Problem {
        /// For a person.
        pub reason: String,
        /// When to try again, if that is known.
        pub retry_after_ms: Option<u64>,
    }

    impl<T: Into<String>> From<T> for Problem {
        fn from(reason: T) -> Self {
            Self {
                reason: reason.into(),
                retry_after_ms: None,
            }
        }
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Asked {
        Receive { state: Value, wait_ms: u64 },
        Send(Outgoing),
    }

    /// Reads what is asked, has `channel` do it, and writes how it went.
    pub fn run(channel: &impl Channel) -> ExitCode {
        super::run(|asked: Asked| {
            let done = match asked {
                Asked::Receive { state, wait_ms } => channel
                    .receive(&state, wait_ms)
                    .map(|answer| json!({ "messages": answer.messages, "state": answer.state })),
                Asked::Send(outgoing) => channel.send(&outgoing).map(|()| json!({ "sent": true })),
            };
            Ok(done.unwrap_or_else(|problem| {
                let mut error = json!({ "reason": problem.reason });
                if let Some(millis) = problem.retry_after_ms {
                    error["retry_after_ms"] = millis.into();
                }
                json!({ "error": error })
            }))
        })
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
