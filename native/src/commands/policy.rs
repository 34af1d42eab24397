//! `tau policy`: what the agent may do, and where that comes from.

mod grants;

use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{fmt, fs};
use tau_core::{
    memory::tool_specs,
    policy::{Policy, Preset, programs::Engine, screen::Subject},
    tool::ToolClass,
};
use tau_platform::HostTools;

use crate::{
    cli::PolicyFlags,
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host, sessions,
    ui::{self, Ui},
};

/// Show the policy in force.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show each value and whether a preset, the profile (with its line) or a flag set it.
    ///
    /// A value of the profile wins over every preset. Set one with, for example:
    /// tau config set policy.execute ask · tau config set policy.tools.shell allow
    Show {
        /// permissive, balanced, strict or hardened, as with `tau run --policy`.
        #[arg(long, value_name = "PRESET")]
        policy: Option<Preset>,
        /// Print one JSON object: `{preset, values: {NAME: {value, origin, line}}, tools}`.
        #[arg(long)]
        json: bool,
    },
    /// Show what you allowed for good, by rule.
    Grants {
        /// Print one JSON object: `{"grants": [{rule, at, session}]}`.
        #[arg(long)]
        json: bool,
    },
    /// Take back what you allowed for good.
    ///
    /// For example: `tau policy revoke "http GET https://example.com"`
    Revoke {
        /// The rule, as `tau policy grants` shows it.
        rule: String,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    match args.command {
        Command::Show { policy, json } => show(policy, json, home, ui),
        Command::Grants { json } => grants::list(home, ui, json),
        Command::Revoke { rule } => grants::revoke(home, ui, &rule),
    }
}

fn show(flag: Option<Preset>, json: bool, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let profile = config::load(&home.config_file())?;
    // Lines are looked up in it; without a profile there are none.
    let text = fs::read_to_string(home.config_file()).unwrap_or_default();
    let flags = PolicyFlags {
        policy: flag,
        ..PolicyFlags::default()
    };
    let mut policy = sessions::policy(&flags, &profile);
    let tools = host::tools(None, home, &profile, &Vault::closed())?;
    policy.paths = tools.paths().clone();
    let origins = Origins {
        profile: &text,
        preset: policy.preset,
    };
    let preset_origin = match flag {
        Some(_) => Origin {
            name: "flag".into(),
            line: None,
        },
        None => origins.of("preset", config::line_of(&text, "policy.preset").is_some()),
    };
    let rows = rows(&policy, &origins);
    let mut specs = tools.specs();
    if profile.memory.enabled {
        specs.extend(tool_specs(&crate::memory::access(tools.workspace(), 0)));
    }
    if json {
        let mut values = Map::new();
        for (name, value, origin) in rows {
            let origin = json!({ "value": value, "origin": origin.name, "line": origin.line });
            values.insert(name, origin);
        }
        let tools: Map<String, Value> = specs
            .iter()
            .map(|tool| {
                let (action, rule) = policy.action(tool);
                (tool.name.clone(), json!({ "action": action, "rule": rule }))
            })
            .collect();
        ui.json(&json!({
            "preset": policy.preset,
            "preset_origin": preset_origin.name,
            "values": values,
            "tools": tools,
        }));
        return Ok(Exit::Ok);
    }
    let line = |name: &str, value: &str, origin: &str| {
        ui.line(format!("{name:<26} {value:<20} {}", ui::dim(origin)));
    };
    line("preset", policy.preset.name(), &preset_origin.to_string());
    for (name, value, origin) in rows {
        line(&name, &written(&value), &origin.to_string());
    }
    for tool in &specs {
        let (action, rule) = policy.action(tool);
        line(&format!("tool {}", tool.name), action.name(), &rule);
    }
    Ok(Exit::Ok)
}

/// Where values come from.
struct Origins<'a> {
    /// The text of the profile.
    profile: &'a str,
    preset: Preset,
}

/// Where one value comes from.
struct Origin {
    /// `preset NAME`, `profile`, `flag` or `default`.
    name: String,
    /// Of the profile.
    line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.line {
            Some(line) => write!(f, " line {line}"),
            None => Ok(()),
        }
    }
}

