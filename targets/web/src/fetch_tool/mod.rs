//! The tool `fetch`: reads one public web address as text.
//!
//! Invariants: every address, and every one it is redirected to, is decided about by
//! [`tau_core::egress`] before anything is sent there; nothing of the person goes with it: no
//! cookies, no credentials, no referrer. What comes back is a tool's output, and untrusted as such.

mod html;

use tau_core::{
    json::object_of,
    egress::{self, Rules, Target},
    message::{ToolStatus, explain},
    policy::Refusal,
    safety::Labels,
    session::{HeaderValue, HttpError, HttpHead, HttpRequest},
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec, Touch},
};
use tau_platform::{Body, Http};

use crate::{
    global::{decode, requests_have},
    http::{FetchBody, FetchHttp},
    timeout::within,
};

/// What it is called.
pub const NAME: &str = "fetch";

/// More of a body is not read.
const BODY_LIMIT_BYTES: usize = 1 << 20;
const MAX_REDIRECTS: usize = 5;
/// A server that says nothing for so long is given up.
const IDLE_TIMEOUT_MS: u64 = 20_000;

/// The tool, and what it may reach beyond the public web.
#[derive(Clone, Debug)]
pub struct FetchTool {
    http: FetchHttp,
    rules: Rules,
}

impl FetchTool {
    /// A tool that reaches the public web and what `rules` allow. It knows no secrets.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            http: FetchHttp::new(|_| None),
            rules,
        }
    }

    /// What the model is told of it.
    #[must_use]
    pub fn spec() -> ToolSpec {
        ToolSpec {
            name: NAME.into(),
            description: "Read a public https address as text; HTML is reduced to what is written \
                          and its links."
                .into(),
            parameters: object_of([
                ("type", "object".into()),
                (
                    "properties",
                    object_of([("url", object_of([("type", "string".into())]))]),
                ),
                ("required", vec!["url"].into()),
                ("additionalProperties", false.into()),
            ]),
            class: ToolClass::Network,
            on_restore: OnRestore::Reissue,
            touches: vec![Touch::Url {
                argument: "url".into(),
                method: None,
            }],
            yields: Labels::EXTERNAL,
        }
    }

    /// Runs one call within its limits. Dropping the future closes the connection.
    pub async fn run(&self, run: ToolRun) -> ToolOutput {
        let limit = usize::try_from(run.limits.output_bytes).unwrap_or(usize::MAX);
        let url = run.arguments["url"].as_str().unwrap_or_default();
        let read = within(run.limits.timeout_ms, self.read(url)).await;
        let mut output = match read {
            Some(Ok(output) | Err(output)) => output,
            None => ToolOutput {
                status: ToolStatus::TimedOut,
                ..ToolOutput::error(format!(
                    "{url} was not read within {} ms",
                    run.limits.timeout_ms
                ))
            },
        };
        output.text = cut(output.text, limit);
        output
    }

    async fn read(&self, url: &str) -> Result<ToolOutput, ToolOutput> {
        let (url, head, mut body) = self.open(url).await?;
        let content_type = head.header("content-type").unwrap_or_default();
        let media = Media::of(content_type);
        let failed = !(200..300).contains(&head.status);
        if media == Media::Other && !failed {
            let found = match content_type {
                "" => "does not say what it is",
                other => &format!("is not text but {other}"),
            };
            return Err(told(
                &format!("{} {found}", url.href()),
                None,
                Some("only text, HTML, JSON and XML can be read"),
            ));
        }
        let (bytes, whole) = start_of(&mut body)
            .await
            .map_err(|error| unreachable(&url, &error))?;
        let text = match media {
            Media::Html => html::readable(&decode(&bytes, charset(content_type))),
            Media::Text => decode(&bytes, charset(content_type)),
            Media::Other => String::new(),
        };
        let mut said = format!("{} (status {}, {content_type})\n", url.href(), head.status);
        if !whole {
            said += "[… only the first 1 MiB was read …]\n";
        }
        said += "\n";
        said += text.trim();
        Ok(if failed {
            ToolOutput::error(said)
        } else {
            ToolOutput::ok(said)
        })
    }

    /// Follows redirects, where they are shown, to the head of a response.
    async fn open(&self, url: &str) -> Result<(Target, HttpHead, FetchBody), ToolOutput> {
        let denied = |refusal: Refusal| ToolOutput {
            status: ToolStatus::Denied,
            ..ToolOutput::error(refusal.to_result_text())
        };
        let mut target = egress::parse(url).map_err(denied)?;
        for _ in 0..=MAX_REDIRECTS {
            let cleared = egress::decide(&target, &self.rules).map_err(denied)?;
            let sent = self.http.send(request(cleared.target().href())).await;
            let (head, body) = sent.map_err(|error| unreachable(&target, &error))?;
            match head.header("location") {
                Some(next) if matches!(head.status, 301 | 302 | 303 | 307 | 308) => {
                    target = target.join(next).map_err(denied)?;
                }
                _ => return Ok((target, head, body)),
            }
        }
        Err(told(
            &format!("it is redirected more than {MAX_REDIRECTS} times"),
            None,
            None,
        ))
    }
}

