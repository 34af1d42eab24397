//! Calls counted over all sessions of a principal, in virtual time.

use serde_json::json;
use tau_core::{
    ids::{CallId, EffectId},
    message::{ToolCall, ToolStatus},
    policy::{
        Policy,
        rates::{Rates, WhenExceeded},
    },
    safety::Labels,
    session::{Batch, Range, StoreError},
    tool::{OnRestore, ToolClass, ToolOutput, ToolRun, ToolSpec},
};
use tau_platform::{
    Clock, Counter, HostTools, Paced, Storage, StoredCounter,
    sim::{SimClock, SimHost, SimStorage, SimTool, SimTools},
};

fn look() -> ToolSpec {
    ToolSpec {
        name: "look".into(),
        description: "Looks.".into(),
        parameters: json!({"type": "object", "properties": {}}),
        class: ToolClass::Read,
        on_restore: OnRestore::Reissue,
        touches: Vec::new(),
        yields: Labels::NONE,
    }
}

fn run(when_exceeded: WhenExceeded) -> ToolRun {
    let policy = Policy {
        rates: Rates {
            calls_per_minute: Some(2),
            when_exceeded: Some(when_exceeded),
            ..Rates::default()
        },
        ..Policy::default()
    };
    let call = ToolCall {
        id: CallId("call".into()),
        name: "look".into(),
        arguments: json!({}),
    };
    ToolRun::new(&call, &look(), &policy)
}

/// The tools of one session of `principal`.
fn session(
    home: &SimHost,
    principal: &str,
) -> Paced<SimTools, SimClock, StoredCounter<SimStorage, SimClock>> {
    home.tools()
        .add(SimTool::new(look(), ToolOutput::ok("seen")));
    let clock = home.clock().clone();
    let counter = StoredCounter::new(home.storage().clone(), clock.clone(), principal);
    Paced::new(home.tools().clone(), clock, counter)
}

#[test]
fn sessions_of_one_principal_share_a_minutes_calls_and_others_have_their_own() {
    let home = SimHost::new();
    let (first, second, other) = (
        session(&home, "alice"),
        session(&home, "alice"),
        session(&home, "bob"),
    );
    let call = |tools| {
        home.block_on(HostTools::run(
            tools,
            EffectId(1),
            run(WhenExceeded::Refuse),
        ))
    };
    assert_eq!(call(&first).text, "seen");
    home.block_on(home.clock().sleep(20_000));
    assert_eq!(call(&second).text, "seen");
    let refused = call(&first);
    assert_eq!(refused.status, ToolStatus::Denied);
    assert!(refused.text.contains("retry after 40 s"), "{refused:?}");
    assert_eq!(call(&other).text, "seen");
    home.block_on(home.clock().sleep(40_000));
    assert_eq!(call(&first).text, "seen");
    assert_eq!(call(&second).status, ToolStatus::Denied);
}

#[test]
fn a_deferred_call_really_waits_until_it_is_its_turn() {
    let home = SimHost::new();
    let tools = session(&home, "alice");
    for (number, at_ms) in [(1, 0), (2, 0), (3, 60_000), (4, 60_000), (5, 120_000)] {
        let call = tools.run(EffectId(number), run(WhenExceeded::Defer));
        assert_eq!(home.block_on(call).text, "seen");
        assert_eq!(home.clock().elapsed_ms(), at_ms, "call {number}");
    }
}

/// A store in which somebody else always counts first.
struct Raced(SimStorage, SimClock);

impl Storage for Raced {
    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.0.scan(range).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let other = StoredCounter::new(self.0.clone(), self.1.clone(), "alice");
        let limits = run(WhenExceeded::Refuse).rates;
        other.count(&limits).await?;
        self.0.commit(batch).await
    }
}

#[test]
fn who_counts_at_the_same_time_is_not_passed_over() {
    let home = SimHost::new();
    let raced = Raced(home.storage().clone(), home.clock().clone());
    let counter = StoredCounter::new(raced, home.clock().clone(), "alice");
    let limits = run(WhenExceeded::Refuse).rates;
    let counted = home.block_on(counter.count(&limits));
    // Both places went to the other while this one tried to get one.
    assert_eq!(counted, Ok(Some(home.clock().now().plus(60_000))));
}

#[test]
fn nothing_runs_where_it_cannot_be_counted() {
    let home = SimHost::new();
    let broken = Batch {
        put: vec![("calls/alice".into(), b"{".into())],
        ..Batch::default()
    };
    home.block_on(home.storage().commit(broken)).unwrap();
    let tools = session(&home, "alice");
    let output = home.block_on(tools.run(EffectId(1), run(WhenExceeded::Defer)));
    assert_eq!(output.status, ToolStatus::Error);
    assert!(home.tools().runs().is_empty(), "{output:?}");
}
