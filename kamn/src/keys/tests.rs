//! Figures of KAMN's own check values, and every step of a key's life.

use super::*;
use crate::key::PublicKey;

#[test]
fn keys_of_a_seed_are_those_of_the_check_values() {
    let cases = [
        (
            0x11,
            "z6MkowYY9jHv8WvjKjx3Qq5YL7rfJbQEjDWHarPPh8GDXdgD",
            "z6MkjdJotaSUcWDQGprX2hXYrE6osHdwofL8E2LSPdhrE11J",
            "z6LScrEE7WZjLt95KqjHs9n8rvwH5xNef2X1mgu4AFsJbWej",
        ),
        (
            0x22,
            "z6MkuCapRGjZKicf96KZYhZrqR7us7SpfmDsL43Vx8NwqF2q",
            "z6Mku2t4XsiqSbsWvvoWF7Spf1P8Fo8J2jzDbgTSKq3kHgS4",
            "z6LSobnhQVrS25ahvroBvVoMk2xJ5Z6ttq8YGfEy2LW46cA2",
        ),
    ];
    for (byte, identity, signing, agreement) in cases {
        let tree = KeyTree::from_seed(&[byte; 32]);
        assert_eq!(tree.identity(0).public_key().to_multikey(), identity);
        assert_eq!(tree.signing(1).public_key().to_multikey(), signing);
        assert_eq!(tree.agreement(1).public_key().to_multikey(), agreement);
        assert_ne!(tree.identity(1).public_key(), tree.signing(1).public_key());
    }
}

#[test]
fn tree_shows_no_secret() {
    let shown = format!("{:?}", KeyTree::from_seed(&[0x5a; 32]));
    assert_eq!(shown, "KeyTree(secret)");
}

fn public(number: u32) -> PublicKey {
    KeyTree::from_seed(&[0x11; 32]).signing(number).public_key()
}

#[test]
fn key_rotates_or_ends_and_never_comes_back() {
    let code = |lifecycle: &Lifecycle, command| {
        let done = lifecycle.apply(command);
        done.map(|(_, event)| event.kind())
            .map_err(|error| error.reason_code())
    };
    let initiate = |number| Command::Initiate {
        next: public(number),
    };
    let active = Lifecycle::new(public(1));
    assert_eq!(code(&active, initiate(1)), Err("key_unchanged"));
    assert_eq!(
        code(&active, Command::Activate),
        Err("key_transition_invalid")
    );
    let (rotating, first) = active.apply(initiate(2)).unwrap();
    assert_eq!((first.sequence(), first.kind()), (1, "RotationInitiated"));
    assert_eq!(
        rotating.phase(),
        &Phase::Rotating {
            key: public(1),
            next: public(2)
        }
    );
    assert_eq!(code(&rotating, initiate(3)), Err("key_transition_invalid"));
    let (renewed, second) = rotating.apply(Command::Activate).unwrap();
    assert_eq!((second.sequence(), second.kind()), (2, "RotationActivated"));
    assert_eq!(renewed.phase(), &Phase::Active { key: public(2) });
    for living in [&active, &rotating, &renewed] {
        let (revoked, event) = living.apply(Command::Revoke).unwrap();
        assert_eq!(event.kind(), "KeyRevoked");
        for command in [initiate(4), Command::Activate, Command::Revoke] {
            assert_eq!(code(&revoked, command), Err("key_transition_invalid"));
        }
    }
}

#[test]
fn audit_breaks_wherever_it_was_changed() {
    let mut audit = Audit::default();
    let mut lifecycle = Lifecycle::new(public(1));
    for command in [
        Command::Initiate { next: public(2) },
        Command::Activate,
        Command::Revoke,
    ] {
        let (next, event) = lifecycle.apply(command).unwrap();
        audit.record(&event);
        lifecycle = next;
    }
    let entries = audit.entries().to_vec();
    assert_eq!(check_audit(&entries), Ok(()));
    assert_eq!(entries[0].previous, "GENESIS");
    for at in 0..entries.len() {
        let broken = |twist: fn(&mut Entry)| {
            let mut entries = entries.clone();
            twist(&mut entries[at]);
            check_audit(&entries).is_err()
        };
        assert!(broken(|entry| entry.kind = "Other".into()));
        assert!(broken(|entry| entry.payload.push('x')));
        assert!(broken(|entry| entry.sequence += 1));
        assert!(broken(|entry| entry.previous = "GENESIS2".into()));
        assert!(broken(|entry| entry.hash = "00".into()));
    }
    assert!(check_audit(&entries[1..]).is_err());
}

#[test]
fn session_has_one_key_until_it_ends() {
    let mut sessions = SessionKeys::new(2);
    let code = |error: Error| error.reason_code();
    let key = |number, expires_ms| SessionKey {
        key: public(number),
        expires_ms,
    };
    assert_eq!(
        sessions.insert("a", key(1, 0), 0).map_err(code),
        Err("session_key_invalid")
    );
    assert_eq!(
        sessions.insert("a", key(1, 10), 10).map_err(code),
        Err("session_key_invalid")
    );
    assert_eq!(
        sessions.insert(" ", key(1, 10), 0).map_err(code),
        Err("session_key_invalid")
    );
    assert_eq!(sessions.insert("a", key(1, 10), 0), Ok(()));
    assert_eq!(
        sessions.insert("a", key(2, 20), 5).map_err(code),
        Err("session_key_duplicate")
    );
    assert_eq!(
        sessions.insert("b", key(1, 20), 5).map_err(code),
        Err("session_key_duplicate")
    );
    assert_eq!(sessions.get("a", 9), Ok(&public(1)));
    assert_eq!(
        sessions.get("a", 10).map_err(code),
        Err("session_key_unknown")
    );
    assert_eq!(sessions.insert("b", key(2, 30), 5), Ok(()));
    assert_eq!(
        sessions.insert("c", key(3, 30), 5).map_err(code),
        Err("session_keys_full")
    );
    // What has ended makes room, and its id stays used as long as it is remembered.
    assert_eq!(sessions.insert("c", key(3, 30), 10), Ok(()));
    assert_eq!(sessions.get("b", 29), Ok(&public(2)));
}
