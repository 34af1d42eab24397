//! The loop of a channel: send what is to be sent, answer what is to be answered, receive.
//!
//! Invariant: dropping its future anywhere is as good as a crash, and a crash is made up for by the
//! next run. So a signal ends it at once.

use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeSet, sync::Arc};
use tau_core::{
    ids::{SessionId, UnixMillis},
    journal::sha256_hex,
    safety::{Gate, Source},
    tool::ToolLimits,
};
use tau_platform::Clock;
use tau_target_native::TokioClock;
use tau_target_wasi::Limits;

use super::{
    intake::{self, Taken},
    ledger::{Ledger, Outgoing, Waiting},
    protocol::{self, ANSWER_BYTES, Failure, Message},
    turn,
};
use crate::{
    cli::AgentFlags,
    config::{self, Profile},
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    host::{self, HomeTools},
    plugins::{Plugin, State, Within},
    printer::screened_line,
    sessions,
    store::{Hold, Store},
    ui::{self, Ui},
};

/// The longest wait a channel is asked for.
const WAIT_MS: u64 = 20_000;
/// Between two answers without messages: a channel may not wait at all.
const PAUSE_MS: u64 = 1_000;
/// The first and the longest pause after a failure.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 60_000;
/// Between two looks at what is due.
const SOONEST_MS: u64 = 100;
/// So often an answer is sent before it is given up: with these pauses, for about ten minutes.
const SENDINGS: u32 = 15;
/// Characters of a message on its line.
const LINE_CHARS: usize = 80;

/// A channel that is run.
pub(crate) struct Runner<'a> {
    pub(crate) name: String,
    pub(crate) flags: AgentFlags,
    pub(crate) once: bool,
    /// Whether every event is a line of JSON on stdout.
    pub(crate) jsonl: bool,
    pub(crate) home: &'a Home,
    pub(crate) ui: Ui,
    pub(crate) ledger: Ledger,
    pub(crate) vault: Arc<Vault>,
    /// Who was said to wait, so that it is said once.
    pub(crate) held: RefCell<BTreeSet<String>>,
}

/// The channel as it lies in its folder at this moment, and what it runs under.
struct Ready {
    tools: HomeTools,
    plugin: Arc<Plugin>,
    profile: Profile,
}

/// Takes the channel for this process.
pub(crate) async fn hold(store: &Store, home: &Home, name: &str) -> Result<Hold, Error> {
    let mut hash = sha256_hex(name.as_bytes());
    hash.truncate(16);
    let id = SessionId(format!("channel{hash}"));
    let program = format!("tau channel run {name}");
    let held = store.hold(home, &id, &program, TokioClock.now()).await;
    held.map_err(|error| match error.exit {
        Exit::Held => Error::new(
            Exit::Held,
            error
                .message
                .replace(&format!("session {id}"), &format!("channel {name}")),
        )
        .hint("one program at a time runs a channel: end that one first"),
        _ => error,
    })
}

