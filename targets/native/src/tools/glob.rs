//! `glob`: files by name.

use std::ops::ControlFlow;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use serde_json::json;
use tau_core::tool::{ToolClass, ToolOutput, ToolSpec};

use super::{
    Call,
    output::{Fault, plural},
    walk::Walk,
};

const MAX_FILES: u64 = 1_000;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "glob",
        "Find files by glob, e.g. src/**/*.rs; skips ignored files.",
        ToolClass::Read,
        json!({
            "pattern": {"type": "string"},
            "path": {"type": "string", "description": "directory to start in"},
        }),
        &["pattern"],
    )
}

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    path: Option<String>,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let Arguments { pattern, path } = call.arguments()?;
    let path = path.unwrap_or_else(|| ".".into());
    let matcher = compile(&pattern)?;
    let (_, real) = call.workspace.directory(&path)?;
    let below = if real.is_empty() { 0 } else { real.len() + 1 };

    let room = call.output_bytes.saturating_sub(160);
    let mut text = String::new();
    let (mut shown, mut total) = (0, 0);
    let walk = Walk::run(&call.workspace, &path, &call.cancelled, &mut |found| {
        if matcher.is_match(&found.path[below..]) {
            total += 1;
            if shown + 1 == total && shown < MAX_FILES && text.len() + found.path.len() < room {
                text.push_str(found.path);
                text.push('\n');
                shown += 1;
            }
        }
        ControlFlow::Continue(())
    })?;
    if total == 0 {
        text = format!("no file matches {pattern}");
        if !pattern.contains('/') {
            text.push_str(&format!("; **/{pattern} looks in all directories"));
        }
    }
    if shown < total {
        text.push_str(&format!(
            "[{}]\n",
            plural(total - shown, "more file", "more files")
        ));
    }
    text.push_str(&walk.notice());
    Ok(ToolOutput::ok(text))
}

/// `*` stays within a name; `**` crosses directories.
pub(super) fn compile(pattern: &str) -> Result<GlobMatcher, Fault> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    if pattern.starts_with('/') || pattern.split('/').any(|name| name == "..") {
        return Err(Fault::new(format!("the pattern {pattern} is not relative"))
            .hint("set path to the directory to start in"));
    }
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Fault::new("bad glob").cause(error))
}
