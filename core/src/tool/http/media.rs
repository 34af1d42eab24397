//! What a body is: by what the server says, and where that is not enough by how it begins.

use alloc::string::String;

/// What is done with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Html,
    Json,
    Text,
    Binary,
}

/// How much of a body is looked at.
const HEAD_BYTES: usize = 1024;

impl Media {
    pub(super) fn of(content_type: &str, body: &[u8]) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/json" | "text/json" => Self::Json,
            "application/xml"
            | "application/javascript"
            | "application/yaml"
            | "application/toml"
            | "application/x-ndjson"
            | "application/x-www-form-urlencoded" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.starts_with("text/") || other.ends_with("+xml") => Self::Text,
            "" | "application/octet-stream" | "application/unknown" => Self::by_look(body),
            _ => Self::Binary,
        }
    }

    fn by_look(body: &[u8]) -> Self {
        let head = body.get(..HEAD_BYTES).unwrap_or(body);
        let text = match core::str::from_utf8(head) {
            Ok(text) => text,
            // A letter that the cut went through is no fault.
            Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
                core::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Self::Binary,
        };
        let is_control =
            |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}');
        if text.contains(is_control) {
            return Self::Binary;
        }
        let start = text.trim_start().get(..9).unwrap_or_default();
        let is_html = ["<!doctype", "<html"].iter().any(|tag| {
            start
                .get(..tag.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(tag))
        });
        if is_html { Self::Html } else { Self::Text }
    }
}

/// The name of a body's encoding: its byte order mark, else what the server says, else what an HTML
/// page says of itself, else UTF-8 where it is valid and what old pages mean where it is not.
#[must_use]
pub fn label(content_type: &str, body: &[u8]) -> String {
    for (mark, name) in [
        (&b"\xef\xbb\xbf"[..], "utf-8"),
        (b"\xff\xfe", "utf-16le"),
        (b"\xfe\xff", "utf-16be"),
    ] {
        if body.starts_with(mark) {
            return name.into();
        }
    }
    let parameters = content_type.split(';').skip(1);
    let named = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']));
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return named.to_ascii_lowercase();
    }
    if is_utf8(body) {
        return "utf-8".into();
    }
    said_in_html(body).unwrap_or_else(|| "windows-1252".into())
}

/// Whether it is UTF-8, up to a letter that the end may have cut.
fn is_utf8(body: &[u8]) -> bool {
    core::str::from_utf8(body).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// `<meta charset=…>` or `<meta … content="…charset=…">` near the beginning.
fn said_in_html(body: &[u8]) -> Option<String> {
    let head = body.get(..HEAD_BYTES).unwrap_or(body);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, after) = head.split_once("charset")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let value = value.trim_start_matches(['"', '\'']);
    let end =
        value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.'));
    let name = &value[..end.unwrap_or(value.len())];
    (!name.is_empty()).then(|| name.into())
}
