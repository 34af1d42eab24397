//! Where Tau keeps things: `TAU_HOME`, or the platform's data folder.

use etcetera::AppStrategy;
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tau_core::policy::Paths;
use tau_target_native::tools::Kept;

use crate::{
    config,
    credentials::Vault,
    exit::{Error, Exit},
    store::{self, Place, Store},
    ui::Ui,
};

/// The folder with everything Tau keeps. Made when something is first written.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
    ui: Ui,
    /// The stored credentials, once they were opened: a passphrase is asked for once.
    vault: Arc<OnceLock<Arc<Vault>>>,
}

impl Home {
    /// The folder this process uses. A person is spoken to by `ui`.
    pub(crate) fn find(ui: Ui) -> Result<Self, Error> {
        let of = |root| Self {
            root,
            ui,
            vault: Arc::default(),
        };
        if let Some(root) = std::env::var_os("TAU_HOME").filter(|value| !value.is_empty()) {
            let root = std::path::absolute(PathBuf::from(root))
                .map_err(|error| Error::config("TAU_HOME does not name a folder").cause(error))?;
            return Ok(of(root));
        }
        let strategy = etcetera::app_strategy::choose_native_strategy(etcetera::AppStrategyArgs {
            top_level_domain: String::new(),
            author: String::new(),
            app_name: "tau".into(),
        });
        match strategy {
            Ok(strategy) => Ok(of(strategy.data_dir())),
            Err(error) => Err(Error::config("this system has no data folder for you")
                .cause(error)
                .hint("set TAU_HOME to a folder of your own")),
        }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The profile.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// How a person is spoken to.
    pub(crate) fn ui(&self) -> Ui {
        self.ui
    }

    /// The stored credentials, if this process opened them.
    pub(crate) fn vault(&self) -> &OnceLock<Arc<Vault>> {
        &self.vault
    }

    /// Sessions and memory, unless they are elsewhere.
    fn store_file(&self) -> PathBuf {
        self.root.join("tau.db")
    }

    /// Where sessions and memory are: what `TAU_STORE` names, what the profile does, a file here.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        if let Some(named) = std::env::var_os(store::VARIABLE).filter(|value| !value.is_empty()) {
            return match named.to_str() {
                Some(named) => Place::parse(named, store::VARIABLE),
                None => Ok(Place::File(named.into())),
            };
        }
        match config::load(&self.config_file())?.store.url {
            Some(url) => Place::parse(&url, "store.url"),
            None => Ok(Place::File(self.store_file())),
        }
    }

    /// The sealed credentials.
    pub(crate) fn credentials_file(&self) -> PathBuf {
        self.root.join("credentials.json")
    }

    /// The agent's identity: its sealed seed, and the log of its keys.
    pub(crate) fn identity_file(&self) -> PathBuf {
        self.root.join("identity.json")
    }

    /// The person's own tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// What tools a person agreed to.
    pub(crate) fn approved_tools(&self) -> PathBuf {
        self.root.join("approved-tools")
    }

    /// What identity files a person said are theirs.
    pub(crate) fn confirmed_files(&self) -> PathBuf {
        self.root.join("confirmed-files")
    }

    /// Who has which session.
    pub(crate) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// The embedded models: `TAU_MODELS`, so that several homes can share them, or a folder here.
    pub(crate) fn models(&self) -> PathBuf {
        match std::env::var_os("TAU_MODELS").filter(|value| !value.is_empty()) {
            Some(folder) => folder.into(),
            None => self.root.join("models"),
        }
    }

    /// Compiled WebAssembly modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.root.join("modules")
    }

    /// What says that those are ours.
    pub(crate) fn modules_key_file(&self) -> PathBuf {
        self.root.join("modules.key")
    }

    /// What was typed in `tau chat`.
    pub(crate) fn history_file(&self) -> PathBuf {
        self.root.join("history.txt")
    }

    /// What no tool may write: what the profile says in `paths`, and this folder as it may be
    /// written in a command.
    pub(crate) fn protected(&self, paths: &Paths) -> Paths {
        let mut own = vec![self.root.clone()];
        own.extend(self.root.canonicalize());
        if let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) {
            let short = |path: &PathBuf| {
                let rest = path.strip_prefix(&home).ok()?;
                Some(Path::new("~").join(rest))
            };
            own.extend(own.clone().iter().filter_map(short));
        }
        let mut own: Vec<String> = own
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        own.dedup();
        Paths {
            own,
            ..paths.clone()
        }
    }

    /// What is put back when a command of the agent's changes it all the same.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            files: vec![self.config_file()],
            rejected: Some(self.root.join("rejected")),
        }
    }

    /// Makes the folder, readable by its owner alone.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.root)
            .map_err(|error| self.unusable(&error))
    }

    /// Opens the store, made when it is missing. A server is not asked before it is needed.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        self.make()?;
        self.store_at(self.place()?)
    }

    /// Opens the store at `place`.
    pub(crate) fn store_at(&self, place: Place) -> Result<Store, Error> {
        match place {
            Place::File(path) => Ok(Store::file(&path)?),
            Place::Server(options) => {
                let table = config::load(&self.config_file())?.store;
                let password = store::password(self, &options, &table);
                Ok(Store::server(*options, password))
            }
        }
    }

    fn unusable(&self, error: &io::Error) -> Error {
        Error::new(
            Exit::Store,
            format!("the folder {} cannot be made", self.root.display()),
        )
        .cause(error)
        .hint("set TAU_HOME to a folder you can write to")
    }
}
