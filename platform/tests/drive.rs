//! The loop, in virtual time.

use futures_util::stream;
use serde_json::json;
use std::sync::Arc;
use tau_core::{
    ids::EffectId,
    memory,
    model::{Api, Delta, ModelConfig, ModelRequest, Pricing},
    policy::{Extent, Policy, Preset},
    safety::Labels,
    session::{
        Batch, Budgets, Command, CommandError, Config, Event, GenerateError, HttpError, HttpHead,
        HttpRequest, Outcome, Range, Retry, Session, StoreError,
    },
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{
    Body, Clock, Generation, Host, HostTools, Http, Inbox, Left, LocalModel, MemoryTools,
    NoEmbedder, NoSigner, Shown, Storage, drive,
    memory::Service,
    sim::{Exchange, SimHost, SimRunState, SimTool, timed},
};

fn model(api: Api) -> Arc<ModelConfig> {
    Arc::new(ModelConfig {
        name: "m".into(),
        api,
        base_url: match api {
            Api::Embedded => String::new(),
            _ => "http://sim.test/v1".into(),
        },
        secret: None,
        context_tokens: 100_000,
        max_output_tokens: 1_000,
        pricing: Pricing::default(),
        images: false,
        temperature_milli: None,
    })
}

fn shell() -> ToolSpec {
    ToolSpec {
        name: "shell".into(),
        description: "Runs a program.".into(),
        parameters: json!({"type": "object", "properties": {}}),
        class: ToolClass::Execute,
        on_restore: OnRestore::Ask,
        touches: Vec::new(),
        yields: Labels::NONE,
    }
}

fn session(home: &SimHost, api: Api, preset: Preset) -> Session {
    let config = Config {
        models: vec![model(api)],
        system: "Be brief.".into(),
        identity: Vec::new(),
        tools: home.tools().specs(),
        policy: Policy::preset(preset),
        budgets: Budgets::default(),
        retry: Retry::default(),
        compaction: false,
        undo_tool: false,
        memory: None,
    };
    Session::new(config, [7; 32], home.clock().now())
}

fn chat(home: &SimHost) -> Session {
    session(home, Api::OpenAi, Preset::Permissive)
}

fn prompt() -> Command {
    Command::Prompt {
        text: "hello".into(),
        images: Vec::new(),
    }
}

/// A streamed answer of these texts.
fn saying(texts: &[&str]) -> Vec<u8> {
    let mut sse = String::new();
    for text in texts {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        sse.push_str(&format!("data: {chunk}\n\n"));
    }
    let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    sse.push_str(&format!("data: {stop}\n\ndata: [DONE]\n\n"));
    sse.into_bytes()
}

/// A streamed call of the tool `shell`.
fn calling() -> Vec<u8> {
    let call = json!({"index": 0, "id": "c1", "type": "function",
        "function": {"name": "shell", "arguments": "{}"}});
    let start = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]});
    let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    format!("data: {start}\n\ndata: {stop}\n\ndata: [DONE]\n\n").into_bytes()
}

fn text(shown: &[Shown]) -> String {
    let text = |what: &Shown| match what {
        Shown::Event(Event::TextDelta { text }) => Some(text.clone()),
        _ => None,
    };
    shown.iter().filter_map(text).collect()
}

fn outcomes(shown: &[Shown]) -> Vec<Outcome> {
    let outcome = |what: &Shown| match what {
        Shown::Event(Event::TurnFinished { outcome, .. }) => Some(outcome.clone()),
        _ => None,
    };
    shown.iter().filter_map(outcome).collect()
}

#[test]
fn an_answer_is_streamed_and_stored() {
    let home = SimHost::new();
    home.http().expect(
        Exchange::ok(saying(&["Hi", " there"]))
            .to("/v1/chat/completions")
            .saying("hello"),
    );
    let mut session = chat(&home);
    let (shown, left) = home.run(&mut session, [(0, prompt())]);

    assert_eq!(left, Left::Idle);
    assert_eq!(shown.first(), Some(&Shown::Reply(Ok(()))));
    assert_eq!(text(&shown), "Hi there");
    assert_eq!(outcomes(&shown), [Outcome::Answered]);
    assert_eq!((home.http().left(), home.http().open()), (0, 0));
    assert!(!home.storage().rows().is_empty());
}

#[test]
fn the_same_script_gives_the_same_run_however_the_bytes_are_cut() {
    let run = |length| {
        let home = SimHost::new();
        home.http()
            .expect(Exchange::ok(saying(&["Grüße", " 🌍"])).split(length));
        let mut session = chat(&home);
        let (shown, _) = home.run(&mut session, [(0, prompt())]);
        (shown, home.storage().rows())
    };
    let whole = run(usize::MAX);
    assert_eq!(run(usize::MAX), whole);
    assert_eq!(run(1), whole);
    assert_eq!(run(7), whole);
}

