//! Three agents in a channel, and whoever would like to be.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use tau_kamn::{AgentDid, channel::Kind, envelope::MessageType, kel::KeyLog};

use super::{
    super::{
        Packet, Status,
        tests::{Agent, At, NOW, gate, now, way},
        write::Parts,
    },
    content::{Content, What},
    state::State,
    *,
};

type Members<'a> = [&'a Agent];

fn three() -> (Agent, Agent, Agent) {
    let three = (
        Agent::new("alice", 0x11),
        Agent::new("bob", 0x22),
        Agent::new("carol", 0x33),
    );
    three.0.knows(&three.1);
    three.0.knows(&three.2);
    three
}

impl Agent {
    fn begin(&self, members: &Members<'_>) -> Round {
        let members: Vec<_> = members.iter().map(|member| member.did()).collect();
        let office = self.office();
        let begun = office.begin_channel("harbour", Kind::Group, &members, NOW);
        now(begun).unwrap()
    }

    fn say(&self, text: &str) -> Result<Round, &'static str> {
        let office = self.office();
        let standing = now(office.group_channel("harbour")).map_err(|error| error.reason_code())?;
        let said = now(office.write_to_channel(&standing.id, &Words::request(text), NOW));
        said.map_err(|error| error.reason_code())
    }

    fn change(&self, change: &Change) -> Result<Round, &'static str> {
        let office = self.office();
        let standing = now(office.group_channel("harbour")).unwrap();
        let changed = now(office.change_channel(&standing.id, change, NOW));
        changed.map_err(|error| error.reason_code())
    }

    fn leave(&self) -> Result<Round, &'static str> {
        let office = self.office();
        let standing = now(office.group_channel("harbour")).unwrap();
        let left = now(office.leave_channel(&standing.id, NOW));
        left.map_err(|error| error.reason_code())
    }

    /// What `round` has for `to`, on its way.
    fn for_one(&self, round: &Round, to: &Self) -> Vec<u8> {
        let mut sent = round.sent.iter();
        let sent = sent.find(|sent| sent.to == to.did().to_string()).unwrap();
        Packet::of(sent.envelope().into(), self.signer.log()).to_bytes()
    }

    /// Gives `round` to all it is for.
    fn give(&self, round: &Round, members: &Members<'_>) {
        for member in members {
            member.take(&self.for_one(round, member)).unwrap();
        }
    }

    fn standing(&self) -> Standing {
        now(self.office().group_channel("harbour")).unwrap()
    }

    fn members(&self) -> Vec<String> {
        let members = self.standing().members.into_iter();
        members
            .filter(|member| !member.has_left)
            .map(|member| member.did.label().into())
            .collect()
    }

    /// What an agent can sign that goes by no rules.
    fn forge(&self, content: &Content, to: &Members<'_>, nonce: u64) -> Vec<u8> {
        let office = self.office();
        let logs: Vec<KeyLog> = to.iter().map(|to| to.signer.log().clone()).collect();
        let plaintext = content.to_bytes().unwrap();
        let body = now(office.sealed_for_all(&logs, nonce, &plaintext)).unwrap();
        let parts = Parts {
            peers: logs.iter().map(|log| log.state().unwrap()).collect(),
            kind: MessageType::StatusUpdate,
            content_type: CHANNEL,
            body,
            thread: Some(content.channel.as_str().into()),
            answers: None,
            number: nonce,
            life_ms: 60_000,
        };
        let signed = now(office.sign(parts, NOW)).unwrap();
        Packet::of(signed.to_canonical(), self.signer.log()).to_bytes()
    }

    fn kept(&self) -> Kept {
        now(store::load(&self.store, &self.standing().id))
            .unwrap()
            .unwrap()
    }
}

fn words(kept: &Kept, text: &str) -> Content {
    Content {
        channel: kept.state.id.clone(),
        what: What::Words {
            number: kept.state.number,
            digest: content::digest(&kept.state).unwrap(),
            body: BTreeMap::from([("text".into(), text.into())]),
        },
    }
}

