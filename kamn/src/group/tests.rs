use alloc::{format, string::ToString};

use proptest::prelude::*;

use super::*;
use crate::{
    multibase,
    testing::{Agent, alice, bob, hex},
};

const CHANNEL: &str = "channel:group:1";

fn carol() -> Agent {
    Agent::new("carol", 0x77)
}

fn name(agent: &Agent) -> String {
    agent.did.to_string()
}

fn group(me: &Agent) -> Group {
    let members = [alice(), bob(), carol()].iter().map(name).collect();
    Group::new(CHANNEL, &name(me), members).unwrap()
}

fn key(byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([byte; 32])
}

/// Alice's group with a key, and bob's and carol's who have it.
fn three() -> (Group, Group, Group) {
    let (mut a, mut b, mut c) = (group(&alice()), group(&bob()), group(&carol()));
    let distribution = a.rotate(key(0x66)).unwrap();
    for other in [&mut b, &mut c] {
        let sent = Distribution::from_bytes(&distribution.to_bytes()).unwrap();
        other.install(&name(&alice()), &sent).unwrap();
    }
    (a, b, c)
}

fn open(group: &mut Group, sender: &Agent, message: &GroupMessage) -> Result<Vec<u8>, GroupError> {
    let key = sender.signing.public_key();
    group
        .open(&name(sender), &key, message)
        .map(|text| text.to_vec())
}

