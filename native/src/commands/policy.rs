//! `tau policy`: what the agent may do, and where that comes from.

use serde_json::{Map, Value, json};
use tau_core::{
    memory,
    policy::{Policy, Preset},
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
    /// Show each value and whether a preset, the profile or a flag set it.
    ///
    /// A value of the profile wins over every preset. Set one with, for example:
    /// tau config set policy.execute ask · tau config set policy.tools.shell allow
    Show {
        /// permissive, balanced, strict or hardened, as with `tau run --policy`.
        #[arg(long, value_name = "PRESET")]
        policy: Option<Preset>,
        /// Print one JSON object: `{preset, values: {NAME: {value, origin}}, tools}`.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let Command::Show { policy: flag, json } = args.command;
    let profile = config::load(&home.config_file())?;
    let flags = PolicyFlags {
        policy: flag,
        ..PolicyFlags::default()
    };
    let policy = sessions::policy(&flags, &profile);
    let preset_origin = match (flag, profile.policy.preset == Preset::default()) {
        (Some(_), _) => "flag",
        (None, true) => "default",
        (None, false) => "profile",
    };
    let rows = rows(&policy);
    let specs = host::tools(None, &Vault::closed())?.specs();
    let memory_tools = profile
        .memory
        .then(memory::tool_specs)
        .into_iter()
        .flatten();
    let tools: Vec<_> = specs.into_iter().chain(memory_tools).collect();
    if json {
        let mut values = Map::new();
        for (name, value, origin) in rows {
            values.insert(name.into(), json!({ "value": value, "origin": origin }));
        }
        let tools: Map<String, Value> = tools
            .iter()
            .map(|tool| {
                let (action, rule) = policy.action(tool);
                (tool.name.clone(), json!({ "action": action, "rule": rule }))
            })
            .collect();
        ui.json(&json!({
            "preset": policy.preset,
            "preset_origin": preset_origin,
            "values": values,
            "tools": tools,
        }));
        return Ok(Exit::Ok);
    }
    ui.line(format!(
        "{:<20} {:<12} {}",
        "preset",
        policy.preset.name(),
        ui::dim(preset_origin)
    ));
    for (name, value, origin) in rows {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        ui.line(format!("{name:<20} {value:<12} {}", ui::dim(origin)));
    }
    for tool in &tools {
        let (action, rule) = policy.action(tool);
        ui.line(format!(
            "tool {:<15} {:<12} {}",
            tool.name,
            action.name(),
            ui::dim(rule)
        ));
    }
    Ok(Exit::Ok)
}

/// Each value with its origin: the preset's name, or the profile.
fn rows(policy: &Policy) -> Vec<(&'static str, Value, String)> {
    let limits = policy.tool_limits();
    let origin = |explicit: bool| {
        if explicit {
            "profile".to_owned()
        } else {
            format!("preset {}", policy.preset)
        }
    };
    let class = |class| json!(policy.class_action(class));
    vec![
        (
            "read",
            class(ToolClass::Read),
            origin(policy.read.is_some()),
        ),
        (
            "remember",
            class(ToolClass::Remember),
            origin(policy.remember.is_some()),
        ),
        (
            "write",
            class(ToolClass::Write),
            origin(policy.write.is_some()),
        ),
        (
            "network",
            class(ToolClass::Network),
            origin(policy.network.is_some()),
        ),
        (
            "execute",
            class(ToolClass::Execute),
            origin(policy.execute.is_some()),
        ),
        (
            "tool_timeout_ms",
            limits.timeout_ms.into(),
            origin(policy.tool_timeout_ms.is_some()),
        ),
        (
            "tool_output_bytes",
            limits.output_bytes.into(),
            origin(policy.tool_output_bytes.is_some()),
        ),
        (
            "parallel_tools",
            policy.parallel_tools().into(),
            origin(policy.parallel_tools.is_some()),
        ),
        (
            "approval_timeout_ms",
            policy.approval_timeout_ms().into(),
            origin(policy.approval_timeout_ms.is_some()),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_core::policy::Action;

    #[test]
    fn each_value_says_where_it_comes_from() {
        let policy = Policy {
            execute: Some(Action::Deny),
            ..Policy::preset(Preset::Strict)
        };
        let rows = rows(&policy);
        let of = |name: &str| rows.iter().find(|row| row.0 == name).unwrap();
        assert_eq!(of("execute").2, "profile");
        assert_eq!(of("execute").1, "deny");
        assert_eq!(of("write").2, "preset strict");
        assert_eq!(rows.len(), 9);
    }
}