impl Origins<'_> {
    /// Of the value `name` of the policy, by whether it was set explicitly.
    fn of(&self, name: &str, explicit: bool) -> Origin {
        let origin = match (explicit, name) {
            (true, _) => "profile".into(),
            (false, "preset") => "default".into(),
            (false, _) => format!("preset {}", self.preset),
        };
        let line = || config::line_of(self.profile, &format!("policy.{name}"));
        Origin {
            name: origin,
            line: if explicit { line() } else { None },
        }
    }
}

/// Every value in force: its name, the value, where it comes from.
fn rows(policy: &Policy, origins: &Origins<'_>) -> Vec<(String, Value, Origin)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Value, explicit: bool| {
        rows.push((name.to_owned(), value, origins.of(name, explicit)));
    };
    for (name, class, explicit) in [
        ("read", ToolClass::Read, policy.read),
        ("remember", ToolClass::Remember, policy.remember),
        ("write", ToolClass::Write, policy.write),
        ("network", ToolClass::Network, policy.network),
        ("execute", ToolClass::Execute, policy.execute),
    ] {
        row(name, json!(policy.class_action(class)), explicit.is_some());
    }
    for (tool, action) in &policy.tools {
        row(&format!("tools.{tool}"), json!(action), true);
    }
    row("taint", json!(policy.taint()), policy.taint.is_some());
    let limits = policy.tool_limits();
    let explicit = policy.tool_timeout_ms.is_some();
    row("tool_timeout_ms", limits.timeout_ms.into(), explicit);
    let explicit = policy.tool_output_bytes.is_some();
    row("tool_output_bytes", limits.output_bytes.into(), explicit);
    let explicit = policy.parallel_tools.is_some();
    row("parallel_tools", policy.parallel_tools().into(), explicit);
    let explicit = policy.approval_timeout_ms.is_some();
    row(
        "approval_timeout_ms",
        policy.approval_timeout_ms().into(),
        explicit,
    );
    more_rows(policy, &mut row);
    rows
}

/// The values that have a table of their own.
fn more_rows(policy: &Policy, row: &mut impl FnMut(&str, Value, bool)) {
    let rates = &policy.rates;
    for (name, calls, explicit) in [
        ("calls", policy.calls_per_minute(), rates.calls_per_minute),
        (
            "network",
            policy.network_per_minute(),
            rates.network_per_minute,
        ),
        (
            "execute",
            policy.execute_per_minute(),
            rates.execute_per_minute,
        ),
    ] {
        let name = format!("rates.{name}_per_minute");
        row(&name, calls.into(), explicit.is_some());
    }
    let explicit = rates.when_exceeded.is_some();
    row(
        "rates.when_exceeded",
        json!(policy.when_exceeded()),
        explicit,
    );

    let (http, set) = (policy.http.limits(policy.preset), &policy.http);
    row(
        "http.timeout_ms",
        http.timeout_ms.into(),
        set.timeout_ms.is_some(),
    );
    row(
        "http.response_bytes",
        http.response_bytes.into(),
        set.response_bytes.is_some(),
    );
    row(
        "http.redirects",
        http.redirects.into(),
        set.redirects.is_some(),
    );
    row(
        "http.allow_http",
        http.rules.allow_http.into(),
        set.allow_http.is_some(),
    );
    row(
        "http.allow_private",
        http.rules.allow_private.into(),
        set.allow_private.is_some(),
    );
    list(row, "http.allow", &set.allow);
    list(row, "http.deny", &set.deny);

    for subject in Subject::ALL {
        let explicit = policy.screen.explicit(subject).is_some();
        row(subject.name(), json!(policy.measures(subject)), explicit);
    }
    list(row, "screen.rules", &policy.screen.rules);

    list(row, "commands.allow", &policy.commands.allow);
    list(row, "commands.deny", &policy.commands.deny);
    let unlisted = policy.commands.unlisted(policy.preset);
    row(
        "commands.unlisted",
        json!(unlisted),
        policy.commands.unlisted.is_some(),
    );
    list(row, "paths.protect", &policy.paths.protect);
    list(row, "paths.unprotect", &policy.paths.unprotect);
    program_rows(policy, row);
}

