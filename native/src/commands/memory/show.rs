//! Entries as they are printed.

use serde_json::{Value, json};
use tau_core::memory::{
    Found, Kept, Memory,
    request::{Method, Ranked},
};

use crate::ui::{self, Ui};

/// An entry as JSON: its own fields, and whose it is.
pub(super) fn entry(kept: &Kept) -> Value {
    let mut value = json!(kept.entry);
    value["scope"] = json!(kept.scope);
    value
}

/// A hit as JSON: the entry's own fields, whose it is, and what made its place.
pub(super) fn found(found: &Found) -> Value {
    let mut value = json!(found.entry);
    value["scope"] = json!(found.scope);
    value["score"] = json!(found.score);
    value["keyword"] = json!(found.keyword);
    value["vector"] = json!(found.vector);
    value["boosts"] = json!(found.boosts);
    value["rrf"] = json!(reciprocal(found));
    value
}

/// An entry on one line.
pub(super) fn line(entry: &Memory) -> String {
    format!("{}  {}", ui::dim(&entry.id), ui::one_line(&entry.text, 100))
}

/// What is said of an entry beside its text.
pub(super) fn facts(ui: Ui, kept: &Kept) {
    let entry = &kept.entry;
    let mut facts = vec![format!("{} {}", kept.scope, entry.kind)];
    if !entry.namespace.is_empty() {
        facts.push(format!("in {}", entry.namespace));
    }
    if !entry.tags.is_empty() {
        facts.push(format!("tags {}", entry.tags.join(", ")));
    }
    if entry.importance > 0 {
        facts.push(format!("importance {}", entry.importance));
    }
    facts.push(match &entry.session {
        Some(session) => format!("from session {session}"),
        None => format!("from {}", entry.source),
    });
    if !entry.links.is_empty() {
        facts.push(format!("links {}", entry.links.join(", ")));
    }
    if entry.labels.untrusted {
        facts.push("written with words of others in sight".into());
    }
    ui.note(ui::plain(&facts.join(" · ")));
}

/// The sum of `1 / (60 + rank)` over both lists.
fn reciprocal(found: &Found) -> f64 {
    let part = |ranked: Option<Ranked>| ranked.map_or(0.0, |r| 1.0 / (60.0 + f64::from(r.rank)));
    part(found.keyword) + part(found.vector)
}

/// What made a hit's place.
pub(super) fn explain(ui: Ui, found: &Found, method: Method) {
    let place = |name: &str, ranked: Option<Ranked>| match ranked {
        Some(Ranked { rank, score }) => format!("{name} rank {rank}, score {score:.4}"),
        None => format!("{name} no match"),
    };
    let mut said = vec![
        format!("score {:.6}", found.score),
        place("words", found.keyword),
        place("meaning", found.vector),
        format!("rrf {:.6}", reciprocal(found)),
    ];
    let boosts = [
        ("neighbours", found.boosts.neighbours),
        ("speaker", found.boosts.speaker),
        ("time", found.boosts.time),
    ];
    if method == Method::Fused {
        let boosts = boosts.iter().filter(|(_, boost)| *boost != 0.0);
        said.extend(boosts.map(|(name, boost)| format!("{name} {boost:+.4}")));
    }
    ui.line(format!("    {}", ui::dim(said.join(" · "))));
}

/// How scores come about.
pub(super) fn legend(ui: Ui, method: Method) {
    ui.note(match method {
        Method::Keyword => "score: BM25 over the stems of the words",
        Method::Vector => "score: the cosine of query and text",
        Method::Rrf => "score: 1/(60+rank) by words + 1/(60+rank) by meaning",
        Method::Fused => {
            "score: words and meaning, each by its share of the best, with boosts; \
             rrf: 1/(60+rank) by words + 1/(60+rank) by meaning"
        }
    });
}