#[test]
fn what_is_said_to_a_channel_is_read_by_all_its_members_and_once() {
    let (alice, bob, carol) = three();
    let begun = alice.begin(&[&bob, &carol]);
    assert_eq!((begun.sent.len(), begun.skipped.len()), (2, 0));
    alice.give(&begun, &[&bob, &carol]);
    assert_eq!(bob.standing().digest, alice.standing().digest);
    assert_eq!(carol.members(), ["alice", "bob", "carol"]);
    let said = alice.say("low tide at nine").unwrap();
    // One content, sealed once: all get the same bytes.
    assert_eq!(said.sent[0].envelope(), said.sent[1].envelope());
    assert!(!said.sent[0].envelope().contains("tide"));
    let packet = alice.for_one(&said, &bob);
    let letter = bob.take(&packet).unwrap().letter.unwrap();
    assert_eq!(
        (letter.text(), letter.is_sealed()),
        ("low tide at nine", true)
    );
    let id = alice.standing().id;
    assert_eq!(letter.sender().channel.as_deref(), Some(id.as_str()));
    assert_eq!(bob.take(&packet).unwrap_err(), "replay");
    // Another process, which knows nothing but the store.
    let bob = bob.restarted();
    assert_eq!(bob.take(&packet).unwrap_err(), "replay");
    carol.take(&alice.for_one(&said, &carol)).unwrap();
    // The two know each other from what alice told of them.
    let answer = bob.say("thanks").unwrap();
    bob.give(&answer, &[&alice, &carol]);
    assert_eq!(carol.letters(), ["low tide at nine", "thanks"]);
    assert_eq!(alice.letters(), ["thanks"]);
}

#[test]
fn who_is_removed_reads_and_says_nothing_more() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    let before = carol.say("before").unwrap();
    let removed = alice.change(&Change::Remove(carol.did())).unwrap();
    alice.give(&removed, &[&bob]);
    // Carol was not told yet, and the others know better.
    for member in [&alice, &bob] {
        let refused = member.take(&carol.for_one(&before, member)).unwrap_err();
        assert_eq!(refused, "channel_unauthorized");
        let late = carol.say("after").unwrap();
        let refused = member.take(&carol.for_one(&late, member)).unwrap_err();
        assert_eq!(refused, "channel_unauthorized");
    }
    let said = alice.say("between us").unwrap();
    assert_eq!(said.sent.len(), 1);
    let packet = alice.for_one(&said, &bob);
    assert_eq!(carol.take(&packet).unwrap_err(), "recipient_mismatch");
    let stolen = String::from_utf8(packet).unwrap();
    let stolen = stolen.replace(&bob.did().to_string(), &carol.did().to_string());
    assert_eq!(
        carol.take(stolen.as_bytes()).unwrap_err(),
        "signature_invalid"
    );
    alice.give(&removed, &[&carol]);
    assert_eq!(carol.standing().over, Some(Over::Removed));
    assert_eq!(carol.say("still here").unwrap_err(), "channel_over");
    assert_eq!(carol.letters(), Vec::<String>::new());
    // Who is asked in again is in again.
    let back = alice.change(&Change::Invite(carol.did())).unwrap();
    alice.give(&back, &[&bob, &carol]);
    carol.give(&carol.say("hello again").unwrap(), &[&alice, &bob]);
    assert_eq!(bob.letters(), ["hello again"]);
}

#[test]
fn unknown_foreign_and_differing_channels_are_refused() {
    let (alice, bob, carol) = three();
    let begun = alice.begin(&[&bob]);
    let early = alice.for_one(&alice.say("too early").unwrap(), &bob);
    assert_eq!(bob.take(&early).unwrap_err(), "channel_unknown");
    alice.give(&begun, &[&bob]);
    // It was no reason to burn it.
    bob.take(&early).unwrap();
    let kept = alice.kept();
    // A stranger who knows all there is to know of the channel.
    let stranger = carol.forge(&words(&kept, "let me in"), &[&bob], 1);
    assert_eq!(bob.take(&stranger).unwrap_err(), "channel_unauthorized");
    let mut mine = kept.state.clone();
    mine.members.insert(carol.did(), 1);
    mine.admins.insert(carol.did());
    mine.number += 1;
    let told = |state: &State| Content {
        channel: state.id.clone(),
        what: What::State {
            state: state.clone(),
            logs: Vec::new(),
        },
    };
    let forged = carol.forge(&told(&mine), &[&bob], 2);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_unauthorized");
    let removed = |number| Content {
        channel: kept.state.id.clone(),
        what: What::Removed { number },
    };
    let forged = carol.forge(&removed(2), &[&bob], 3);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_unauthorized");
    // A member who means another channel, by another state, or for others.
    let mut other = kept.clone();
    other.state.admins.insert(bob.did());
    let forged = alice.forge(&words(&other, "as if"), &[&bob], 90);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_state_conflict");
    let forged = alice.forge(&words(&kept, "all of you"), &[&bob, &carol], 91);
    assert_eq!(
        bob.take(&forged).unwrap_err(),
        "channel_recipients_mismatch"
    );
    assert_eq!(carol.take(&forged).unwrap_err(), "channel_unknown");
    other.state = kept.state.clone();
    other.state.number += 1;
    let forged = alice.forge(&words(&other, "from tomorrow"), &[&bob], 92);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_state_unknown");
    let forged = alice.forge(&removed(1), &[&bob], 93);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_state_stale");
    let mut inside = words(&kept, "for another");
    inside.channel = ChannelId::new(&alice.did(), "quay", [1; 8]).unwrap();
    let forged = alice.forge(&inside, &[&bob], 94);
    let moved = String::from_utf8(forged).unwrap();
    let moved = moved.replace(inside.channel.as_str(), kept.state.id.as_str());
    assert_eq!(bob.take(moved.as_bytes()).unwrap_err(), "signature_invalid");
    // Nothing of that was remembered.
    assert_eq!(bob.letters(), ["too early"]);
    assert_eq!(bob.members(), ["alice", "bob"]);
    let said = alice.say("and yet").unwrap();
    alice.give(&said, &[&bob]);
}

