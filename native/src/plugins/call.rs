//! One call of a tool or a channel: a fresh instance with what was granted, and the end in words.

use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tau_core::{
    egress::{self, Grant as Hosts},
    message::ToolStatus,
    policy::http::HttpLimits,
    tool::{
        Ran, ToolLimits, ToolOutput, ToolRun,
        http::{Failure, cut},
        manifest::{Limits as Asked, Manifest},
    },
};
use tau_platform::HttpTool;
use tau_target_native::{TokioClock, egress::Egress};
use tau_target_wasi::{
    Bytes, Call, Clock, Dir, Directory, Grant, Limits, Outcome, Reach, Trap, Unreached, World,
    native::{MachineClock, MachineRandom},
};
use tokio::runtime::Handle;

use super::{
    Plugin, Shared,
    directory::{Kept, Rules},
};

/// What runs tools here.
pub(crate) const ENGINE: &str = "wasmtime";
/// No tool has more memory, whatever it asks for.
const MOST_MEMORY_BYTES: u64 = 1 << 30;
/// How long a tool whose time is up has to end by itself, and to say so.
const GRACE: Duration = Duration::from_secs(1);
/// How long a cancelled tool may sleep on.
const NAP: Duration = Duration::from_millis(20);
/// Of what a channel says of its failure.
const WORDS_BYTES: usize = 1024;

/// What one call may have, whatever the manifest asks for.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    /// Wall time and bytes of the answer.
    pub(crate) limits: ToolLimits,
    /// Where its requests may go; without it, it sends none.
    pub(crate) http: Option<HttpLimits>,
}

/// How a call went that came to its end.
struct Ended {
    outcome: Outcome,
    limits: Limits,
}

/// Runs `plugin` as a tool. Dropping the future ends it.
pub(super) async fn run(plugin: Arc<Plugin>, shared: Arc<Shared>, run: ToolRun) -> ToolOutput {
    let (name, module) = (plugin.name.clone(), plugin.digest.clone());
    let input = run.arguments.to_string();
    let (limits, http) = (run.limits, run.http);
    match perform(plugin, shared, input, Within { limits, http }).await {
        Ok(ended) => {
            let room = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
            let ran = Ran {
                module,
                engine: ENGINE.into(),
                fuel: ended.outcome.fuel,
            };
            ToolOutput {
                ran: Some(Box::new(ran)),
                ..report(&name, &ended.outcome, &ended.limits, room)
            }
        }
        Err(Failed { status, why }) => ToolOutput {
            status,
            ..ToolOutput::error(why)
        },
    }
}

/// Runs `plugin` as a channel: what it printed, or in words why nothing of it counts.
pub(super) async fn exchange(
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    input: &Value,
    within: Within,
) -> Result<String, String> {
    let name = plugin.name.clone();
    let most = within.limits.output_bytes;
    let ended = perform(plugin, shared, input.to_string(), within).await;
    let Ended {
        mut outcome,
        limits,
    } = ended.map_err(|failed| failed.why)?;
    if outcome.trap.is_some() || outcome.exit != Some(0) {
        // What it says of itself is on stderr; how it ended comes after that.
        outcome.stdout.clear();
        outcome.stderr.truncate(WORDS_BYTES);
        return Err(report(&name, &outcome, &limits, 2 * WORDS_BYTES).text);
    }
    if outcome.stdout.len() as u64 > most {
        let bytes = outcome.stdout.len();
        return Err(format!(
            "{name} answered with {bytes} bytes, at most {most} are read"
        ));
    }
    String::from_utf8(outcome.stdout).map_err(|_| format!("{name} answered with what is no text"))
}

/// Why a call did not come to its end.
struct Failed {
    status: ToolStatus,
    why: String,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        let status = ToolStatus::Error;
        Self { status, why }
    }
}

