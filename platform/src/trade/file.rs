//! Files that agents hand each other, as canonical JSON.
//!
//! ```text
//! {"v":1,"type":"tau:ledger:v1","logs":[…],"ledger":{"name","keeper","head","events":[…]}}
//! {"v":1,"type":"tau:trust:v1","height":…,"logs":[…],"ledgers":[…],"attestations":[…]}
//! {"v":1,"type":"tau:escrow-command:v1","log":{…},"command":{…,"sig":"z…"}}
//! {"v":1,"type":"kamn:attestation:v1", …,"sig":"z…"}
//! ```
//!
//! A file brings the key logs its signatures are held against, so whoever has it can check all of it; the
//! name of an agent proves its log. Sizes are limited before anything is read.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec::Vec,
};
use tau_kamn::{
    AgentDid,
    attest::{Admitted, SignedAttestation},
    bytes::{from_hex, hex},
    escrow::SignedCommand,
    jcs::{self, Fields, Integer, Object, Value},
    kel::KeyLog,
    ledger::{GENESIS, SignedEvent},
};

use super::{ATTESTATIONS_LIMIT, Kept, Trade, TradeError, rows};
use crate::Storage;

/// Bytes of a file that are read.
pub const FILE_LIMIT_BYTES: usize = 16 << 20;
/// Events of one ledger that are read.
const EVENTS_LIMIT: usize = 100_000;
/// Key logs of one file that are read.
const LOGS_LIMIT: usize = 4_096;
/// Ledgers of one file that are read.
const LEDGERS_LIMIT: usize = 256;

const LEDGER: &str = "tau:ledger:v1";
const TRUST: &str = "tau:trust:v1";
const COMMAND: &str = "tau:escrow-command:v1";
const ATTESTATION: &str = "kamn:attestation:v1";

/// What somebody handed over; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// A ledger.
    Ledger {
        /// The key logs of its keeper and of the parties.
        logs: Vec<KeyLog>,
        /// The ledger.
        ledger: LedgerFile,
    },
    /// All that scores are computed from.
    Trust(TrustFile),
    /// A command to an escrow.
    Command(CommandFile),
    /// One attestation.
    Attestation(SignedAttestation),
}

/// A ledger by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFile {
    /// What its keeper calls it.
    pub name: String,
    /// Who keeps it.
    pub keeper: AgentDid,
    /// The hash of its last event: one that is left out at the end is missed.
    pub head: Option<[u8; 32]>,
    /// Its events, from the first.
    pub events: Vec<SignedEvent>,
}

/// All that scores are computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFile {
    /// The hour since 1970 that the exporter computed scores at.
    pub height: u64,
    /// The key logs of everybody.
    pub logs: Vec<KeyLog>,
    /// The ledgers that say who dealt with whom.
    pub ledgers: Vec<LedgerFile>,
    /// The attestations, with when they came to the exporter.
    pub attestations: Vec<Admitted>,
}

/// A command to an escrow, with the log of who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandFile {
    /// The signer's key log.
    pub log: KeyLog,
    /// The command.
    pub command: SignedCommand,
}

impl File {
    /// Reads a file of any of these kinds.
    pub fn read(bytes: &[u8]) -> Result<Self, TradeError> {
        let value = jcs::parse(bytes, FILE_LIMIT_BYTES)?;
        let is_attestation = value
            .as_object()
            .and_then(|object| object.get("type"))
            .is_some_and(|kind| kind.as_str() == Some(ATTESTATION));
        if is_attestation {
            return Ok(Self::Attestation(SignedAttestation::from_value(value)?));
        }
        let mut fields = Fields::of("file", value)?;
        let kind = fields.string("type")?;
        rows::check_version("the file", fields.unsigned("v")?)?;
        let file = match kind.as_str() {
            LEDGER => Self::Ledger {
                logs: logs(&mut fields)?,
                ledger: LedgerFile::from_fields(fields.fields("ledger", "ledger")?)?,
            },
            TRUST => Self::Trust(TrustFile::from_fields(&mut fields)?),
            COMMAND => Self::Command(CommandFile {
                log: KeyLog::from_value(fields.value("log")?)?,
                command: SignedCommand::from_value(fields.value("command")?)?,
            }),
            _ => {
                return Err(TradeError::File {
                    why: "neither a ledger, nor attestations, nor a command to an escrow",
                });
            }
        };
        fields.end()?;
        Ok(file)
    }

    /// The file as canonical JSON.
    pub fn to_value(&self) -> Result<Value, TradeError> {
        let of = |kind: &str| Object::new().with("v", 1_u32).with("type", kind);
        Ok(match self {
            Self::Ledger { logs, ledger } => of(LEDGER)
                .with("logs", log_values(logs))
                .with("ledger", ledger.to_value()?)
                .into(),
            Self::Trust(trust) => {
                let ledgers = trust.ledgers.iter().map(LedgerFile::to_value);
                let admitted = trust.attestations.iter().map(rows::admitted_object);
                of(TRUST)
                    .with("height", Integer::try_from(trust.height)?)
                    .with("logs", log_values(&trust.logs))
                    .with("ledgers", collected(ledgers)?)
                    .with("attestations", collected(admitted)?)
                    .into()
            }
            Self::Command(command) => of(COMMAND)
                .with("log", command.log.to_value())
                .with("command", command.command.to_value()?)
                .into(),
            Self::Attestation(signed) => signed.to_value()?,
        })
    }
}