#[test]
fn channel_inside_of_the_seal_is_the_one_outside() {
    let (alice, bob, _) = three();
    alice.give(&alice.begin(&[&bob]), &[&bob]);
    let kept = alice.kept();
    let office = alice.office();
    let logs = [bob.signer.log().clone()];
    let mut inside = words(&kept, "for another");
    inside.channel = ChannelId::new(&alice.did(), "quay", [1; 8]).unwrap();
    let plaintext = inside.to_bytes().unwrap();
    let parts = |body, peers| Parts {
        peers,
        kind: MessageType::Request,
        content_type: CHANNEL,
        body,
        thread: Some(kept.state.id.as_str().into()),
        answers: None,
        number: 9,
        life_ms: 60_000,
    };
    let body = now(office.sealed_for_all(&logs, 9, &plaintext)).unwrap();
    let signed = now(office.sign(parts(body, Vec::from([logs[0].state().unwrap()])), NOW));
    let refused = bob.take(signed.unwrap().to_canonical().as_bytes());
    assert_eq!(refused.unwrap_err(), "channel_mismatch");
    // Sealed for one more than the envelope says.
    let both = [logs[0].clone(), alice.signer.log().clone()];
    let plaintext = words(&kept, "and for one more").to_bytes().unwrap();
    let body = now(office.sealed_for_all(&both, 9, &plaintext)).unwrap();
    let signed = now(office.sign(parts(body, Vec::from([logs[0].state().unwrap()])), NOW));
    let refused = bob.take(signed.unwrap().to_canonical().as_bytes());
    assert_eq!(refused.unwrap_err(), "channel_recipients_mismatch");
}

#[test]
fn admins_change_a_channel_and_nobody_else() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    let remove = Change::Remove(carol.did());
    assert_eq!(bob.change(&remove).unwrap_err(), "channel_unauthorized");
    let mut next = bob.kept().state;
    next.number += 1;
    next.members.remove(&carol.did());
    let forged = Content {
        channel: next.id.clone(),
        what: What::State {
            state: next,
            logs: Vec::new(),
        },
    };
    let forged = bob.forge(&forged, &[&alice], 7);
    assert_eq!(alice.take(&forged).unwrap_err(), "channel_unauthorized");
    assert_eq!(alice.leave().unwrap_err(), "channel_last_admin");
    let raised = alice.change(&Change::AddAdmin(bob.did())).unwrap();
    alice.give(&raised, &[&bob, &carol]);
    let gone = bob.change(&remove).unwrap();
    bob.give(&gone, &[&alice, &carol]);
    assert_eq!(alice.members(), ["alice", "bob"]);
    assert_eq!(carol.standing().over, Some(Over::Removed));
}

