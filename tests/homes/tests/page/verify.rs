//! The page that verifies a file: a session as it was signed, and with a line changed.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use serde_json::{Value, json};
use tau_core::{
    ids::SessionId,
    journal::{Blobs, sections::signed_section},
    receipt::{Head, Tracker, log_line, receipt_line},
};
use tau_kamn::{kel::KeyLog, keys::KeyTree, time::Timestamp};

use crate::{Stage, support::provider::Step};

/// Gives the page a file as a person who drops one does, and tells what it says then.
const DROP: &str = "
    const dropped = new DataTransfer();
    dropped.items.add(new File([given], 'talk.jsonl'));
    document.dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }));
    const result = document.getElementById('result');
    await until(() => !result.hidden && result.dataset.verdict !== 'reading');
    const root = document.documentElement;
    return {
        verdict: result.dataset.verdict,
        text: result.innerText,
        overflows: root.scrollWidth > root.clientWidth,
        requests: performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => !name.startsWith(location.origin)),
    };
";

/// The session of a plain export, with the receipts its agent would have left; and whose they are.
fn signed(export: &str) -> (String, String) {
    let lines = export.lines().filter(|line| line.contains(r#""seq":"#));
    let journal: Vec<Vec<u8>> = lines.map(|line| line.as_bytes().to_vec()).collect();
    let created: Value = serde_json::from_slice(&journal[0]).unwrap();
    let session = SessionId(created["session"].as_str().unwrap().into());
    let tree = KeyTree::from_seed(&[3; 32]);
    let begun = Timestamp::from_unix_ms(created["at"].as_u64().unwrap() - 1).unwrap();
    let log = KeyLog::of_tree("tau", &tree, begun).unwrap();
    let (mut tracker, mut head) = (Tracker::default(), Head::default());
    let mut signed = vec![log_line(&log)];
    for line in &journal {
        let Some(fact) = tracker.take(line).unwrap().fact else {
            continue;
        };
        let receipt = head.receipt(&session, fact, log.state().unwrap()).unwrap();
        let stored = receipt.stored(&tree.signing(1).sign(&receipt.to_signed()));
        head.follow(&stored, tracker.from());
        signed.push(receipt_line(&stored));
    }
    let text = signed_section(&[], &journal, &Blobs::default(), &signed);
    let did = log.unchecked_state().did().as_kamn();
    (String::from_utf8(text).unwrap(), did)
}

#[tokio::test]
async fn a_file_is_verified_in_the_page_and_its_first_bad_line_named() {
    let stage = Stage::new([Step::Say(&["Hello."], 0)]).await;
    let session = stage.say("Hello").await;
    let export = "return call('sessions.export', { session: given });";
    let export = stage.run(export, session).await;
    let plain = export.as_str().unwrap().to_owned();
    let (text, did) = signed(&plain);
    stage
        .browser
        .go(&format!("{}/verify.html", stage.site.url))
        .await;
    for width in [360, 1280] {
        stage
            .browser
            .client
            .set_window_size(width, 900)
            .await
            .unwrap();
        let told = stage.run(DROP, json!(text)).await;
        assert_eq!(told["verdict"], "holds", "{told}");
        assert!(told["text"].as_str().unwrap().contains(&did), "{told}");
        assert_eq!(told["overflows"], false, "{told}");
        assert_eq!(told["requests"], json!([]), "the file stays here");
    }
    // Whatever line is changed is the one that is named, but for the end and the last record, of which
    // one contradicts the other.
    let lines: Vec<&str> = text.lines().collect();
    for (place, line) in lines.iter().enumerate().take(lines.len() - 1) {
        let changed = line.replacen("\":", "\";", 1);
        let changed = text.replacen(line, &changed, 1);
        let told = stage.run(DROP, json!(changed)).await;
        assert_eq!(told["verdict"], "bad", "{told}");
        let named = format!("Line {} of talk.jsonl", place + 1);
        assert!(told["text"].as_str().unwrap().contains(&named), "{told}");
    }
    let told = stage.run(DROP, json!(plain)).await;
    assert_eq!(told["verdict"], "unsigned", "{told}");
    stage.browser.end().await;
}
