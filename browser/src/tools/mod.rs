//! The tools of a page: what the agent can do here besides remembering.
//!
//! Invariant: the page is read only if its own script offered that, and then only after a person
//! said yes ([`crate::settings`] sets the policy so, whatever its preset).

use serde_json::{Value, json};
use std::rc::Rc;
use tau_core::{
    ids::EffectId,
    json::{self, FromJson},
    message::explain,
    safety::Labels,
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec, http},
};
use tau_platform::{HostTools, HttpTool};
use tau_target_web::{FetchEgress, WebClock};

use crate::browser::{Browser, words};

/// The tool that reads the page.
pub(crate) const PAGE: &str = "page";
const TIME: &str = "time";

/// The tools of this home.
#[derive(Debug)]
pub(crate) struct PageTools {
    browser: Rc<Browser>,
    http: HttpTool<FetchEgress, WebClock>,
    offers_page: bool,
}

/// Why a call failed, in words a model can act on.
#[derive(Debug)]
struct Fault {
    problem: String,
    hint: Option<&'static str>,
}

impl Fault {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    fn into_output(self) -> ToolOutput {
        ToolOutput::error(explain(&self.problem, None, self.hint))
    }
}

#[derive(FromJson)]
struct Time {
    timezone: Option<String>,
}

impl PageTools {
    pub(crate) fn new(browser: &Rc<Browser>, offers_page: bool) -> Self {
        Self {
            browser: Rc::clone(browser),
            http: HttpTool::new(FetchEgress::default(), WebClock, Vec::new()),
            offers_page,
        }
    }

    async fn call(&self, run: &ToolRun) -> Result<String, Fault> {
        match run.name.as_str() {
            PAGE if self.offers_page => self.page().await,
            TIME => self.time(&read(&run.arguments)?),
            name => Err(Fault::new(format!("this page has no tool called {name}"))),
        }
    }

    async fn page(&self) -> Result<String, Fault> {
        let text = self.browser.page().await;
        let text = text
            .map_err(|thrown| Fault::new(format!("the page gave nothing: {}", words(&thrown))))?
            .as_string()
            .unwrap_or_default();
        Ok(match text.trim() {
            "" => "the page has no text".to_owned(),
            _ => text,
        })
    }

    fn time(&self, Time { timezone }: &Time) -> Result<String, Fault> {
        let zone = timezone.as_deref().unwrap_or_default();
        self.browser.time(zone).map_err(|_| {
            Fault::new(format!("{zone} is not a time zone"))
                .hint("use a name such as Europe/Berlin")
        })
    }
}

impl HostTools for PageTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let page = spec(
            PAGE,
            "Read the text of the page the person is looking at.",
            &json!({}),
        );
        // As the native home has it.
        let time = spec(
            TIME,
            "Current date and time.",
            &json!({"timezone": {"type": "string", "description": "e.g. Europe/Berlin, default: the person's"}}),
        );
        let page = self.offers_page.then_some(page);
        page.into_iter().chain([time, http::spec()]).collect()
    }

    async fn run(&self, _: EffectId, run: ToolRun) -> ToolOutput {
        if run.name == http::NAME {
            return self.http.run(run).await;
        }
        let limit = usize::try_from(run.limits.output_bytes).unwrap_or(usize::MAX);
        match self.call(&run).await {
            Ok(text) => ToolOutput::ok(cut(text, limit)),
            Err(fault) => fault.into_output(),
        }
    }
}

fn spec(name: &str, description: &str, properties: &Value) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters: json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        }),
        class: ToolClass::Read,
        on_restore: OnRestore::Reissue,
        touches: Vec::new(),
        // What the page shows: the visitor's, with words of others in it.
        yields: Labels::WORKSPACE,
    }
}

fn read<T: FromJson>(arguments: &Value) -> Result<T, Fault> {
    json::from_value(arguments.clone()).map_err(|error| Fault::new(error.to_string()))
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
