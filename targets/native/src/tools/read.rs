//! `read`: a file's lines, or a picture.
//!
//! Only the lines that are shown are held in memory, however large the file.

use std::io::{BufRead, BufReader, Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::json;
use tau_core::{
    message::Image,
    tool::{ToolClass, ToolOutput, ToolSpec},
};

use super::{
    Call, Cancelled,
    kind::{self, SNIFFED_BYTES},
    output::{Fault, clip, count},
    workspace::Access,
};

const DEFAULT_LINES: u64 = 2_000;
const MAX_IMAGE_BYTES: u64 = 5 << 20;
/// How far past the last line shown the rest is read to count it.
const COUNTED_BYTES: u64 = 64 << 20;
/// What the notices may take of the output.
const NOTICE_BYTES: usize = 300;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "read",
        "Read a text file or image.",
        ToolClass::Read,
        json!({
            "path": {"type": "string"},
            "offset": {"type": "integer", "minimum": 1, "description": "first line"},
            "limit": {"type": "integer", "minimum": 1, "description": "lines, default 2000"},
        }),
        &["path"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    offset: Option<u64>,
    limit: Option<u64>,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let Arguments {
        path,
        offset,
        limit,
    } = call.arguments()?;
    let place = call.workspace.resolve(&path, Access::Read)?;
    let (file, metadata) = place.open_file(&path)?;
    let failed = |error| Fault::io(format!("cannot read {path}"), &error);
    let mut reader = BufReader::with_capacity(64 << 10, file);

    let mut start = vec![0; SNIFFED_BYTES];
    let sniffed = read_up_to(&mut reader, &mut start).map_err(failed)?;
    start.truncate(sniffed);
    if let Some(mime) = kind::image(&start) {
        return image(&path, mime, metadata.len(), start.chain(reader));
    }
    if let Some(kind) = kind::binary(&start) {
        return Err(binary(&path, kind, metadata.len()));
    }
    if start.is_empty() {
        return Ok(ToolOutput::ok(format!("{path} is empty")));
    }
    let skip = start.strip_prefix(b"\xef\xbb\xbf").map_or(0, |_| 3);
    let mut page = Page {
        first: offset.unwrap_or(1).max(1),
        limit: limit.unwrap_or(DEFAULT_LINES).max(1),
        room: call.output_bytes.saturating_sub(NOTICE_BYTES).max(64),
        ..Page::default()
    };
    page.read(&mut start[skip..].chain(reader), &call.cancelled)
        .map_err(failed)?;
    page.show(&path, metadata.len())
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

fn image(path: &str, mime: &str, size: u64, file: impl Read) -> Result<ToolOutput, Fault> {
    let mut bytes = Vec::new();
    file.take(MAX_IMAGE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::io(format!("cannot read {path}"), &error))?;
    if bytes.len() as u64 > MAX_IMAGE_BYTES {
        return Err(Fault::new(format!(
            "{path} is too large for an image: {} bytes",
            count(size)
        ))
        .hint("at most 5 MiB; scale it down with the shell"));
    }
    Ok(ToolOutput {
        images: vec![Image {
            mime: mime.into(),
            data: STANDARD.encode(&bytes),
        }],
        ..ToolOutput::ok(format!(
            "{path}: {mime}, {} bytes",
            count(bytes.len() as u64)
        ))
    })
}

fn binary(path: &str, kind: &str, size: u64) -> Fault {
    Fault::new(format!("{path} is not text: {kind}, {} bytes", count(size)))
        .hint("use the shell to convert or inspect it")
}

/// The part of a file that one call shows.
#[derive(Default)]
struct Page {
    first: u64,
    limit: u64,
    room: usize,
    /// The lines shown, each ended by `\n`.
    shown: Vec<u8>,
    shown_lines: u64,
    /// The line at which the output was full.
    cut_line: bool,
    /// Lines seen, shown or not.
    seen: u64,
    /// Whether the file ended where `seen` ends.
    complete: bool,
    has_crlf: bool,
}

impl Page {
    fn read(&mut self, reader: &mut impl BufRead, cancelled: &Cancelled) -> std::io::Result<()> {
        let mut line = Vec::new();
        let mut line_start = true;
        let mut after: u64 = 0;
        while !cancelled.is_set() {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                if !line_start {
                    self.end_line(&mut line);
                }
                self.complete = true;
                return Ok(());
            }
            if self.is_full() && after > COUNTED_BYTES {
                return Ok(());
            }
            let (part, ends) = match memchr::memchr(b'\n', buffer) {
                Some(end) => (&buffer[..end], true),
                None => (buffer, false),
            };
            self.seen += u64::from(line_start);
            line_start = ends;
            if self.seen >= self.first && !self.is_full() {
                // One line may be larger than memory: hold what could be shown of it.
                let room = (self.room + 1).saturating_sub(line.len());
                line.extend_from_slice(&part[..part.len().min(room)]);
            } else if self.is_full() {
                after += part.len() as u64 + 1;
            }
            let used = part.len() + usize::from(ends);
            reader.consume(used);
            if ends || line.len() > self.room {
                self.end_line(&mut line);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.cut_line || self.shown_lines >= self.limit
    }

    fn end_line(&mut self, line: &mut Vec<u8>) {
        if self.seen < self.first || self.is_full() {
            return;
        }
        if line.last() == Some(&b'\r') {
            self.has_crlf = true;
            line.pop();
        }
        if self.shown.len() + line.len() < self.room {
            self.shown.append(line);
            self.shown.push(b'\n');
            self.shown_lines += 1;
        } else {
            self.cut_line = true;
            // A first line that does not fit alone is shown in part, or nothing ever would be.
            if self.shown_lines == 0 {
                self.shown.append(line);
                self.shown_lines = 1;
            }
        }
        line.clear();
    }

    fn show(self, path: &str, size: u64) -> Result<ToolOutput, Fault> {
        if self.shown_lines == 0 {
            return Err(
                Fault::new(format!("{path} has only {} lines", count(self.seen)))
                    .hint("use a smaller offset"),
            );
        }
        if self.shown.contains(&0) {
            return Err(binary(path, "binary file", size));
        }
        let last = self.first + self.shown_lines - 1;
        let mut notices = Vec::new();
        if self.first > 1 || !self.complete || last < self.seen {
            let total = if self.complete {
                count(self.seen)
            } else {
                format!("more than {} ({} bytes)", count(self.seen), count(size))
            };
            let more = if !self.complete || last < self.seen {
                format!("; continue with offset {}", last + 1)
            } else {
                String::new()
            };
            notices.push(format!("lines {}-{last} of {total}{more}", self.first));
        }
        let text = String::from_utf8_lossy(&self.shown);
        if self.cut_line && !self.shown.ends_with(b"\n") {
            notices.push("the line is longer than the output limit and cut".into());
        }
        if matches!(text, std::borrow::Cow::Owned(_)) {
            notices.push("some bytes are not UTF-8 and shown as \u{fffd}".into());
        }
        if self.has_crlf {
            notices.push("lines end in CRLF".into());
        }
        // Bytes that are not UTF-8 are shown in three.
        let text = clip(&text, self.room);
        let header = if notices.is_empty() {
            String::new()
        } else {
            format!("[{}]\n", notices.join("; "))
        };
        Ok(ToolOutput::ok(format!("{header}{text}")))
    }
}
