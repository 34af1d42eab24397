//! What memory's vectors are made with, and what happens when that fails.

use super::support::{Do, Done, Server, Tau, finish};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::Read,
    time::{Duration, Instant},
};
use tau_core::model::Api;

/// A vector of so many numbers for each text asked for: the beginning of the text as numbers.
fn vectors(asked: &Value, dimensions: usize) -> Do {
    let texts = asked["input"].as_array().expect("a list of texts");
    let data = texts.iter().enumerate().map(|(index, text)| {
        let mut vector = vec![1.0; dimensions];
        for (place, byte) in text.as_str().unwrap_or_default().bytes().enumerate() {
            vector[place % dimensions] += f64::from(byte);
        }
        json!({ "index": index, "embedding": vector })
    });
    let body = json!({ "data": data.collect::<Vec<_>>() });
    Do::Status(200, vec![], body.to_string())
}

/// A server that makes vectors of `dimensions` numbers.
fn embedding(dimensions: usize) -> Server {
    Server::with(Api::OpenAi, move |asked, _| {
        vectors(&asked.body, dimensions)
    })
}

/// The profile's table for a model of `server`.
fn profile(server: &Server, model: &str, dimensions: usize) -> String {
    format!(
        "[memory.embeddings]\nbase_url = \"{}\"\nmodel = \"{model}\"\ndimensions = {dimensions}\n",
        server.url()
    )
}

/// How often each text was asked for.
fn counts(server: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for asked in server.asked() {
        for text in asked.body["input"].as_array().into_iter().flatten() {
            *counts
                .entry(text.as_str().unwrap_or_default().into())
                .or_default() += 1;
        }
    }
    counts
}

/// Keeps `count` notes without vectors.
fn keep(tau: &Tau, count: usize) {
    tau.profile("[memory]\nembeddings = \"off\"\n");
    for number in 0..count {
        tau.tau(&["memory", "add", &format!("note {number:03} of many")])
            .code(0);
    }
}

/// A command that ends well.
fn ok(tau: &Tau, arguments: &[&str]) -> Done {
    let done = tau.tau(arguments);
    done.code(0);
    done
}

fn texts(done: &Value) -> Vec<&str> {
    let found = done["memories"].as_array().expect("a list");
    found
        .iter()
        .filter_map(|entry| entry["text"].as_str())
        .collect()
}

#[test]
fn a_paraphrase_without_a_shared_word_is_found_by_the_model_in_this_program() {
    let tau = Tau::new();
    for text in [
        "The quarterly report is due on Friday",
        "the cat sat on the rug",
        "Compile with the newest toolchain",
        "Grandmother bakes bread on Sundays",
    ] {
        let added = ok(&tau, &["memory", "add", text]);
        assert_eq!(added.stderr, "", "{added:?}");
    }
    let found = ok(&tau, &["memory", "search", "feline on carpet", "--json"]);
    assert_eq!(texts(&found.json())[0], "the cat sat on the rug");
    let listed = ok(&tau, &["model", "list", "--json"]).code(0).json();
    assert_eq!(listed["embeddings"]["model"], "all-MiniLM-L6-v2");
    assert_eq!(listed["embeddings"]["state"], "fetched");
}

#[test]
fn a_server_that_fails_is_told_and_words_are_searched() {
    let tau = Tau::new();
    let server = Server::with(Api::OpenAi, |_, _| {
        Do::Status(400, vec![], "{\"error\":\"no such model\"}".into())
    });
    tau.profile(&profile(&server, "mine", 4));
    let added = tau.tau(&["memory", "add", "the router's password is on the fridge"]);
    assert!(added.stderr.contains("by words alone") && added.stderr.contains("no such model"));
    let found = ok(&tau, &["memory", "search", "router", "--json"]);
    assert_eq!(
        texts(&found.json()),
        ["the router's password is on the fridge"]
    );
    assert_eq!(
        found.stderr.matches("by words alone").count(),
        1,
        "{}",
        found.stderr
    );

    // Away altogether, it costs a moment.
    drop(server);
    let start = Instant::now();
    let found = ok(&tau, &["memory", "search", "router", "--json"]);
    assert_eq!(texts(&found.json()).len(), 1);
    assert!(found.stderr.contains("cannot connect"), "{}", found.stderr);
    assert!(start.elapsed() < Duration::from_secs(5));
    let checked = tau.tau(&["doctor"]);
    assert!(
        checked.stdout.contains("✗ embeddings"),
        "{}",
        checked.stdout
    );
}