impl Runner<'_> {
    /// Runs until it is dropped; once around, where that was asked for.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let mut failures: u32 = 0;
        let mut receive_at = TokioClock.now();
        loop {
            let mut trouble = self.answer_all().await?;
            let ready = self.ready()?;
            trouble.extend(self.send_all(&ready).await?);
            if receive_at <= TokioClock.now() {
                let began = TokioClock.now();
                let pause = match self.receive(&ready).await? {
                    Ok(0) => {
                        failures = 0;
                        PAUSE_MS.saturating_sub(TokioClock.now().since(began))
                    }
                    Ok(_) => {
                        failures = 0;
                        0
                    }
                    Err(failure) => {
                        let pause = pause(failures, &failure);
                        failures = failures.saturating_add(1);
                        self.failed("receive", &failure.why, pause);
                        trouble.push(format!("nothing was received: {}", failure.why));
                        pause
                    }
                };
                if self.once {
                    trouble.extend(self.answer_all().await?);
                    trouble.extend(self.send_all(&ready).await?);
                    return ended(trouble);
                }
                receive_at = TokioClock.now().plus(pause);
                continue;
            }
            let next = self.next_due(receive_at).await?;
            TokioClock.sleep_until(next).await;
        }
    }

    /// The channel, if it is what a person agreed to.
    fn ready(&self) -> Result<Ready, Error> {
        let profile = config::load(&self.home.config_file())?;
        let workspace = self.flags.workspace.as_deref();
        let tools = host::tools(workspace, self.home, &profile, &self.vault)?;
        let plugin = find(&tools, &self.name)?;
        Ok(Ready {
            tools,
            plugin,
            profile,
        })
    }

    /// One call of the channel.
    async fn call(&self, ready: &Ready, input: &Value, limits: Times) -> Result<String, Failure> {
        let policy = sessions::policy(&self.flags.policy, &ready.profile);
        let asks = ready.plugin.manifest.as_ref();
        let has_hosts = asks.is_some_and(|asks| !asks.capabilities.hosts.is_empty());
        let within = Within {
            limits: ToolLimits {
                timeout_ms: limits.wall_ms,
                output_bytes: ANSWER_BYTES as u64,
            },
            http: has_hosts.then(|| policy.http.limits(policy.preset)),
        };
        let plugins = ready.tools.plugins();
        let said = plugins.exchange(&ready.plugin, input, within).await;
        let clean = |mut text: String| {
            self.vault.redact(&mut text);
            text
        };
        said.map(clean).map_err(|why| Failure::from(clean(why)))
    }

    /// How long a call may take, and how long the channel may wait within it.
    fn times(&self, ready: &Ready) -> Times {
        let policy = sessions::policy(&self.flags.policy, &ready.profile);
        let asked = ready
            .plugin
            .manifest
            .as_ref()
            .and_then(|m| m.limits.wall_ms);
        let wall_ms = asked.unwrap_or(Limits::default().wall_ms);
        let wall_ms = wall_ms.min(policy.tool_limits().timeout_ms);
        let http_ms = policy.http.limits(policy.preset).timeout_ms;
        Times {
            wall_ms,
            // The answer needs time, too.
            wait_ms: WAIT_MS.min(wall_ms / 2).min(http_ms / 2),
        }
    }

    /// Receives once: how many messages there are to answer.
    async fn receive(&self, ready: &Ready) -> Result<Result<usize, Failure>, Error> {
        let place = self.ledger.place().await?;
        let mut times = self.times(ready);
        if self.once {
            times.wait_ms = 0;
        }
        let due = self.ledger.outbox().await?;
        let now = TokioClock.now();
        for outgoing in due {
            times.wait_ms = times.wait_ms.min(outgoing.due.since(now).max(PAUSE_MS));
        }
        let input = protocol::receive(&place.state, times.wait_ms);
        let said = self.call(ready, &input, times).await;
        let received = match said.and_then(|text| protocol::received(&text)) {
            Ok(received) => received,
            Err(failure) => return Ok(Err(failure)),
        };
        let policy = sessions::policy(&self.flags.policy, &ready.profile);
        let gate = Gate::new(&policy);
        let now = TokioClock.now();
        let taken = intake::take(&self.ledger, &self.name, &gate, received, now).await?;
        for (message, taken) in &taken {
            self.tell(message, taken);
        }
        let accepted = taken
            .iter()
            .filter(|(_, t)| matches!(t, Taken::Accepted(_)));
        Ok(Ok(accepted.count()))
    }

    /// Answers what waits, one message after another. Returns what could not be.
    async fn answer_all(&self) -> Result<Vec<String>, Error> {
        let mut trouble = Vec::new();
        let mut blocked: Vec<String> = Vec::new();
        for waiting in self.ledger.inbox().await? {
            if blocked.contains(&waiting.conversation) {
                continue;
            }
            if !self
                .ledger
                .allows(&waiting.from, &waiting.conversation)
                .await?
            {
                self.ledger.dropped(&waiting).await?;
                let from = shown(&waiting.from);
                self.ui
                    .tell(format!("{from} is not allowed any more: not answered"));
                continue;
            }
            let (ledger, home) = (&self.ledger, self.home);
            let turn = turn::answer(&self.name, ledger, &waiting, &self.flags, home, self.ui);
            let answered = match Box::pin(turn).await {
                // Of one session: the others go on.
                Err(error) if matches!(error.exit, Exit::Held | Exit::Store) => {
                    let from = shown(&waiting.from);
                    let why = format!("{from} waits for an answer: {}", error.message);
                    if self.held.borrow_mut().insert(waiting.id) {
                        self.ui.warn(ui::plain(&why));
                    }
                    trouble.push(why);
                    blocked.push(waiting.conversation);
                    continue;
                }
                answered => answered?,
            };
            if let Some(error) = &answered.error {
                self.ui.error(error);
            }
            self.ledger
                .answered(&waiting, answered.text.clone())
                .await?;
            self.event(&json!({
                "type": "answered", "id": waiting.id, "from": waiting.from,
                "conversation": waiting.conversation, "session": answered.session,
                "text": answered.text, "tool_calls": answered.calls,
                "error": answered.error.as_ref().map(Error::to_json),
            }));
            self.send_now(&waiting).await?;
        }
        Ok(trouble)
    }

    /// Sends the answer to `waiting` before the next message is looked at.
    async fn send_now(&self, waiting: &Waiting) -> Result<(), Error> {
        let ready = self.ready()?;
        let mut rows = self.ledger.outbox().await?.into_iter();
        let row = rows.find(|row| row.conversation == waiting.conversation);
        if let Some(outgoing) = row.filter(|row| row.reply_to == waiting.id) {
            self.send(&ready, &outgoing).await?;
        }
        Ok(())
    }

    /// Sends what is due, in each conversation in order. Returns what could not be.
    async fn send_all(&self, ready: &Ready) -> Result<Vec<String>, Error> {
        let mut trouble = Vec::new();
        let mut blocked: Vec<String> = Vec::new();
        for outgoing in self.ledger.outbox().await? {
            if blocked.contains(&outgoing.conversation) {
                continue;
            }
            let is_due = outgoing.due <= TokioClock.now();
            let failure = match is_due {
                true => self.send(ready, &outgoing).await?,
                false => Some("it is sent again later".into()),
            };
            if let Some(why) = failure {
                trouble.push(format!(
                    "the answer to {} is not sent: {why}",
                    shown(&outgoing.reply_to)
                ));
                blocked.push(outgoing.conversation);
            }
        }
        Ok(trouble)
    }

    /// Sends one answer; why not, if it was not.
    async fn send(&self, ready: &Ready, outgoing: &Outgoing) -> Result<Option<String>, Error> {
        let Outgoing {
            id,
            conversation,
            text,
            reply_to,
            ..
        } = outgoing;
        let input = protocol::send(id, conversation, text, reply_to);
        let said = self.call(ready, &input, self.times(ready)).await;
        let failure = match said.and_then(|text| protocol::sent(&text)) {
            Ok(()) => {
                self.ledger.done(outgoing).await?;
                let line = ui::one_line(text, LINE_CHARS);
                self.ui.tell(format!(
                    "{}: {}",
                    ui::bold(format!("to {}", shown(conversation))),
                    line
                ));
                self.event(&json!({
                    "type": "sent", "id": id, "conversation": conversation, "reply_to": reply_to,
                }));
                return Ok(None);
            }
            Err(failure) => failure,
        };
        if outgoing.tries + 1 >= SENDINGS {
            self.ledger.done(outgoing).await?;
            self.ui.warn(format!(
                "the answer to {} was not sent {SENDINGS} times and is given up: {}; it stays in \
                 its session",
                shown(reply_to),
                ui::plain(&failure.why)
            ));
            self.event(&json!({ "type": "given_up", "id": id, "reply_to": reply_to }));
            return Ok(Some(failure.why));
        }
        let pause = pause(outgoing.tries, &failure);
        self.ledger
            .postpone(outgoing, TokioClock.now().plus(pause))
            .await?;
        self.failed("send", &failure.why, pause);
        Ok(Some(failure.why))
    }

    /// When there is something to do again.
    async fn next_due(&self, receive_at: UnixMillis) -> Result<UnixMillis, Error> {
        let outbox = self.ledger.outbox().await?;
        let due = outbox.iter().map(|outgoing| outgoing.due).min();
        let soonest = TokioClock.now().plus(SOONEST_MS);
        Ok(due
            .map_or(receive_at, |due| due.min(receive_at))
            .max(soonest))
    }

    fn failed(&self, step: &str, why: &str, pause_ms: u64) {
        let again = match self.once {
            true => String::new(),
            false => format!("; again in {} s", pause_ms.div_ceil(1_000)),
        };
        self.ui.warn(format!(
            "{} cannot {step}: {}{again}",
            self.name,
            ui::plain(why)
        ));
        self.event(&json!({
            "type": "failed", "step": step, "reason": why, "again_in_ms": pause_ms,
        }));
    }

    /// Says what became of a message, in a line.
    fn tell(&self, message: &Message, taken: &Taken) {
        let from = shown(&message.from);
        let place = match message.from == message.conversation {
            true => String::new(),
            false => format!(" in {}", shown(&message.conversation)),
        };
        let (kind, told) = match taken {
            Taken::Accepted(found) => {
                if !found.is_empty() {
                    let name = self.name.clone();
                    self.ui
                        .warn(screened_line(&Source::Channel { name }, found));
                }
                ("received", None)
            }
            Taken::Again => ("duplicate", None),
            Taken::Stranger { told } => {
                let sender = quoted(&message.from);
                self.ui.warn(format!(
                    "{from}{place} is nobody you allowed: not read. To let them talk: tau channel \
                     allow {} {sender}",
                    self.name
                ));
                ("stranger", Some(*told))
            }
            Taken::Withheld(families) => {
                self.ui.warn(format!(
                    "a message of {from}{place} is withheld: {families}"
                ));
                ("withheld", None)
            }
            Taken::TooLong { bytes } => {
                self.ui.warn(format!(
                    "a message of {from}{place} has {bytes} bytes: not read"
                ));
                ("too_long", None)
            }
            Taken::Empty => ("empty", None),
        };
        if kind == "received" {
            let who = ui::bold(format!("{from}{place}"));
            self.ui.tell(format!(
                "{who}: {}",
                ui::one_line(&message.text, LINE_CHARS)
            ));
        }
        let mut event = json!({
            "type": kind, "id": message.id, "from": message.from,
            "conversation": message.conversation, "at": message.at,
        });
        if let Some(told) = told {
            event["told"] = told.into();
        }
        self.event(&event);
    }

    fn event(&self, event: &Value) {
        if self.jsonl {
            self.ui.json(event);
        }
    }
}