fn program_rows(policy: &Policy, row: &mut impl FnMut(&str, Value, bool)) {
    let (limits, set) = (policy.program_limits(), &policy.programs);
    row("sandbox", json!(limits.sandbox), policy.sandbox.is_some());
    let engine = limits.engine.map_or("the first there is", Engine::name);
    row("programs.engine", engine.into(), set.engine.is_some());
    let named = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
    row(
        "programs.image",
        named(&set.image).into(),
        set.image.is_some(),
    );
    row(
        "programs.socket",
        named(&set.socket).into(),
        set.socket.is_some(),
    );
    let container = limits.container.as_ref();
    let milli_cpus = container.map(|container| container.milli_cpus);
    row(
        "programs.milli_cpus",
        json!(milli_cpus),
        set.milli_cpus.is_some(),
    );
    let as_root = set.as_root.unwrap_or_default();
    row("programs.as_root", as_root.into(), set.as_root.is_some());
    list(row, "programs.read", &set.read);
    list(row, "programs.hosts", &set.hosts);
    for (name, value, explicit) in [
        ("memory_bytes", limits.memory_bytes, set.memory_bytes),
        ("processes", limits.processes, set.processes),
        ("file_bytes", limits.file_bytes, set.file_bytes),
    ] {
        let name = format!("programs.{name}");
        row(&name, value.into(), explicit.is_some());
    }
}

fn list<T: Serialize>(row: &mut impl FnMut(&str, Value, bool), name: &str, values: &[T]) {
    row(name, json!(values), !values.is_empty());
}

/// A value as a person reads it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "none".into(),
        Value::Array(values) => values.iter().map(written).collect::<Vec<_>>().join(", "),
        // By severity, weakest first.
        Value::Object(measures) => ["low", "medium", "high"]
            .into_iter()
            .filter_map(|name| Some(format!("{name} {}", written(measures.get(name)?))))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `value (origin)` of a value under `profile`.
    fn shown(profile: &str, name: &str) -> String {
        let policy = config::parse(profile, "p").unwrap().policy;
        let origins = Origins {
            profile,
            preset: policy.preset,
        };
        let rows = rows(&policy, &origins);
        let (_, value, origin) = rows.iter().find(|row| row.0 == name).unwrap();
        format!("{} ({origin})", written(value))
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let profile = "[policy]\npreset = \"strict\"\nexecute = \"deny\"\n\
            [policy.http]\nredirects = 3\n[policy.tools]\nshell = \"ask\"\n\
            [policy.commands]\nallow = [\"ls\", \"cat *\"]\n";
        for (name, expected) in [
            ("execute", "deny (profile line 3)"),
            ("write", "ask (preset strict)"),
            // As the preset has it, and set all the same.
            ("http.redirects", "3 (profile line 5)"),
            ("http.allow_http", "false (preset strict)"),
            ("tools.shell", "ask (profile line 7)"),
            ("commands.allow", "ls, cat * (profile line 9)"),
            ("commands.deny", "none (preset strict)"),
            ("commands.unlisted", "deny (preset strict)"),
            ("paths.protect", "none (preset strict)"),
            (
                "screen.secrets",
                "low redact, medium redact, high redact (preset strict)",
            ),
        ] {
            assert_eq!(shown(profile, name), expected, "{name}");
        }
    }

    #[test]
    fn every_value_that_can_be_set_is_shown() {
        let policy = Policy::default();
        let origins = Origins {
            profile: "",
            preset: policy.preset,
        };
        let shown: Vec<String> = rows(&policy, &origins)
            .into_iter()
            .map(|row| row.0)
            .collect();
        // What the profile takes is what serde names when it meets something else.
        for table in [
            "",
            "http.",
            "screen.",
            "commands.",
            "paths.",
            "programs.",
            "rates.",
        ] {
            let header = table.trim_end_matches('.');
            let header = if header.is_empty() {
                String::new()
            } else {
                format!(".{header}")
            };
            let error =
                config::parse(&format!("[policy{header}]\nnone_such = 1\n"), "p").unwrap_err();
            let known = error.message.split('`').skip(3).step_by(2);
            for name in known {
                let name = format!("{table}{name}");
                // Tables, what is shown apart, and what nobody sets.
                let apart = [
                    "preset", "tools", "approved", "http", "screen", "paths", "commands",
                    "programs", "rates",
                ];
                if apart.contains(&&*name) || ["paths.workspace", "paths.own"].contains(&&*name) {
                    continue;
                }
                assert!(shown.contains(&name), "{name} is not shown");
            }
        }
    }
}
