//! A home that answers from a list, one effect at a time.

use alloc::{collections::VecDeque, format, string::String, sync::Arc, vec, vec::Vec};
use serde_json::{Value, json};

use crate::{
    ids::{EffectId, UnixMillis},
    journal::Blobs,
    memory::{
        self, Action, Found, Kept, Memory, entry,
        index::{self, Document, Index, Method, Query},
        request::Was,
    },
    model::{Api, Delta, ModelConfig, ModelRequest, Pricing, StopReason, Usage},
    policy::Policy,
    safety::Labels,
    session::{
        Answer, Batch, Budgets, Command, Config, Effect, Event, GenerateError, Journal, Outcome,
        Retry, Session, StoreError,
    },
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec},
    wire::ProviderError,
};

pub(crate) const SEED: [u8; 32] = [7; 32];

/// What the scripted model does when it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Text(&'static str),
    /// Name and arguments of each call.
    Calls(Vec<(&'static str, Value)>),
    Fails(ProviderError),
    /// Says so much and then nothing more.
    Hangs(&'static str),
}

pub(crate) struct Home {
    pub(crate) session: Session,
    pub(crate) now: UnixMillis,
    pub(crate) stored: Vec<(String, Vec<u8>)>,
    pub(crate) replies: VecDeque<Reply>,
    pub(crate) requests: Vec<ModelRequest>,
    pub(crate) events: Vec<Event>,
    pub(crate) cancelled: Vec<EffectId>,
    /// Tool runs in the home's hands.
    pub(crate) tools: Vec<(EffectId, ToolRun)>,
    /// The answer that is being read.
    stream: VecDeque<Delta>,
    /// Reads that will never be answered.
    pub(crate) hanging: Vec<EffectId>,
    pub(crate) fail_commit: Option<StoreError>,
    pub(crate) memories: Vec<Memory>,
    /// What memory fails with.
    pub(crate) no_memory: Option<memory::Failure>,
    /// What was asked of memory.
    pub(crate) asked_memory: Vec<memory::Request>,
    /// A check after every commit.
    pub(crate) on_commit: fn(&Home),
}

pub(crate) fn spec(name: &str, class: ToolClass, on_restore: OnRestore) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "x".into(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
        class,
        on_restore,
        touches: Vec::new(),
        yields: Labels::NONE,
    }
}

pub(crate) fn config() -> Config {
    let model = |name: &str| {
        Arc::new(ModelConfig {
            name: name.into(),
            api: Api::Embedded,
            base_url: String::new(),
            secret: None,
            context_tokens: 100_000,
            max_output_tokens: 1_000,
            pricing: Pricing {
                input_nano_usd: 1,
                output_nano_usd: 10,
                cached_input_nano_usd: 0,
            },
            images: false,
            temperature_milli: None,
        })
    };
    Config {
        models: vec![model("first"), model("second")],
        system: "system".into(),
        identity: Vec::new(),
        tools: vec![
            spec("read", ToolClass::Read, OnRestore::Reissue),
            spec("write", ToolClass::Write, OnRestore::Fail),
            spec("shell", ToolClass::Execute, OnRestore::Ask),
        ],
        policy: Policy::default(),
        budgets: Budgets::default(),
        retry: Retry::default(),
        compaction: true,
        undo_tool: false,
        memory: Some(memory::Access::of_person()),
    }
}

impl Home {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(config(), replies)
    }

    pub(crate) fn with(config: Config, replies: impl IntoIterator<Item = Reply>) -> Self {
        let now = UnixMillis(1_000_000);
        Self {
            session: Session::new(config, SEED, now),
            now,
            stored: vec![],
            replies: replies.into_iter().collect(),
            requests: vec![],
            events: vec![],
            cancelled: vec![],
            tools: vec![],
            stream: VecDeque::new(),
            hanging: vec![],
            fail_commit: None,
            memories: vec![],
            no_memory: None,
            asked_memory: vec![],
            on_commit: |_| {},
        }
    }

    pub(crate) fn prompt(&mut self, text: &str) -> &mut Self {
        self.submit(Command::Prompt {
            text: text.into(),
            images: vec![],
        })
    }

    pub(crate) fn submit(&mut self, command: Command) -> &mut Self {
        self.session.submit(command, self.now).unwrap();
        self.run()
    }

    /// Does everything the session asks for, except tools: those wait for [`Home::tool`].
    pub(crate) fn run(&mut self) -> &mut Self {
        loop {
            while let Some(id) = self.session.poll_cancelled() {
                self.cancelled.push(id);
                self.tools.retain(|(of, _)| *of != id);
                self.hanging.retain(|of| *of != id);
            }
            while let Some(event) = self.session.poll_event() {
                self.events.push(event);
            }
            let Some((id, effect)) = self.session.poll_effect() else {
                return self;
            };
            self.now = self.now.plus(1);
            if let Some(answer) = self.serve(id, effect) {
                let stored = matches!(answer, Answer::Committed(Ok(())));
                self.session.answer(id, answer, self.now);
                if stored {
                    (self.on_commit)(self);
                }
            }
        }
    }

    fn serve(&mut self, id: EffectId, effect: Effect) -> Option<Answer> {
        Some(match effect {
            Effect::Commit(batch) => Answer::Committed(self.commit(batch)),
            Effect::Memory(request) => match self.no_memory.clone() {
                Some(failure) => Answer::Memory(Err(failure)),
                None => {
                    self.asked_memory.push(request.clone());
                    Answer::Memory(Ok(self.remember(request)))
                }
            },
            Effect::Generate(request) => {
                self.requests.push(request);
                match self
                    .replies
                    .pop_front()
                    .expect("the model is asked more than scripted")
                {
                    Reply::Fails(error) => Answer::Generating(Err(GenerateError::Provider(error))),
                    reply => {
                        self.stream = deltas(&reply);
                        Answer::Generating(Ok(()))
                    }
                }
            }
            Effect::GenerateNext { .. } => match self.stream.pop_front() {
                Some(Delta::ThinkingSignature { .. }) => {
                    self.hanging.push(id);
                    return None;
                }
                delta => Answer::Generated(Ok(delta)),
            },
            Effect::RunTool(run) => {
                self.tools.push((id, run));
                return None;
            }
            Effect::HttpSend(_) | Effect::HttpRead { .. } => panic!("no HTTP in this test"),
        })
    }

    /// A memory of one scope, searched by words.
    fn remember(&mut self, request: memory::Request) -> memory::Reply {
        let mut index = Index::new(None);
        for entry in &self.memories {
            index.put(Document {
                id: &entry.id,
                text: &entry.text,
                facets: entry.facets(),
                vector: None,
            });
        }
        let answer = match request.action {
            Action::Remember { draft, .. } => {
                let id = entry::id_of(&draft.namespace, &draft.text, 0);
                let was = match index.contains(&id) {
                    true => Was::Same,
                    false => Was::New,
                };
                let entry = draft.entry(id, self.now);
                if was == Was::New {
                    self.memories.push(entry.clone());
                }
                let scope = request.access.write;
                let kept = Kept { scope, entry };
                memory::Answer::Remembered { kept, was }
            }
            Action::Search(search) => {
                let query = Query {
                    text: &search.query,
                    vector: None,
                    filter: search.narrow.filter().unwrap(),
                    limit: 8,
                    method: Method::Keyword,
                    now: self.now,
                };
                let mut hits = index::search(&[&index], &query);
                hits.retain(|hit| !search.without.contains(&hit.id));
                let entry = |id: &str| self.memories.iter().find(|entry| entry.id == id);
                let found = hits.iter().filter_map(|hit| {
                    let entry = entry(&hit.id)?.clone();
                    Some(Found::of(hit, request.access.write.clone(), entry))
                });
                memory::Answer::Found {
                    found: found.collect(),
                }
            }
            other => panic!("no {other:?} in this test"),
        };
        memory::Reply {
            answer,
            notices: Vec::new(),
        }
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        if let Some(error) = self.fail_commit.take() {
            return Err(error);
        }
        for key in &batch.require_absent {
            assert!(
                !self.stored.iter().any(|(stored, _)| stored == key),
                "{key} is written twice"
            );
        }
        for (key, value) in batch.put {
            self.stored.retain(|(stored, _)| *stored != key);
            self.stored.push((key, value));
        }
        Ok(())
    }

    /// Answers the running tool of that name.
    pub(crate) fn tool(&mut self, name: &str, text: &str) -> &mut Self {
        let place = self.tools.iter().position(|(_, run)| run.name == name);
        let (id, _) = self
            .tools
            .remove(place.unwrap_or_else(|| panic!("{name} is not running")));
        self.session
            .answer(id, Answer::Tool(ToolOutput::ok(text)), self.now);
        self.run()
    }

    /// Lets the time pass that the session asked for.
    pub(crate) fn wait(&mut self) -> u64 {
        let until = self
            .session
            .poll_timeout()
            .expect("the session waits for no time");
        let waited = until.since(self.now);
        self.now = self.now.max(until);
        self.session.handle_timeout(self.now);
        self.run();
        waited
    }

    pub(crate) fn journal(&self) -> Journal {
        let prefix = format!("session/{}/journal/", self.session.id());
        let mut rows: Vec<_> = self
            .stored
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .cloned()
            .collect();
        rows.sort();
        rows.into_iter().map(|(_, value)| value).collect()
    }

    /// The contents that are stored apart from the journal.
    pub(crate) fn blobs(&self) -> Blobs {
        let mut blobs = Blobs::default();
        for (key, content) in &self.stored {
            if let Some(hash) = key.strip_prefix("blob/") {
                blobs.add(hash, content.clone()).unwrap();
            }
        }
        blobs
    }

    /// The process dies and another opens the session.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.session = Session::restore_whole(&[], &self.journal(), &self.blobs()).unwrap();
        self.tools.clear();
        self.stream.clear();
        self.hanging.clear();
        self.session.resume(self.now);
        self.run()
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.events.iter().rev().find_map(|event| match event {
            Event::TurnFinished { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    /// Roles and texts of the conversation, one line each.
    pub(crate) fn transcript(&self) -> Vec<String> {
        let line = |message: &crate::message::Message| {
            let results: Vec<String> = message
                .tool_results()
                .map(|r| format!("{}={:?}:{}", r.name, r.status, r.text))
                .collect();
            let calls: Vec<String> = message
                .tool_calls()
                .map(|c| format!("{}()", c.name))
                .collect();
            format!(
                "{:?} {}",
                message.role,
                [vec![message.joined_text()], calls, results]
                    .concat()
                    .join(" ")
                    .trim()
            )
        };
        self.session
            .entries()
            .path()
            .into_iter()
            .map(|entry| line(&entry.message))
            .collect()
    }
}

fn deltas(reply: &Reply) -> VecDeque<Delta> {
    let text = |text: &str| Delta::Text { text: text.into() };
    let usage = Usage {
        input_tokens: 100,
        output_tokens: 10,
        ..Usage::default()
    };
    let end = |reason| [Delta::Stop { reason }, Delta::Usage { usage }];
    match reply {
        Reply::Text(answer) => {
            let mut deltas = VecDeque::from([text(answer)]);
            deltas.extend(end(StopReason::EndTurn));
            deltas
        }
        Reply::Calls(calls) => {
            let mut deltas = VecDeque::new();
            for (index, (name, arguments)) in (0..).zip(calls) {
                deltas.push_back(Delta::ToolCallStart {
                    index,
                    id: format!("c{index}"),
                    name: (*name).into(),
                });
                deltas.push_back(Delta::ToolCallArguments {
                    index,
                    fragment: format!("{arguments}"),
                });
            }
            deltas.extend(end(StopReason::ToolUse));
            deltas
        }
        // Stands for "nothing more comes"; see `serve`.
        Reply::Hangs(said) => VecDeque::from([
            text(said),
            Delta::ThinkingSignature {
                signature: String::new(),
            },
        ]),
        Reply::Fails(_) => VecDeque::new(),
    }
}

pub(crate) fn overloaded() -> ProviderError {
    ProviderError {
        kind: crate::session::FailureKind::Unavailable,
        message: "overloaded".into(),
        hint: None,
        retry_after_ms: None,
        retryable: true,
    }
}
