//! The tools of the native home: files, searches, a shell and the clock.
//!
//! Invariants: file tools stay inside the workspace (`workspace.rs`) and do not write what the
//! policy's [`Paths`] protect; every result keeps to the call's [`ToolLimits`](tau_core::tool::ToolLimits); a
//! call that panics or hangs fails alone. Whether a call may run at all was decided before it came
//! here.
//!
//! Blocking work runs on tokio's blocking threads. A thread stuck in the operating system (a dead
//! network file system) cannot be ended: its call times out and the thread stays behind.

mod diff;
mod edit;
mod glob;
mod grep;
mod keep;
mod kind;
mod ls;
mod output;
mod peek;
mod place;
mod programs;
mod protect;
mod read;
mod shell;
mod time;
mod walk;
mod workspace;
mod write;

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tau_core::{
    ids::EffectId,
    message::ToolStatus,
    policy::Paths,
    safety::Labels,
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec, Touch, http},
};
use tau_platform::{Clock, HostTools, HttpTool};

use crate::{
    Secrets, TokioClock,
    egress::{Egress, SystemResolver},
};

use keep::Keeper;
pub use keep::{Kept, written_by_tau};
use output::Fault;
pub use peek::Peek;
pub use programs::{Programs, Requests, Started, limits};
use workspace::Workspace;
pub use workspace::WorkspaceError;

/// The tools of one workspace.
#[derive(Debug)]
pub struct NativeTools<C, P> {
    workspace: Arc<Workspace>,
    clock: C,
    programs: P,
    keeper: Keeper,
    http: HttpTool<Egress, TokioClock>,
}

impl<C: Clock, P: Programs> NativeTools<C, P> {
    /// Opens `workspace`, which must be a directory, and keeps it open. `clock` is what the `time`
    /// tool reads, `programs` starts commands.
    pub fn new(workspace: &Path, clock: C, programs: P) -> Result<Self, WorkspaceError> {
        Self::protecting(
            workspace,
            clock,
            programs,
            Paths::default(),
            Kept::default(),
        )
    }

    /// As [`new`](Self::new); what `paths` protect is not written, and what a command changes of
    /// it or of `kept` all the same is put back.
    pub fn protecting(
        workspace: &Path,
        clock: C,
        programs: P,
        paths: Paths,
        kept: Kept,
    ) -> Result<Self, WorkspaceError> {
        let workspace = Workspace::open(workspace, paths)?;
        let keeper = Keeper::new(workspace.root(), workspace.paths().clone(), kept);
        Ok(Self {
            workspace: Arc::new(workspace),
            clock,
            programs,
            keeper,
            http: http_tool(Arc::new(|_: &str| None)),
        })
    }

    /// These, with `secrets` put into the headers of requests that name one.
    #[must_use]
    pub fn with_secrets(self, secrets: Arc<dyn Secrets>) -> Self {
        Self {
            http: http_tool(secrets),
            ..self
        }
    }

    /// What requests go through.
    #[must_use]
    pub fn http(&self) -> &HttpTool<Egress, TokioClock> {
        &self.http
    }

    /// What must not be written, the folder of the workspace filled in: what the session's policy
    /// has to know.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        self.workspace.paths()
    }

    /// The canonical path of the workspace.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        self.workspace.root()
    }

    /// At most `limit_bytes` of the regular file at `path` in the workspace; `None` where nothing
    /// is. Otherwise says in a line why it is not read: links that lead elsewhere are not followed,
    /// and nothing is waited for.
    pub fn peek(&self, path: &str, limit_bytes: u64) -> Result<Option<Peek>, String> {
        self.workspace.peek(path, limit_bytes)
    }

    async fn dispatch(&self, run: ToolRun) -> ToolOutput {
        let work = match run.name.as_str() {
            "read" => read::run,
            "write" => write::run,
            "edit" => edit::run,
            "ls" => ls::run,
            "glob" => glob::run,
            "grep" => grep::run,
            "time" => {
                let now = self.clock.now();
                return self
                    .blocking(run, move |call| {
                        time::run(&call.arguments, now, jiff::tz::TimeZone::system())
                    })
                    .await;
            }
            "shell" => {
                let place = shell::Place {
                    workspace: self.workspace.root().to_owned(),
                    read_only: self.keeper.protected(),
                };
                let watch = self.keeper.watch();
                let mut output = unless_panic("shell", shell::run(&self.programs, place, run))
                    .await
                    .unwrap_or_else(Fault::into_output);
                let told = watch.end();
                if !told.is_empty() {
                    output.status = ToolStatus::Denied;
                    output.text = format!(
                        "the command changed what no tool may change\n{}\n\n{}",
                        told.join("\n"),
                        output.text
                    );
                }
                return output;
            }
            http::NAME => {
                return unless_panic(http::NAME, async { Ok(self.http.run(run).await) })
                    .await
                    .unwrap_or_else(Fault::into_output);
            }
            name => {
                return Fault::new(format!("this home has no tool {name}")).into_output();
            }
        };
        self.blocking(run, work).await
    }

    /// Runs `work` on a thread of its own, until the call's time is up.
    async fn blocking(
        &self,
        run: ToolRun,
        work: impl FnOnce(&Call) -> Result<ToolOutput, Fault> + Send + 'static,
    ) -> ToolOutput {
        let call = Call {
            workspace: Arc::clone(&self.workspace),
            arguments: run.arguments,
            output_bytes: usize::try_from(run.limits.output_bytes).unwrap_or(usize::MAX),
            cancelled: Cancelled::default(),
        };
        let _stop = CancelOnDrop(call.cancelled.clone());
        let thread = tokio::task::spawn_blocking(move || work(&call));
        let timeout = Duration::from_millis(run.limits.timeout_ms);
        match tokio::time::timeout(timeout, thread).await {
            Ok(Ok(done)) => done.unwrap_or_else(Fault::into_output),
            Ok(Err(error)) if error.is_panic() => {
                panicked(&run.name, &*error.into_panic()).into_output()
            }
            Ok(Err(_)) => Fault::new("Tau is shutting down").into_output(),
            Err(_) => ToolOutput {
                status: ToolStatus::TimedOut,
                ..Fault::new(format!(
                    "{} did not finish in {} ms",
                    run.name, run.limits.timeout_ms
                ))
                .hint("ask for less at a time")
                .into_output()
            },
        }
    }
}

