//! `ls`: what is in one directory.

use std::collections::BinaryHeap;

use serde::Deserialize;
use serde_json::json;
use tau_core::tool::{ToolClass, ToolOutput, ToolSpec};

use super::{
    Call,
    output::{Fault, count, plural},
};

const MAX_ENTRIES: usize = 1_000;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "ls",
        "List a directory, with sizes in bytes.",
        ToolClass::Read,
        json!({"path": {"type": "string"}}),
        &[],
    )
}

#[derive(Deserialize)]
struct Arguments {
    path: Option<String>,
}

pub(super) fn run(call: &Call) -> Result<ToolOutput, Fault> {
    let path = call
        .arguments::<Arguments>()?
        .path
        .unwrap_or_else(|| ".".into());
    let (dir, _) = call.workspace.directory(&path)?;
    let failed = |error| Fault::io(format!("cannot list {path}"), &error);
    // The first names in order, without holding all of a huge directory.
    let mut first = BinaryHeap::new();
    let mut total: u64 = 0;
    for entry in dir.entries().map_err(failed)? {
        if call.cancelled.is_set() {
            return Err(Fault::new("cancelled"));
        }
        first.push(entry.map_err(failed)?.file_name());
        total += 1;
        if first.len() > MAX_ENTRIES {
            first.pop();
        }
    }
    if total == 0 {
        return Ok(ToolOutput::ok(format!("{path} is empty")));
    }
    let room = call.output_bytes.saturating_sub(80);
    let mut text = String::new();
    let mut shown: u64 = 0;
    for name in first.into_sorted_vec() {
        let display = name.to_string_lossy();
        let line = match dir.symlink_metadata(&name) {
            Ok(metadata) if metadata.is_dir() => format!("{display}/\n"),
            Ok(metadata) if metadata.is_file() => {
                format!("{display}  {}\n", count(metadata.len()))
            }
            Ok(metadata) if metadata.is_symlink() => match dir.read_link_contents(&name) {
                Ok(target) => format!("{display} -> {}\n", target.display()),
                Err(_) => format!("{display} -> ?\n"),
            },
            Ok(_) => format!("{display}  (device, pipe or socket)\n"),
            // Gone since it was listed.
            Err(_) => continue,
        };
        if text.len() + line.len() > room {
            break;
        }
        text.push_str(&line);
        shown += 1;
    }
    if shown < total {
        text.push_str(&format!(
            "[{}]\n",
            plural(total - shown, "more entry", "more entries")
        ));
    }
    Ok(ToolOutput::ok(text))
}
