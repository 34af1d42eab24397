//! Who the visitor's agent is, and what page script can learn of its key.

use serde_json::{Value, json};
use tau_core::ids::UnixMillis;
use tau_kamn::{AgentDid, DidKey, PublicKey, kel::KeyLog, keys::KeyTree, time::Timestamp};
use tau_platform::statement;

use crate::{Stage, offline::AFTER, support::provider::Step};

#[tokio::test]
async fn new_visitor_gets_an_identity_that_a_reload_keeps() {
    let stage = Stage::new([]).await;
    let first = stage.run("return call('identity');", Value::Null).await;
    let did: AgentDid = first["did"].as_str().unwrap().parse().unwrap();
    let identity = first["identity_key"].as_str().unwrap();
    assert!(did.is_bound_to(&PublicKey::from_multikey(identity).unwrap()));
    assert_eq!(first["w3c"], did.as_w3c());
    assert_eq!(first["algorithm"], "Ed25519");
    assert_eq!(first["exportable"], false);
    assert_eq!(
        (&first["events"], &first["standing"]),
        (&json!(1), &json!("valid"))
    );

    stage.browser.reload().await;
    let second = stage
        .run("await open(); return call('identity');", Value::Null)
        .await;
    assert_eq!(first, second);
    stage.browser.end().await;
}

#[tokio::test]
async fn signature_of_the_page_verifies_natively_and_in_the_page() {
    let stage = Stage::new([]).await;
    let signed = stage
        .run(
            "const { signature } = await call('identity.sign', { text: 'Grüße' });
             const { did, did_key } = await call('identity');
             const valid = async (args) => (await call('identity.verify', { text: 'Grüße', signature, ...args })).valid;
             return {
                 signature,
                 did_key,
                 log: await call('identity.log'),
                 valid: [await valid({}), await valid({ did }), await valid({ did: did_key }), await valid({ text: 'Gruß' })],
             };",
            Value::Null,
        )
        .await;
    assert_eq!(signed["valid"], json!([true, true, true, false]));
    let signature = statement::read_signature(signed["signature"].as_str().unwrap()).unwrap();
    let Ok(DidKey::Ed25519(key)) = signed["did_key"].as_str().unwrap().parse() else {
        panic!("no Ed25519 did:key: {signed}");
    };
    let bytes = "tau:statement:v1\0Grüße".as_bytes();
    assert_eq!(key.verify(bytes, &signature), Ok(()));
    // Whoever has the log needs nothing else.
    let log = KeyLog::read(signed["log"].as_str().unwrap().as_bytes()).unwrap();
    let now = UnixMillis(log.state().unwrap().updated_ms() + 1_000);
    let key_id = statement::check(&log, "Grüße".as_bytes(), &signature, now, None).unwrap();
    assert!(key_id.ends_with("#keys-1"), "{key_id}");
    stage.browser.end().await;
}

#[tokio::test]
async fn the_page_knows_another_agent_by_its_log_and_sees_it_tell_two_stories() {
    let stage = Stage::new([]).await;
    let tree = KeyTree::from_seed(&[9; 32]);
    let log = |ms| {
        let made = Timestamp::from_unix_ms(ms).unwrap();
        KeyLog::of_tree("peer", &tree, made).unwrap()
    };
    let (known, other) = (log(1_700_000_000_000), log(1_700_000_001_000));
    let signature = tree
        .signing(1)
        .sign(&statement::to_bytes(b"hello").unwrap());
    let told = stage
        .run(
            "const refused = (name, args) => call(name, args).then((told) => told, ({ code }) => code);
             const verify = () => refused('identity.verify', { text: 'hello', signature: given.signature, did: given.did });
             return [
                 await verify(),
                 await refused('identity.learn', { log: given.log }),
                 await verify(),
                 await refused('identity.learn', { log: given.log.replace('\"seq\":0', '\"seq\":1') }),
                 await refused('identity.learn', { log: given.other }),
                 await verify(),
             ];",
            json!({
                "log": known.to_value().to_canonical(),
                "other": other.to_value().to_canonical(),
                "did": known.state().unwrap().did().as_kamn(),
                "signature": signature.to_multibase(),
            }),
        )
        .await;
    assert_eq!(told[0], "unknown_key");
    assert_eq!(told[1]["learned"], "first");
    assert_eq!(told[2]["valid"], true);
    assert!(told[3].as_str().unwrap().starts_with("kel_"), "{told}");
    assert_eq!(told[4]["learned"], "fork");
    assert_eq!(told[5]["valid"], false);
    assert!(told[5]["why"].as_str().unwrap().contains("forks"), "{told}");
    stage.browser.end().await;
}

/// Removes a row of the identity's database.
const FORGET: &str = "
    const wait = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const database = await wait(indexedDB.open('tau-identity'));
    for (const name of given) await wait(database.transaction('keys', 'readwrite').objectStore('keys').delete(name));
    database.close();