fn request(url: String) -> HttpRequest {
    let accept = "text/html, application/json, text/*;q=0.9, */*;q=0.1";
    HttpRequest {
        method: "GET".into(),
        url,
        headers: vec![("accept".into(), HeaderValue::Plain(accept.into()))],
        body: [].into(),
        idle_timeout_ms: IDLE_TIMEOUT_MS,
    }
}

/// The body up to the limit, and whether that was all.
async fn start_of(body: &mut FetchBody) -> Result<(Vec<u8>, bool), HttpError> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.chunk().await? {
        bytes.extend(piece);
        if bytes.len() > BODY_LIMIT_BYTES {
            bytes.truncate(BODY_LIMIT_BYTES);
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}

fn unreachable(url: &Target, error: &HttpError) -> ToolOutput {
    // Only a browser keeps servers from being read that do not ask to be.
    let hint = (matches!(error, HttpError::Connect { .. }) && requests_have("credentials"))
        .then_some("a page can read only servers that allow it (CORS); try another source");
    told(
        &format!("{} could not be read", url.href()),
        Some(&error.to_string()),
        hint,
    )
}

fn told(problem: &str, cause: Option<&str>, hint: Option<&str>) -> ToolOutput {
    ToolOutput::error(explain(problem, cause, hint))
}

/// What is done with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Html,
    Text,
    Other,
}

impl Media {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/json"
            | "application/xml"
            | "application/javascript"
            | "application/yaml"
            | "application/toml" => Self::Text,
            other
                if other.starts_with("text/")
                    || other.ends_with("+json")
                    || other.ends_with("+xml") =>
            {
                Self::Text
            }
            _ => Self::Other,
        }
    }
}

/// The encoding a content type names; UTF-8 when it names none.
fn charset(content_type: &str) -> &str {
    content_type
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map_or("utf-8", |(_, value)| value.trim().trim_matches('"'))
}

/// At most `limit` bytes of a text: its beginning, and how much is left out.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let notice = |left_out: usize| format!("\n[… {left_out} bytes left out …]");
    // The notice with the largest number it can hold.
    let keep = limit.saturating_sub(notice(text.len()).len());
    let keep = text.floor_char_boundary(keep);
    if keep == 0 {
        text.truncate(text.floor_char_boundary(limit));
        return text;
    }
    let left_out = text.len() - keep;
    text.truncate(keep);
    text += &notice(left_out);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_everything_else_by_its_content_type() {
        for (content_type, media) in [
            ("text/html; charset=utf-8", Media::Html),
            ("TEXT/HTML", Media::Html),
            ("application/xhtml+xml", Media::Html),
            ("text/plain", Media::Text),
            (" application/json ;q", Media::Text),
            ("application/feed+json", Media::Text),
            ("image/svg+xml", Media::Text),
            ("image/png", Media::Other),
            ("application/octet-stream", Media::Other),
            ("application/pdf", Media::Other),
            ("", Media::Other),
        ] {
            assert_eq!(Media::of(content_type), media, "{content_type:?}");
        }
    }

    #[test]
    fn the_encoding_is_the_one_named() {
        for (content_type, named) in [
            ("text/html", "utf-8"),
            ("text/html; charset=iso-8859-1", "iso-8859-1"),
            ("text/html; a=b; Charset = \"windows-1252\"", "windows-1252"),
        ] {
            assert_eq!(charset(content_type), named);
        }
    }

    #[test]
    fn a_long_text_keeps_its_beginning_within_the_limit() {
        for limit in 0..200 {
            let text = cut("é€🙂x\n".repeat(40), limit);
            assert!(text.len() <= limit, "{} > {limit}", text.len());
        }
        let text = cut(format!("start{}", "-".repeat(10_000)), 100);
        assert!(text.starts_with("start-") && text.ends_with(" bytes left out …]"));
        assert_eq!(cut("as it is".into(), 8), "as it is");
    }
}
