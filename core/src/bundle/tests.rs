use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use proptest::prelude::*;
use tau_kamn::{
    jcs::{self, Value},
    kel::{Change, KeyLog},
    keys::KeyTree,
    seal::{Recipient, open_for, seal_for},
    time::Timestamp,
};
use zeroize::Zeroizing;

use super::*;
use crate::policy::{Action, Policy, Preset};

mod hostile;

const NOW_MS: u64 = 1_800_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(NOW_MS + seconds * 1_000).unwrap()
}

fn tree(seed: u8) -> KeyTree {
    KeyTree::from_seed(&[seed; 32])
}

fn log(seed: u8) -> KeyLog {
    KeyLog::of_tree("agent", &tree(seed), at(0)).unwrap()
}

fn parts() -> Vec<(PartName, Vec<u8>)> {
    let part = |name: &str, content: &[u8]| (name.parse().unwrap(), content.to_vec());
    vec![
        part("session/0123456789abcdef", b"{\"type\":\"export\"}\n{}\n"),
        part("memory/user", b"tea"),
        part("policy/agent", b""),
        part("hologram/x", b"of a later version"),
    ]
}

fn draft(log: KeyLog, parts: &[(PartName, Vec<u8>)]) -> Draft {
    let listed = parts
        .iter()
        .map(|(name, content)| Listed::of(name.clone(), content));
    Draft {
        log,
        created: at(10),
        base: None,
        sealed_for: BTreeSet::new(),
        parts: listed.collect(),
        unchanged: Vec::new(),
    }
}

fn signed(draft: Draft) -> Manifest {
    let signature = tree(1).signing(1).sign(&draft.to_signed_bytes().unwrap());
    draft.signed(signature).unwrap()
}

fn written(manifest: &Manifest, parts: &[(PartName, Vec<u8>)]) -> Vec<u8> {
    let (mut writer, mut file) = Writer::open(manifest).unwrap();
    for (_, content) in parts {
        file.extend(writer.part(content).unwrap());
    }
    file
}

fn bundle() -> Vec<u8> {
    written(&signed(draft(log(1), &parts())), &parts())
}

fn kdf() -> Kdf {
    Kdf {
        salt: [3; 16],
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    }
}

/// Sealed for the agents of `seeds`, by the agent of seed 1.
fn sealed_for(seeds: &[u8]) -> (Lock, ContentKey, BTreeSet<String>) {
    let content = Zeroizing::new([9; 32]);
    let state_ref = |seed: u8| {
        let did = log(seed).unchecked_state().did().as_kamn();
        format!("{did}#key-agreement-1")
    };
    let keys: Vec<_> = seeds
        .iter()
        .map(|seed| (state_ref(*seed), tree(*seed).agreement(1).public_key()))
        .collect();
    let recipients: Vec<_> = keys
        .iter()
        .map(|(key_ref, key)| Recipient { key_ref, key })
        .collect();
    let body = seal_for(
        &state_ref(1),
        1,
        &tree(1).agreement(1),
        &recipients,
        tree(77).agreement(1),
        Zeroizing::new([8; 32]),
        content.as_slice(),
    );
    let lock = Lock::Recipients(Recipients {
        did: log(1).unchecked_state().did().as_kamn(),
        sender: tree(1).agreement(1).public_key(),
        body: body.unwrap(),
    });
    let key = ContentKey::new(content, &lock);
    let refs = lock.key_refs();
    (lock, key, refs)
}

fn sealed_bundle(seeds: &[u8]) -> Vec<u8> {
    let (lock, key, sealed_for) = sealed_for(seeds);
    let manifest = signed(Draft {
        sealed_for,
        ..draft(log(1), &parts())
    });
    let (mut writer, mut file) = Writer::sealed(&manifest, &lock, key).unwrap();
    for (_, content) in parts() {
        file.extend(writer.part(&content).unwrap());
    }
    file
}

/// What a file holds, given in pieces of so many bytes; `unlock` makes the key of a sealed one.
fn read_by(
    file: &[u8],
    piece: usize,
    limits: Limits,
    unlock: &dyn Fn(&Lock) -> Result<ContentKey, BundleError>,
) -> Result<(Manifest, Vec<Part>), BundleError> {
    let mut reader = Reader::new(limits);
    let mut pieces = file.chunks(piece);
    let (mut manifest, mut parts) = (None, Vec::new());
    loop {
        match reader.next()? {
            Next::More => match pieces.next() {
                Some(piece) => reader.push(piece),
                None => {
                    reader.finish()?;
                    panic!("it wanted more at its end");
                }
            },
            Next::Locked(lock) => reader.unlock(unlock(&lock)?)?,
            Next::Manifest(read) => manifest = Some(*read),
            Next::Part(part) => parts.push(part),
            Next::End => match pieces.next() {
                Some(piece) => reader.push(piece),
                None => {
                    reader.finish()?;
                    return Ok((manifest.unwrap(), parts));
                }
            },
        }
    }
}

