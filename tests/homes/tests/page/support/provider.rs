//! A scripted model that speaks like OpenAI, of another origin than the page.

use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::http::{Asked, Server, head, send};

const CORS: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "*"),
    ("access-control-expose-headers", "*"),
];

/// What the model does when it is asked next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Says these pieces, with a pause in ms before each.
    Say(&'static [&'static str], u64),
    /// Calls a tool.
    Call(&'static str, Value),
    /// Answers with a status and an error's message.
    Fail(&'static str, &'static str),
    /// Says a piece and then nothing more, until the page goes away.
    Hang(&'static str),
    /// Says a piece and closes the connection.
    Break(&'static str),
}

/// A scripted model.
#[derive(Debug)]
pub(crate) struct Provider {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Step>,
    asked: Vec<Asked>,
    closed_by_page: usize,
}

impl Provider {
    /// Starts it; what is asked beyond the script fails.
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |asked, stream| answer(Arc::clone(&shared), asked, stream));
        Self {
            server: server.await,
            state,
        }
    }

    /// What to set as `base_url`.
    pub(crate) fn url(&self) -> String {
        format!("{}/v1", self.server.url)
    }

    /// The bodies it was asked with.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let bodies = state.asked.iter();
        bodies
            .map(|asked| serde_json::from_slice(&asked.body).unwrap())
            .collect()
    }

    /// The credentials it was asked with.
    pub(crate) fn credentials(&self) -> Vec<Option<String>> {
        let state = self.state.lock().unwrap();
        let asked = state.asked.iter();
        asked
            .map(|asked| asked.headers.get("authorization").cloned())
            .collect()
    }

    /// Answers whose connection the page closed before their end.
    pub(crate) fn closed_by_page(&self) -> usize {
        self.state.lock().unwrap().closed_by_page
    }
}

async fn answer(state: Arc<Mutex<State>>, asked: Asked, mut stream: TcpStream) -> io::Result<()> {
    if asked.method == "OPTIONS" {
        return send(&mut stream, "204 No Content", &CORS, b"").await;
    }
    let step = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked);
        state.script.pop_front()
    };
    let step = step.unwrap_or(Step::Fail("500 Unforeseen", "the script has ended"));
    if let Step::Fail(status, message) = step {
        let body = json!({ "error": { "message": message } }).to_string();
        return send(&mut stream, status, &CORS, body.as_bytes()).await;
    }
    let mut headers = CORS.to_vec();
    headers.push(("content-type", "text/event-stream"));
    head(&mut stream, "200 OK", &headers).await?;
    if write(&mut stream, &step).await.is_err() {
        state.lock().unwrap().closed_by_page += 1;
    }
    Ok(())
}

/// Fails when the page closed the connection first.
async fn write(stream: &mut TcpStream, step: &Step) -> io::Result<()> {
    match step {
        Step::Say(pieces, pause_ms) => {
            for piece in *pieces {
                wait(stream, Duration::from_millis(*pause_ms)).await?;
                delta(stream, json!({ "content": piece }), None).await?;
            }
            delta(stream, json!({}), Some("stop")).await?;
        }
        Step::Call(name, arguments) => {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            let calls = json!([{ "index": 0, "id": "call-1", "function": function }]);
            delta(stream, json!({ "tool_calls": calls }), None).await?;
            delta(stream, json!({}), Some("tool_calls")).await?;
        }
        Step::Hang(piece) => {
            delta(stream, json!({ "content": piece }), None).await?;
            wait(stream, Duration::from_secs(600)).await?;
        }
        Step::Break(piece) => {
            return delta(stream, json!({ "content": piece }), None).await;
        }
        Step::Fail(..) => {}
    }
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 5, "completion_tokens": 3 } });
    event(stream, &usage.to_string()).await?;
    event(stream, "[DONE]").await
}

async fn delta(stream: &mut TcpStream, delta: Value, finish: Option<&str>) -> io::Result<()> {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    event(stream, &json!({ "choices": [choice] }).to_string()).await
}

async fn event(stream: &mut TcpStream, data: &str) -> io::Result<()> {
    let event = format!("data: {data}\n\n");
    stream.write_all(event.as_bytes()).await?;
    stream.flush().await
}

/// Waits, and fails when the page closes the connection meanwhile.
async fn wait(stream: &mut TcpStream, pause: Duration) -> io::Result<()> {
    let mut byte = [0];
    tokio::select! {
        () = sleep(pause) => Ok(()),
        read = stream.read(&mut byte) => match read {
            Ok(0) | Err(_) => Err(io::ErrorKind::ConnectionReset.into()),
            Ok(_) => Ok(()),
        },
    }
}
