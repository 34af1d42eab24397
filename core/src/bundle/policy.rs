//! The policy in a bundle: it can make the one that is here stricter, and never looser.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    policy::{Action, Policy},
    tool::ToolClass,
};

/// A policy that was made stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tightened {
    /// As it is then.
    pub policy: Policy,
    /// What is different: its key in a profile, how it was and how it is.
    pub changes: Vec<(String, String, String)>,
}

/// What of `policy` goes into a bundle: what another home can be stricter by. A yes of a person and
/// what is about one machine stay behind.
#[must_use]
pub fn carried(policy: &Policy) -> Policy {
    Policy {
        preset: policy.preset,
        read: policy.read,
        remember: policy.remember,
        write: policy.write,
        network: policy.network,
        execute: policy.execute,
        tools: policy.tools.clone(),
        tool_timeout_ms: policy.tool_timeout_ms,
        tool_output_bytes: policy.tool_output_bytes,
        parallel_tools: policy.parallel_tools,
        approval_timeout_ms: policy.approval_timeout_ms,
        taint: policy.taint,
        sandbox: policy.sandbox,
        ..Policy::default()
    }
}

/// `own`, made as strict as `theirs` wherever that is the stricter of the two. Where it is not,
/// nothing changes.
#[must_use]
pub fn tightened(own: &Policy, theirs: &Policy) -> Tightened {
    let mut policy = own.clone();
    let mut changes = Vec::new();
    let mut note = |key: &str, from: String, to: String| changes.push((key.to_string(), from, to));
    if theirs.preset > policy.preset {
        let (from, to) = (policy.preset.to_string(), theirs.preset.to_string());
        note("preset", from, to);
        // The presets fall monotonically, and what is explicit still counts.
        policy.preset = theirs.preset;
    }
    for class in [
        ToolClass::Read,
        ToolClass::Remember,
        ToolClass::Write,
        ToolClass::Network,
        ToolClass::Execute,
    ] {
        let (from, to) = (policy.class_action(class), theirs.class_action(class));
        if to > from {
            note(class.name(), from.name().into(), to.name().into());
            *explicit(&mut policy, class) = Some(to);
        }
    }
    for (tool, to) in &theirs.tools {
        let key = format!("tools.{tool}");
        match policy.tools.get(tool).copied() {
            Some(from) if from < *to => note(&key, from.name().into(), to.name().into()),
            // Less than a no could be more than its class allows here.
            None if *to == Action::Deny => note(&key, String::new(), to.name().into()),
            _ => continue,
        }
        policy.tools.insert(tool.clone(), *to);
    }
    if theirs.taint() > policy.taint() {
        let (from, to) = (policy.taint(), theirs.taint());
        note("taint", from.name().into(), to.name().into());
        policy.taint = Some(to);
    }
    if theirs.sandbox() < policy.sandbox() {
        note("sandbox", "best_effort".into(), "required".into());
        policy.sandbox = Some(theirs.sandbox());
    }
    let (mine, other) = (policy.tool_limits(), theirs.tool_limits());
    let mut less = |key: &str, from: u64, to: u64, value: &mut Option<u64>| {
        if to < from {
            note(key, from.to_string(), to.to_string());
            *value = Some(to);
        }
    };
    less(
        "tool_timeout_ms",
        mine.timeout_ms,
        other.timeout_ms,
        &mut policy.tool_timeout_ms,
    );
    less(
        "tool_output_bytes",
        mine.output_bytes,
        other.output_bytes,
        &mut policy.tool_output_bytes,
    );
    let waits_ms = policy.approval_timeout_ms();
    less(
        "approval_timeout_ms",
        waits_ms,
        theirs.approval_timeout_ms(),
        &mut policy.approval_timeout_ms,
    );
    let (at_once, others) = (policy.parallel_tools(), theirs.parallel_tools());
    if others < at_once {
        note("parallel_tools", at_once.to_string(), others.to_string());
        policy.parallel_tools = u32::try_from(others).ok();
    }
    Tightened { policy, changes }
}

fn explicit(policy: &mut Policy, class: ToolClass) -> &mut Option<Action> {
    match class {
        ToolClass::Read => &mut policy.read,
        ToolClass::Remember => &mut policy.remember,
        ToolClass::Write => &mut policy.write,
        ToolClass::Network => &mut policy.network,
        ToolClass::Execute => &mut policy.execute,
    }
}