fn read(file: &[u8]) -> Result<(Manifest, Vec<Part>), BundleError> {
    read_by(file, 64, Limits::default(), &|_| unreachable!("it is open"))
}

/// The key as the agent of that seed opens it.
fn opens(seed: u8) -> impl Fn(&Lock) -> Result<ContentKey, BundleError> {
    move |lock| {
        let Lock::Recipients(recipients) = lock else {
            panic!("it is for agents");
        };
        let did = log(seed).unchecked_state().did().as_kamn();
        let opened = open_for(
            &format!("{did}#key-agreement-1"),
            1,
            &tree(seed).agreement(1),
            &recipients.sender,
            &recipients.body,
        );
        ContentKey::of_opened(&opened.map_err(BundleError::lock)?, lock)
    }
}

fn code(result: Result<(Manifest, Vec<Part>), BundleError>) -> (String, &'static str) {
    let error = result.unwrap_err();
    (error.place.to_string(), error.reason_code())
}

#[test]
fn what_is_written_is_read_whatever_the_pieces() {
    let file = bundle();
    assert!(is_bundle(&file) && is_bundle(&sealed_bundle(&[2])));
    for piece in [1, 2, 7, 64, file.len()] {
        let (manifest, read) =
            read_by(&file, piece, Limits::default(), &|_| unreachable!()).unwrap();
        assert_eq!(manifest.draft(), &draft(log(1), &parts()));
        let read: Vec<_> = read
            .into_iter()
            .map(|part| (part.name, part.content))
            .collect();
        assert_eq!(read, parts());
        manifest.check_time(NOW_MS).unwrap();
    }
    let unknown = parts().pop().unwrap().0;
    assert_eq!(*unknown.kind(), Kind::Unknown("hologram".into()));
}

#[test]
fn bundle_without_parts_is_an_identity() {
    let manifest = signed(draft(log(1), &[]));
    let (read, parts) = read(&written(&manifest, &[])).unwrap();
    assert_eq!((read, parts), (manifest, vec![]));
}

/// Where in a file each of its places begins.
fn places(
    file: &[u8],
    manifest_bytes: usize,
    overhead: usize,
) -> Vec<(String, core::ops::Range<usize>)> {
    let mut places = vec![("the manifest".to_string(), 0..manifest_bytes)];
    let mut from = manifest_bytes;
    for (number, (name, content)) in (1..).zip(parts()) {
        let bytes = content.len() + overhead;
        let to = from + format!("part {number} {bytes}\n").len() + bytes;
        places.push((format!("part {name}"), from..to));
        from = to;
    }
    assert_eq!(from, file.len());
    places
}

