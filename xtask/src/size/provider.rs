//! A model's server on loopback: one streamed word for every chat.

use anyhow::Result;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

/// A streamed answer of one word, in the format of OpenAI's chat completions.
const ANSWER: &str = concat!(
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hello\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
);

/// The server. It runs until the program ends.
pub(super) struct Provider {
    /// Up to and including the version.
    pub(super) base_url: String,
    /// The bodies of the chats that were asked for.
    pub(super) requests: Receiver<String>,
}

impl Provider {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let (send, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks shows as a request that never comes.
                let _ = serve(stream, &send);
            }
        });
        Ok(Self { base_url, requests })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
