//! Scores the search of memory on retrieval sets, with the embedded model's vectors, beside plain
//! BM25: SQLite's full-text index as it comes, with words in small letters and no stems.
//!
//! `cargo run --release -p tau-target-rten --features fetch --example retrieval -- [--json] SET.json …`

#![expect(clippy::print_stdout, reason = "printing is all this program does")]

use std::error::Error;
use std::time::Instant;

use rusqlite::Connection;
use tau_core::memory::EmbeddingModel;
use tau_core::memory::eval::{Report, Scores, Set, Vectors};
use tau_target_rten::fetch;
use tau_target_rten::{Cancel, Embedder, Threads};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, files): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument == "--json");
    let folder = fetch::models_dir().ok_or("no data folder is known")?;
    let models = fetch::pull_models(&folder, &mut |_| {}, &Cancel::new()).await?;
    let embedder = Embedder::load(&models, Threads::auto())?;
    let mut all: Vec<(Report, Scores)> = Vec::new();
    for file in &files {
        let set = Set::read(&std::fs::read(file)?).map_err(|error| format!("{file}: {error}"))?;
        let vectors = vectors(&embedder, &set)?;
        let start = Instant::now();
        let report = set.score(Some(&vectors), &|| start.elapsed().as_secs_f64() * 1_000.0);
        let plain = plain(&set)?;
        if flags.is_empty() {
            print(set.name.as_deref().unwrap_or(file), &report, plain);
        } else {
            let mut line = serde_json::to_value(&report)?;
            line["fts5"] = serde_json::to_value(plain)?;
            println!("{line}");
        }
        all.push((report, plain));
    }
    if flags.is_empty() && all.len() > 1 {
        let mean = |of: fn(&(Report, Scores)) -> Scores| {
            let each = all.iter().map(of);
            let sum = each.fold(Scores::default(), |sum, one| Scores {
                recall_5: sum.recall_5 + one.recall_5,
                recall_10: sum.recall_10 + one.recall_10,
                ndcg_10: sum.ndcg_10 + one.ndcg_10,
                mrr: sum.mrr + one.mrr,
            });
            let count = all.len() as f64;
            Scores {
                recall_5: sum.recall_5 / count,
                recall_10: sum.recall_10 / count,
                ndcg_10: sum.ndcg_10 / count,
                mrr: sum.mrr / count,
            }
        };
        print(
            "the mean of the sets",
            &Report {
                keyword: mean(|(report, _)| report.keyword),
                vector: mean(|(report, _)| report.vector),
                rrf: mean(|(report, _)| report.rrf),
                fused: mean(|(report, _)| report.fused),
                queries: all.iter().map(|(report, _)| report.queries).sum(),
                docs: all.iter().map(|(report, _)| report.docs).sum(),
                search_ms_p50: all
                    .iter()
                    .map(|(report, _)| report.search_ms_p50)
                    .sum::<f64>()
                    / all.len() as f64,
            },
            mean(|(_, plain)| *plain),
        );
    }
    Ok(())
}

fn vectors(embedder: &Embedder, set: &Set) -> Result<Vectors, Box<dyn Error>> {
    let docs: Vec<&str> = set.docs.iter().map(|doc| doc.text.as_str()).collect();
    let queries: Vec<&str> = set
        .queries
        .iter()
        .map(|query| query.text.as_str())
        .collect();
    Ok(Vectors {
        model: EmbeddingModel {
            name: "all-MiniLM-L6-v2".into(),
            dimensions: Embedder::DIMENSIONS as u32,
        },
        docs: embedder.embed(&docs)?,
        queries: embedder.embed(&queries)?,
    })
}

/// What the first ten of SQLite's full-text index are worth, asked for any of the words.
fn plain(set: &Set) -> Result<Scores, rusqlite::Error> {
    let store = Connection::open_in_memory()?;
    store.execute_batch("CREATE VIRTUAL TABLE texts USING fts5(id UNINDEXED, text)")?;
    let mut insert = store.prepare("INSERT INTO texts (id, text) VALUES (?1, ?2)")?;
    for doc in &set.docs {
        insert.execute([&doc.id, &doc.text])?;
    }
    let mut find =
        store.prepare("SELECT id FROM texts WHERE texts MATCH ?1 ORDER BY bm25(texts) LIMIT 10")?;
    let mut failed = None;
    let scores = set.judge(|_, question| {
        let words = question.text.split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        let quoted: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
        let hits = find
            .query_map([quoted.join(" OR ")], |row| row.get(0))
            .and_then(Iterator::collect);
        hits.unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        })
    });
    failed.map_or(Ok(scores), Err)
}

fn print(name: &str, report: &Report, plain: Scores) {
    let Report {
        docs,
        queries,
        search_ms_p50,
        ..
    } = report;
    println!("{name}: {docs} documents, {queries} queries, {search_ms_p50:.2} ms a search");
    println!(
        "  {:<9}{:>10}{:>11}{:>9}{:>8}",
        "", "recall@5", "recall@10", "nDCG@10", "MRR"
    );
    let rows = [
        ("FTS5", plain),
        ("keyword", report.keyword),
        ("vector", report.vector),
        ("rrf", report.rrf),
        ("fused", report.fused),
    ];
    for (method, scores) in rows {
        let Scores {
            recall_5,
            recall_10,
            ndcg_10,
            mrr,
        } = scores;
        println!("  {method:<9}{recall_5:>10.3}{recall_10:>11.3}{ndcg_10:>9.3}{mrr:>8.3}");
    }
}
