//! Taking messages by HTTP.

use serde_json::json;
use std::{net::SocketAddr, time::Duration};
use tau_platform::{
    Clock, Signer,
    messages::{Answer, Arrived, PACKET_LIMIT_BYTES},
};
use tau_target_native::{
    TokioClock,
    listener::{Asked, Inbox, PATH},
};
use tokio::sync::mpsc;

use super::{deliver::deliver, taken_as};
use crate::{
    cli::AgentFlags,
    commands::net::Reach,
    conversation::Conversation,
    exit::{Error, Exit},
    home::Home,
    identity,
    messages::{self, Desk, NativePost, of_message},
    printer::Shape,
    sessions,
    signals::Signals,
    ui::{self, Ui},
};

/// Between two looks at what waits to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// Where messages are taken, and what happens with them.
///
/// Plain HTTP, for this machine alone unless --bind says otherwise: what is sealed stays sealed, and
/// what is signed signed, but who writes to whom is seen on the way. Put TLS in front of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The address to listen at; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Give each letter to a session, which answers it in a turn; else they are kept.
    #[arg(long)]
    deliver: bool,
    /// End after so many messages were taken.
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Print one line of JSON an event: `{"listening"}`, `{"taken", "from", …}`, `{"refused"}`.
    #[arg(long)]
    jsonl: bool,
    /// Reach addresses without encryption with what is sent.
    #[arg(long)]
    allow_http: bool,
    /// Reach private networks with what is sent.
    #[arg(long)]
    allow_private: bool,
    #[command(flatten)]
    agent: AgentFlags,
}

/// Runs the command.
pub(super) async fn run(args: Args, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let reach = Reach {
        allow_http: args.allow_http,
        allow_private: args.allow_private,
        policy: args.agent.policy.policy,
        ..Reach::default()
    };
    let policy = reach.policy(home)?;
    let desk = Desk::open(home, &policy, ui).await?;
    let post = messages::post(home, &policy, ui)?;
    let inbox = Inbox::listen(args.bind, PACKET_LIMIT_BYTES).await;
    let inbox = inbox.map_err(|error| {
        Error::usage(format!("nothing can listen at {}", args.bind)).cause(error)
    })?;
    let conversation = match args.deliver {
        true => Some(sessions::begin(&args.agent, home, ui, "tau message listen").await?),
        false => None,
    };
    let url = format!("http://{}{PATH}", inbox.address());
    let did = desk.signer.log().unchecked_state().did().to_string();
    if args.jsonl {
        ui.json(&json!({ "listening": url, "did": did }));
    } else {
        ui.line(format!("listening at {url} as {did}"));
    }
    if !args.bind.ip().is_loopback() {
        ui.warn("other machines reach this without encryption: put TLS in front of it");
    }
    let (letters, given) = mpsc::unbounded_channel();
    let listening = Listening {
        home,
        ui,
        jsonl: args.jsonl,
        count: args.count,
        letters: conversation.is_some().then_some(letters),
    };
    let mut signals = Signals::listen()?;
    tokio::select! {
        done = listening.serve(inbox, desk, post) => done,
        done = give(conversation, given, args.jsonl, ui) => done,
        _ = signals.next() => Ok(Exit::Ok),
    }
}

/// Gives letters to the session as they come. Without a session it waits for ever.
async fn give(
    conversation: Option<Conversation>,
    mut given: mpsc::UnboundedReceiver<String>,
    jsonl: bool,
    ui: Ui,
) -> Result<Exit, Error> {
    let Some(mut conversation) = conversation else {
        return std::future::pending().await;
    };
    while let Some(name) = given.recv().await {
        let shape = match jsonl {
            true => Shape::JsonLines,
            false => Shape::text(),
        };
        if let Err(error) = deliver(&mut conversation, &name, shape).await {
            ui.error(&error);
        }
    }
    Ok(Exit::Ok)
}

struct Listening<'a> {
    home: &'a Home,
    ui: Ui,
    jsonl: bool,
    count: Option<u32>,
    letters: Option<mpsc::UnboundedSender<String>>,
}

impl Listening<'_> {
    /// Takes messages until so many were taken.
    async fn serve(
        self,
        mut inbox: Inbox,
        mut desk: Desk,
        post: NativePost,
    ) -> Result<Exit, Error> {
        let mut left = self.count;
        let mut flush = tokio::time::interval(FLUSH);
        while left != Some(0) {
            tokio::select! {
                asked = inbox.next() => {
                    let Some(asked) = asked else { break };
                    // Another program may have changed the keys since.
                    let refreshed = identity::refreshed(self.home, desk.signer);
                    desk.signer = refreshed.ok_or_else(|| {
                        Error::new(Exit::Auth, "this home is another agent now")
                    })?;
                    let taken = self.answer(asked, &desk).await;
                    left = left.map(|left| left.saturating_sub(u32::from(taken)));
                }
                _ = flush.tick() => {
                    let office = desk.office();
                    let sent = office.flush(&desk.watch, &desk.gate, &post, &TokioClock).await;
                    sent.map_err(of_message)?;
                }
            }
        }
        // Whoever gives letters to a session ends once all were given.
        drop(inbox);
        match self.letters {
            Some(letters) => {
                drop(letters);
                std::future::pending().await
            }
            None => Ok(Exit::Ok),
        }
    }

    /// Answers one request; says whether a message was taken.
    async fn answer(&self, mut asked: Asked, desk: &Desk) -> bool {
        let Some(packet) = asked.packet.take() else {
            let about = Answer::about(desk.signer.log());
            asked.answer(about.status(), about.to_bytes());
            return false;
        };
        let arrived = Arrived {
            bytes: &packet,
            place: &asked.from.ip().to_string(),
            answers: true,
        };
        let office = desk.office();
        let answer = office.answer(&desk.watch, arrived, &desk.gate, TokioClock.now());
        let (answer, taken) = answer.await;
        asked.answer(answer.status(), answer.to_bytes());
        match taken {
            Ok(taken) => {
                let (id, from) = (&taken.id, taken.from.to_string());
                match self.jsonl {
                    true => self.ui.json(&json!({
                        "taken": id, "from": from, "letter": taken.name,
                        "channel": taken.channel,
                        "text": taken.letter.as_ref().map(|letter| letter.text()),
                    })),
                    false => {
                        let what = taken_as(&taken);
                        self.ui
                            .line(format!("{} from {from}: {what}", ui::plain(id)));
                    }
                }
                if let (Some(letters), Some(name)) = (&self.letters, taken.name) {
                    // The receiver lives as long as this does.
                    let _ = letters.send(name);
                }
                true
            }
            Err(error) => {
                let code = error.reason_code();
                match self.jsonl {
                    true => self.ui.json(&json!({
                        "refused": { "reason_code": code, "reason": error.to_string() },
                    })),
                    false => self.ui.note(format!("refused: {code}")),
                }
                false
            }
        }
    }
}
