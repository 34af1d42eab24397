use alloc::{collections::BTreeMap, vec};

use proptest::{collection::vec as some, prelude::*};

use super::*;
use crate::testing::{alice, bob, hex, hex32};

const CHANNEL: &str = "channel:direct:alice-bob";
const I2R: &str = "4fd0879eb0bc2572526224f643f4f0c52940a5a044f9831d881977e55de7a207";
const R2I: &str = "f32de94e04a6f9763764418ecfa8ef9ec6925e3147fab36a0ef87ab1d10000f3";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Both ends of the session of the worked example, established at 0.
fn pair() -> (Session, Session) {
    let key = |text| Zeroizing::new(hex32(text));
    let end = |me: String, peer: String, send, receive| {
        Session::new(CHANNEL.into(), me, peer, 0, key(send), key(receive))
    };
    let (a, b) = (alice().did.as_kamn(), bob().did.as_kamn());
    (end(a.clone(), b.clone(), I2R, R2I), end(b, a, R2I, I2R))
}

fn code<T: fmt::Debug>(result: Result<T, RatchetError>) -> &'static str {
    result.unwrap_err().reason_code()
}

#[test]
fn first_messages_are_the_worked_example() {
    let [first, second] = chain::first_two_keys(Zeroizing::new(hex32(I2R)));
    assert_eq!(
        first.0.to_vec(),
        hex("1f99f612c2583aa4b03e7e3f99f9a5fb6785930ab79c36a2d16e499d95d02a39")
    );
    assert_eq!(
        first.1.to_vec(),
        hex("0b13e3a2db8040436e6af71d9cb41f5a611b2f3ec5c72a9d")
    );
    assert_eq!(
        second.0.to_vec(),
        hex("8ef1dac29a539d854e68b18300eb82aea6697d7e8395c849b794e977c8402848")
    );
    let (mut a, mut b) = pair();
    let message = a.seal(1, b"hello channel").unwrap();
    assert_eq!(
        message.ciphertext,
        hex("b2aebddf68cee20b1ac4c24aec43405e272459257508daa85a49dd0bbd")
    );
    assert_eq!(b.open(1, &message).unwrap().as_slice(), b"hello channel");
}

#[test]
fn message_opens_once_in_whatever_order() {
    let (mut a, mut b) = pair();
    let sent: Vec<_> = (0..6_u8).map(|n| a.seal(0, &[n]).unwrap()).collect();
    for at in [3_usize, 0, 5, 1, 4] {
        let n = u8::try_from(at).unwrap();
        assert_eq!(b.open(0, &sent[at]).unwrap().as_slice(), [n]);
        assert_eq!(code(b.open(0, &sent[at])), "replay");
    }
    let answer = b.seal(0, b"got them").unwrap();
    assert_eq!(a.open(0, &answer).unwrap().as_slice(), b"got them");
    assert_eq!(b.open(0, &sent[2]).unwrap().as_slice(), [2]);
}