#[test]
fn a_refused_command_is_answered_in_its_place() {
    let home = SimHost::new();
    let empty = Command::Prompt {
        text: String::new(),
        images: Vec::new(),
    };
    let (shown, _) = home.run(&mut chat(&home), [(0, empty)]);
    assert_eq!(shown, [Shown::Reply(Err(CommandError::EmptyPrompt))]);
}

#[test]
fn an_interrupt_closes_a_silent_connection_at_once() {
    let home = SimHost::new();
    home.http()
        .expect(Exchange::ok(&saying(&["Hm"])[..40]).stall());
    let mut session = chat(&home);
    let commands = timed(home.clock(), [(0, prompt()), (100, Command::Interrupt)]);
    let mut ended = None;
    home.block_on(drive(&home, &mut session, commands, |what| {
        if let Shown::Event(Event::TurnFinished { outcome, .. }) = what {
            ended = Some((outcome, home.clock().elapsed_ms(), home.http().open()));
        }
    }));
    assert_eq!(ended, Some((Outcome::Interrupted, 100, 0)));
}

#[test]
fn an_interrupt_is_heard_in_the_middle_of_a_flood() {
    let home = SimHost::new();
    let texts = vec!["x "; 5_000];
    home.http().expect(Exchange::ok(saying(&texts)).split(64));
    let inbox = Inbox::default();
    inbox.push(prompt());
    let mut session = chat(&home);
    let mut heard = 0;
    home.block_on(drive(&home, &mut session, inbox.clone(), |what| {
        if let Shown::Event(Event::TextDelta { .. }) = what {
            heard += 1;
            if heard == 3 {
                inbox.push(Command::Interrupt);
                inbox.close();
            }
        }
    }));
    assert!(
        heard < 10,
        "{heard} deltas came after the interrupt was sent"
    );
}

#[test]
fn an_interrupt_drops_a_running_tool() {
    let home = SimHost::new();
    home.tools().add(SimTool::hanging(shell()));
    home.http().expect(Exchange::ok(calling()));
    let mut session = chat(&home);
    let (shown, _) = home.run(&mut session, [(0, prompt()), (50, Command::Interrupt)]);
    assert_eq!(outcomes(&shown), [Outcome::Interrupted]);
    let states: Vec<_> = home.tools().runs().iter().map(|run| run.state).collect();
    assert_eq!(states, [SimRunState::Cancelled]);
}

#[test]
fn a_tool_runs_and_its_result_goes_back() {
    let home = SimHost::new();
    home.tools()
        .add(SimTool::new(shell(), ToolOutput::ok("42 files")).taking(30));
    home.http().expect(Exchange::ok(calling()));
    home.http()
        .expect(Exchange::ok(saying(&["Done"])).saying("42 files"));
    let (shown, left) = home.run(&mut chat(&home), [(0, prompt())]);
    assert_eq!((text(&shown).as_str(), left), ("Done", Left::Idle));
    assert_eq!(home.tools().runs()[0].state, SimRunState::Finished);
    assert_eq!(home.clock().elapsed_ms(), 30);
}

#[test]
fn a_server_that_comes_back_is_asked_again() {
    let home = SimHost::new();
    home.http().expect(Exchange::refused());
    home.http()
        .expect(Exchange::status(503).header("retry-after", "2"));
    home.http()
        .expect(Exchange::ok(saying(&["lost"])).cut(30).reset());
    home.http().expect(Exchange::ok(saying(&["back"])));
    let (shown, _) = home.run(&mut chat(&home), [(0, prompt())]);
    assert_eq!(outcomes(&shown), [Outcome::Answered]);
    assert!(home.clock().elapsed_ms() >= 2_000);
}

#[test]
fn a_server_that_hangs_is_given_up_in_time() {
    let home = SimHost::new();
    for _ in 0..4 {
        home.http().expect(Exchange::hanging());
    }
    let (shown, left) = home.run(&mut chat(&home), [(0, prompt())]);
    assert!(matches!(outcomes(&shown)[..], [Outcome::Failed { .. }]));
    assert_eq!((left, home.http().open()), (Left::Idle, 0));
}

#[test]
fn a_store_that_fails_stops_the_session() {
    let home = SimHost::new();
    home.storage().fail(1, StoreError::Full);
    let (shown, left) = home.run(&mut chat(&home), [(0, prompt())]);
    let stopped = Shown::Event(Event::Stopped {
        error: StoreError::Full,
    });
    assert!(shown.contains(&stopped), "{shown:?}");
    assert_eq!(left, Left::Idle);
    assert!(
        home.http().requests().is_empty(),
        "nothing is sent unstored"
    );
}

#[test]
fn without_an_inbox_nobody_waits_for_an_approval() {
    let home = SimHost::new();
    home.tools().add(SimTool::hanging(shell()));
    home.http().expect(Exchange::ok(calling()));
    let mut session = session(&home, Api::OpenAi, Preset::Balanced);
    let (_, left) = home.run(&mut session, [(0, prompt())]);
    assert_eq!((left, home.clock().elapsed_ms()), (Left::Waiting, 0));
    assert_eq!(session.waiting().len(), 1);
}