/// Runs `plugin` on a thread of its own.
async fn perform(
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    input: String,
    within: Within,
) -> Result<Ended, Failed> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let _cancel = CancelOnDrop(Arc::clone(&cancelled));
    let runtime = Handle::current();
    let name = plugin.name.clone();
    // A module that is not compiled yet is compiled first, which nothing can end: a small one may take
    // minutes. Then the call ends, and the thread goes on alone.
    let most = Duration::from_millis(within.limits.timeout_ms).saturating_add(GRACE);
    let work = move || on_thread(&plugin, &shared, input, within, runtime, cancelled);
    match tokio::time::timeout(most, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(ended)) => Ok(ended?),
        Err(_) => Err(Failed {
            status: ToolStatus::TimedOut,
            why: format!(
                "{name} was not compiled and run within {} ms",
                most.as_millis()
            ),
        }),
        Ok(Err(_)) => Err(Failed::from(format!(
            "{name} failed inside, a fault of Tau's; other calls are not affected"
        ))),
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn on_thread(
    plugin: &Plugin,
    shared: &Shared,
    input: String,
    within: Within,
    runtime: Handle,
    cancelled: Arc<AtomicBool>,
) -> Result<Ended, String> {
    let Some(manifest) = &plugin.manifest else {
        return Err(plugin.why_not());
    };
    let program = match plugin.program(shared) {
        Ok(program) => program,
        Err(why) => return Err(format!("{} cannot run: {why}", plugin.name)),
    };
    let dirs = directories(manifest, shared)?;
    let limits = limits(&manifest.limits, &within.limits);
    let grant = grant(manifest);
    let reach = within.http.map(|limits| {
        Box::new(Requests {
            http: shared.http.clone(),
            hosts: Hosts::new(manifest.capabilities.hosts.clone()),
            limits,
            runtime,
        }) as Box<dyn Reach>
    });
    let world = World {
        input: Box::new(Bytes::new(input.into_bytes())),
        clock: Box::new(Cancellable {
            clock: MachineClock::new(),
            cancelled,
        }),
        random: Some(Box::new(MachineRandom)),
        reach,
        dirs,
    };
    let outcome = program.run(Call {
        grant: &grant,
        limits: &limits,
        world,
    });
    Ok(Ended { outcome, limits })
}

/// What the manifest asks for, within what the call may have.
fn limits(asked: &Asked, most: &ToolLimits) -> Limits {
    let defaults = Limits::default();
    let memory = asked.memory_bytes.unwrap_or(defaults.memory_bytes);
    let output = asked.output_bytes.unwrap_or(defaults.output_bytes);
    let wall = asked.wall_ms.unwrap_or(defaults.wall_ms);
    Limits {
        fuel: asked.fuel.unwrap_or(defaults.fuel),
        memory_bytes: memory.min(MOST_MEMORY_BYTES),
        // More would be cut before anybody reads it.
        output_bytes: output.min(most.output_bytes.saturating_mul(4)),
        wall_ms: wall.min(most.timeout_ms),
        ..defaults
    }
}

fn grant(manifest: &Manifest) -> Grant {
    let asked = &manifest.capabilities;
    let value = |name: &String| Some((name.clone(), std::env::var(name).ok()?));
    Grant {
        args: vec![manifest.name.clone()],
        environment: asked.environment.iter().filter_map(value).collect(),
        dirs: asked
            .directories
            .iter()
            .map(|directory| Dir {
                host: directory.path.clone(),
                guest: directory.guest.as_ref().unwrap_or(&directory.path).clone(),
                writes: directory.writes,
            })
            .collect(),
        hosts: asked.hosts.iter().map(ToString::to_string).collect(),
        clock: asked.clock,
        random: asked.random,
    }
}

fn directories(manifest: &Manifest, shared: &Shared) -> Result<Vec<Box<dyn Directory>>, String> {
    let asked = &manifest.capabilities.directories;
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let Some(workspace) = shared.workspace.to_str() else {
        return Err("the workspace's path is not text, so no tool is given any of it".into());
    };
    let hidden = shared.hidden.canonicalize().ok();
    let hidden = hidden.and_then(|path| path.strip_prefix(workspace).ok().map(PathBuf::from));
    let rules = Arc::new(Rules {
        paths: shared.paths.clone(),
        hidden: hidden.into_iter().collect(),
    });
    let mut opened: Vec<Box<dyn Directory>> = Vec::new();
    for directory in asked {
        let path = &directory.path;
        let kept = Kept::open(workspace, path, Arc::clone(&rules)).map_err(|errno| {
            format!(
                "{} needs the directory {path}, which cannot be given to it ({errno:?})",
                manifest.name
            )
        })?;
        opened.push(Box::new(kept));
    }
    Ok(opened)
}

