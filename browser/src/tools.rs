//! The tools of a page: what the agent can do here besides remembering.
//!
//! Invariant: the page is read only if its own script offered that, and then only after a person
//! said yes ([`crate::settings`] sets the policy so, whatever its preset).

use serde_json::json;
use std::rc::Rc;
use tau_core::{
    ids::EffectId,
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::HostTools;

use crate::browser::{Browser, words};

/// The tool that reads the page.
pub(crate) const PAGE: &str = "page";

/// The tools of this home.
#[derive(Debug)]
pub(crate) struct PageTools {
    browser: Rc<Browser>,
    offers_page: bool,
}

impl PageTools {
    pub(crate) fn new(browser: &Rc<Browser>, offers_page: bool) -> Self {
        Self {
            browser: Rc::clone(browser),
            offers_page,
        }
    }

    async fn page(&self, limit_bytes: u64) -> ToolOutput {
        match self.browser.page().await {
            Ok(text) => {
                let text = text.as_string().unwrap_or_default();
                ToolOutput::ok(if text.trim().is_empty() {
                    "the page has no text".to_owned()
                } else {
                    cut(text, usize::try_from(limit_bytes).unwrap_or(usize::MAX))
                })
            }
            Err(thrown) => ToolOutput::error(format!("the page gave nothing: {}", words(&thrown))),
        }
    }
}

impl HostTools for PageTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let page = ToolSpec {
            name: PAGE.into(),
            description: "Read the text of the page the person is looking at.".into(),
            parameters: json!({"type": "object", "properties": {}, "additionalProperties": false}),
            class: ToolClass::Read,
            on_restore: OnRestore::Reissue,
        };
        self.offers_page.then_some(page).into_iter().collect()
    }

    async fn run(&self, _: EffectId, run: ToolRun) -> ToolOutput {
        match run.name.as_str() {
            PAGE if self.offers_page => self.page(run.limits.output_bytes).await,
            name => ToolOutput::error(format!("this page has no tool called {name}")),
        }
    }
}

/// At most `limit` bytes of a text: its beginning and its end, and what was left out between them.
fn cut(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let mark = format!(
        "\n[… {} bytes in all, the middle is left out …]\n",
        text.len()
    );
    let rest = limit.saturating_sub(mark.len());
    let head = text.floor_char_boundary(rest - rest / 3);
    let tail = text.ceil_char_boundary(text.len() - rest / 3);
    format!("{}{mark}{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        let text = format!("begin {} end", "ü".repeat(1_000));
        let short = cut(text.clone(), 400);
        assert!(short.len() <= 400, "{}", short.len());
        assert!(short.starts_with("begin ü") && short.ends_with("ü end"));
        assert!(short.contains("2010 bytes in all"));
        assert_eq!(cut(text.clone(), 2_010), text);
    }
}
