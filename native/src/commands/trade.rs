//! What `tau trust` and `tau escrow` have in common: what the home knows of trade, who signs, and how
//! refusals are told.

use serde_json::{Value, json};
use std::{
    fs::File as Disk,
    io::Read,
    path::{Path, PathBuf},
};
use tau_core::ids::UnixMillis;
use tau_kamn::{
    AgentDid, KamnDid,
    escrow::{Amount, Escrow, EscrowError, Machine},
    ledger::LedgerError,
};
use tau_platform::{
    Clock, Signer, TreeSigner,
    trade::{Desk, FILE_LIMIT_BYTES, File, Kept, Trade, TradeError},
};
use tau_target_native::TokioClock;

use crate::{
    exit::{Error, Exit},
    home::Home,
    identity::{Identity, of_log, of_signer},
    sessions,
    store::Store,
    ui::Ui,
};

/// What a command works on.
pub(super) struct Market<'a> {
    pub(super) trade: Trade,
    pub(super) storage: Store,
    pub(super) home: &'a Home,
    pub(super) ui: Ui,
}

impl<'a> Market<'a> {
    /// Reads and checks what this home has.
    pub(super) async fn open(home: &'a Home, ui: Ui) -> Result<Self, Error> {
        let storage = home.store()?;
        if let Some(mut identity) = Identity::load(home)? {
            identity.settle(&storage).await?;
        }
        let trade = Trade::open(&storage).await.map_err(failed)?;
        for (name, why) in trade.unreadable() {
            ui.warn(format!("ledger {name} cannot be read: {why}"));
        }
        for error in trade.ledgers().filter_map(|kept| kept.check().err()) {
            ui.warn(error);
        }
        let market = Self {
            trade,
            storage,
            home,
            ui,
        };
        Ok(market)
    }

    /// The keys of this home's agent.
    pub(super) fn signer(&self) -> Result<TreeSigner, Error> {
        Identity::need(self.home)?.need_unlocked(self.ui)
    }

    /// Does `work` as this home's agent.
    pub(super) async fn act<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Trade, &Desk<'_, Store, TreeSigner>) -> Result<T, TradeError>,
    ) -> Result<T, Error> {
        let signer = self.signer()?;
        let desk = Desk {
            storage: &self.storage,
            signer: &signer,
            now: now(),
        };
        work(&mut self.trade, &desk).await.map_err(failed)
    }

    /// The agent of this home.
    pub(super) fn own(&self) -> Result<AgentDid, Error> {
        Ok(Identity::need(self.home)?
            .log()
            .unchecked_state()
            .did()
            .clone())
    }

    /// The ledger and the escrow whose name begins with `name`, with or without `escrow:`.
    pub(super) fn escrow(&self, name: &str) -> Result<(&Kept, &Escrow), Error> {
        let wanted = name.strip_prefix("escrow:").unwrap_or(name);
        let unknown = || {
            Error::usage(format!("there is no escrow {name:?}"))
                .hint("`tau escrow list` names them; `tau escrow import FILE` takes in a ledger")
        };
        if wanted.is_empty() {
            return Err(unknown());
        }
        let mut found: Vec<&str> = self
            .trade
            .ledgers()
            .flat_map(|kept| kept.ledger().escrows().map(Escrow::id))
            .filter(|id| id.trim_start_matches("escrow:").starts_with(wanted))
            .collect();
        found.sort_unstable();
        found.dedup();
        let id = match found[..] {
            [] => return Err(unknown()),
            [id] => id,
            [a, b, ..] => {
                return Err(Error::usage(format!("{name:?} may be {a} or {b}"))
                    .hint("write more of its name"));
            }
        };
        let kept = self.trade.ledger_of(id).map_err(failed)?;
        let escrow = kept.ledger().escrow(id).ok_or_else(unknown)?;
        Ok((kept, escrow))
    }
}

/// The present moment.
pub(super) fn now() -> UnixMillis {
    TokioClock.now()
}

/// Sixteen bytes nobody can guess: with them the same terms again are another escrow.
pub(super) fn nonce() -> Result<[u8; 16], Error> {
    let seed = sessions::seed()?;
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&seed[..16]);
    Ok(nonce)
}

/// A number that was not used before: up to 2^53, as signed objects hold it.
pub(super) fn number() -> Result<u64, Error> {
    let nonce = nonce()?;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&nonce[..8]);
    Ok(u64::from_le_bytes(bytes) >> 11)
}

/// Reads an agent's name in either form.
pub(super) fn agent(did: &str) -> Result<AgentDid, Error> {
    AgentDid::parse_any(did.trim()).map_err(|error| {
        Error::usage(format!("{did:?} names no agent"))
            .cause(error)
            .hint("such as kamn:did:agent:tau--keyh-…, as `tau identity show` prints it")
    })
}

/// Reads an amount: whole units, without leading zeros.
pub(super) fn amount(text: &str) -> Result<Amount, String> {
    text.parse::<Amount>().map_err(|error| error.to_string())
}

/// Reads what somebody handed over; `-` is stdin.
pub(super) fn read_file(path: &Path) -> Result<File, Error> {
    let limit = FILE_LIMIT_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => Disk::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    let name = path.display();
    read.map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;
    File::read(&bytes).map_err(|error| {
        let told = failed(error);
        let cause = told.cause.as_deref().unwrap_or_default();
        Error::new(told.exit, format!("{name} is not taken: {}", told.message)).cause(cause)
    })
}

