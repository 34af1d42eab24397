//! What is done with what came: who may talk, what the gate lets through, what nobody reads.
//!
//! Invariant: of a message whose sender nobody allowed, nothing is kept but who wrote, where and when;
//! and what is accepted is stored in one commit with the channel's own place, or not at all.

use tau_core::{
    ids::UnixMillis,
    policy::screen::Measure,
    safety::{Gate, Screened, Source, Untrusted},
    session::Batch,
};

use super::{
    ledger::{Ledger, Stranger},
    protocol::{Message, Received, TEXT_BYTES},
};
use crate::exit::Error;

/// Strangers that are remembered.
const STRANGERS: usize = 200;
/// Strangers that are answered within [`HOUR_MS`], whoever they are.
const TOLD_AN_HOUR: usize = 5;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// What a stranger is answered, once.
pub(super) const TO_A_STRANGER: &str = "This agent answers only those its owner named, and you are \
not among them. Nothing of your message was read; the owner can see that you wrote.";

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is to be answered. With what the gate found.
    Accepted(Vec<Screened>),
    /// It came before.
    Again,
    /// Nobody allowed its sender, who is told that now.
    Stranger {
        /// Whether they are told.
        told: bool,
    },
    /// The policy lets nothing of it through, for these families of findings.
    Withheld(String),
    /// It is too long.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It says nothing.
    Empty,
}

/// Decides about everything that was received, and stores it.
pub(crate) async fn take(
    ledger: &Ledger,
    channel: &str,
    gate: &Gate,
    received: Received,
    now: UnixMillis,
) -> Result<Vec<(Message, Taken)>, Error> {
    let before = ledger.place().await?;
    let mut place = before.clone();
    let mut batch = Batch::default();
    let mut crowd = Crowd {
        known: ledger.strangers().await?,
        changed: Vec::new(),
    };
    let mut all = Vec::new();
    for message in received.messages {
        let mut reply = |place: &mut _, text: String| {
            let (to, of) = (&message.conversation, &message.id);
            ledger.reply(place, to, of, text, &mut batch)
        };
        let taken = if !place.note(&message.id) {
            Taken::Again
        } else if !ledger.allows(&message.from, &message.conversation).await? {
            let told = crowd.wrote(&message, now);
            if told {
                reply(&mut place, TO_A_STRANGER.into())?;
            }
            Taken::Stranger { told }
        } else if message.text.trim().is_empty() {
            Taken::Empty
        } else if message.text.len() > TEXT_BYTES {
            let bytes = message.text.len();
            let text =
                format!("Your message has {bytes} bytes, and {TEXT_BYTES} are read at most.");
            reply(&mut place, text)?;
            Taken::TooLong { bytes }
        } else {
            let source = Source::Channel {
                name: channel.into(),
            };
            let (text, found) = gate.vet(Untrusted::new(message.text.clone(), source));
            match withheld(&found) {
                Some(families) => {
                    reply(&mut place, not_taken(&families))?;
                    Taken::Withheld(families)
                }
                None => {
                    let text = text.into_inner();
                    ledger.accept(&mut place, &message, text, now, &mut batch)?;
                    Taken::Accepted(found)
                }
            }
        };
        all.push((message, taken));
    }
    place.state = received.state;
    crowd.keep(ledger, &mut batch)?;
    if place != before || !batch.put.is_empty() {
        ledger.store(&place, batch).await?;
    }
    Ok(all)
}

/// What the sender of a withheld message is told.
pub(super) fn not_taken(families: &str) -> String {
    format!("Your message was not taken: it holds {families}, which the policy here blocks.")
}

fn withheld(found: &[Screened]) -> Option<String> {
    let mut families: Vec<&str> = Vec::new();
    for finding in found.iter().filter(|f| f.action == Measure::Block) {
        if !families.contains(&&*finding.family) {
            families.push(&finding.family);
        }
    }
    (!families.is_empty()).then(|| families.join(", "))
}

/// Those nobody allowed.
struct Crowd {
    known: Vec<Stranger>,
    /// Who of them wrote now.
    changed: Vec<String>,
}

impl Crowd {
    /// One of them wrote; whether they are to be told that nobody allowed them.
    fn wrote(&mut self, message: &Message, now: UnixMillis) -> bool {
        let lately = |stranger: &&Stranger| {
            let told = stranger.told;
            told.is_some_and(|told| now.since(told) < HOUR_MS)
        };
        let is_quiet = self.known.iter().filter(lately).count() < TOLD_AN_HOUR;
        let place = self.known.iter().position(|s| s.sender == message.from);
        let place = place.unwrap_or_else(|| {
            let stranger = Stranger::new(&message.from, &message.conversation, now);
            self.known.push(stranger);
            self.known.len() - 1
        });
        let Some(stranger) = self.known.get_mut(place) else {
            return false;
        };
        stranger.messages += 1;
        stranger.last = now;
        stranger.conversation.clone_from(&message.conversation);
        let tells = is_quiet && stranger.told.is_none();
        if tells {
            stranger.told = Some(now);
        }
        if !self.changed.contains(&message.from) {
            self.changed.push(message.from.clone());
        }
        tells
    }

