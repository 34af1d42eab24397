//! The first request of a default agent, caught by a server on loopback and counted in tokens.

use crate::workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Stdio,
    sync::mpsc::{self, Sender},
    thread,
    time::Duration,
};

/// Whose tokens are counted.
pub(super) const TOKENIZER: &str = "o200k_base";

/// How long `tau` may take to send its request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A streamed answer of one word, in the format of OpenAI's chat completions.
const ANSWER: &str = concat!(
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hello\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);

/// Tokens of the request.
pub(super) struct Tokens {
    /// The whole body as it was sent, JSON syntax included: what a provider bills is less.
    pub(super) body: usize,
    /// The text of the messages.
    pub(super) messages: usize,
    /// The definitions of the tools, as JSON.
    pub(super) tools: usize,
    pub(super) tool_count: usize,
}

/// Runs `tau run "hi"` against a server of ours and counts what it sent.
pub(super) fn measure(binary: &Path, home: &Path) -> Result<Tokens> {
    let body = first_request(binary, home)?;
    count(&body)
}

fn first_request(binary: &Path, home: &Path) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}/v1", listener.local_addr()?);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks shows as a request that never comes.
            let _ = serve(stream, &send);
        }
    });
    let arguments = [
        "run",
        "--base-url",
        &base,
        "--api",
        "openai",
        "--model",
        "mock",
        "--json",
        "hi",
    ];
    let mut child = workspace::isolated_tau(binary, home)
        .args(arguments)
        .env("OPENAI_API_KEY", "sk-mock")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start tau")?;
    let body = receive.recv_timeout(PATIENCE);
    if body.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let body = body.with_context(|| format!("tau sent no request and ended with {status}"))?;
    if !status.success() {
        bail!("tau got its answer and still ended with {status}");
    }
    Ok(body)
}

/// Reads one request, passes its body on if it is a chat, and answers.
fn serve(mut stream: TcpStream, bodies: &Sender<String>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut start = String::new();
    reader.read_line(&mut start)?;
    let mut length_bytes = 0;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 0 && header.trim() != "" {
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length_bytes = value.trim().parse()?;
        }
        header.clear();
    }
    if !start.starts_with("POST ") || !start.contains("/chat/completions") {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
        return Ok(());
    }
    let mut body = vec![0; length_bytes];
    reader.read_exact(&mut body)?;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{ANSWER}"
    )?;
    bodies.send(String::from_utf8(body)?)?;
    Ok(())
}

fn count(body: &str) -> Result<Tokens> {
    let tokenizer = tiktoken_rs::o200k_base().context("the tokenizer does not load")?;
    let tokens = |text: &str| tokenizer.encode_ordinary(text).len();
    let request: Value = serde_json::from_str(body).context("the request is not JSON")?;
    let messages = request["messages"]
        .as_array()
        .context("the request has no messages")?;
    let texts = messages.iter().map(|message| match &message["content"] {
        Value::String(text) => tokens(text),
        parts => parts
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .map(tokens)
            .sum(),
    });
    let tools = &request["tools"];
    let tool_count = tools.as_array().map_or(0, Vec::len);
    Ok(Tokens {
        body: tokens(body),
        messages: texts.sum(),
        tools: if tool_count == 0 {
            0
        } else {
            tokens(&tools.to_string())
        },
        tool_count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_by_its_parts() {
        let body = r#"{"model":"mock","messages":[{"role":"system","content":"hello world"},{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"type":"function"}]}"#;
        let tokens = count(body).unwrap();
        assert_eq!((tokens.messages, tokens.tool_count), (3, 1));
        assert!(tokens.body > tokens.messages + tokens.tools);
    }

    #[test]
    fn the_server_takes_one_chat_and_answers_as_a_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, receive) = mpsc::channel();
        let server = thread::spawn(move || serve(listener.accept().unwrap().0, &send).unwrap());
        let mut client = TcpStream::connect(address).unwrap();
        write!(
            client,
            "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}"
        )
        .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        server.join().unwrap();
        assert_eq!(receive.recv().unwrap(), "{}");
        assert!(answer.ends_with("data: [DONE]\n\n"));
    }
}
