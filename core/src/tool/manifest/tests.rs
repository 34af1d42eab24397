use alloc::{
    string::{String, ToString},
    vec,
};
use tau_kamn::{DidKey, SigningKey};

use super::*;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn manifest() -> Manifest {
    let text = json!({
        "name": "count_vowels",
        "description": "Count the vowels of a text.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
        "capabilities": {"directories": [{"path": "data", "writes": true}], "clock": true},
        "limits": {"fuel": 1000},
    });
    Manifest::parse(text.to_string().as_bytes()).unwrap()
}

fn key(seed: u8) -> (SigningKey, String) {
    let key = SigningKey::from_seed(&[seed; 32]);
    let did = DidKey::Ed25519(key.public_key()).to_string();
    (key, did)
}

#[test]
fn what_a_manifest_lies_about_is_named() {
    let tried = |change: fn(&mut Value)| {
        let mut value = serde_json::to_value(manifest()).unwrap();
        change(&mut value);
        Manifest::parse(value.to_string().as_bytes())
            .unwrap_err()
            .to_string()
    };
    for (change, expected) in [
        (
            (|m| m["name"] = "sheII".into()) as fn(&mut Value),
            "too much like shell",
        ),
        (|m| m["name"] = "a b".into(), "not 1 to 64 letters"),
        (|m| m["description"] = " ".into(), "a model needs one"),
        (|m| m["description"] = "x".repeat(1_025).into(), "too many"),
        (|m| m["parameters"] = json!({"type": "array"}), "object"),
        (|m| m["parameters"] = json!(true), "object"),
        (
            |m| m["parameters"]["x"] = "x".repeat(9_000).into(),
            "parameters: more than",
        ),
        (|m| m["limits"]["fuel"] = 0.into(), "nothing runs"),
        (|m| m["limits"]["fuel"] = (-1).into(), "cannot be read"),
        (|m| m["hash"] = "sha256:AB".into(), "64 lower-case hex"),
        (|m| m["wants"] = 1.into(), "unknown field `wants`"),
        (
            |m| m["capabilities"]["network"] = true.into(),
            "unknown field `network`",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "../..".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "/etc".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "~/x".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "data\n  know the time".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "\u{202e}atad".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "./.".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["directories"][0]["path"] = "data//x".into(),
            "no path within the workspace",
        ),
        (
            |m| m["capabilities"]["hosts"] = json!(["a b"]),
            "not the name of a host",
        ),
        (
            |m| m["capabilities"]["environment"] = json!(["A=B"]),
            "no name of a variable",
        ),
        (
            |m| m["capabilities"]["environment"] = vec!["A"; 17].into(),
            "too many",
        ),
    ] {
        let told = tried(change);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(
        Manifest::parse(&[b' '; MAX_BYTES + 1]),
        Err(BadManifest::TooLong)
    );
    for text in ["", "[]", "{", "null"] {
        let error = Manifest::parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, BadManifest::Unreadable(_)), "{text}");
    }
}

#[test]
fn what_it_asks_for_decides_its_class_and_its_labels() {
    let of = |capabilities: Value| {
        let mut manifest = Manifest::assumed("own").unwrap();
        manifest.capabilities = serde_json::from_value(capabilities).unwrap();
        manifest.spec()
    };
    let nothing = of(json!({}));
    assert_eq!(nothing.class, ToolClass::Read);
    assert!(nothing.yields.untrusted && !nothing.yields.private);
    let reads = of(json!({"directories": [{"path": "."}]}));
    assert_eq!(reads.class, ToolClass::Read);
    assert!(reads.yields.private);
    let writes = of(json!({"directories": [{"path": ".", "writes": true}]}));
    assert_eq!(writes.class, ToolClass::Write);
    let sends =
        of(json!({"hosts": ["example.com"], "directories": [{"path": ".", "writes": true}]}));
    assert_eq!(sends.class, ToolClass::Network);
    assert!(sends.yields.external);
    assert_eq!(sends.on_restore, OnRestore::Ask);
}

#[test]
fn a_person_reads_every_capability() {
    let asked: Capabilities = serde_json::from_value(json!({
        "directories": [{"path": "."}, {"path": "data", "writes": true}],
        "hosts": ["*.example.com"], "environment": ["LANG"], "clock": true, "random": true,
    }))
    .unwrap();
    assert_eq!(
        asked.lines(),
        [
            "read the whole workspace",
            "read and change data in the workspace",
            "send requests to *.example.com",
            "see the environment variable LANG",
            "know the time",
            "have random numbers",
        ]
    );
}