/// The tools, in the order shown to the model.
#[must_use]
pub fn specs() -> Vec<ToolSpec> {
    vec![
        read::spec(),
        write::spec(),
        edit::spec(),
        ls::spec(),
        glob::spec(),
        grep::spec(),
        shell::spec(),
        time::spec(),
        http::spec(),
    ]
}

impl<C: Clock, P: Programs> HostTools for NativeTools<C, P> {
    fn specs(&self) -> Vec<ToolSpec> {
        specs()
    }

    async fn run(&self, _id: EffectId, run: ToolRun) -> ToolOutput {
        let limit = usize::try_from(run.limits.output_bytes).unwrap_or(usize::MAX);
        let mut output = self.dispatch(run).await;
        output.text = output::fit(output.text, limit);
        output
    }
}

/// The HTTP tool: it keeps to its own limits, and its time is the system's.
fn http_tool(secrets: Arc<dyn Secrets>) -> HttpTool<Egress, TokioClock> {
    HttpTool::new(Egress::new(SystemResolver, secrets), TokioClock, Vec::new())
}

/// One call, as the blocking tools see it.
struct Call {
    workspace: Arc<Workspace>,
    arguments: Value,
    output_bytes: usize,
    cancelled: Cancelled,
}

impl Call {
    fn arguments<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        arguments(&self.arguments)
    }
}

/// The arguments as a tool's own type. The dispatcher has checked them against the schema; what
/// does not fit even so fails the call.
fn arguments<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(value).map_err(|error| Fault::new("the arguments do not fit").cause(error))
}

/// Set when nobody waits for the call any more.
#[derive(Clone, Debug, Default)]
struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct CancelOnDrop(Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Polls `work`; a panic in it becomes a failure of the call.
async fn unless_panic<T>(
    tool: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut work = pin!(work);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(tool, &*panic))))
    })
    .await
}

fn panicked(tool: &str, panic: &(dyn Any + Send)) -> Fault {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Fault::new(format!("{tool} failed inside, a fault of Tau's"))
        .cause(message)
        .hint("other calls are not affected; try another way")
}

/// A spec whose arguments are `properties`, of which `required` must be there.
fn spec(
    name: &str,
    description: &str,
    class: ToolClass,
    properties: Value,
    required: &[&str],
) -> ToolSpec {
    let mut parameters = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        parameters["required"] = required.into();
    }
    let has = |argument: &str| parameters["properties"].get(argument).is_some();
    let mut touches = Vec::new();
    if has("path") {
        touches.push(Touch::Path {
            argument: "path".into(),
            writes: class == ToolClass::Write,
        });
    }
    if has("command") {
        touches.push(Touch::Command {
            argument: "command".into(),
        });
    }
    let yields = if touches.is_empty() && !has("pattern") {
        Labels::NONE
    } else {
        Labels::WORKSPACE
    };
    ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters,
        class,
        touches,
        yields,
        on_restore: match class {
            ToolClass::Read | ToolClass::Network => OnRestore::Reissue,
            ToolClass::Remember | ToolClass::Write => OnRestore::Fail,
            ToolClass::Execute => OnRestore::Ask,
        },
    }
}

#[cfg(test)]
mod tests;
