//! The model's files on a server of their own, as on a site that keeps them for many pages. It can go away, and change
//! what it sends.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tau_target_rten::{fetch, load::MANIFEST};

use crate::support::http::{Server, send};

pub(crate) struct Models {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    is_away: bool,
    is_corrupting: bool,
}

/// The folder `tau model pull` makes.
fn folder() -> PathBuf {
    let folder = fetch::models_dir().expect("a data folder");
    assert!(
        fetch::installed(&folder).is_some() && folder.join(MANIFEST).is_file(),
        "no embedded model in {}: cargo run -p tau -- model pull",
        folder.display()
    );
    folder
}

impl Models {
    pub(crate) async fn serve() -> Self {
        let folder = folder();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let server = Server::start(move |asked, mut stream| {
            let (folder, state) = (folder.clone(), Arc::clone(&shared));
            async move {
                let name = asked.path.trim_start_matches('/').to_owned();
                let is_corrupting = {
                    let mut state = state.lock().unwrap();
                    state.asked.push(name.clone());
                    if state.is_away {
                        return Ok(());
                    }
                    state.is_corrupting && name.starts_with("smollm2") && name.ends_with(".json")
                };
                let allowed = ("access-control-allow-origin", "*");
                let Ok(mut bytes) = tokio::fs::read(folder.join(&name)).await else {
                    return send(&mut stream, "404 Not Found", &[allowed], b"").await;
                };
                if is_corrupting {
                    bytes[100] ^= 1;
                }
                send(&mut stream, "200 OK", &[allowed], &bytes).await
            }
        })
        .await;
        Self { server, state }
    }

    /// The folder's address.
    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Whether it drops every connection.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    /// Whether it changes a byte of the text model's tokenizer.
    pub(crate) fn set_corrupting(&self, is_corrupting: bool) {
        self.state.lock().unwrap().is_corrupting = is_corrupting;
    }
}
