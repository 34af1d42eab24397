//! How well search finds what is meant, on a file of questions with known answers.

use std::{fs, path::PathBuf, time::Instant};
use tau_core::memory::eval::{Report, Scores, Set, Vectors};
use tau_platform::Embedder;

use super::Memory;
use crate::{exit::Error, ui};

/// Texts handed to the embedder at once.
const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub(super) struct Eval {
    /// A file: `{"docs": [{"id", "text"}], "queries": [{"text", "relevant": [ids]}]}`.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Eval {
    pub(super) async fn run(self, memory: &Memory<'_>) -> Result<(), Error> {
        let name = self.file.display();
        let bytes = fs::read(&self.file)
            .map_err(|error| Error::usage(format!("{name} cannot be read")).cause(error))?;
        let set = Set::read(&bytes)
            .map_err(|error| Error::usage(format!("{name} is no set of questions")).cause(error))?;
        let vectors = vectors(memory, &set).await;
        let began = Instant::now();
        let report = set.score(vectors.as_ref(), &|| {
            began.elapsed().as_secs_f64() * 1_000.0
        });
        if self.json {
            memory.ui.json(&report);
        } else {
            show(memory.ui, &report);
        }
        Ok(())
    }
}

/// The vectors of the set by this home's embedder; without one, or when it fails, words alone are
/// scored, and that is said.
async fn vectors(memory: &Memory<'_>, set: &Set) -> Option<Vectors> {
    let embedder = memory.service.embedder();
    let Some(model) = embedder.model() else {
        memory
            .ui
            .warn("this home has no embedding model: words alone are scored");
        return None;
    };
    embedder.prepare().await;
    let embed = async |texts: Vec<String>| {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            vectors.extend(embedder.embed(batch.to_vec()).await?);
        }
        Ok::<_, tau_core::memory::EmbedError>(vectors)
    };
    let docs = set.docs.iter().map(|doc| doc.text.clone()).collect();
    let queries = set.queries.iter().map(|query| query.text.clone()).collect();
    let done = async {
        Ok::<_, tau_core::memory::EmbedError>((embed(docs).await?, embed(queries).await?))
    };
    match done.await {
        Ok((docs, queries)) => Some(Vectors {
            model,
            docs,
            queries,
        }),
        Err(error) => {
            memory
                .ui
                .warn(ui::plain(&format!("{error}: words alone are scored")));
            None
        }
    }
}

fn show(ui: ui::Ui, report: &Report) {
    ui.line(format!(
        "{:<8} {:>8} {:>9} {:>8} {:>8}",
        "", "recall@5", "recall@10", "nDCG@10", "MRR"
    ));
    let line = |name: &str, scores: &Scores| {
        ui.line(format!(
            "{name:<8} {:>8.3} {:>9.3} {:>8.3} {:>8.3}",
            scores.recall_5, scores.recall_10, scores.ndcg_10, scores.mrr
        ));
    };
    line("keyword", &report.keyword);
    line("vector", &report.vector);
    line("rrf", &report.rrf);
    line("fused", &report.fused);
    ui.note(format!(
        "{} questions on {} texts; a search takes {:.3} ms in the middle",
        report.queries, report.docs, report.search_ms_p50
    ));
}