impl LedgerFile {
    fn to_value(&self) -> Result<Value, TradeError> {
        let head = self.head.map_or_else(|| GENESIS.into(), |head| hex(&head));
        let events = self.events.iter().map(SignedEvent::to_value);
        Ok(Object::new()
            .with("name", self.name.as_str())
            .with("keeper", self.keeper.as_kamn())
            .with("head", head)
            .with("events", collected(events)?)
            .into())
    }

    fn from_fields(mut fields: Fields) -> Result<Self, TradeError> {
        let name = fields.string("name")?;
        rows::check_name(&name)?;
        let keeper = fields.string("keeper")?.parse()?;
        let head = match fields.string("head")?.as_str() {
            GENESIS => None,
            text => Some(from_hex("the ledger's head", text)?),
        };
        let events = limited("events of a ledger", EVENTS_LIMIT, &mut fields, "events")?;
        fields.end()?;
        let events = events.into_iter().map(SignedEvent::from_value);
        Ok(Self {
            name,
            keeper,
            head,
            events: events.collect::<Result<_, _>>()?,
        })
    }
}

impl TrustFile {
    fn from_fields(fields: &mut Fields) -> Result<Self, TradeError> {
        let height = fields.unsigned("height")?;
        let logs = logs(fields)?;
        let ledgers = limited("ledgers", LEDGERS_LIMIT, fields, "ledgers")?;
        let ledgers = ledgers.into_iter().map(|value| {
            let fields = Fields::of("ledger", value)?;
            LedgerFile::from_fields(fields)
        });
        let ledgers = ledgers.collect::<Result<_, _>>()?;
        let admitted = limited("attestations", ATTESTATIONS_LIMIT, fields, "attestations")?;
        let admitted = admitted
            .into_iter()
            .map(|value| rows::read_admitted(Fields::of("admitted attestation", value)?));
        Ok(Self {
            height,
            logs,
            ledgers,
            attestations: admitted.collect::<Result<_, _>>()?,
        })
    }
}

impl Trade {
    /// A ledger with the logs of its keeper and of everybody who acts in it.
    pub async fn export_ledger<S: Storage>(
        &self,
        name: &str,
        storage: &S,
    ) -> Result<File, TradeError> {
        let ledger = self.ledger_file(name, storage).await?;
        let dids = Self::acting([self.ledger(name)?]);
        Ok(File::Ledger {
            logs: self.logs_of(dids),
            ledger,
        })
    }

    /// All that scores are computed from: whoever has it computes the same.
    pub async fn export_trust<S: Storage>(
        &self,
        height: u64,
        storage: &S,
    ) -> Result<File, TradeError> {
        // A ledger that nothing was written to says nothing.
        let sound = |kept: &&Kept| kept.check().is_ok() && !kept.ledger().is_empty();
        let sound: Vec<&Kept> = self.ledgers().filter(sound).collect();
        let mut ledgers = Vec::new();
        for kept in &sound {
            ledgers.push(self.ledger_file(kept.name(), storage).await?);
        }
        let mut dids = Self::acting(sound);
        for admitted in self.book.admitted() {
            let attestation = admitted.signed.attestation();
            dids.insert(attestation.issuer.clone());
            dids.insert(attestation.subject.clone());
        }
        Ok(File::Trust(TrustFile {
            height,
            logs: self.logs_of(dids),
            ledgers,
            attestations: self.book.admitted().to_vec(),
        }))
    }

    /// Keepers and parties: those whose signatures are in the ledgers.
    fn acting<'a>(ledgers: impl IntoIterator<Item = &'a Kept>) -> BTreeSet<AgentDid> {
        let mut dids = BTreeSet::new();
        for kept in ledgers {
            dids.insert(kept.keeper().clone());
            for escrow in kept.ledger().escrows() {
                let terms = escrow.terms();
                let parties = [&terms.payer, &terms.payee].into_iter();
                let parties = parties.chain(&terms.arbiter).cloned();
                dids.extend(parties.filter_map(|did| AgentDid::try_from(did).ok()));
            }
        }
        dids
    }

    fn logs_of(&self, dids: BTreeSet<AgentDid>) -> Vec<KeyLog> {
        let logs = dids.iter().filter_map(|did| self.known.get(did));
        logs.cloned().collect()
    }

    async fn ledger_file<S: Storage>(
        &self,
        name: &str,
        storage: &S,
    ) -> Result<LedgerFile, TradeError> {
        let kept = self.ledger(name)?;
        Ok(LedgerFile {
            name: rows::name_there(name).to_string(),
            keeper: kept.keeper().clone(),
            head: kept.ledger().head().copied(),
            events: self.events(name, storage).await?,
        })
    }
}

fn logs(fields: &mut Fields) -> Result<Vec<KeyLog>, TradeError> {
    let logs = limited("key logs", LOGS_LIMIT, fields, "logs")?;
    let logs = logs.into_iter().map(KeyLog::from_value);
    Ok(logs.collect::<Result<_, _>>()?)
}

fn log_values(logs: &[KeyLog]) -> Value {
    logs.iter().map(KeyLog::to_value).collect()
}

fn collected<T: Into<Value>, E: Into<TradeError>>(
    items: impl Iterator<Item = Result<T, E>>,
) -> Result<Value, TradeError> {
    let items: Result<Vec<Value>, E> = items.map(|item| item.map(Into::into)).collect();
    Ok(items.map_err(Into::into)?.into())
}

fn limited(
    what: &'static str,
    limit: usize,
    fields: &mut Fields,
    name: &'static str,
) -> Result<Vec<Value>, TradeError> {
    let items = fields.array(name)?;
    match items.len() {
        found if found > limit => Err(TradeError::TooMany { what, limit, found }),
        _ => Ok(items),
    }
}
