//! The native home: which adapters Tau runs on here.

use std::{ops::Deref, path::Path, sync::Arc};
use tau_core::{
    ids::EffectId,
    tool::{ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{Host, HostTools, Paced, StoredCounter, TreeSigner};
use tau_target_native::{ReqwestHttp, TokioClock, tools::NativeTools};

use crate::{
    config::Profile,
    credentials::{Guarded, Keys, Vault},
    embedded::Embedded,
    embedding::HomeEmbedder,
    exit::Error,
    home::Home,
    identity,
    memory::{self, NativeMemory},
    plugins::Plugins,
    programs::Engines,
    store::Store,
};

/// Whose calls are counted together: those of the person this home belongs to.
const PRINCIPAL: &str = "local";

/// The tools of a workspace, which hand no credential on.
pub(crate) type HomeTools = Guarded<AllTools>;

/// Tau's own tools, and those that lie in folders.
#[derive(Debug)]
pub(crate) struct AllTools {
    own: NativeTools<TokioClock, Engines>,
    plugins: Plugins,
}

impl AllTools {
    /// Those that lie in folders.
    pub(crate) fn plugins(&self) -> &Plugins {
        &self.plugins
    }
}

impl Deref for AllTools {
    type Target = NativeTools<TokioClock, Engines>;

    fn deref(&self) -> &Self::Target {
        &self.own
    }
}

impl HostTools for AllTools {
    fn specs(&self) -> Vec<ToolSpec> {
        let mut specs = self.own.specs();
        specs.extend(self.plugins.specs());
        specs
    }

    async fn run(&self, id: EffectId, run: ToolRun) -> ToolOutput {
        match self.plugins.get(&run.name) {
            Some(_) => self.plugins.run(id, run).await,
            None => self.own.run(id, run).await,
        }
    }
}

/// Tools whose calls are counted over all sessions and processes of this home.
pub(crate) type Counted<T> = Paced<T, TokioClock, StoredCounter<Store, TokioClock>>;

/// Everything a session of this home can do.
pub(crate) struct NativeHost {
    clock: TokioClock,
    http: Guarded<ReqwestHttp>,
    storage: Store,
    tools: Counted<HomeTools>,
    model: Embedded,
    memory: NativeMemory,
    home: Home,
    signer: Option<TreeSigner>,
}

impl NativeHost {
    /// The home of an agent that works in the folder of `tools`; `signer` signs for it.
    pub(crate) fn new(
        home: &Home,
        http: Guarded<ReqwestHttp>,
        storage: Store,
        tools: HomeTools,
        embedder: HomeEmbedder,
        signer: Option<TreeSigner>,
    ) -> Self {
        Self {
            clock: TokioClock,
            http,
            tools: counted(tools, &storage),
            memory: memory::service(&storage, embedder),
            storage,
            model: Embedded::new(home.models()),
            home: home.clone(),
            signer,
        }
    }

    /// Signs with the keys as another program may have changed them since.
    pub(crate) fn refresh_signer(&mut self) {
        let signer = self.signer.take();
        self.signer = signer.and_then(|signer| identity::refreshed(&self.home, signer));
    }
}

impl Host for NativeHost {
    type Clock = TokioClock;
    type Http = Guarded<ReqwestHttp>;
    type Storage = Store;
    type Tools = Counted<HomeTools>;
    type Model = Embedded;
    type Memory = NativeMemory;
    type Signer = TreeSigner;

    fn clock(&self) -> &TokioClock {
        &self.clock
    }

    fn http(&self) -> &Guarded<ReqwestHttp> {
        &self.http
    }

    fn storage(&self) -> &Store {
        &self.storage
    }

    fn tools(&self) -> &Self::Tools {
        &self.tools
    }

    fn model(&self) -> &Embedded {
        &self.model
    }

    fn memory(&self) -> &NativeMemory {
        &self.memory
    }

    fn signer(&self) -> Option<&TreeSigner> {
        self.signer.as_ref()
    }
}

/// Has the calls of `tools` counted in `storage`.
pub(crate) fn counted<T>(tools: T, storage: &Store) -> Counted<T> {
    let counter = StoredCounter::new(storage.clone(), TokioClock, PRINCIPAL);
    Paced::new(tools, TokioClock, counter)
}

/// The HTTP client, which finds keys in `vault` and in the environment at the moment they are sent.
pub(crate) fn http(vault: &Arc<Vault>) -> Guarded<ReqwestHttp> {
    Guarded::new(ReqwestHttp::new(Keys(Arc::clone(vault))), Arc::clone(vault))
}

/// The tools of `workspace`; without one, of the current folder. They write nothing of `home`, nor
/// what the profile's paths protect.
pub(crate) fn tools(
    workspace: Option<&Path>,
    home: &Home,
    profile: &Profile,
    vault: &Arc<Vault>,
) -> Result<HomeTools, Error> {
    let folder = workspace.unwrap_or(Path::new("."));
    let opened = NativeTools::protecting(
        folder,
        TokioClock,
        Engines::new(home, Arc::clone(vault)),
        home.protected(&profile.policy.paths),
        home.kept(),
    );
    let tools = opened.map_err(|error| {
        Error::usage(format!("{} cannot be the workspace", folder.display()))
            .cause(error)
            .hint("name a folder with --workspace")
    })?;
    let own = tools.with_secrets(Arc::new(Keys(Arc::clone(vault))));
    let (place, paths) = (own.workspace(), own.paths());
    let plugins = Plugins::find(home, place, paths, &profile.tools, own.http().clone());
    Ok(Guarded::new(AllTools { own, plugins }, Arc::clone(vault)))
}