fn code<T: fmt::Debug>(result: Result<T, GroupError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn first_message_is_the_worked_example() {
    let (mut a, mut b, _) = three();
    let message = a.seal(&alice().signing, b"group payload").unwrap();
    assert_eq!((message.generation, message.counter), (1, 1));
    assert_eq!(
        message.ciphertext,
        hex("a2d0d692101c14146ff3dbc00a9bffe0c0cef90ee265d574901dcd958a")
    );
    assert_eq!(
        multibase::encode(&message.signature.to_bytes()),
        "z3XUfkwk5GPmJKXd67Fa5m8kghpM4N4x4eVqhCSMcUYJNdkfEJctEZWFhmqyHhH3UnwBJHhyAdye3rPmye8AQ33YP"
    );
    assert_eq!(
        open(&mut b, &alice(), &message),
        Ok(b"group payload".to_vec())
    );
    assert_eq!(code(open(&mut b, &alice(), &message)), "replay");
}

#[test]
fn member_cannot_write_as_another_though_it_knows_his_key() {
    let (mut a, mut b, mut c) = three();
    let message = a.seal(&alice().signing, b"from alice").unwrap();
    // Carol has alice's sender key, so she can make the ciphertext; not the signature.
    let mut as_alice = group(&alice());
    as_alice.rotate(key(0x66)).unwrap();
    let forged = as_alice.seal(&carol().signing, b"from carol").unwrap();
    assert_eq!(code(open(&mut b, &alice(), &forged)), "signature_invalid");
    assert_eq!(code(open(&mut b, &carol(), &message)), "signature_invalid");
    assert_eq!(open(&mut b, &alice(), &message), Ok(b"from alice".to_vec()));
    assert_eq!(open(&mut c, &alice(), &message), Ok(b"from alice".to_vec()));
}

#[test]
fn every_changed_bit_of_a_message_is_refused() {
    let (mut a, mut b, _) = three();
    let message = a.seal(&alice().signing, b"x").unwrap();
    for bit in 0..message.ciphertext.len() * 8 {
        let mut other = message.clone();
        other.ciphertext[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(code(open(&mut b, &alice(), &other)), "signature_invalid");
        // Even where the sender himself signs it again, the tag does not fit.
        let aad = aad(CHANNEL, &name(&alice()), 1, 1);
        other.signature = alice().signing.sign(&to_sign(&aad, &other.ciphertext));
        assert_eq!(code(open(&mut b, &alice(), &other)), "decryption_failed");
    }
    for (generation, counter) in [(2, 1), (1, 2), (0, 1), (1, 0)] {
        let other = GroupMessage {
            generation,
            counter,
            ..message.clone()
        };
        assert_eq!(code(open(&mut b, &alice(), &other)), "signature_invalid");
    }
    assert!(open(&mut b, &alice(), &message).is_ok());
}

#[test]
fn removed_member_cannot_read_what_comes_after() {
    let (mut a, mut b, mut c) = three();
    let (alice_name, carol_name) = (name(&alice()), name(&carol()));
    a.remove(&carol_name).unwrap();
    b.remove(&carol_name).unwrap();
    assert_eq!(code(a.seal(&alice().signing, b"x")), "rotation_required");
    assert_eq!(code(a.distribution()), "rotation_required");
    let distribution = a.rotate(key(0x67)).unwrap();
    assert_eq!(distribution.generation(), 2);
    b.install(&alice_name, &distribution).unwrap();
    let message = a.seal(&alice().signing, b"without carol").unwrap();
    assert_eq!(
        open(&mut b, &alice(), &message),
        Ok(b"without carol".to_vec())
    );
    assert_eq!(code(open(&mut c, &alice(), &message)), "unknown_generation");
    // Not even if she takes the message for one of the generation she knows.
    let mut peer = ReceiveChain::new(key(0x66), 1);
    let aad = aad(CHANNEL, &alice_name, 2, 1);
    assert!(peer.open(1, &aad, &message.ciphertext).is_err());
    assert_eq!(code(open(&mut b, &carol(), &message)), "not_a_member");
}

#[test]
fn after_a_removal_no_key_from_before_is_taken() {
    let (mut a, mut b, _) = three();
    let before = a.seal(&alice().signing, b"before").unwrap();
    let old = a.distribution().unwrap();
    b.remove(&name(&carol())).unwrap();
    assert_eq!(code(open(&mut b, &alice(), &before)), "stale_generation");
    assert_eq!(code(b.install(&name(&alice()), &old)), "stale_generation");
}

#[test]
fn member_who_joins_reads_nothing_from_before() {
    let (mut a, mut b, _) = three();
    let dave = Agent::new("dave", 0x78);
    let before = a.seal(&alice().signing, b"before").unwrap();
    a.add(&name(&dave)).unwrap();
    let mut members: BTreeSet<String> = a.members().map(ToString::to_string).collect();
    let mut d = Group::new(CHANNEL, &name(&dave), members.clone()).unwrap();
    d.install(&name(&alice()), &a.distribution().unwrap())
        .unwrap();
    let after = a.seal(&alice().signing, b"after").unwrap();
    assert_eq!(code(open(&mut d, &alice(), &before)), "replay");
    assert_eq!(open(&mut d, &alice(), &after), Ok(b"after".to_vec()));
    assert!(open(&mut b, &alice(), &after).is_ok());
    assert!(open(&mut b, &alice(), &before).is_ok());
    members.clear();
    assert_eq!(code(Group::new(CHANNEL, "x", members)), "not_a_member");
}

#[test]
fn key_that_came_before_is_not_taken_again() {
    let (mut a, mut b, _) = three();
    let first = a.distribution().unwrap();
    let message = a.seal(&alice().signing, b"once").unwrap();
    assert!(open(&mut b, &alice(), &message).is_ok());
    assert_eq!(code(b.install(&name(&alice()), &first)), "stale_generation");
    assert_eq!(code(open(&mut b, &alice(), &message)), "replay");
}

#[test]
fn distribution_is_for_its_group_and_from_its_sender() {
    let (a, mut b, _) = three();
    let distribution = a.distribution().unwrap();
    let refused = b.install(&name(&carol()), &distribution);
    assert_eq!(code(refused), "distribution_invalid");
    let members = [alice(), bob()].iter().map(name).collect();
    let mut elsewhere = Group::new("channel:group:2", &name(&bob()), members).unwrap();
    let refused = elsewhere.install(&name(&alice()), &distribution);
    assert_eq!(code(refused), "distribution_invalid");
    let refused = b.install("kamn:did:agent:eve", &distribution);
    assert_eq!(code(refused), "not_a_member");
    assert!(!format!("{distribution:?}").contains("66, 66"));
}

#[test]
fn members_come_and_go_once() {
    let mut a = group(&alice());
    assert_eq!(code(a.seal(&alice().signing, b"x")), "rotation_required");
    assert_eq!(code(a.add(&name(&bob()))), "member_not_added");
    assert_eq!(code(a.remove("kamn:did:agent:eve")), "not_a_member");
    assert_eq!(code(a.remove(&name(&alice()))), "not_a_member");
    a.remove(&name(&bob())).unwrap();
    assert_eq!(code(a.remove(&name(&bob()))), "not_a_member");
    for n in a.members().count()..MEMBER_LIMIT {
        a.add(&format!("kamn:did:agent:{n}")).unwrap();
    }
    assert_eq!(code(a.add("kamn:did:agent:one-more")), "member_not_added");
}

proptest! {
    #[test]
    fn distributions_read_back_and_nothing_else_does(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..150_usize) {
        prop_assert!(Distribution::from_bytes(&bytes).is_err());
        let (a, _, _) = three();
        let whole = a.distribution().unwrap().to_bytes();
        prop_assert_eq!(Distribution::from_bytes(&whole).unwrap(), a.distribution().unwrap());
        if cut < whole.len() {
            prop_assert!(Distribution::from_bytes(&whole[..cut]).is_err());
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        prop_assert!(Distribution::from_bytes(&longer).is_err());
    }
}
