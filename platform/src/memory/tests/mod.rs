use alloc::{format, rc::Rc, string::String, vec, vec::Vec};
use core::cell::{Cell, RefCell};
use tau_core::{
    memory::{
        Access, Action, Answer, Draft, EmbedError, EmbeddingModel, Failure, Kept, Reply, Request,
        Scope, Search,
        entry::id_of,
        request::{Changes, Method, Narrow, Was},
    },
    session::{Batch, Range},
};

use super::*;
use crate::{
    MemoryStorage, NoEmbedder,
    sim::{SimClock, SimHost},
};

mod entries;
mod scopes;
mod stored;
mod vectors;

/// Vectors of made-up meanings: a word of a list is a direction. Counts its texts.
#[derive(Clone, Default)]
struct Meanings {
    name: &'static str,
    embedded: Rc<Cell<usize>>,
    fails: Rc<Cell<bool>>,
    hangs: Rc<Cell<bool>>,
}

impl Embedder for Meanings {
    fn model(&self) -> Option<EmbeddingModel> {
        Some(EmbeddingModel {
            name: self.name.into(),
            dimensions: 4,
        })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        if self.fails.get() {
            return Err(EmbedError::Failed {
                detail: "the endpoint is down".into(),
                retry: true,
            });
        }
        if self.hangs.get() {
            core::future::pending::<()>().await;
        }
        self.embedded.set(self.embedded.get() + texts.len());
        let vector = |text: &String| {
            let is = |words: &[&str]| words.iter().any(|word| text.contains(word));
            let mut vector = vec![0.0; 4];
            let place = match () {
                () if is(&["cat", "feline"]) => 0,
                () if is(&["tea", "drink"]) => 1,
                () => 2,
            };
            vector[place] = 1.0;
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }
}

struct Home<E> {
    sim: SimHost,
    storage: MemoryStorage,
    service: Service<MemoryStorage, E, SimClock>,
    access: Access,
}

impl Home<NoEmbedder> {
    fn new() -> Self {
        Self::with(MemoryStorage::new(), NoEmbedder)
    }
}

impl<E: Embedder> Home<E> {
    fn with(storage: MemoryStorage, embedder: E) -> Self {
        let sim = SimHost::new();
        Self {
            service: Service::new(storage.clone(), embedder, sim.clock().clone()),
            sim,
            storage,
            access: Access::of_person(),
        }
    }

    fn ask(&self, action: Action) -> Result<Reply, Failure> {
        self.ask_as(&self.access, action)
    }

    fn ask_as(&self, access: &Access, action: Action) -> Result<Reply, Failure> {
        let access = access.clone();
        self.sim
            .block_on(self.service.serve(Request { access, action }))
    }

    fn keep(&self, draft: Draft) -> (Kept, Was) {
        match self
            .ask(Action::Remember { draft, scope: None })
            .unwrap()
            .answer
        {
            Answer::Remembered { kept, was } => (kept, was),
            other => panic!("{other:?}"),
        }
    }

    fn remember(&self, text: &str) -> String {
        self.keep(draft(text)).0.entry.id
    }

    fn found(&self, query: &str) -> Vec<String> {
        self.found_as(&self.access, query)
    }

    fn found_as(&self, access: &Access, query: &str) -> Vec<String> {
        texts(&self.ask_as(access, search(query)).unwrap())
    }

    fn index_rows(&self) -> usize {
        let rows = self.storage.rows();
        let keys = rows.iter().filter(|(key, _)| key.starts_with("index/"));
        keys.count()
    }
}

fn draft(text: &str) -> Draft {
    Draft {
        text: text.into(),
        ..Draft::default()
    }
}

fn search(query: &str) -> Action {
    Action::Search(Search {
        query: query.into(),
        ..Search::default()
    })
}

fn texts(reply: &Reply) -> Vec<String> {
    match &reply.answer {
        Answer::Found { found } => found.iter().map(|found| found.entry.text.clone()).collect(),
        Answer::Entries { entries } => entries.iter().map(|kept| kept.entry.text.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn scoped(scope: &str) -> Access {
    Access::to(scope.parse().unwrap())
}