#[test]
fn two_admins_who_change_it_at_once_are_told_and_one_of_them_says_it_again() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    let raised = alice.change(&Change::AddAdmin(bob.did())).unwrap();
    alice.give(&raised, &[&bob, &carol]);
    let dan = Agent::new("dan", 0x44);
    alice.knows(&dan);
    let added = alice.change(&Change::Invite(dan.did())).unwrap();
    let lowered = bob.change(&Change::AddAdmin(carol.did())).unwrap();
    let refused = bob.take(&alice.for_one(&added, &bob)).unwrap_err();
    assert_eq!(refused, "channel_state_conflict");
    alice.give(&added, &[&carol, &dan]);
    let refused = carol.take(&bob.for_one(&lowered, &carol)).unwrap_err();
    assert_eq!(refused, "channel_state_conflict");
    let again = alice.change(&Change::Announce).unwrap();
    alice.give(&again, &[&bob, &carol, &dan]);
    assert_eq!(bob.standing().digest, dan.standing().digest);
    assert_eq!(bob.members(), ["alice", "bob", "carol", "dan"]);
}

#[test]
fn who_leaves_is_written_to_no_more() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    let left = carol.leave().unwrap();
    let late = alice.say("too late for carol").unwrap();
    let refused = carol.take(&alice.for_one(&late, &carol)).unwrap_err();
    assert_eq!(refused, "channel_over");
    carol.give(&left, &[&alice, &bob]);
    assert_eq!(bob.members(), ["alice", "bob"]);
    assert_eq!(bob.say("for alice").unwrap().sent.len(), 1);
    let kept = carol.kept();
    let forged = carol.forge(&words(&kept, "one more thing"), &[&bob], 40);
    assert_eq!(bob.take(&forged).unwrap_err(), "channel_member_left");
    // The next change says so too, and who was asked in again is written to again.
    let back = alice.change(&Change::Invite(carol.did())).unwrap();
    alice.give(&back, &[&bob, &carol]);
    assert_eq!(bob.members(), ["alice", "bob", "carol"]);
    assert_eq!(carol.say("back").unwrap().sent.len(), 2);
}

#[test]
fn only_admins_write_to_a_broadcast() {
    let (alice, bob, _) = three();
    let topic = "tides".into();
    let begun = alice.office();
    let kind = Kind::Broadcast { topic };
    let begun = now(begun.begin_channel("harbour", kind, &[bob.did()], NOW)).unwrap();
    alice.give(&begun, &[&bob]);
    assert_eq!(bob.say("me too").unwrap_err(), "channel_unauthorized");
    let forged = bob.forge(&words(&bob.kept(), "me too"), &[&alice], 5);
    assert_eq!(alice.take(&forged).unwrap_err(), "channel_unauthorized");
    alice.give(&alice.say("high at three").unwrap(), &[&bob]);
}

#[test]
fn what_could_not_be_stored_was_not_written_and_two_processes_write_two_messages() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    let (rows, before) = (alice.store.rows(), alice.store.commits.get());
    alice.store.fails.set(true);
    assert_eq!(alice.say("lost").unwrap_err(), "store_failed");
    let change = Change::Remove(carol.did());
    assert_eq!(alice.change(&change).unwrap_err(), "store_failed");
    alice.store.fails.set(false);
    assert_eq!(alice.store.rows(), rows);
    // All that belongs to a message is one commit: a crash has no place in it.
    let first = alice.say("one").unwrap();
    assert_eq!(alice.store.commits.get(), before + 1);
    // Another process writes what it wrote from the same state, just before.
    let other = alice.copy();
    let second = other.say("two").unwrap();
    alice.store.meanwhile(other.store.last());
    let third = alice.say("three").unwrap();
    for round in [&first, &second, &third] {
        alice.give(round, &[&bob, &carol]);
    }
    assert_eq!(bob.letters(), ["one", "two", "three"]);
    let numbers = |round: &Round| round.sent[0].number;
    assert_eq!(numbers(&third), numbers(&second) + 1);
    // And one that takes a change, while this one takes what was written before it.
    let said = carol.say("am I out?").unwrap();
    let removed = alice.change(&change).unwrap();
    let other = bob.copy();
    alice.give(&removed, &[&other]);
    bob.store.meanwhile(other.store.last());
    let refused = bob.take(&carol.for_one(&said, &bob)).unwrap_err();
    assert_eq!(refused, "channel_unauthorized");
}

