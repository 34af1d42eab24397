//! Tools and channels made of WebAssembly that lie in folders: the workspace's `.tau/tools`, and the person's own.
//!
//! A tool is `NAME.wasm` with its manifest `NAME.json` beside it. One that asks for nothing is offered
//! as it lies there, since nothing is all it can reach; what asks for more is offered once a person
//! agreed to that very module and manifest ([`approvals`]). What is broken, changed, revoked or has a
//! name that could be taken for another tool's is listed with the reason, and never runs.

mod approvals;
mod call;
mod directory;
mod folder;

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tau_core::{
    ids::EffectId,
    message::ToolStatus,
    policy::Paths,
    tool::{
        ToolOutput, ToolRun, ToolSpec,
        manifest::{Manifest, Signed, Trust},
    },
};
use tau_platform::{HostTools, HttpTool};
use tau_target_native::{TokioClock, egress::Egress};
use tau_target_wasi::{Engine as _, Program};
use tau_target_wasmtime::{Cache, Engine};

use crate::home::Home;
pub(crate) use approvals::Approvals;
pub(crate) use call::Within;
pub(crate) use folder::{Pair, read_manifest, read_module, read_pair, read_regular};

/// Where a tool was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `.tau/tools` of the workspace.
    Workspace,
    /// Tau's own folder: the person's, in every workspace.
    Own,
}

impl Place {
    /// As lists show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Own => "own",
        }
    }

    /// The folder.
    pub(crate) fn folder(self, home: &Home, workspace: &Path) -> PathBuf {
        match self {
            Self::Workspace => workspace.join(".tau").join("tools"),
            Self::Own => home.tools(),
        }
    }
}

/// Whether a tool is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Ready,
    /// Once a person agrees to what it asks for.
    Unapproved,
    /// Never, as it is.
    Refused(String),
}

/// A tool that was found.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// Of the manifest; where that cannot be read, of the file.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) place: Place,
    pub(crate) state: State,
    /// Where it can be read.
    pub(crate) manifest: Option<Manifest>,
    /// Who vouches for it.
    pub(crate) signed_by: Option<String>,
    /// What a person agrees to.
    pub(crate) digest: String,
    module: Vec<u8>,
    loaded: OnceLock<Result<Ready, String>>,
}

/// A module that can run.
struct Ready(Box<dyn Program>);

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ready")
    }
}

/// What all tools of one workspace share.
#[derive(Debug)]
pub(crate) struct Plugins {
    found: Vec<Arc<Plugin>>,
    shared: Arc<Shared>,
}

struct Shared {
    workspace: PathBuf,
    paths: Paths,
    /// What no tool sees, even where the workspace holds it.
    hidden: PathBuf,
    http: HttpTool<Egress, TokioClock>,
    compiled: PathBuf,
    key: PathBuf,
    engine: OnceLock<Result<Engine, String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

impl Plugins {
    /// The tools of `home` and of `workspace`, whose protected files are `paths`.
    pub(crate) fn find(
        home: &Home,
        workspace: &Path,
        paths: &Paths,
        trust: &Trust,
        http: HttpTool<Egress, TokioClock>,
    ) -> Self {
        let approvals = Approvals::of(home);
        let mut found: Vec<Plugin> = Vec::new();
        // The person's own come first: nothing of a workspace takes their names.
        for place in [Place::Own, Place::Workspace] {
            for pair in folder::pairs(&place.folder(home, workspace)) {
                let mut plugin = Plugin::new(pair, place, trust, &approvals);
                let taken = found.iter().find(|other| other.name == plugin.name);
                if let Some(taken) = taken {
                    let file = taken.file.display();
                    plugin.state = State::Refused(format!("{file} has the same name"));
                }
                found.push(plugin);
            }
        }
        Self {
            found: found.into_iter().map(Arc::new).collect(),
            shared: Arc::new(Shared {
                workspace: workspace.to_owned(),
                paths: paths.clone(),
                hidden: home.root().to_owned(),
                http,
                compiled: home.modules(),
                key: home.modules_key_file(),
                engine: OnceLock::new(),
            }),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Plugin>] {
        &self.found
    }

    /// Those that bring messages, whatever their state.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.found.iter().filter(|plugin| plugin.is_channel())
    }