    /// Stores who wrote. Of too many the oldest go, those first who were told nothing: nobody is told
    /// twice because others wrote in between.
    fn keep(mut self, ledger: &Ledger, batch: &mut Batch) -> Result<(), Error> {
        self.known.sort_by_key(|s| (s.told.is_some(), s.last));
        let over = self.known.len().saturating_sub(STRANGERS);
        for gone in self.known.drain(..over) {
            if !gone.key.is_empty() {
                batch.delete.push(gone.key);
            }
        }
        for stranger in &self.known {
            if self.changed.contains(&stranger.sender) {
                ledger.keep_stranger(stranger, batch)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tau_core::policy::Policy;

    use super::*;
    use crate::store::Store;

    fn ledger() -> (tempfile::TempDir, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::file(&folder.path().join("tau.db")).unwrap();
        (folder, Ledger::new(store, "chat"))
    }

    fn message(id: &str, from: &str, text: &str) -> Message {
        Message {
            id: id.into(),
            from: from.into(),
            conversation: "room".into(),
            text: text.into(),
            at: None,
        }
    }

    async fn taken(ledger: &Ledger, now: u64, messages: Vec<Message>) -> Vec<Taken> {
        let received = Received {
            messages,
            state: json!({ "now": now }),
        };
        let gate = Gate::new(&Policy::default());
        let taken = take(ledger, "chat", &gate, received, UnixMillis(now)).await;
        taken.unwrap().into_iter().map(|(_, taken)| taken).collect()
    }

    #[tokio::test]
    async fn a_message_is_accepted_once_from_those_who_are_allowed_where_they_are() {
        let (_folder, ledger) = ledger();
        ledger.allow("anna", None, UnixMillis(1)).await.unwrap();
        ledger
            .allow("bob", Some("room"), UnixMillis(1))
            .await
            .unwrap();
        let elsewhere = Message {
            conversation: "other".into(),
            ..message("3", "bob", "hello")
        };
        let all = vec![
            message("1", "anna", "hello"),
            message("1", "anna", "hello"),
            message("2", "bob", "hello"),
            elsewhere,
            message("4", "anna", " \n"),
            message("5", "anna", &"x".repeat(TEXT_BYTES + 1)),
        ];
        let said = taken(&ledger, 10, all.clone()).await;
        assert_eq!(
            said,
            [
                Taken::Accepted(vec![]),
                Taken::Again,
                Taken::Accepted(vec![]),
                Taken::Stranger { told: true },
                Taken::Empty,
                Taken::TooLong {
                    bytes: TEXT_BYTES + 1
                },
            ]
        );
        assert!(
            taken(&ledger, 11, all)
                .await
                .iter()
                .all(|t| *t == Taken::Again)
        );
        assert_eq!(ledger.inbox().await.unwrap().len(), 2);
        assert_eq!(ledger.place().await.unwrap().state, json!({"now": 11}));
        assert!(ledger.disallow("anna").await.unwrap());
        let said = taken(&ledger, 12, vec![message("6", "anna", "and now?")]).await;
        assert_eq!(said, [Taken::Stranger { told: true }]);
    }

    #[tokio::test]
    async fn of_a_stranger_nothing_is_kept_but_that_they_wrote() {
        let (_folder, ledger) = ledger();
        let text = "my password is hunter2-and-more";
        taken(&ledger, 10, vec![message("1", "eve", text)]).await;
        let strangers = ledger.strangers().await.unwrap();
        assert_eq!((strangers.len(), strangers[0].messages), (1, 1));
        assert!(ledger.inbox().await.unwrap().is_empty());
        let outbox = ledger.outbox().await.unwrap();
        assert_eq!(outbox[0].text, TO_A_STRANGER);
        let rows = serde_json::to_string(&strangers).unwrap();
        assert!(!rows.contains("hunter2"));
    }

    #[tokio::test]
    async fn strangers_are_told_once_and_only_a_few_of_them() {
        let (_folder, ledger) = ledger();
        let told = |taken: &[Taken]| {
            let told = taken
                .iter()
                .filter(|t| **t == Taken::Stranger { told: true });
            told.count()
        };
        let mut number = 0;
        let mut total = 0;
        for round in 0..40 {
            let crowd = (0..20).map(|_| {
                number += 1;
                message(&format!("m{number}"), &format!("s{number}"), "hi")
            });
            let crowd: Vec<_> = crowd
                .chain([message(&format!("e{round}"), "eve", "hi")])
                .collect();
            total += told(&taken(&ledger, 10 + round, crowd).await);
        }
        assert_eq!(total, TOLD_AN_HOUR);
        let strangers = ledger.strangers().await.unwrap();
        assert!(strangers.len() <= STRANGERS, "{}", strangers.len());
        // Not even when the hour is over.
        let first = strangers.iter().find(|s| s.told.is_some()).unwrap();
        let again = vec![message("late", &first.sender, "hi")];
        assert_eq!(told(&taken(&ledger, 2 * HOUR_MS, again).await), 0);
        let others = vec![message("later", "somebody-new", "hi")];
        assert_eq!(told(&taken(&ledger, 2 * HOUR_MS, others).await), 1);
    }

    #[tokio::test]
    async fn what_the_gate_takes_away_is_not_kept() {
        let (_folder, ledger) = ledger();
        ledger.allow("anna", None, UnixMillis(1)).await.unwrap();
        let secret = ["ghp_", &"a1B2c3D4e5F6g7H8i9J0".repeat(2)[..36]].concat();
        let text = format!("use {secret} for it");
        let said = taken(&ledger, 10, vec![message("1", "anna", &text)]).await;
        assert!(
            matches!(&said[..], [Taken::Accepted(found)] if !found.is_empty()),
            "{said:?}"
        );
        let inbox = ledger.inbox().await.unwrap();
        assert!(inbox[0].text.starts_with("use [redacted: "), "{inbox:?}");
        assert_eq!(ledger.place().await.unwrap().state, json!({"now": 10}));
        assert_ne!(ledger.place().await.unwrap().state, Value::Null);
    }
}