#[test]
fn only_the_server_of_the_profile_gets_texts_and_its_key() {
    let tau = Tau::new();
    let server = embedding(4);
    tau.profile(&format!(
        "{}key_env = \"SIM_KEY\"\n",
        profile(&server, "mine", 4)
    ));
    tau.tau(&["memory", "add", "a fact"]);
    let [asked] = &server.asked()[..] else {
        panic!("{:?}", server.asked());
    };
    assert_eq!(asked.line, "POST /v1/embeddings HTTP/1.1");
    assert_eq!(asked.body, json!({ "model": "mine", "input": ["a fact"] }));
    let key = asked
        .headers
        .iter()
        .find(|(name, _)| name == "authorization");
    assert!(key.is_some_and(|(_, value)| value.starts_with("Bearer sk-")));

    // Without its key nothing is sent, and what is wrong is said.
    tau.profile(&format!(
        "{}key_env = \"NOT_SET\"\n",
        profile(&server, "mine", 4)
    ));
    let added = ok(&tau, &["memory", "add", "another fact"]);
    assert!(added.stderr.contains("NOT_SET"), "{}", added.stderr);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn another_model_embeds_every_entry_once_even_when_it_is_killed() {
    let tau = Tau::new();
    keep(&tau, 40);
    let first = embedding(4);
    tau.profile(&profile(&first, "first", 4));
    let made = ok(&tau, &["memory", "reindex", "--vectors", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&made["vectors"], &made["without_vector"]),
        (&json!(40), &json!(0))
    );
    let all = counts(&first);
    assert_eq!(all.len(), 40);
    assert!(all.values().all(|count| *count == 1), "{all:?}");
    // A second time there is nothing to do.
    let asked = first.asked().len();
    tau.tau(&["memory", "reindex", "--vectors"]);
    assert_eq!(first.asked().len(), asked);

    // Another model, which does not answer its second batch, and the program is killed.
    let second = Server::with(Api::OpenAi, |asked, number| match number {
        1 => Do::Hang,
        _ => vectors(&asked.body, 6),
    });
    tau.profile(&profile(&second, "second", 6));
    let mut child = tau
        .command(["memory", "reindex", "--vectors"])
        .spawn()
        .expect("tau starts");
    let start = Instant::now();
    while second.asked().len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(30), "no second batch");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it is killed");
    let mut rest = String::new();
    child
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut rest)
        .expect("its end");
    child.wait().expect("it is over");
    let before = counts(&second);

    // It goes on where it was: what was stored is not asked for again.
    let made = ok(&tau, &["memory", "reindex", "--vectors", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&made["vectors"], &made["without_vector"]),
        (&json!(8), &json!(0))
    );
    let after = counts(&second);
    let again: usize = after.values().sum::<usize>() - before.values().sum::<usize>();
    assert_eq!(again, 8, "{after:?}");
    assert_eq!(before.len(), 40, "the first batch and the one that hung");

    // A search asks for its own words alone.
    let asked = second.asked().len();
    tau.tau(&["memory", "search", "note 007"]);
    assert_eq!(second.asked().len(), asked + 1);
}