    /// One call of a channel, within `limits`: `input` in, what it printed out. The error says why
    /// there is nothing, in words for a person. Dropping the future ends the call.
    pub(crate) async fn exchange(
        &self,
        channel: &Arc<Plugin>,
        input: &Value,
        limits: Within,
    ) -> Result<String, String> {
        if channel.state != State::Ready || !channel.is_channel() {
            return Err(match channel.state {
                State::Ready => format!("{} is a tool, not a channel", channel.name),
                _ => channel.why_not(),
            });
        }
        let shared = Arc::clone(&self.shared);
        call::exchange(Arc::clone(channel), shared, input, limits).await
    }

    /// The one called `name`: where two are, the one that runs.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.found.iter().find(|plugin| plugin.name == name)
    }
}

impl HostTools for Plugins {
    fn specs(&self) -> Vec<ToolSpec> {
        let ready = self
            .found
            .iter()
            .filter(|plugin| plugin.state == State::Ready && !plugin.is_channel());
        ready
            .filter_map(|plugin| Some(plugin.manifest.as_ref()?.spec()))
            .collect()
    }

    async fn run(&self, _: EffectId, run: ToolRun) -> ToolOutput {
        let plugin = self.get(&run.name);
        let ready = plugin.filter(|plugin| plugin.state == State::Ready && !plugin.is_channel());
        let Some(plugin) = ready else {
            return ToolOutput {
                status: ToolStatus::Denied,
                ..ToolOutput::error(match plugin {
                    Some(plugin) if plugin.is_channel() => {
                        format!("{} is a channel: no model calls it", run.name)
                    }
                    Some(plugin) => plugin.why_not(),
                    None => format!("this home has no tool {}", run.name),
                })
            };
        };
        call::run(Arc::clone(plugin), Arc::clone(&self.shared), run).await
    }
}

impl Plugin {
    fn new(pair: Pair, place: Place, trust: &Trust, approvals: &Approvals) -> Self {
        let Pair {
            file,
            stem,
            module,
            manifest,
        } = pair;
        let mut plugin = Self {
            name: stem,
            file,
            place,
            state: State::Ready,
            manifest: None,
            signed_by: None,
            digest: String::new(),
            module: module.unwrap_or_default(),
            loaded: OnceLock::new(),
        };
        let checked = manifest.and_then(|manifest| {
            plugin.name.clone_from(&manifest.name);
            let verified = manifest.verify(&plugin.module, trust);
            let manifest = plugin.manifest.insert(manifest);
            plugin.digest = manifest.digest(&plugin.module);
            tau_target_wasi::check_header(&plugin.module).map_err(|error| error.to_string())?;
            verified.map_err(|error| error.to_string())
        });
        match checked {
            Err(why) => plugin.state = State::Refused(why),
            Ok(signed) => {
                plugin.signed_by = match signed {
                    Signed::By(did) => Some(did),
                    Signed::Unsigned => None,
                };
                let asks = plugin.manifest.as_ref().is_some_and(Manifest::needs_a_yes);
                if asks && !approvals.holds(&plugin.digest) {
                    plugin.state = State::Unapproved;
                }
            }
        }
        plugin
    }

    /// What it asks for, one line each.
    pub(crate) fn asks(&self) -> Vec<String> {
        let asks = self.manifest.as_ref();
        asks.map_or_else(Vec::new, Manifest::asks)
    }

    /// Whether it brings messages, and is no tool.
    pub(crate) fn is_channel(&self) -> bool {
        self.manifest.as_ref().is_some_and(Manifest::is_channel)
    }

    /// Why it is not offered.
    pub(crate) fn why_not(&self) -> String {
        match &self.state {
            State::Ready => String::new(),
            State::Unapproved => format!(
                "{} asks to {}, and nobody agreed to that yet (tau tool approve {})",
                self.name,
                self.asks().join(", "),
                self.name
            ),
            State::Refused(why) => format!("{} is refused: {why}", self.name),
        }
    }

    /// The module compiled, or taken from the cache; once for all calls.
    fn program(&self, shared: &Shared) -> Result<&dyn Program, &str> {
        let load = || {
            let engine = shared
                .engine
                .get_or_init(|| {
                    // Without a cache it is slower, and no worse.
                    let cache = Cache::open(&shared.compiled, &shared.key).ok();
                    Engine::new(cache).map_err(|error| error.to_string())
                })
                .as_ref()
                .map_err(Clone::clone)?;
            let program = engine
                .load(&self.module)
                .map_err(|error| error.to_string())?;
            Ok(Ready(program))
        };
        match self.loaded.get_or_init(load) {
            Ok(ready) => Ok(&*ready.0),
            Err(why) => Err(why),
        }
    }
}