";

#[tokio::test]
async fn a_page_that_had_one_key_alone_keeps_its_name_and_gets_a_log() {
    let stage = Stage::new([]).await;
    let before = stage.run("return call('identity');", Value::Null).await;
    // As the first version of the page left it.
    stage.run(FORGET, json!(["agent"])).await;
    stage.browser.reload().await;
    let after = stage
        .run(
            "await open();
             const { signature } = await call('identity.sign', { text: 'x' });
             return { ...await call('identity'), valid: (await call('identity.verify', { text: 'x', signature })).valid };",
            Value::Null,
        )
        .await;
    for same in ["did", "identity_key", "created"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_ne!(
        before["did_key"], after["did_key"],
        "the keys to sign with are new"
    );
    assert_eq!(
        (&after["valid"], &after["events"]),
        (&json!(true), &json!(1))
    );
    stage.browser.end().await;
}

#[tokio::test]
async fn a_browser_without_such_keys_keeps_a_seed_that_is_sealed() {
    let stage = Stage::new([]).await;
    stage.run(FORGET, json!(["agent", "identity"])).await;
    stage.browser.reload().await;
    let open = format!(
        "{AFTER}
         startAfter(`const make = SubtleCrypto.prototype.generateKey;
             SubtleCrypto.prototype.generateKey = function (algorithm, ...rest) {{
                 if (algorithm === 'Ed25519') return Promise.reject(new DOMException('no such keys', 'NotSupportedError'));
                 return make.call(this, algorithm, ...rest);
             }};`);
         await open();
         const {{ signature }} = await call('identity.sign', {{ text: 'x' }});
         return {{ ...await call('identity'), valid: (await call('identity.verify', {{ text: 'x', signature }})).valid }};"
    );
    let first = stage.run(&open, Value::Null).await;
    assert_eq!(
        (&first["valid"], &first["exportable"]),
        (&json!(true), &json!(true))
    );
    let found = stage.run(READ_EVERYTHING, Value::Null).await;
    assert_eq!(found["types"], json!(["secret"]), "{found}");
    assert_eq!(found["extractable"], json!([false]));
    let refused = found["refused"].as_array().unwrap();
    assert!(
        refused
            .iter()
            .all(|name| !name.as_str().unwrap().starts_with("exported"))
    );
    stage.browser.reload().await;
    let second = stage.run(&open, Value::Null).await;
    assert_eq!(first, second);
    stage.browser.end().await;
}

/// Reads every record of every database, as hostile page script would.
const READ_EVERYTHING: &str = "
    const wait = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const keys = [];
    const texts = [];
    const walk = (value) => {
        if (value instanceof CryptoKey) keys.push(value);
        else if (value instanceof Uint8Array) texts.push(new TextDecoder('latin1').decode(value));
        else if (value && typeof value === 'object') Object.values(value).forEach(walk);
        else texts.push(String(value));
    };
    const names = (await indexedDB.databases()).map(({ name }) => name);
    for (const name of names) {
        const database = await wait(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
            const rows = database.transaction(store).objectStore(store);
            (await wait(rows.getAll())).forEach(walk);
        }
        database.close();
    }
    const refused = [];
    for (const key of keys.filter(({ type }) => type !== 'public')) {
        for (const format of ['raw', 'pkcs8', 'jwk', 'spki']) {
            refused.push(await crypto.subtle.exportKey(format, key).then(() => `exported as ${format}`, (error) => error.name));
        }
    }
    return { names, refused, types: keys.map(({ type }) => type).sort(), extractable: keys.filter(({ type }) => type !== 'public').map(({ extractable }) => extractable), texts };
";

#[tokio::test]
async fn page_script_finds_neither_the_private_key_nor_the_provider_key() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    stage.run("await call('key.set', { key: 'sk-never-stored' }); await call('identity.sign', { text: 'x' });", Value::Null).await;
    stage.say("Hello").await;
    let found = stage.run(READ_EVERYTHING, Value::Null).await;
    assert_eq!(found["names"].as_array().unwrap().len(), 2, "{found}");
    let types = [
        "private", "private", "private", "public", "public", "public",
    ];
    assert_eq!(found["types"], json!(types), "{found}");
    assert_eq!(found["extractable"], json!([false, false, false]));
    let refused: Vec<&str> = found["refused"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(refused.len(), 12, "three keys in four formats");
    for name in refused {
        assert!(
            matches!(name, "InvalidAccessError" | "NotSupportedError"),
            "{name}"
        );
    }
    let texts = found["texts"].to_string();
    assert!(
        texts.contains("turn_finished"),
        "the journal was not looked at"
    );
    assert!(
        !texts.contains("sk-never-stored"),
        "the provider's key is stored"
    );
    stage.browser.end().await;
}
