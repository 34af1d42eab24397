//! Channels of several agents: three homes, and nothing between them but packets.

use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

use super::messages::{Listener, agent, introduce, letters};
use crate::support::{Done, Server, Tau, say};

/// Runs a command that writes a packet for each member, and gives them by whom they are for.
fn packets(tau: &Tau, arguments: &[&str]) -> BTreeMap<String, PathBuf> {
    let out = ["--out", "packets", "--json"];
    let told = tau.tau(&[arguments, &out].concat()).code(0).json();
    let members = told["members"].as_array().expect("a list").iter();
    members
        .map(|member| {
            assert_eq!(member["status"], "handed", "{told}");
            let file = member["file"].as_str().expect("a file");
            let to = member["to"].as_str().expect("a DID");
            (to.to_owned(), tau.workspace().join(file))
        })
        .collect()
}

fn receive(tau: &Tau, packet: &PathBuf) -> Done {
    let packet = fs::read(packet).expect("a packet");
    tau.tau_with(&["message", "receive", "--json"], &packet)
}

#[track_caller]
fn refused(tau: &Tau, packet: &PathBuf, code: &str) {
    let told = receive(tau, packet).code(77).json();
    assert_eq!(told["refused"]["reason_code"], code, "{told}");
}

fn show(tau: &Tau) -> Value {
    let shown = ["message", "channel", "show", "harbour", "--json"];
    tau.tau(&shown).code(0).json()
}

#[test]
fn three_share_a_channel_and_who_is_removed_reads_and_says_nothing_more() {
    let (alice, to_alice) = agent("alice");
    let (bob, to_bob) = agent("bob");
    let (carol, to_carol) = agent("carol");
    let new = ["message", "channel", "new", "harbour", "--member", &to_bob];
    // Whose keys are not known cannot be written to.
    alice.tau(&new).code(77).tells("sender_unresolved");
    introduce(&alice, &bob);
    introduce(&alice, &carol);
    let begun = packets(&alice, &[&new[..], &["--member", &to_carol]].concat());
    for (tau, did) in [(&bob, &to_bob), (&carol, &to_carol)] {
        let taken = receive(tau, &begun[did]).code(0).json();
        assert_eq!(taken["letter"], Value::Null, "{taken}");
        assert_eq!(show(tau)["digest"], show(&alice)["digest"]);
    }
    let send =
        |tau: &Tau, text: &str| packets(tau, &["message", "send", "--channel", "harbour", text]);
    let said = send(&alice, "low tide at nine");
    let bytes = fs::read_to_string(&said[&to_bob]).unwrap();
    assert!(!bytes.contains("tide"), "it is sealed");
    for (tau, did) in [(&bob, &to_bob), (&carol, &to_carol)] {
        let taken = receive(tau, &said[did]).code(0).json();
        assert_eq!(taken["text"], "low tide at nine");
        assert_eq!(taken["channel"], show(&alice)["id"]);
        assert_eq!(taken["sealed"], true);
        refused(tau, &said[did], "replay");
    }
    // The two know each other by what alice told of them.
    let answer = send(&bob, "I bring the rope");
    for (tau, did) in [(&alice, &to_alice), (&carol, &to_carol)] {
        receive(tau, &answer[did]).code(0);
    }

    let remove = ["message", "channel", "remove", "harbour", &to_carol];
    bob.tau(&remove).code(77).tells("channel_unauthorized");
    let removed = packets(&alice, &remove);
    receive(&bob, &removed[&to_bob]).code(0);
    let secret = send(&alice, "without carol");
    assert_eq!(secret.keys().collect::<Vec<_>>(), [&to_bob]);
    refused(&carol, &secret[&to_bob], "recipient_mismatch");
    receive(&bob, &secret[&to_bob]).code(0);
    // She was not told yet; the others know better.
    let late = send(&carol, "what did I miss?");
    refused(&alice, &late[&to_alice], "channel_unauthorized");
    refused(&bob, &late[&to_bob], "channel_unauthorized");
    receive(&carol, &removed[&to_carol]).code(0);
    let words = ["message", "send", "--channel", "harbour", "hello?"];
    carol.tau(&words).code(77).tells("channel_over");
    assert_eq!(show(&carol)["over"], "removed");
    assert_eq!(letters(&bob), ["low tide at nine", "without carol"]);
    assert_eq!(letters(&carol), ["low tide at nine", "I bring the rope"]);
    carol
        .tau(&["message", "channel", "leave", "harbour"])
        .code(0);
    carol
        .tau(&["message", "channel", "show", "harbour"])
        .code(77);

    let left = packets(&bob, &["message", "channel", "leave", "harbour"]);
    receive(&alice, &left[&to_alice]).code(0);
    let listed = alice.tau(&["message", "channel", "list"]);
    assert!(listed.code(0).stdout.contains("1 members"));
    alice.tau(&words).code(77).tells("channel_empty");
}