#[test]
fn members_who_refuse_or_cannot_be_written_to_do_not_stop_the_others() {
    let (alice, bob, carol) = three();
    alice.give(&alice.begin(&[&bob, &carol]), &[&bob, &carol]);
    // Where bob listens is known, where carol does is not.
    let office = alice.office();
    now(office.address(&bob.did(), "https://bob.example/inbox")).unwrap();
    let carrier = way(&bob);
    let said = alice.say("hello").unwrap();
    let post = |round: &Round| {
        now(office.post_all(round, &alice.desk, &gate(), &carrier, &At(NOW))).unwrap()
    };
    let posted = post(&said);
    let of = |posted: &[Posted], to: &Agent| {
        let to = to.did().to_string();
        let mut posted = posted.iter();
        posted.find(|posted| posted.sent.to == to).unwrap().clone()
    };
    assert_eq!(of(&posted, &bob).sent.status, Status::Taken);
    assert_eq!(of(&posted, &carol).sent.status, Status::Waiting);
    let code = of(&posted, &carol).reason_code;
    assert_eq!(code.as_deref(), Some("address_unknown"));
    // Bob left, and says no; carol gets hers all the same.
    now(bob.office().leave_channel(&bob.standing().id, NOW)).unwrap();
    let said = alice.say("again").unwrap();
    let posted = post(&said);
    let refused = of(&posted, &bob);
    assert_eq!(refused.sent.status, Status::Refused);
    assert_eq!(refused.reason_code.as_deref(), Some("channel_over"));
    alice.give(&said, &[&carol]);
    // One whose keys ended is left out and told.
    let carol = carol.deactivated();
    alice.knows(&carol);
    let said = alice.say("and now").unwrap();
    assert_eq!((said.sent.len(), said.skipped.len()), (1, 1));
    assert_eq!(said.skipped[0].0, carol.did());
}

#[test]
fn channel_of_as_many_as_there_may_be_fits_an_envelope_and_others_are_refused() {
    let alice = Agent::new("alice", 0x11);
    let label = "a-label-as-long-as-it-can-be";
    let many: Vec<_> = (0..MEMBERS_LIMIT as u8)
        .map(|number| Agent::new(label, 0x80 + number))
        .collect();
    many.iter().for_each(|member| alice.knows(member));
    let all: Vec<_> = many.iter().collect();
    let office = alice.office();
    let dids: Vec<AgentDid> = many.iter().map(Agent::did).collect();
    let refused = now(office.begin_channel("harbour", Kind::Group, &dids, NOW)).unwrap_err();
    assert_eq!(refused.reason_code(), "channel_invalid");
    let begun = alice.begin(&all[1..]);
    alice.give(&begun, &all[1..]);
    assert_eq!(many[7].members().len(), MEMBERS_LIMIT);
    // Everybody's keys came along.
    let said = many[7].say("hello").unwrap();
    assert_eq!(
        (said.sent.len(), said.skipped.len()),
        (MEMBERS_LIMIT - 1, 0)
    );
    for name in [
        "",
        "Harbour",
        "a b",
        "a:b",
        "name-of-more-than-thirty-two-bytes",
    ] {
        let refused = now(office.begin_channel(name, Kind::Group, &[], NOW));
        assert_eq!(
            refused.unwrap_err().reason_code(),
            "channel_invalid",
            "{name}"
        );
    }
    for _ in 1..15 {
        now(office.begin_channel("harbour", Kind::Group, &[], NOW)).unwrap();
    }
    let full = now(office.begin_channel("harbour", Kind::Group, &[], NOW));
    assert_eq!(full.unwrap_err().reason_code(), "channels_full");
}

#[test]
fn who_brings_an_agent_into_many_channels_takes_no_room_of_others() {
    let (alice, bob, carol) = three();
    for mark in 0..16 {
        // As if alice had made it.
        let channel = ChannelId::new(&alice.did(), "quay", [mark; 8]).unwrap();
        let members = [bob.did()];
        let state = State::begin(channel.clone(), Kind::Group, &carol.did(), &members).unwrap();
        let logs = Vec::new();
        let what = What::State { state, logs };
        let packet = carol.forge(&Content { channel, what }, &[&bob], 1);
        match bob.take(&packet) {
            Ok(_) => assert!(mark < 15),
            Err(code) => assert_eq!((mark, code), (15, "channels_full")),
        }
    }
    alice.give(&alice.begin(&[&bob]), &[&bob]);
    assert_eq!(now(bob.office().group_channels()).unwrap().len(), 16);
}

#[test]
fn every_changed_byte_of_a_message_to_a_channel_is_refused() {
    let (alice, bob, _) = three();
    alice.give(&alice.begin(&[&bob]), &[&bob]);
    let said = alice.say("hello").unwrap();
    let text = said.sent[0].envelope().as_bytes();
    for at in 0..text.len() {
        let mut changed = text.to_vec();
        changed[at] ^= 1;
        assert!(bob.take(&changed).is_err(), "byte {at}");
    }
    bob.take(text).unwrap();
}
