//! For tests that need a process of their own: `call_tool FOLDER TOOL ARGUMENTS` calls one tool of
//! the native home in a folder, prints what it says, and exits with 1 unless it did what it is for.

#![expect(clippy::print_stdout, reason = "printing is all this program does")]

#[path = "../tools_support/unconfined.rs"]
mod unconfined;

use std::{env, error::Error, path::Path, process::ExitCode};

use tau_core::{
    ids::{CallId, EffectId},
    message::ToolStatus,
    policy::Policy,
    tool::{ToolClass, ToolRun},
};
use tau_platform::HostTools;
use tau_target_native::{TokioClock, tools::NativeTools};
use unconfined::Unconfined;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, name, json] = arguments.as_slice() else {
        return Err("usage: call_tool FOLDER TOOL ARGUMENTS".into());
    };
    let run = ToolRun {
        call_id: CallId("call".into()),
        name: name.clone(),
        arguments: serde_json::from_str(json)?,
        limits: Policy::default().tool_limits(),
        rates: Policy::default().rate_limits(ToolClass::Read),
        http: None,
        programs: Some(Policy::default().program_limits()),
    };
    let tools = NativeTools::new(Path::new(folder), TokioClock, Unconfined)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let output = runtime.block_on(tools.run(EffectId(0), run));
    println!("{}", output.text);
    Ok(match output.status {
        ToolStatus::Ok => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