#[test]
fn an_approval_may_come_from_the_watcher() {
    let home = SimHost::new();
    home.tools()
        .add(SimTool::new(shell(), ToolOutput::ok("ran")));
    home.http().expect(Exchange::ok(calling()));
    home.http()
        .expect(Exchange::ok(saying(&["Fine"])).saying("ran"));
    let inbox = Inbox::default();
    inbox.push(prompt());
    let mut session = session(&home, Api::OpenAi, Preset::Balanced);
    let left = home.block_on(drive(&home, &mut session, inbox.clone(), |what| {
        if let Shown::Event(Event::ApprovalRequested { call_id, .. }) = what {
            inbox.push(Command::Approve {
                call_id,
                extent: Extent::Call,
                digest: None,
            });
            inbox.close();
        }
    }));
    assert_eq!((left, home.http().left()), (Left::Idle, 0));
}

#[test]
fn dropping_the_loop_ends_everything() {
    let home = SimHost::new();
    home.tools().add(SimTool::hanging(shell()));
    home.http().expect(Exchange::ok(calling()));
    let mut session = chat(&home);
    home.block_on(async {
        let inbox = timed(home.clock(), [(0, prompt())]);
        let run = std::pin::pin!(drive(&home, &mut session, inbox, |_| {}));
        let later = std::pin::pin!(home.clock().sleep(10));
        futures_util::future::select(run, later).await;
    });
    assert_eq!(home.tools().runs()[0].state, SimRunState::Cancelled);
    assert_eq!(home.http().open(), 0);
}

#[test]
fn a_model_in_the_process_is_driven_the_same_way() {
    let home = SimHost::new();
    home.model().say(5, &["a", "b"]);
    let mut session = session(&home, Api::Embedded, Preset::Balanced);
    let (shown, _) = home.run(&mut session, [(0, prompt())]);
    assert_eq!(
        (text(&shown).as_str(), home.clock().elapsed_ms()),
        ("ab", 15)
    );
    assert_eq!(home.model().open(), 0);
}

/// A host whose types are all `Send` and `Sync`.
struct Sendable;

impl Clock for Sendable {
    fn now(&self) -> tau_core::ids::UnixMillis {
        tau_core::ids::UnixMillis(0)
    }
    async fn sleep_until(&self, _: tau_core::ids::UnixMillis) {}
}

impl Http for Sendable {
    type Body = Self;
    async fn send(&self, _: HttpRequest) -> Result<(HttpHead, Self), HttpError> {
        Err(HttpError::Timeout { after_ms: 0 })
    }
}

impl Body for Sendable {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        Ok(None)
    }
}

impl Storage for Sendable {
    async fn get(&self, _: String) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
    async fn scan(&self, _: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(Vec::new())
    }
    async fn commit(&self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

impl HostTools for Sendable {
    fn specs(&self) -> Vec<ToolSpec> {
        Vec::new()
    }
    async fn run(&self, _: EffectId, _: ToolRun) -> ToolOutput {
        ToolOutput::ok("")
    }
}

impl LocalModel for Sendable {
    type Generation = Self;
    async fn generate(&self, _: ModelRequest) -> Result<Self, GenerateError> {
        Ok(Self)
    }
}

impl Generation for Sendable {
    async fn next(&mut self) -> Result<Option<Delta>, GenerateError> {
        Ok(None)
    }
}

impl MemoryTools for Sendable {
    async fn serve(&self, _: memory::Request) -> Result<memory::Reply, memory::Failure> {
        Ok(memory::Reply::nothing())
    }
}

impl Host for Sendable {
    type Memory = Self;
    fn memory(&self) -> &Self {
        self
    }
    type Clock = Self;
    type Http = Self;
    type Storage = Self;
    type Tools = Self;
    type Model = Self;
    type Signer = NoSigner;
    fn signer(&self) -> Option<&NoSigner> {
        None
    }
    fn clock(&self) -> &Self {
        self
    }
    fn http(&self) -> &Self {
        self
    }
    fn storage(&self) -> &Self {
        self
    }
    fn tools(&self) -> &Self {
        self
    }
    fn model(&self) -> &Self {
        self
    }
}

#[test]
fn the_loop_can_be_spawned_when_the_host_can() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let home = SimHost::new();
    let mut session = chat(&home);
    let service = assert_send(Service::new(Sendable, NoEmbedder, Sendable));
    let search = memory::Request {
        access: memory::Access::of_person(),
        action: memory::Action::Search(memory::Search {
            query: "tea".into(),
            ..memory::Search::default()
        }),
    };
    let found = home.block_on(assert_send(service.serve(search)));
    assert_eq!(found, Ok(memory::Reply::nothing()));
    let run = assert_send(drive(&Sendable, &mut session, stream::empty(), |_| {}));
    assert_eq!(home.block_on(run), Left::Idle);
}
