//! One agent through three homes: from the page into the Worker, into the native program, and back.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use serde_json::{Value, json};
use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
};
use tau_homes::worker::{Do, Model, Worker};

use crate::{Stage, support::provider::Step};

/// The models of this machine: none is fetched by a test.
fn models() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default());
    env::var_os("TAU_MODELS").map_or_else(|| home().join(".local/share/tau/models"), PathBuf::from)
}

/// `tau` with a home of its own.
struct Native {
    folder: tempfile::TempDir,
}

impl Native {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(tau_tests::binary::tau());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("TAU_HOME", self.folder.path().join("home"))
            .env("TAU_MODELS", models())
            .env("SIM_KEY", "sk-of-nobody-0123456789")
            .current_dir(self.folder.path());
        command.output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        let done = self.run(arguments);
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {stderr}");
        serde_json::from_slice(&done.stdout).unwrap_or_default()
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn changed(bundle: &str, what: &str) -> String {
    assert_eq!(bundle.matches(what).count(), 1, "{what}");
    bundle.replacen(what, &what.to_uppercase(), 1)
}

const DECODE: &str = "const text = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));";

// The model answers while the program is waited for.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one way through three homes")]
async fn an_agent_goes_on_in_each_home_and_a_changed_part_is_refused_by_each() {
    let stage = Stage::new([Step::Say(&["Noted."], 0), Step::Say(&["Welcome back."], 0)]).await;
    stage
        .run(
            "await call('memory.add', { text: 'the harbour is north' });",
            Value::Null,
        )
        .await;
    let session = stage.say("the boat is green").await;
    let id = session.as_str().unwrap().to_owned();
    let save = format!(
        "{DECODE} return text((await call('bundle.export', {{ session: given }})).base64);"
    );
    let saved = stage.run(&save, session.clone()).await;
    let saved = saved.as_str().unwrap().to_owned();
    let of_page = stage
        .run("return (await call('identity')).did;", Value::Null)
        .await;

    // Into the Worker, where it goes on.
    let model = Model::scripted([Do::say("Aye."), Do::say("Aye, aye.")])
        .await
        .unwrap();
    let worker = Worker::start(&model).await.unwrap();
    let alice = worker.alice();
    let memory = changed(&saved, "harbour is north");
    let refused = alice
        .send("POST", "/v1/bundles", &[], &memory)
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (422, "bundle_part_altered")
    );
    assert!(
        refused.text.contains("part memory/user"),
        "{}",
        refused.text
    );
    let path = format!("/v1/sessions/{id}");
    let missing = alice.send("GET", &path, &[], "").await.unwrap();
    assert_eq!(missing.status, 404, "nothing of it was taken");
    let taken = alice
        .send("POST", "/v1/bundles", &[], &saved)
        .await
        .unwrap();
    assert_eq!(taken.status, 200, "{}", taken.text);
    let taken = taken.json();
    assert_eq!(taken["did"], of_page);
    assert_eq!(
        (&taken["sessions"][0]["outcome"], &taken["memories"]["new"]),
        (&"new".into(), &1.into())
    );
    let again = alice
        .send("POST", "/v1/bundles", &[], &saved)
        .await
        .unwrap()
        .json();
    assert_eq!(
        (&again["sessions"][0]["outcome"], &again["memories"]["new"]),
        (&"same".into(), &0.into())
    );
    let bob = worker.client(tau_homes::worker::runtime::BOB);
    let foreign = bob
        .send("GET", &format!("{path}/bundle"), &[], "")
        .await
        .unwrap();
    assert_eq!(foreign.status, 404, "it is Alice's");
    let events = alice
        .prompt(&path, "and the sail?")
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    assert_eq!(tau_homes::worker::client::streamed(&events), "Aye.");
    let asked = model.asked()[0].body.to_string();
    assert!(
        asked.contains("the boat is green"),
        "it knows what was said: {asked}"
    );
    let list = alice.get("/v1/sessions").await.unwrap();
    assert_eq!(list["sessions"][0]["session"], session);

    // Into the native program.
    let carried = alice
        .send("GET", &format!("{path}/bundle"), &[], "")
        .await
        .unwrap();
    assert_eq!(carried.status, 200, "{}", carried.text);
    let native = Native {
        folder: tempfile::tempdir().unwrap(),
    };
    let (file, bad) = (native.file("agent.bundle"), native.file("bad.bundle"));
    fs::write(&file, &carried.text).unwrap();
    let altered = changed(&carried.text, "and the sail?");
    fs::write(&bad, altered).unwrap();
    let refused = native.run(&["bundle", "import", &bad]);
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        why.contains(&format!("part session/{id} is refused")),
        "{why}"
    );
    let done = native.ok(&["bundle", "import", &file, "--json"]);
    assert_eq!(
        (&done["sessions"][0]["outcome"], &done["memories"]["new"]),
        (&"new".into(), &1.into())
    );
    let base_url = format!("{}/v1", model.origin);
    let answer = native.ok(&[
        "run",
        "--session",
        &id,
        "--base-url",
        &base_url,
        "--model",
        "m",
        "--key-env",
        "SIM_KEY",
        "--json",
        "and the crew?",
    ]);
    assert_eq!(answer["answer"], "Aye, aye.");
    let asked = model.asked()[1].body.to_string();
    assert!(
        asked.contains("the boat is green") && asked.contains("and the sail?"),
        "{asked}"
    );

    // And home again.
    native.ok(&["bundle", "export", "-o", &file, "--session", &id, "--json"]);
    let back = fs::read_to_string(&file).unwrap();
    let load = format!("{DECODE} return call('bundle.import', {{ base64: base64(given) }});");
    let altered = changed(&back, "and the crew?");
    let refused = stage
        .browser
        .try_run(&load, altered.into())
        .await
        .unwrap_err();
    assert_eq!(refused["code"], "bundle_part_altered");
    assert!(
        refused["message"]
            .to_string()
            .contains(&format!("session/{id}")),
        "{refused}"
    );
    let done = stage.run(&load, back.into()).await;
    assert_eq!(done["sessions"][0]["outcome"], "merged", "{done}");
    let view = stage
        .run(
            "return call('sessions.open', { session: given });",
            session.clone(),
        )
        .await;
    assert!(view.to_string().contains("and the crew?"), "{view}");
    let answered = stage
        .run(
            "window.seen = [];
             await call('prompt', { session: given, text: 'home again' });
             return (await event('turn_finished')).outcome;",
            session,
        )
        .await;
    assert_eq!(answered, json!({ "outcome": "answered" }));
    let asked = stage
        .provider
        .bodies()
        .pop()
        .unwrap_or_default()
        .to_string();
    assert!(asked.contains("and the crew?"), "{asked}");
    stage.browser.end().await;
}
