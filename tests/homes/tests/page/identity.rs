//! Who the visitor's agent is, and what page script can learn of its key.

use serde_json::{Value, json};
use tau_kamn::{AgentDid, DidKey, Signature};

use crate::{Stage, support::provider::Step};

#[tokio::test]
async fn new_visitor_gets_an_identity_that_a_reload_keeps() {
    let stage = Stage::new([]).await;
    let first = stage.run("return call('identity');", Value::Null).await;
    let did: AgentDid = first["did"].as_str().unwrap().parse().unwrap();
    let Ok(DidKey::Ed25519(key)) = first["did_key"].as_str().unwrap().parse() else {
        panic!("no Ed25519 did:key: {first}");
    };
    assert!(did.is_bound_to(&key));
    assert_eq!(first["w3c"], did.as_w3c());
    assert_eq!(first["algorithm"], "Ed25519");
    assert_eq!(first["exportable"], false);

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
                 signature: [...Uint8Array.from(atob(signature), (c) => c.charCodeAt(0))],
                 did_key,
                 valid: [await valid({}), await valid({ did }), await valid({ did: did_key }), await valid({ text: 'Gruß' })],
             };",
            Value::Null,
        )
        .await;
    assert_eq!(signed["valid"], json!([true, true, true, false]));
    let bytes: Vec<u8> = serde_json::from_value(signed["signature"].clone()).unwrap();
    let Ok(DidKey::Ed25519(key)) = signed["did_key"].as_str().unwrap().parse() else {
        panic!("no Ed25519 did:key: {signed}");
    };
    let signature = Signature::from_bytes(&bytes).unwrap();
    assert_eq!(key.verify("Grüße".as_bytes(), &signature), Ok(()));
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
    for (const key of keys.filter(({ type }) => type === 'private')) {
        for (const format of ['raw', 'pkcs8', 'jwk', 'spki']) {
            refused.push(await crypto.subtle.exportKey(format, key).then(() => `exported as ${format}`, (error) => error.name));
        }
    }
    return { names, refused, types: keys.map(({ type }) => type).sort(), extractable: keys.filter(({ type }) => type === 'private').map(({ extractable }) => extractable), texts };
";

#[tokio::test]
async fn page_script_finds_neither_the_private_key_nor_the_provider_key() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    stage.run("await call('key.set', { key: 'sk-never-stored' }); await call('identity.sign', { text: 'x' });", Value::Null).await;
    stage.say("Hello").await;
    let found = stage.run(READ_EVERYTHING, Value::Null).await;
    assert_eq!(found["names"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["types"], json!(["private", "public"]), "{found}");
    assert_eq!(found["extractable"], json!([false]));
    let refused: Vec<&str> = found["refused"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(refused.len(), 4);
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
