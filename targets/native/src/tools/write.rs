//! `write`: a whole file, new or replaced in one step.

use std::io::Read;

use serde::Deserialize;
use serde_json::json;
use tau_core::tool::{ToolClass, ToolOutput, ToolSpec};

use super::{
    Call, diff,
    output::{Fault, plural},
    workspace::Access,
};

/// An old file larger than this is replaced without a diff.
const MAX_OLD_BYTES: u64 = 1 << 20;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "write",
        "Create or replace a whole file, with its directories.",
        ToolClass::Write,
        json!({"path": {"type": "string"}, "content": {"type": "string"}}),
        &["path", "content"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let Arguments { path, content } = call.arguments()?;
    let place = call.workspace.resolve(&path, Access::Write)?;
    let _lock = call.workspace.lock(&place);
    let size = format!(
        "{}, {}",
        plural(content.lines().count() as u64, "line", "lines"),
        plural(content.len() as u64, "byte", "bytes")
    );
    if place.metadata(&path)?.is_none() {
        place.replace(&path, content.as_bytes(), None)?;
        return Ok(ToolOutput::ok(format!("created {path}: {size}")));
    }
    let (file, metadata) = place.open_file(&path)?;
    if metadata.permissions().readonly() {
        return Err(Fault::new(format!("{path} is read-only")));
    }
    let mut old = Vec::new();
    let comparable =
        metadata.len() <= MAX_OLD_BYTES && file.take(MAX_OLD_BYTES).read_to_end(&mut old).is_ok();
    if comparable && old == content.as_bytes() {
        return Ok(ToolOutput::ok(format!(
            "{path} already has this content: {size}"
        )));
    }
    if call.cancelled.is_set() {
        return Err(Fault::new("cancelled"));
    }
    place.replace(&path, content.as_bytes(), Some(&metadata))?;
    let diff = std::str::from_utf8(&old)
        .ok()
        .filter(|_| comparable)
        .and_then(|old| diff::unified(old, &content, call.output_bytes.saturating_sub(200)));
    Ok(ToolOutput::ok(match diff {
        Some(diff) => format!("replaced {path}: {size}\n{diff}"),
        None => format!(
            "replaced {path}: {size}; was {}",
            plural(metadata.len(), "byte", "bytes")
        ),
    }))
}
