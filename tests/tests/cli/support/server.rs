//! A model server on loopback that does what a test says and writes down what it was asked.

use serde_json::Value;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tau_core::model::Api;
use tau_tests::wire::{self, Frame, Piece, Tokens};

/// What is done with one request.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// A streamed answer of these parts.
    Stream(Vec<Piece>),
    /// An error status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Nothing, for as long as the client stays.
    Hang,
    /// The connection is closed without an answer.
    CloseEarly,
    /// Bytes that are no HTTP.
    Garbage,
}

/// An answer of one text.
pub(crate) fn say(text: &str) -> Do {
    Do::Stream(vec![Piece::Text(text.into())])
}

/// Calls of tools, `c1` and so on.
pub(crate) fn call(calls: &[(&str, Value)]) -> Do {
    let calls = (1..)
        .zip(calls)
        .map(|(number, (name, arguments))| Piece::Call {
            id: format!("c{number}"),
            name: (*name).into(),
            arguments: match arguments {
                Value::String(words) => words.clone(),
                arguments => arguments.to_string(),
            },
        });
    Do::Stream(calls.collect())
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Such as `POST /v1/chat/completions HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

type Script = dyn Fn(&Asked, usize) -> Do + Send + Sync;

/// The server. It ends with its value.
pub(crate) struct Server {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    api: Api,
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    over: AtomicBool,
}

impl Server {
    /// Answers requests with `script`, in order; a further one gets status 500.
    pub(crate) fn new(script: impl IntoIterator<Item = Do>) -> Self {
        let script: Vec<Do> = script.into_iter().collect();
        Self::with(Api::OpenAi, move |_, number| {
            let unexpected = || Do::Status(500, vec![], "nobody expected this request".into());
            script.get(number).cloned().unwrap_or_else(unexpected)
        })
    }

    /// Asks `script` what to do with each request and its number, from 0.
    pub(crate) fn with(
        api: Api,
        script: impl Fn(&Asked, usize) -> Do + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let shared = Arc::new(Shared {
            api,
            script: Box::new(script),
            asked: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.over.load(Ordering::Relaxed) {
                    break;
                }
                let shared = serving.clone();
                // A client that goes away in the middle is what some tests are about.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { url, shared }
    }

    /// Up to and including the version.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("the requests").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let address = self
            .url
            .trim_start_matches("http://")
            .trim_end_matches("/v1");
        // Wakes whoever accepts.
        drop(TcpStream::connect(address));
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let Some(asked) = read(&mut reader)? else {
            return Ok(());
        };
        let number = {
            let mut all = self.asked.lock().expect("the requests");
            all.push(asked.clone());
            all.len() - 1
        };
        match (self.script)(&asked, number) {
            Do::Stream(pieces) => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                            transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
                stream.write_all(head.as_bytes())?;
                self.stream(
                    &mut stream,
                    &wire::stream(self.api, &pieces, Tokens::default()),
                )
            }
            Do::Status(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
                for (name, value) in headers {
                    head += &format!("{name}: {value}\r\n");
                }
                head += &format!(
                    "content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes())?;
                stream.write_all(body.as_bytes())
            }
            Do::Hang => self.hang(&mut stream),
            Do::CloseEarly => Ok(()),
            Do::Garbage => stream.write_all(b"\x00\x01 this is not HTTP\r\n\r\n"),
        }
    }

    fn stream(&self, stream: &mut TcpStream, frames: &[Frame]) -> io::Result<()> {
        for frame in frames {
            match frame {
                Frame::Bytes(bytes) => {
                    write!(stream, "{:x}\r\n", bytes.len())?;
                    stream.write_all(bytes)?;
                    stream.write_all(b"\r\n")?;
                    stream.flush()?;
                }
                Frame::Wait(millis) => thread::sleep(Duration::from_millis(*millis)),
                Frame::Hang => return self.hang(stream),
                Frame::Reset => return Ok(()),
            }
        }
        stream.write_all(b"0\r\n\r\n")
    }

    /// Waits until the client goes or the test is over.
    fn hang(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut byte = [0];
        loop {
            match stream.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.over.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }
}

/// One request; `None` if the connection ends before there is one.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    let mut header = String::new();
    while reader.read_line(&mut header)? > 0 && !header.trim().is_empty() {
        if let Some((name, value)) = header.split_once(':') {
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        header.clear();
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![
        0;
        length
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0)
    ];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Ok(Some(Asked {
        line: line.trim().into(),
        headers,
        text,
        body,
    }))
}