#[test]
fn a_change_to_the_module_or_to_any_word_is_another_digest() {
    let digest = manifest().digest(MODULE);
    assert_ne!(digest, manifest().digest(b"other"));
    let mut other = manifest();
    other.description.push('!');
    assert_ne!(digest, other.digest(MODULE));
    let mut other = manifest();
    other.capabilities.random = true;
    assert_ne!(digest, other.digest(MODULE));
    // Who signs changes nothing of what was agreed to.
    let hashed = manifest().with_hash_of(MODULE);
    let signed = hashed.clone().sign(MODULE, &key(1).0);
    assert_eq!(hashed.digest(MODULE), signed.digest(MODULE));
}

#[test]
fn a_signature_holds_for_one_module_and_one_manifest() {
    let (signer, did) = key(1);
    let signed = manifest().sign(MODULE, &signer);
    let trust = Trust::default();
    assert_eq!(signed.verify(MODULE, &trust), Ok(Signed::By(did.clone())));
    let other = signed.verify(b"other", &trust).unwrap_err();
    assert!(matches!(other, Distrust::OtherModule { .. }), "{other}");

    let mut changed = signed.clone();
    changed.capabilities.random = true;
    let by = did.clone();
    assert_eq!(
        changed.verify(MODULE, &trust),
        Err(Distrust::BadSignature { by })
    );
    let mut claimed = signed.clone();
    if let Some(signature) = &mut claimed.signature {
        signature.by = key(2).1;
    }
    assert!(matches!(
        claimed.verify(MODULE, &trust),
        Err(Distrust::BadSignature { .. })
    ));
    let mut unhashed = signed.clone();
    unhashed.hash = None;
    assert_eq!(unhashed.verify(MODULE, &trust), Err(Distrust::NoHash));
    for (by, value) in [("did:web:a", "AAAA"), (did.as_str(), "!"), (&did, "AAAA")] {
        let mut broken = signed.clone();
        broken.signature = Some(SignatureField {
            by: by.into(),
            value: value.into(),
        });
        let error = broken.verify(MODULE, &trust).unwrap_err();
        assert!(matches!(error, Distrust::Unreadable(_)), "{error}");
    }
}

#[test]
fn what_a_person_revoked_or_does_not_trust_is_refused_by_name() {
    let (signer, did) = key(1);
    let signed = manifest().sign(MODULE, &signer);
    for what in [did.clone(), hash(MODULE)] {
        let trust = Trust {
            signers: vec![did.clone()],
            revoked: vec![what.clone()],
            ..Trust::default()
        };
        assert_eq!(
            signed.verify(MODULE, &trust),
            Err(Distrust::Revoked { what })
        );
    }
    let strict = |signers: &[&String]| Trust {
        require_signature: true,
        signers: signers.iter().map(ToString::to_string).collect(),
        revoked: vec![],
    };
    assert!(signed.verify(MODULE, &strict(&[&did])).is_ok());
    let error = signed.verify(MODULE, &strict(&[])).unwrap_err();
    assert!(error.to_string().contains("not one of tools.signers"));
    let error = manifest().verify(MODULE, &strict(&[&did])).unwrap_err();
    assert!(error.to_string().contains("nobody signed it"));
}

#[test]
fn a_channel_is_agreed_to_as_what_it_is_even_if_it_asks_for_nothing() {
    let tool = Manifest::parse(br#"{"name": "chat", "description": "x"}"#).unwrap();
    let text = br#"{"name": "chat", "description": "x", "kind": "channel"}"#;
    let channel = Manifest::parse(text).unwrap();
    assert!(!tool.needs_a_yes() && tool.asks().is_empty());
    assert!(channel.needs_a_yes());
    assert!(channel.asks()[0].starts_with("bring messages"));
    assert_ne!(tool.digest(MODULE), channel.digest(MODULE));
    // As before there were channels.
    let written = serde_json::to_value(&tool).unwrap();
    assert_eq!(written.get("kind"), None);
    let explicit = br#"{"name": "chat", "description": "x", "kind": "tool"}"#;
    assert_eq!(
        Manifest::parse(explicit).unwrap().digest(MODULE),
        tool.digest(MODULE)
    );
    for (text, expected) in [
        (
            r#"{"name": "chat", "description": "x", "kind": "daemon"}"#,
            "unknown variant `daemon`",
        ),
        (
            r#"{"name": "chat", "description": "x", "kind": "channel",
                "parameters": {"type": "object", "properties": {}}}"#,
            "a channel is asked by Tau",
        ),
    ] {
        let told = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}
