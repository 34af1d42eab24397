use super::*;
use crate::{config, ui::Color};

fn embedder(profile: &str) -> HomeEmbedder {
    let profile = config::parse(profile, "p").unwrap();
    let ui = Ui::new(Color::Never, true);
    let home = Home::find(ui).unwrap();
    HomeEmbedder::new(&profile, &home, &Vault::closed(), Fetching::Never, ui)
}

fn embed(embedder: &HomeEmbedder, text: &str) -> Result<Vec<Vec<f32>>, EmbedError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(embedder.embed(vec![text.into()]))
}

/// The profile of a server that nobody listens as: the port was free a moment ago.
fn absent() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    format!("[memory.embeddings]\nbase_url = \"http://{address}/v1\"\nmodel = \"bge-m3\"")
}

#[test]
fn off_is_off() {
    let off = embedder("memory.embeddings = \"off\"");
    assert_eq!((off.model(), off.place()), (None, None));
    assert!(matches!(
        embed(&off, "a"),
        Err(EmbedError::Unavailable { .. })
    ));
}

#[test]
fn the_model_in_this_program_is_the_default() {
    let local = embedder("");
    assert_eq!(local.model(), Some(local::space()));
    assert_eq!(local.model().unwrap().dimensions, 384);
}

#[test]
fn one_without_its_key_keeps_its_space_and_says_what_is_missing() {
    let profile = "[memory.embeddings]\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"bge-m3\"\nkey_env = \"NO_SUCH_VARIABLE\"";
    let unusable = embedder(profile);
    assert_eq!(unusable.model().unwrap().dimensions, 1_024);
    let error = embed(&unusable, "a").unwrap_err().to_string();
    assert!(error.contains("NO_SUCH_VARIABLE"), "{error}");
}

#[test]
fn what_failed_is_left_alone_for_a_while() {
    let away = embedder(&absent());
    let first = embed(&away, "a").unwrap_err();
    assert!(
        matches!(first, EmbedError::Failed { retry: true, .. }),
        "{first}"
    );
    assert_eq!(away.rests(), Some(first.clone()));
    let start = Instant::now();
    assert_eq!(embed(&away, "b"), Err(first));
    assert!(start.elapsed() < Duration::from_millis(100));

    *held(&away.resting) = Some((
        Instant::now(),
        EmbedError::Unavailable {
            detail: String::new(),
        },
    ));
    assert!(matches!(embed(&away, "c"), Err(EmbedError::Failed { .. })));
}