#[test]
fn a_session_is_told_by_which_channel_a_letter_came() {
    let (alice, _) = agent("alice");
    let (bob, to_bob) = agent("bob");
    introduce(&alice, &bob);
    let new = ["message", "channel", "new", "harbour", "--member", &to_bob];
    receive(&bob, &packets(&alice, &new)[&to_bob]).code(0);
    let words = [
        "message",
        "send",
        "--channel",
        "harbour",
        "low tide at nine",
    ];
    receive(&bob, &packets(&alice, &words)[&to_bob]).code(0);
    let server = Server::new([say("Noted.")]);
    let deliver = ["message", "deliver", "--json", "--base-url", server.url()];
    let model = ["--model", "sim", "--key-env", "SIM_KEY"];
    let told = bob.tau(&[&deliver[..], &model].concat()).code(0).json();
    assert_eq!(told["answer"], json!("Noted."));
    let id = show(&bob)["id"].as_str().unwrap().to_owned();
    let channel = id.strip_prefix("channel:group:").unwrap();
    let asked = server.asked()[0].body.to_string();
    let frame = format!("to the members of the channel {channel}. Its signature was checked");
    assert!(asked.contains(&frame), "{asked}");
    assert!(asked.contains("low tide at nine"), "{asked}");
}

#[test]
fn packets_go_to_each_address_that_is_known_and_the_rest_waits() {
    let (alice, _) = agent("alice");
    let (bob, to_bob) = agent("bob");
    let (carol, to_carol) = agent("carol");
    introduce(&alice, &carol);
    let mut listener = Listener::start(&bob, &[]);
    let url = listener.url.clone();
    let origin = url
        .strip_suffix("/agents/inbox")
        .expect("an inbox")
        .to_owned();
    let allow = ["--allow", &origin, "--json"];
    let new = ["message", "channel", "new", "harbour", "--out", "packets"];
    alice.tau(&new).code(0);
    let add = [
        "message", "channel", "add", "harbour", &to_bob, "--to-url", &url,
    ];
    let told = alice.tau(&[&add[..], &allow].concat()).code(0).json();
    assert_eq!(told["members"][0]["status"], "taken", "{told}");
    let add = ["message", "channel", "add", "harbour", &to_carol];
    let told = alice.tau(&[&add[..], &allow].concat());
    let told = told.code(0).tells("it waits").json();
    let of = |did: &str| {
        let mut members = told["members"].as_array().expect("a list").iter();
        let found = members.find(|member| member["to"] == did);
        found.expect("a member").clone()
    };
    assert_eq!(of(&to_bob)["status"], "taken");
    assert_eq!(of(&to_carol)["status"], "waiting");
    assert_eq!(of(&to_carol)["reason_code"], "address_unknown");
    assert_eq!(listener.next()["channel"], told["channel"]);
    assert_eq!(listener.next()["channel"], told["channel"]);
    assert_eq!(show(&bob)["members"].as_array().map(Vec::len), Some(3));
}
