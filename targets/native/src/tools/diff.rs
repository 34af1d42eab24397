//! What a change looks like, for the model to check itself by.

use std::time::Duration;

use similar::TextDiff;

use super::output::fit;

/// Beyond this, comparing costs more than the diff tells.
const MAX_COMPARED_BYTES: usize = 1 << 20;
const MAX_DIFF_BYTES: usize = 4_000;

/// A unified diff without file names, cut to a few thousand bytes; `None` for texts too large to
/// compare.
pub(super) fn unified(old: &str, new: &str, limit: usize) -> Option<String> {
    if old.len().max(new.len()) > MAX_COMPARED_BYTES {
        return None;
    }
    let diff = TextDiff::configure()
        .timeout(Duration::from_millis(300))
        .diff_lines(old, new);
    // Line ends alone would be shown as bare carriage returns.
    let text = diff
        .unified_diff()
        .context_radius(2)
        .to_string()
        .replace('\r', "");
    Some(fit(text, limit.min(MAX_DIFF_BYTES)))
}