/// A clock that is past every deadline once the call is given up.
struct Cancellable {
    clock: MachineClock,
    cancelled: Arc<AtomicBool>,
}

impl Clock for Cancellable {
    fn monotonic_ns(&mut self) -> u64 {
        match self.cancelled.load(Ordering::Relaxed) {
            true => u64::MAX,
            false => self.clock.monotonic_ns(),
        }
    }

    fn wall_ns(&mut self) -> u64 {
        self.clock.wall_ns()
    }

    fn sleep(&mut self, nanoseconds: u64) -> bool {
        let mut left = Duration::from_nanos(nanoseconds);
        while !left.is_zero() && !self.cancelled.load(Ordering::Relaxed) {
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
        }
        true
    }
}

/// Requests of a module, decided about and sent as those of the tool `http`.
struct Requests {
    http: HttpTool<Egress, TokioClock>,
    hosts: Hosts,
    limits: HttpLimits,
    runtime: Handle,
}

impl Reach for Requests {
    fn request(
        &mut self,
        request: &[u8],
        _: &[String],
        wait_ns: u64,
    ) -> Result<Vec<u8>, Unreached> {
        let denied = |reason: String| Unreached::Denied { reason };
        let request: Value = serde_json::from_slice(request)
            .map_err(|error| denied(format!("the request is not JSON: {error}")))?;
        let url = request["url"].as_str().unwrap_or_default();
        let target = egress::parse(url).map_err(|refusal| denied(refusal.reason))?;
        self.hosts
            .check(target.origin(), &self.limits.rules)
            .map_err(|refusal| denied(refusal.reason))?;
        let mut limits = self.limits.clone();
        limits.timeout_ms = limits.timeout_ms.min(wait_ns / 1_000_000);
        // Where one leads is another host, and the module's to ask for.
        limits.redirects = 0;
        let sent = self.runtime.block_on(self.http.fetch(&request, limits));
        match sent {
            Ok(response) => Ok(response.to_json().to_string().into_bytes()),
            Err(Failure::Refused(refusal)) => Err(denied(refusal.reason)),
            Err(failure) => Err(Unreached::Failed {
                reason: failure.reason(),
            }),
        }
    }
}

fn report(name: &str, outcome: &Outcome, limits: &Limits, room: usize) -> ToolOutput {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (answer, messages) = (text(&outcome.stdout), text(&outcome.stderr));
    let mut notices = Vec::new();
    let status = match (&outcome.trap, outcome.exit) {
        (None, Some(0)) => ToolStatus::Ok,
        (None, code) => {
            notices.push(format!("{name} ended with code {}", code.unwrap_or(1)));
            ToolStatus::Error
        }
        (Some(trap), _) => {
            notices.push(format!("{name} was ended: {}", told(trap, limits)));
            match trap {
                Trap::Deadline => ToolStatus::TimedOut,
                Trap::Denied(_) => ToolStatus::Denied,
                _ => ToolStatus::Error,
            }
        }
    };
    if !outcome.denials.is_empty() && status != ToolStatus::Ok {
        notices.push(format!("denied to it: {}", outcome.denials.join(", ")));
    }
    let mut parts = vec![answer];
    if status != ToolStatus::Ok {
        parts.push(messages);
    }
    if !notices.is_empty() {
        parts.push(format!("[{}]", notices.join("; ")));
    }
    parts.retain(|part| !part.is_empty());
    ToolOutput {
        status,
        text: cut(parts.join("\n"), room),
        images: Vec::new(),
        labels: None,
        ran: None,
    }
}

/// Which limit it came to, and where that is.
fn told(trap: &Trap, limits: &Limits) -> String {
    match trap {
        Trap::Fuel => format!("fuel (limits.fuel = {})", limits.fuel),
        Trap::Memory => format!("memory (limits.memory_bytes = {})", limits.memory_bytes),
        Trap::Output => format!("output (limits.output_bytes = {})", limits.output_bytes),
        Trap::Deadline => format!("deadline (limits.wall_ms = {})", limits.wall_ms),
        other => other.to_string(),
    }
}
