//! What somebody signs who means ill: strange names, large claims, other versions and other keys.

use super::*;

/// The line of a manifest with other members, signed all the same.
fn forged(change: impl Fn(&mut jcs::Object)) -> Vec<u8> {
    let line = signed(draft(log(1), &parts())).to_line().unwrap();
    let value = jcs::parse(&line[..line.len() - 1], LINE_LIMIT_BYTES).unwrap();
    let Value::Object(mut object) = value else {
        panic!("a manifest is an object");
    };
    change(&mut object);
    object.remove("signature");
    object.remove("id");
    let bytes = tau_kamn::bytes::in_domain(DOMAIN, &object.clone().into());
    let signature = tree(1).signing(1).sign(&bytes);
    let id = tau_kamn::bytes::hex(&tau_kamn::bytes::sha256(&bytes));
    let object = object
        .with("id", id)
        .with("signature", signature.to_multibase());
    let mut line = Value::from(object).to_canonical().into_bytes();
    line.push(b'\n');
    line
}

fn with_parts(names: &[&str], bytes: u64) -> Vec<u8> {
    forged(|object| {
        let part = |name: &&str| {
            jcs::Object::new()
                .with("name", *name)
                .with("sha256", "00".repeat(32))
                .with("bytes", jcs::Integer::try_from(bytes).unwrap())
        };
        object.set("parts", names.iter().map(part).collect::<Value>());
    })
}

#[test]
fn names_are_never_paths_and_never_there_twice() {
    for name in [
        "../../etc/passwd",
        "session/../x",
        "/etc/passwd",
        "session//x",
        "session/",
        "/x",
        "file/a.b",
        "file/a\\b",
        "file/C:",
        "File/x",
        "file/x/y",
        "file",
        "",
        "file/ä",
        "session/x\u{0}",
        "file/..",
    ] {
        let refused = code(read(&with_parts(&[name], 1)));
        assert_eq!(
            refused,
            ("the manifest".into(), "bundle_part_name_invalid"),
            "{name:?}"
        );
    }
    let long = format!("file/{}", "x".repeat(97));
    assert_eq!(
        code(read(&with_parts(&[&long], 1))).1,
        "bundle_part_name_invalid"
    );
    for twice in [["file/soul", "file/soul"], ["tool/Vowels", "tool/vowels"]] {
        let refused = code(read(&with_parts(&twice, 1)));
        assert_eq!(
            refused,
            (format!("part {}", twice[1]), "bundle_part_duplicate")
        );
    }
}

#[test]
fn what_claims_too_much_is_refused_before_a_byte_of_it_is_read() {
    let refused = code(read(&with_parts(&["file/soul"], 1 << 30)));
    assert_eq!(refused, ("part file/soul".into(), "bundle_too_large"));
    let names: Vec<String> = (0..5).map(|n| format!("file/{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let refused = code(read(&with_parts(&names, 256 << 20)));
    assert_eq!(refused, ("the manifest".into(), "bundle_too_large"));
    let many: Vec<String> = (0..=PARTS_LIMIT).map(|n| format!("file/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(code(read(&with_parts(&many, 0))).1, "bundle_parts_too_many");
    // A first line that does not end.
    let mut endless = MAGIC.as_bytes().to_vec();
    endless.resize(LINE_LIMIT_BYTES + 2, b'1');
    assert_eq!(code(read(&endless)).1, "bundle_too_large");
    let small = Limits {
        part_bytes: 4,
        all_bytes: 1 << 20,
    };
    let refused = code(read_by(&bundle(), 64, small, &|_| unreachable!()));
    assert_eq!(refused.1, "bundle_too_large");
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let later = forged(|object| object.set("agent_bundle", 2));
    let error = read(&later).unwrap_err();
    assert_eq!(error.reason_code(), "bundle_version_unsupported");
    assert!(error.to_string().contains("format 2"), "{error}");
    // Also one whose other members nobody knows yet.
    let other = b"{\"agent_bundle\":3,\"everything\":\"else\"}\n";
    assert_eq!(code(read(other)).1, "bundle_version_unsupported");
    let more = forged(|object| object.set("more", true));
    assert_eq!(code(read(&more)).0, "the manifest");
}

#[test]
fn another_agents_key_signs_nothing() {
    let unsigned = draft(log(2), &parts());
    let signature = tree(1)
        .signing(1)
        .sign(&unsigned.to_signed_bytes().unwrap());
    let refused = unsigned.signed(signature).unwrap_err();
    assert_eq!(refused.reason_code(), "signature_invalid");
    // Nor does the log of another beside one's own signature.
    let other = forged(|object| object.set("log", log(2).to_value()));
    assert_eq!(code(read(&other)).1, "bundle_member_invalid");
    let other = forged(|object| {
        object.set("log", log(2).to_value());
        let did = log(2).unchecked_state().did().as_kamn();
        object.set("key", format!("{did}#keys-1"));
        object.set("did", did);
    });
    assert_eq!(code(read(&other)).1, "signature_invalid");
    let unbound = forged(|object| object.set("did", "kamn:did:agent:somebody"));
    assert_eq!(code(read(&unbound)).1, "bundle_member_invalid");
}