#[test]
fn two_servers_that_call_their_models_the_same_are_told_apart() {
    let tau = Tau::new();
    keep(&tau, 5);
    let vectors = ["memory", "reindex", "--vectors", "--json"];
    let (one, other) = (embedding(4), embedding(4));
    tau.profile(&profile(&one, "mine", 4));
    assert_eq!(ok(&tau, &vectors).json()["vectors"], 5);
    // Another place: what the first one made is compared with nothing of the second.
    tau.profile(&profile(&other, "mine", 4));
    assert_eq!(ok(&tau, &vectors).json()["vectors"], 5);
    assert_eq!(counts(&other).len(), 5);
    // Another path of the same place is the same.
    let moved = profile(&other, "mine", 4).replace(other.url(), &format!("{}/", other.url()));
    tau.profile(&moved);
    assert_eq!(ok(&tau, &vectors).json()["vectors"], 0);
}

#[test]
fn a_model_that_changed_under_its_name_is_told() {
    let tau = Tau::new();
    let server = embedding(6);
    tau.profile(&profile(&server, "mine", 4));
    let added = ok(&tau, &["memory", "add", "a fact"]);
    assert!(
        added.stderr.contains("vectors of 6 numbers, not 4"),
        "{}",
        added.stderr
    );
    let found = ok(&tau, &["memory", "search", "fact", "--json"]);
    assert_eq!(texts(&found.json()), ["a fact"]);
}

#[test]
fn a_model_is_chosen_by_asking_its_server_once() {
    let tau = Tau::new();
    let server = embedding(5);
    tau.tau(&["model", "embed", "mine", "--base-url", server.url()])
        .code(0);
    let set = ok(&tau, &["config", "get", "memory.embeddings", "--json"]).json();
    assert_eq!(
        set,
        json!({ "base_url": server.url(), "model": "mine", "dimensions": 5 })
    );
    assert_eq!(server.asked().len(), 1);
    let checked = tau.tau(&["doctor", "--json"]).json();
    let check = checked["checks"].as_array().expect("checks").iter();
    let check = check
        .clone()
        .find(|check| check["name"] == "embeddings")
        .expect("it");
    assert_eq!(check["state"], "ok");

    tau.tau(&["model", "embed", "off"]).code(0);
    let asked = server.asked().len();
    tau.tau(&["memory", "add", "a fact"]).code(0);
    tau.tau(&["memory", "search", "fact"]).code(0);
    assert_eq!(server.asked().len(), asked);

    let dead = Server::with(Api::OpenAi, |_, _| {
        Do::Status(404, vec![], "<html>no</html>".into())
    });
    let refused = tau.tau(&["model", "embed", "mine", "--base-url", dead.url()]);
    assert_eq!(refused.code, 5, "{refused:?}");
    let set = ok(&tau, &["config", "get", "memory.embeddings"]);
    assert_eq!(set.stdout.trim(), "off");
}

#[test]
fn without_a_network_the_model_is_given_up_in_time_and_not_at_once_again() {
    let tau = Tau::new();
    let empty = tau.home().join("no-models");
    let offline = |arguments: &[&str]| {
        let mut command = tau.command(arguments);
        let nowhere = "http://127.0.0.1:9";
        command
            .env("TAU_MODELS", &empty)
            .env("HTTPS_PROXY", nowhere)
            .env("PIP_INDEX_URL", nowhere)
            .env("PIP_RETRIES", "0");
        let done = finish(command.spawn().expect("tau starts"), b"");
        done.code(0);
        done
    };
    // Keeping a text fetches nothing.
    let added = offline(&["memory", "add", "the spare key hangs in the shed"]);
    assert!(
        added.stderr.contains("tau model pull --embedder"),
        "{}",
        added.stderr
    );
    assert!(added.took < Duration::from_secs(5));
    let found = offline(&["memory", "search", "key", "--json"]);
    assert_eq!(texts(&found.json()), ["the spare key hangs in the shed"]);
    assert!(
        found.stderr.contains("could not be fetched"),
        "{}",
        found.stderr
    );
    assert!(found.took < Duration::from_secs(40), "{:?}", found.took);
    let again = offline(&["memory", "search", "key", "--json"]);
    assert_eq!(texts(&again.json()).len(), 1);
    assert!(again.took < Duration::from_secs(5), "{:?}", again.took);
}