/// Prints a file, or writes it where it is wanted.
pub(super) fn write_file(file: &File, out: Option<&PathBuf>, ui: Ui) -> Result<(), Error> {
    let text = file.to_value().map_err(failed)?.to_canonical();
    match out {
        None => ui.line(text),
        Some(path) => {
            let name = path.display();
            std::fs::write(path, text + "\n")
                .map_err(|error| Error::usage(format!("{name} cannot be written")).cause(error))?;
            ui.note(format!("written to {name}"));
        }
    }
    Ok(())
}

/// An agent's name, short enough for a table.
pub(super) fn short(did: &KamnDid) -> String {
    let id = did.id();
    match id.split_once("--keyh-") {
        Some((label, digits)) => format!("{label}--{}", digits.get(..8).unwrap_or(digits)),
        None => id.into(),
    }
}

/// An escrow, for programs.
pub(super) fn escrow_json(kept: &Kept, escrow: &Escrow) -> Value {
    let terms = escrow.terms();
    let machine = escrow.machine();
    let part = |of: fn(&Machine) -> Amount| machine.map_or(Amount::ZERO, of).to_string();
    json!({
        "id": escrow.id(),
        "ledger": kept.name(),
        "keeper": kept.keeper().as_kamn(),
        "state": state(escrow),
        "asset": terms.asset,
        "amount": terms.amount.to_string(),
        "released": part(Machine::released),
        "refunded": part(Machine::refunded),
        "remaining": part(Machine::remaining),
        "payer": terms.payer.as_kamn(),
        "payee": terms.payee.as_kamn(),
        "arbiter": terms.arbiter.as_ref().map(KamnDid::as_kamn),
        "task": terms.task_id,
        "created_ms": terms.created_ms,
        "deadline_ms": terms.timeout_ms,
        "disputed_ms": escrow.disputed_ms(),
        "commands": escrow.next_seq() - 1,
    })
}

/// Where an escrow stands, in a word.
pub(super) fn state(escrow: &Escrow) -> &'static str {
    escrow
        .machine()
        .map_or("unfunded", |machine| machine.state().name())
}

/// Why something of trade was not done, as the program ends with it.
pub(super) fn failed(error: TradeError) -> Error {
    let (said, code) = (error.to_string(), error.reason_code());
    let told = |exit, hint: &str| {
        let told = Error::new(exit, said.clone()).cause(code);
        if hint.is_empty() {
            told
        } else {
            told.hint(hint)
        }
    };
    match error {
        TradeError::Store(error) => error.into(),
        TradeError::Log(error) => of_log(error),
        TradeError::Signer(error) => of_signer(error),
        TradeError::Gate { .. } => told(
            Exit::Denied,
            "`tau trust show DID` says why; --min-score N says how much is enough",
        ),
        TradeError::Routing(_) => told(Exit::Denied, "ask somebody else, or lower --threshold"),
        TradeError::Damaged { .. } | TradeError::Forked { .. } => told(
            Exit::Flagged,
            "nothing more is written to it: `tau escrow ledger --check` tells more; --ledger NAME begins another",
        ),
        TradeError::NotKeeper { .. } => told(
            Exit::Usage,
            "--ledger NAME names a ledger of your own; a command for his is handed to him",
        ),
        TradeError::Clock { .. } => told(Exit::Usage, "set the clock of this machine"),
        TradeError::NoPrice { .. } => told(
            Exit::Usage,
            "give what it cost with --cost, or count in TOKENS",
        ),
        TradeError::Version { .. } => told(Exit::Usage, "a later Tau wrote it"),
        TradeError::NoLedger { .. } | TradeError::NoEscrow { .. } => told(
            Exit::Usage,
            "`tau escrow ledger` and `tau escrow list` name them",
        ),
        TradeError::Contended { .. } => told(Exit::Held, "try again"),
        TradeError::Ledger(LedgerError::Insufficient { .. }) => {
            told(Exit::Usage, "`tau escrow deposit N` puts more in")
        }
        TradeError::Ledger(LedgerError::Refused(EscrowError::TimeoutNotElapsed { .. })) => {
            told(Exit::Usage, "until then only the payee can give it back")
        }
        TradeError::Ledger(LedgerError::Refused(EscrowError::UnknownSigner { .. }))
        | TradeError::Attest(tau_kamn::attest::AttestError::UnknownIssuer { .. }) => told(
            Exit::Flagged,
            "`tau identity import FILE` takes the log that this agent exports",
        ),
        TradeError::Ledger(_) | TradeError::Attest(_) if code == "signature_invalid" => told(
            Exit::Flagged,
            "it was changed on the way, or somebody else signed it: ask for it again",
        ),
        TradeError::Ledger(_)
        | TradeError::Attest(_)
        | TradeError::TooMany { .. }
        | TradeError::File { .. }
        | TradeError::Name { .. } => told(Exit::Usage, ""),
    }
}

/// The log of this home's agent, to go with what it signs.
pub(super) fn own_log(signer: &TreeSigner) -> tau_kamn::kel::KeyLog {
    signer.log().clone()
}