/// What a call may take.
#[derive(Clone, Copy)]
struct Times {
    wall_ms: u64,
    wait_ms: u64,
}

/// The channel `name`, ready to run.
pub(crate) fn find(tools: &HomeTools, name: &str) -> Result<Arc<Plugin>, Error> {
    let Some(plugin) = tools.plugins().get(name) else {
        return Err(Error::usage(format!("there is no channel {name:?}"))
            .hint("`tau channel list` names them; `tau tool install FILE.wasm` installs one"));
    };
    match plugin.state {
        State::Ready if !plugin.is_channel() => {
            Err(Error::usage(format!("{name} is a tool, not a channel"))
                .hint("its manifest would say \"kind\": \"channel\""))
        }
        State::Ready => Ok(Arc::clone(plugin)),
        State::Unapproved | State::Refused(_) => Err(Error::new(Exit::Denied, plugin.why_not())),
    }
}

fn ended(trouble: Vec<String>) -> Result<(), Error> {
    match trouble.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Error::new(Exit::Internal, ui::plain(&first))
            .hint("what is left is done by the next run")),
    }
}

/// How long to wait after so many failures: twice as long each time, and at least as long as the
/// channel wants.
fn pause(failures: u32, failure: &Failure) -> u64 {
    let own = FIRST_PAUSE_MS
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_PAUSE_MS);
    own.max(failure.retry_after_ms.unwrap_or_default())
}

/// A name that somebody else chose, on a line.
fn shown(name: &str) -> String {
    ui::one_line(name, 40)
}

/// A sender as a shell takes it.
pub(crate) fn quoted(sender: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | ':' | '+');
    match sender.chars().all(is_plain) && !sender.starts_with('-') {
        true => sender.into(),
        false => format!("'{}'", sender.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_are_what_the_channel_wants() {
        let failure = Failure::from(String::from("x"));
        assert_eq!(pause(0, &failure), 1_000);
        assert_eq!(pause(3, &failure), 8_000);
        assert_eq!(pause(u32::MAX, &failure), 60_000);
        let later = Failure {
            retry_after_ms: Some(90_000),
            ..failure
        };
        assert_eq!(pause(0, &later), 90_000);
    }

    #[test]
    fn a_sender_is_quoted_for_a_shell() {
        assert_eq!(quoted("anna@example.com"), "anna@example.com");
        assert_eq!(quoted("-x"), "'-x'");
        assert_eq!(quoted("o'neil; rm -rf ~"), r"'o'\''neil; rm -rf ~'");
    }
}
