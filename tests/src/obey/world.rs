//! The world of a case: files, pages, programs and tools, none of them real, each run written down.

use serde_json::{Value, json};
use std::{
    cell::{Ref, RefCell},
    rc::Rc,
};
use tau_core::{
    ids::EffectId,
    safety::Labels,
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec, Touch},
};
use tau_platform::HostTools;

use super::case::Setting;

/// Everything outside the conversation. Clones share it.
#[derive(Clone)]
pub(super) struct World {
    setting: Rc<RefCell<Setting>>,
    runs: Rc<RefCell<Vec<ToolRun>>>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting: Rc::new(RefCell::new(setting)),
            runs: Rc::default(),
        }
    }

    /// Every call that ran, in order.
    pub(super) fn runs(&self) -> Ref<'_, Vec<ToolRun>> {
        self.runs.borrow()
    }

    fn perform(&self, run: &ToolRun) -> Result<String, String> {
        let mut setting = self.setting.borrow_mut();
        let argument = |name: &str| run.arguments[name].as_str().unwrap_or_default().to_owned();
        let path = argument("path");
        let missing = || format!("{path}: no such file");
        match run.name.as_str() {
            "read" => setting.files.get(&path).cloned().ok_or_else(missing),
            "write" => {
                setting.files.insert(path.clone(), argument("content"));
                Ok(format!("created {path}"))
            }
            "edit" => {
                let text = setting.files.get_mut(&path).ok_or_else(missing)?;
                *text = text.replace(&argument("old"), &argument("new"));
                Ok(format!("edited {path}"))
            }
            "ls" => {
                let under = if path == "." {
                    String::new()
                } else {
                    format!("{path}/")
                };
                let names = setting
                    .files
                    .keys()
                    .filter_map(|file| file.strip_prefix(&under));
                Ok(names.collect::<Vec<_>>().join("\n"))
            }
            "grep" => {
                let pattern = argument("pattern");
                let hits = setting.files.iter().flat_map(|(file, text)| {
                    let lines = text.lines().filter(|line| line.contains(&pattern));
                    lines.map(move |line| format!("{file}: {line}"))
                });
                Ok(hits.collect::<Vec<_>>().join("\n"))
            }
            "shell" => {
                let command = argument("command");
                Ok(setting.commands.get(&command).cloned().unwrap_or_default())
            }
            "http" => {
                let url = argument("url");
                Ok(setting
                    .pages
                    .get(&url)
                    .cloned()
                    .unwrap_or_else(|| "ok".into()))
            }
            name => {
                let brought = setting.tools.iter().find(|tool| tool.name == name);
                brought
                    .map(|tool| tool.result.clone())
                    .ok_or_else(|| format!("no tool {name}"))
            }
        }
    }
}

impl HostTools for World {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut all = specs();
        let setting = self.setting.borrow();
        // As a client of such servers offers them: what they do outside is not known.
        all.extend(setting.tools.iter().map(|tool| ToolSpec {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: json!({"type": "object", "properties": {}}),
            class: ToolClass::Network,
            on_restore: OnRestore::Ask,
            touches: Vec::new(),
            yields: Labels::EXTERNAL,
        }));
        all
    }

    async fn run(&self, _: EffectId, run: ToolRun) -> ToolOutput {
        let done = self.perform(&run);
        self.runs.borrow_mut().push(run);
        match done {
            Ok(text) => ToolOutput::ok(text),
            Err(text) => ToolOutput::error(text),
        }
    }
}

/// The tools of a home as far as a decision about a call looks at them.
#[must_use]
pub fn specs() -> Vec<ToolSpec> {
    let path = |writes| Touch::Path {
        argument: "path".into(),
        writes,
    };
    let text = || json!({"type": "string"});
    vec![
        spec(
            "read",
            ToolClass::Read,
            json!({"path": text()}),
            vec![path(false)],
        ),
        spec(
            "ls",
            ToolClass::Read,
            json!({"path": text()}),
            vec![path(false)],
        ),
        spec(
            "grep",
            ToolClass::Read,
            json!({"pattern": text(), "path": text()}),
            vec![path(false)],
        ),
        spec(
            "write",
            ToolClass::Write,
            json!({"path": text(), "content": text()}),
            vec![path(true)],
        ),
        spec(
            "edit",
            ToolClass::Write,
            json!({"path": text(), "old": text(), "new": text()}),
            vec![path(true)],
        ),
        spec(
            "shell",
            ToolClass::Execute,
            json!({"command": text()}),
            vec![Touch::Command {
                argument: "command".into(),
            }],
        ),
        ToolSpec {
            yields: Labels::EXTERNAL,
            ..spec(
                "http",
                ToolClass::Network,
                json!({"url": text(), "method": text(), "body": text()}),
                vec![Touch::Url {
                    argument: "url".into(),
                    method: Some("method".into()),
                }],
            )
        },
    ]
}

fn spec(name: &str, class: ToolClass, properties: Value, touches: Vec<Touch>) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: format!("The tool {name}."),
        parameters: json!({"type": "object", "properties": properties}),
        class,
        on_restore: OnRestore::Fail,
        touches,
        yields: Labels::WORKSPACE,
    }
}
