//! Scores the search of memory on retrieval sets, with the embedded model's vectors.
//!
//! `cargo run --release -p tau-target-rten --features fetch --example retrieval -- [--json] SET.json …`

#![expect(clippy::print_stdout, reason = "printing is all this program does")]

use std::error::Error;
use std::time::Instant;

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
    let mut reports = Vec::new();
    for file in &files {
        let set = Set::read(&std::fs::read(file)?).map_err(|error| format!("{file}: {error}"))?;
        let vectors = vectors(&embedder, &set)?;
        let start = Instant::now();
        let report = set.score(Some(&vectors), &|| start.elapsed().as_secs_f64() * 1_000.0);
        match flags.is_empty() {
            true => print(set.name.as_deref().unwrap_or(file), &report),
            false => println!("{}", serde_json::to_string(&report)?),
        }
        reports.push(report);
    }
    if flags.is_empty() && reports.len() > 1 {
        let mean = |of: fn(&Report) -> Scores| {
            let each = reports.iter().map(of);
            let sum = each.fold(Scores::default(), |sum, one| Scores {
                recall_5: sum.recall_5 + one.recall_5,
                recall_10: sum.recall_10 + one.recall_10,
                ndcg_10: sum.ndcg_10 + one.ndcg_10,
                mrr: sum.mrr + one.mrr,
            });
            let count = reports.len() as f64;
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
                keyword: mean(|report| report.keyword),
                vector: mean(|report| report.vector),
                rrf: mean(|report| report.rrf),
                fused: mean(|report| report.fused),
                queries: reports.iter().map(|report| report.queries).sum(),
                docs: reports.iter().map(|report| report.docs).sum(),
                search_ms_p50: reports
                    .iter()
                    .map(|report| report.search_ms_p50)
                    .sum::<f64>()
                    / reports.len() as f64,
            },
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

fn print(name: &str, report: &Report) {
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
