//! A tool that panics or hangs, which no tool of ours does on request.

use std::{sync::mpsc, time::Instant};

use tau_core::{
    ids::{CallId, UnixMillis},
    policy::{Policy, ProgramLimits},
    tool::{ToolClass, ToolLimits},
};
use tau_target_process::{BareProcess, Job, StartError};

use super::*;

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(0)
    }

    async fn sleep_until(&self, _: UnixMillis) {}
}

struct NoPrograms;

impl Programs for NoPrograms {
    type Running = BareProcess;

    async fn start(&self, _: Job, _: &ProgramLimits) -> Result<Started<BareProcess>, StartError> {
        Err(StartError::Io(std::io::ErrorKind::Unsupported.into()))
    }
}

fn call(timeout_ms: u64) -> ToolRun {
    ToolRun {
        call_id: CallId("call".into()),
        name: "read".into(),
        arguments: json!({}),
        limits: ToolLimits {
            timeout_ms,
            output_bytes: 1_000,
        },
        rates: Policy::default().rate_limits(ToolClass::Read),
        http: None,
        programs: None,
    }
}

fn tools() -> (tempfile::TempDir, NativeTools<NoClock, NoPrograms>) {
    let dir = tempfile::tempdir().unwrap();
    let tools = NativeTools::new(dir.path(), NoClock, NoPrograms).unwrap();
    (dir, tools)
}

#[tokio::test]
async fn a_panic_fails_only_its_call() {
    let (_dir, tools) = tools();
    let output = tools
        .blocking(call(5_000), |_| panic!("number {}", 7))
        .await;
    assert_eq!(output.status, ToolStatus::Error);
    assert!(output.text.contains("cause: number 7"), "{}", output.text);
    let work = async { panic!("while polled") };
    let fault = unless_panic::<()>("shell", work).await.unwrap_err();
    assert!(fault.into_output().text.contains("while polled"));
    let output = tools
        .blocking(call(5_000), |_| Ok(ToolOutput::ok("fine")))
        .await;
    assert_eq!(output.text, "fine");
}

#[tokio::test]
async fn a_hang_is_timed_out_and_told_to_stop() {
    let (_dir, tools) = tools();
    let (stopped, told) = mpsc::channel();
    let started = Instant::now();
    let output = tools
        .blocking(call(50), move |call| {
            while !call.cancelled.is_set() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = stopped.send(());
            Ok(ToolOutput::ok("late"))
        })
        .await;
    assert_eq!(output.status, ToolStatus::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(told.recv_timeout(Duration::from_secs(2)).is_ok());
}

#[test]
fn a_workspace_that_is_not_a_directory_is_an_error_of_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file, dir.path().join("missing")] {
        let error = NativeTools::new(&path, NoClock, NoPrograms)
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains(&path.display().to_string())));
    }
}

#[test]
fn calls_can_be_run_from_any_thread() {
    fn send<T: Send>(_: &T) {}
    let (_dir, tools) = tools();
    send(&tools.run(EffectId(1), call(1)));
}
