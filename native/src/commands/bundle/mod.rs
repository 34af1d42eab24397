//! `tau bundle`: an agent in one file, signed.

mod export;
mod folders;
mod import;
mod show;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use argon2::{Algorithm, Argon2, Params, Version};
use indicatif::ProgressBar;
use tau_core::bundle::{BundleError, Kdf, Kind, Limits, PartName, Place, is_sealed_for_agents};
use tau_kamn::bytes::hex;
use tau_platform::bundle::{ReadError, Whole, read};
use zeroize::Zeroizing;

use super::block_on;
use crate::{
    credentials::ask,
    exit::{Error, Exit},
    home::Home,
    identity::Identity,
    ui::Ui,
};

pub(crate) use show::verify;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  tau bundle export -o agent.bundle                      everything, signed and readable by anyone
  tau bundle export --session 3f2a --encrypt-to DID -o one.bundle
  tau bundle export --since agent.bundle -o news.bundle  only what is new since then
  tau bundle show agent.bundle                           whose it is and what is in it
  tau bundle import agent.bundle --dry-run && tau bundle import agent.bundle

Nothing secret is in a bundle: no key of the agent, no credential, nothing that you allowed for
good. What does not verify is refused by the name of the part, and then nothing is imported.";

/// Carry the agent to another home, in one signed file.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write a bundle; by default of all sessions and memories, the policy, your tools and the
    /// identity files of the folder.
    Export(export::Args),
    /// Verify a bundle and show whose it is and what is in it.
    Show(show::Args),
    /// Take over what a bundle holds: its sessions and memories, and what --only names.
    ///
    /// All of it is verified before anything is stored, and importing the same again changes nothing.
    /// What another agent wrote is treated as words of others. A policy is only ever tightened, tools
    /// are not offered before you approve them, and files that are there stay as they are.
    Import(import::Args),
}

/// What a bundle is narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
enum What {
    /// Sessions, with their receipts.
    Sessions,
    /// What is remembered.
    Memory,
    /// The policy of the profile.
    Policy,
    /// Your own tools of WebAssembly.
    Tools,
    /// SOUL.md, AGENTS.md and USER.md of the folder's .tau.
    Files,
}

impl What {
    const ALL: [Self; 5] = [
        Self::Sessions,
        Self::Memory,
        Self::Policy,
        Self::Tools,
        Self::Files,
    ];

    /// What a part belongs to; none where this version does not know it.
    fn of(name: &PartName) -> Option<Self> {
        match name.kind() {
            Kind::Session | Kind::Receipts => Some(Self::Sessions),
            Kind::Memory => Some(Self::Memory),
            Kind::Policy => Some(Self::Policy),
            Kind::Tool | Kind::Module => Some(Self::Tools),
            Kind::File => Some(Self::Files),
            Kind::Unknown(_) => None,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    block_on(async {
        match args.command {
            Command::Export(args) => export::run(args, home, ui).await,
            Command::Show(args) => show::run(args, home, ui).await,
            Command::Import(args) => import::run(args, home, ui).await,
        }
    })?
}

/// How far something is, on a terminal.
fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Reads the bundle in `file` to its end; keeps the parts that are `wanted`.
async fn whole(
    file: &Path,
    passphrase_file: Option<&Path>,
    wanted: impl Fn(&PartName) -> bool,
    home: &Home,
    ui: Ui,
) -> Result<Result<Whole, ReadError>, Error> {
    let name = file.display().to_string();
    let unreadable = |error: io::Error| Error::usage(format!("{name} cannot be read")).cause(error);
    let mut input: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file).map_err(unreadable)?),
    };
    let signer = Opener {
        home,
        ui,
        passphrase_file,
    };
    let next = || {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match input.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(ReadError::File(format!("{name} cannot be read: {error}")));
                }
                Ok(count) => {
                    piece.truncate(count);
                    return Ok(piece);
                }
            }
        }
    };
    signer.read(next, wanted).await
}

/// Who opens what is sealed. Nothing is asked for that is not needed.
struct Opener<'a> {
    home: &'a Home,
    ui: Ui,
    passphrase_file: Option<&'a Path>,
}

impl Opener<'_> {
    async fn read(
        &self,
        mut next: impl FnMut() -> Result<Vec<u8>, ReadError>,
        wanted: impl Fn(&PartName) -> bool,
    ) -> Result<Result<Whole, ReadError>, Error> {
        let first = match next() {
            Ok(first) => first,
            Err(error) => return Ok(Err(error)),
        };
        // The agent's keys may ask for a passphrase of their own: only for what is sealed for agents.
        let signer = match is_sealed_for_agents(&first) {
            true => match Identity::load(self.home)? {
                Some(identity) => Some(identity.need_unlocked(self.ui)?),
                None => None,
            },
            false => None,
        };
        let bar = progress();
        let mut pieces = Some(first);
        let done = read(
            || pieces.take().map_or_else(&mut next, Ok),
            signer.as_ref(),
            |kdf| self.derived(kdf),
            Limits::default(),
            wanted,
            |part, bytes| bar.set_message(format!("{part}, {} KiB", bytes.div_ceil(1024))),
        )
        .await;
        bar.finish_and_clear();
        Ok(done)
    }

    fn derived(&self, kdf: &Kdf) -> Result<Zeroizing<[u8; 32]>, ReadError> {
        let given = match self.passphrase_file {
            Some(file) => ask::in_file(file).map(Some),
            None => ask::given(),
        };
        let passphrase = given.map_err(|error| ReadError::File(error.message))?;
        let passphrase = passphrase.ok_or(ReadError::Passphrase)?;
        derive(kdf, &passphrase).map_err(ReadError::File)
    }
}

/// The key that follows from a passphrase.
fn derive(kdf: &Kdf, passphrase: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let params = Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(32));
    let params = params.map_err(|error| error.to_string())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &kdf.salt, key.as_mut_slice())
        .map_err(|error| error.to_string())?;
    Ok(key)
}

/// Why a bundle is not used, as the program ends with it.
fn refused(file: &Path, error: &ReadError) -> Error {
    let name = file.display();
    let told = match error {
        ReadError::Bundle(BundleError { place, reason }) => match place {
            Place::Part(part) => {
                Error::usage(format!("{name}: part {part} is refused")).cause(reason)
            }
            place => Error::usage(format!("{name}: {place} is refused")).cause(reason),
        },
        ReadError::File(_) => Error::usage(error.to_string()),
        _ => Error::new(Exit::Auth, format!("{name} cannot be opened")).cause(error),
    };
    told.hint(match error {
        ReadError::Passphrase => "name the file with it: --passphrase-file",
        ReadError::NoIdentity => "`tau identity new` makes one; ask for a bundle sealed for it",
        ReadError::NotForUs { .. } => "ask for one that is sealed for this agent",
        _ => "nothing of it was used",
    })
}

/// What a bundle is called by, for people.
fn short(id: &[u8; 32]) -> String {
    hex(id).chars().take(16).collect()
}

fn only(given: &[What], default: &[What]) -> BTreeSet<What> {
    match given.is_empty() {
        true => default.iter().copied().collect(),
        false => given.iter().copied().collect(),
    }
}

fn workspace(given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| PathBuf::from("."))
}