#[test]
fn every_changed_bit_is_refused_and_costs_nothing() {
    let (mut a, mut b) = pair();
    let message = a.seal(0, b"pay").unwrap();
    for bit in 0..message.ciphertext.len() * 8 {
        let mut other = message.clone();
        other.ciphertext[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(b.open(0, &other), Err(RatchetError::Tag));
    }
    for counter in [0, 2, 3, 100] {
        let other = SessionMessage {
            counter,
            ..message.clone()
        };
        assert!(b.open(0, &other).is_err(), "as number {counter}");
    }
    assert_eq!(b.open(0, &message).unwrap().as_slice(), b"pay");
}

#[test]
fn message_is_for_the_other_end_of_the_same_channel() {
    let (mut a, mut b) = pair();
    let message = a.seal(0, b"hello").unwrap();
    assert_eq!(a.open(0, &message), Err(RatchetError::Tag));
    b.channel = "channel:direct:other".into();
    assert_eq!(b.open(0, &message), Err(RatchetError::Tag));
    b.channel = CHANNEL.into();
    b.peer = b.me.clone();
    assert_eq!(b.open(0, &message), Err(RatchetError::Tag));
}

#[test]
fn at_most_256_messages_are_skipped_and_lost_ones_do_not_end_the_session() {
    let (mut a, mut b) = pair();
    let sent: Vec<_> = (0..600).map(|_| a.seal(0, b"x").unwrap()).collect();
    assert_eq!(
        b.open(0, &sent[257]),
        Err(RatchetError::TooFar { ahead: 257 })
    );
    assert!(b.open(0, &sent[256]).is_ok());
    assert!(b.open(0, &sent[500]).is_ok());
    // 256 + 243 were skipped, the oldest 243 keys are gone.
    assert_eq!(b.receive.parts().2.len(), 256);
    assert_eq!(code(b.open(0, &sent[242])), "replay");
    assert!(b.open(0, &sent[243]).is_ok());
    assert!(b.open(0, &sent[599]).is_ok());
}

#[test]
fn session_ends_after_its_messages_and_its_days() {
    let (mut a, mut b) = pair();
    let message = a.seal(7 * DAY_MS, b"x").unwrap();
    assert_eq!(a.seal(7 * DAY_MS + 1, b"x"), Err(RatchetError::Expired));
    assert_eq!(b.open(7 * DAY_MS + 1, &message), Err(RatchetError::Expired));
    a.send = SendChain::new(Zeroizing::new([1; 32]), MESSAGE_LIMIT);
    assert_eq!(a.seal(0, b"x").unwrap().counter, MESSAGE_LIMIT);
    assert_eq!(a.seal(0, b"x"), Err(RatchetError::Exhausted));
    assert_eq!(
        RatchetError::Exhausted.reason_code(),
        "rehandshake_required"
    );
}

#[test]
fn message_that_was_opened_stays_opened_across_a_snapshot() {
    let (mut a, mut b) = pair();
    let sent: Vec<_> = (0..4).map(|_| a.seal(0, b"x").unwrap()).collect();
    b.open(0, &sent[0]).unwrap();
    b.open(0, &sent[2]).unwrap();
    let snapshot = b.snapshot(&[7; 32], &[8; 24]).unwrap();
    let mut b = Session::restore(&[7; 32], &snapshot).unwrap();
    assert_eq!(code(b.open(0, &sent[0])), "replay");
    assert_eq!(code(b.open(0, &sent[2])), "replay");
    assert!(b.open(0, &sent[1]).is_ok());
    assert!(b.open(0, &sent[3]).is_ok());
    let answer = b.seal(0, b"still here").unwrap();
    assert_eq!(a.open(0, &answer).unwrap().as_slice(), b"still here");
}

#[test]
fn changed_snapshot_or_another_store_key_is_refused() {
    let (a, _) = pair();
    let snapshot = a.snapshot(&[7; 32], &[8; 24]).unwrap();
    assert!(!snapshot.windows(32).any(|part| part == hex(I2R)));
    assert_eq!(
        code(Session::restore(&[9; 32], &snapshot)),
        "snapshot_invalid"
    );
    for at in 0..snapshot.len() {
        let mut other = snapshot.clone();
        other[at] ^= 1;
        assert!(Session::restore(&[7; 32], &other).is_err(), "byte {at}");
        assert!(Session::restore(&[7; 32], &snapshot[..at]).is_err());
    }
}

#[test]
fn body_reads_back_in_one_spelling_alone() {
    let (mut a, _) = pair();
    let message = a.seal(0, b"x").unwrap();
    let entries = message.to_entries();
    assert_eq!(SessionMessage::from_entries(&entries), Ok(message));
    for (name, value) in [
        ("counter", "0"),
        ("counter", "01"),
        ("counter", "+1"),
        ("counter", "1 "),
        ("counter", "18446744073709551616"),
        ("ciphertext", "a="),
        ("more", "x"),
    ] {
        let mut other: BTreeMap<_, _> = entries.clone();
        other.insert(name.into(), value.into());
        assert!(
            SessionMessage::from_entries(&other).is_err(),
            "{name}: {value}"
        );
    }
}

#[test]
fn shown_session_tells_no_key() {
    let (a, _) = pair();
    let shown = format!("{a:?}");
    assert!(
        shown.contains(CHANNEL) && !shown.contains(&I2R[..8]),
        "{shown}"
    );
}

proptest! {
    /// Whatever is lost, repeated or overtaken: what opens is what was sent, and once.
    #[test]
    fn deliveries_open_each_message_at_most_once(order in some(0..40_usize, 0..120), cut in 0..120_usize) {
        let (mut a, mut b) = pair();
        let sent: Vec<_> = (0..40_u8).map(|n| a.seal(0, &[n]).unwrap()).collect();
        let mut opened = vec![false; sent.len()];
        for (step, at) in order.into_iter().enumerate() {
            if step == cut {
                let snapshot = b.snapshot(&[7; 32], &[8; 24]).unwrap();
                b = Session::restore(&[7; 32], &snapshot).unwrap();
            }
            let result = b.open(0, &sent[at]);
            prop_assert_eq!(result.is_ok(), !opened[at]);
            if let Ok(text) = result {
                prop_assert_eq!(usize::from(text[0]), at);
            }
            opened[at] = true;
        }
    }
}