#[test]
fn every_changed_byte_is_refused_by_the_name_of_its_part() {
    let file = bundle();
    let line = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (place, range) in places(&file, line, 0) {
        for at in range {
            for change in [1, 0x20, 0x80] {
                let mut changed = file.clone();
                changed[at] ^= change;
                let error = read(&changed).unwrap_err();
                assert_eq!(error.place.to_string(), place, "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn every_changed_byte_of_a_sealed_one_is_refused_too() {
    let file = sealed_bundle(&[2]);
    let line = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let heading = line + file[line..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let text = core::str::from_utf8(&file[line..heading - 1]).unwrap();
    let bytes: usize = text.strip_prefix("part 0 ").unwrap().parse().unwrap();
    for (place, range) in places(&file, heading + bytes, 16) {
        for at in range {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let result = read_by(&changed, 4096, Limits::default(), &opens(2));
            let found = result.unwrap_err().place.to_string();
            let is_right = match at < line {
                true => ["the lock", "the manifest"].contains(&found.as_str()),
                false => found == place,
            };
            assert!(is_right, "byte {at} of {place}: {found}");
        }
    }
}

#[test]
fn a_cut_file_names_what_is_cut_and_what_follows_is_refused() {
    let file = bundle();
    let line = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (place, range) in places(&file, line, 0) {
        let early = if range.start == 0 {
            20
        } else {
            range.start + 1
        };
        for at in [early, range.end - 1] {
            assert_eq!(code(read(&file[..at])), (place.clone(), "bundle_truncated"));
        }
    }
    assert_eq!(code(read(b"")).1, "bundle_unknown");
    for more in [b"\n".as_slice(), b"part 5 0\n"] {
        let longer = [&file, more].concat();
        assert_eq!(code(read(&longer)), ("the end".into(), "bundle_trailing"));
    }
    for other in [
        b"{\"type\":\"export\",\"format\":2}\n".as_slice(),
        b"PK\x03\x04",
        b"\n",
    ] {
        assert_eq!(code(read(other)).1, "bundle_unknown");
        assert!(!is_bundle(other));
    }
}

#[test]
fn parts_in_another_order_are_refused() {
    let (file, all) = (bundle(), parts());
    let line = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut swapped = file[..line].to_vec();
    for (number, place) in [(1, 1), (2, 0)] {
        let content = &all[place].1;
        swapped.extend(format!("part {number} {}\n", content.len()).into_bytes());
        swapped.extend(content);
    }
    assert_eq!(code(read(&swapped)).0, "part session/0123456789abcdef");
}

fn rotated(log: &KeyLog, seconds: u64) -> KeyLog {
    let mut log = log.clone();
    let change = Change::Rotate {
        signing: Some(tree(1).signing(2).public_key()),
        agreement: None,
    };
    let event = log.next(at(seconds), change);
    log.append(event.signed_by(&tree(1).identity(0))).unwrap();
    log
}

fn revoked(log: &KeyLog, seconds: u64) -> KeyLog {
    let mut log = log.clone();
    let did = log.unchecked_state().did().as_kamn();
    let change = Change::RevokeKey {
        key_id: format!("{did}#keys-1"),
        reason: "lost".into(),
        compromised_since_ms: i64::try_from(at(seconds).unix_ms())
            .unwrap()
            .try_into()
            .unwrap(),
    };
    let event = log.next(at(seconds), change);
    log.append(event.signed_by(&tree(1).identity(0))).unwrap();
    log
}

#[test]
fn key_counts_as_of_the_time_and_a_revoked_one_never() {
    let manifest = signed(draft(log(1), &parts()));
    let by = |log: &KeyLog| manifest.check_by(log).map_err(|error| error.reason_code());
    assert_eq!(by(&log(1)), Ok(()));
    // An archive is read after its key was replaced.
    assert_eq!(by(&rotated(&log(1), 20)), Ok(()));
    // What was made after that with the old key is dated back, or stolen.
    assert_eq!(by(&rotated(&log(1), 5)), Err("kel_key_not_active"));
    // Whoever has a lost key dates as they like.
    assert_eq!(by(&revoked(&log(1), 20)), Err("kel_key_revoked"));
    assert!(by(&log(2)).is_err());
    let mut forked = rotated(&log(1), 20);
    let fork = revoked(&log(1), 21);
    assert!(forked.merge(&fork).is_err());
    assert_eq!(by(&forked), Err("kel_fork_detected"));
}

#[test]
fn a_bundle_from_the_future_is_refused() {
    let manifest = signed(draft(log(1), &parts()));
    let made_ms = at(10).unix_ms();
    assert_eq!(manifest.check_time(made_ms - 300_000), Ok(()));
    let refused = manifest.check_time(made_ms - 300_001).unwrap_err();
    assert_eq!(refused.reason_code(), "bundle_from_future");
}

#[test]
fn recipients_open_it_and_nobody_else() {
    let file = sealed_bundle(&[2, 3]);
    let hidden = ["tea", "memory/user", "0123456789abcdef"];
    let text = String::from_utf8_lossy(&file);
    assert!(hidden.iter().all(|word| !text.contains(word)));
    for seed in [2, 3] {
        let (_, read) = read_by(&file, 64, Limits::default(), &opens(seed)).unwrap();
        assert_eq!(read.len(), parts().len());
    }
    let refused = read_by(&file, 64, Limits::default(), &opens(4));
    assert_eq!(code(refused), ("the lock".into(), "not_a_recipient"));
}

#[test]
fn a_passphrase_opens_it_and_another_does_not() {
    let content = Zeroizing::new([9; 32]);
    let lock = Lock::by_passphrase(kdf(), Zeroizing::new([4; 32]), &content).unwrap();
    let manifest = signed(draft(log(1), &parts()));
    let key = ContentKey::new(content, &lock);
    let (mut writer, mut file) = Writer::sealed(&manifest, &lock, key).unwrap();
    for (_, content) in parts() {
        file.extend(writer.part(&content).unwrap());
    }
    let by = |derived: u8| {
        read_by(&file, 64, Limits::default(), &|lock| {
            let content = lock.open_by_passphrase(Zeroizing::new([derived; 32]))?;
            Ok(ContentKey::new(content, lock))
        })
    };
    assert_eq!(by(4).unwrap().1.len(), parts().len());
    assert_eq!(code(by(5)), ("the lock".into(), "decryption_failed"));
}

#[test]
fn a_lock_that_asks_for_hours_of_work_is_refused() {
    let content = Zeroizing::new([9; 32]);
    for kdf in [
        Kdf {
            memory_kib: (1 << 20) + 1,
            ..kdf()
        },
        Kdf {
            passes: 65,
            ..kdf()
        },
        Kdf { lanes: 0, ..kdf() },
    ] {
        let lock = Lock::by_passphrase(kdf, Zeroizing::new([4; 32]), &content).unwrap();
        let line = lock.to_line();
        let refused = Lock::read(&line[..line.len() - 1]).unwrap_err();
        assert_eq!(refused.reason_code(), "bundle_member_invalid");
    }
}

#[test]
fn what_was_sealed_for_one_is_not_passed_on_as_if_for_another() {
    let (lock, key, _) = sealed_for(&[2]);
    let open = signed(draft(log(1), &parts()));
    let refused = Writer::sealed(&open, &lock, key).unwrap_err();
    assert_eq!(refused.reason_code(), "bundle_readdressed");
    // One who opened it seals the manifest he found for another.
    let (_, _, for_two) = sealed_for(&[2]);
    let manifest = signed(Draft {
        sealed_for: for_two,
        ..draft(log(1), &[])
    });
    assert!(Writer::open(&manifest).is_err());
    let (for_three, key, _) = sealed_for(&[3]);
    let mut line = manifest.to_line().unwrap();
    line.pop();
    let sealed = key.seal(0, &Place::Manifest, &line).unwrap();
    let mut file = for_three.to_line();
    file.extend(format!("part 0 {}\n", sealed.len()).into_bytes());
    file.extend(sealed);
    let refused = read_by(&file, 64, Limits::default(), &opens(3));
    assert_eq!(code(refused).1, "bundle_readdressed");
    // And open.
    let refused = read(&manifest.to_line().unwrap());
    assert_eq!(code(refused).1, "bundle_readdressed");
}

#[test]
fn unchanged_parts_need_a_base() {
    let left = Left {
        name: "session/aa".parse().unwrap(),
        sha256: [1; 32],
    };
    let without = Draft {
        unchanged: vec![left.clone()],
        ..draft(log(1), &[])
    };
    let signature = tree(1).signing(1).sign(&without.to_signed_bytes().unwrap());
    let line = without.signed(signature).unwrap().to_line().unwrap();
    assert_eq!(code(read(&line)).1, "bundle_member_invalid");
    let manifest = signed(Draft {
        base: Some([7; 32]),
        unchanged: vec![left],
        ..draft(log(1), &[])
    });
    let (again, _) = read(&manifest.to_line().unwrap()).unwrap();
    assert_eq!(again, manifest);
}

#[test]
fn policy_of_a_bundle_tightens_and_never_loosens() {
    let mut loose = Policy::preset(Preset::Permissive);
    loose.tools.insert("http".into(), Action::Allow);
    for own in Preset::ALL {
        let own = Policy::preset(own);
        let same = tightened(&own, &loose);
        assert_eq!((same.policy, same.changes), (own, vec![]));
    }
    let mut own = Policy::preset(Preset::Balanced);
    own.write = Some(Action::Allow);
    own.tools.insert("http".into(), Action::Allow);
    let mut strict = Policy::preset(Preset::Strict);
    strict.tools.insert("http".into(), Action::Ask);
    strict.tools.insert("shell".into(), Action::Deny);
    strict.tools.insert("edit".into(), Action::Allow);
    strict.approved.push("everything".into());
    let now = tightened(&own, &carried(&strict));
    assert_eq!(now.policy.preset, Preset::Strict);
    assert_eq!(now.policy.write, Some(Action::Ask));
    assert_eq!(now.policy.tools["http"], Action::Ask);
    assert_eq!(now.policy.tools["shell"], Action::Deny);
    assert!(!now.policy.tools.contains_key("edit"));
    assert!(now.policy.approved.is_empty());
    let keys: Vec<&str> = now.changes.iter().map(|(key, _, _)| key.as_str()).collect();
    assert_eq!(keys, ["preset", "write", "tools.http", "tools.shell"]);
    let again = tightened(&now.policy, &strict);
    assert_eq!((again.policy, again.changes), (now.policy, vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, piece in 1_usize..64, at in 0_usize..4096, with_magic: bool) {
        let mut file = bundle();
        let at = at % file.len();
        file.splice(at.., bytes.iter().copied());
        let random = if with_magic { [MAGIC.as_bytes(), &bytes].concat() } else { bytes };
        for file in [file, random] {
            let _ = read_by(&file, piece, Limits::default(), &|_| {
                Err(BundleError::lock(Reason::Signature))
            });
        }
    }
}
