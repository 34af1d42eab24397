//! How well the search of memory finds what is meant: questions with known answers, scored.
//!
//! A set is one JSON object, `{"name", "docs": [{"id", "text"}], "queries": [{"id", "text",
//! "relevant": [ids]}]}`; more fields may be there. Its documents are put in the order of the file,
//! a second apart, from one source: as entries that were written one after another.
//!
//! Gain is binary: a relevant document at rank `r` is worth `1 / log2(r + 1)`, and nDCG@10 is what
//! the first ten are worth over what the best ten could be.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    EmbeddingModel,
    index::{self, Document, Facets, Filter, Index, Method, Query, math},
};
use crate::{
    ids::UnixMillis,
    json::{self, FromJson, ToJson},
    order,
};

/// Hits that are looked at.
const DEPTH: usize = 10;

/// Documents, and questions about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Set {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is searched.
    pub docs: Vec<Text>,
    /// What is asked.
    pub queries: Vec<Question>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Text {
    /// Its name, unique in the set.
    pub id: String,
    /// What it says.
    pub text: String,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJson, ToJson)]
pub struct Question {
    /// What it says.
    pub text: String,
    /// The ids of the documents that answer it.
    pub relevant: Vec<String>,
}

/// Why a file is no set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetError {
    /// Not of the shape.
    #[error("not {{docs: [{{id, text}}], queries: [{{text, relevant: [ids]}}]}}: {detail}")]
    Malformed {
        /// What the reader says.
        detail: String,
    },
    /// Nothing to score.
    #[error("the set has {docs} documents and {queries} queries with an answer among them")]
    Empty {
        /// Documents.
        docs: usize,
        /// Queries.
        queries: usize,
    },
    /// Two documents with one id.
    #[error("two documents have the id {id:?}")]
    Twice {
        /// Theirs.
        id: String,
    },
}

/// The vectors of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// What made them.
    pub model: EmbeddingModel,
    /// One for each document.
    pub docs: Vec<Vec<f32>>,
    /// One for each question.
    pub queries: Vec<Vec<f32>>,
}

/// Means over the questions of a set, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// How much of what is relevant is among the first five.
    #[serde(rename = "recall@5")]
    pub recall_5: f64,
    /// And among the first ten.
    #[serde(rename = "recall@10")]
    pub recall_10: f64,
    /// What the first ten are worth, over what the best ten could be.
    #[serde(rename = "ndcg@10")]
    pub ndcg_10: f64,
    /// One over the rank of the first relevant one, if it is among the first ten.
    pub mrr: f64,
}

/// How each method does on a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// BM25 alone.
    pub keyword: Scores,
    /// Cosines alone; all 0 without vectors.
    pub vector: Scores,
    /// Reciprocal ranks of both.
    pub rrf: Scores,
    /// What memory uses.
    pub fused: Scores,
    /// Questions.
    pub queries: usize,
    /// Documents.
    pub docs: usize,
    /// What a fused search takes, in the middle of all, without embedding the question.
    pub search_ms_p50: f64,
}

impl Set {
    /// Reads a file. A relevant id without a document is left out, and so is a question that has
    /// none left.
    pub fn read(bytes: &[u8]) -> Result<Self, SetError> {
        let malformed = |error: json::Error| SetError::Malformed {
            detail: format!("{error}"),
        };
        let mut set: Self = json::from_slice(bytes).map_err(malformed)?;
        let mut ids = BTreeSet::new();
        for doc in &set.docs {
            if !ids.insert(doc.id.as_str()) {
                return Err(SetError::Twice { id: doc.id.clone() });
            }
        }
        for query in &mut set.queries {
            query.relevant.retain(|id| ids.contains(id.as_str()));
        }
        set.queries.retain(|query| !query.relevant.is_empty());
        match set.queries.is_empty() {
            true => Err(SetError::Empty {
                docs: set.docs.len(),
                queries: 0,
            }),
            false => Ok(set),
        }
    }

    /// The index of its documents.
    #[must_use]
    pub fn index(&self, vectors: Option<&Vectors>) -> Index {
        let mut index = Index::new(vectors.map(|vectors| vectors.model.clone()));
        let source = self.name.as_deref().unwrap_or("set");
        for (number, doc) in self.docs.iter().enumerate() {
            index.put(Document {
                id: &doc.id,
                text: &doc.text,
                facets: Facets {
                    source,
                    at: UnixMillis(number as u64 * 1_000),
                    ..Facets::default()
                },
                vector: vectors
                    .and_then(|vectors| vectors.docs.get(number))
                    .map(Vec::as_slice),
            });
        }
        index
    }

    /// Asks every question by every method. `clock` tells milliseconds, from anywhere.
    #[must_use]
    pub fn score(&self, vectors: Option<&Vectors>, clock: &dyn Fn() -> f64) -> Report {
        let index = self.index(vectors);
        let mut times = Vec::new();
        let mut by = |method| self.scores(&index, vectors, method, clock, &mut times);
        let (keyword, vector, rrf) = (by(Method::Keyword), by(Method::Vector), by(Method::Rrf));
        times.clear();
        let fused = self.scores(&index, vectors, Method::Fused, clock, &mut times);
        order::sort_by(&mut times, |a, b| a < b);
        Report {
            keyword,
            vector,
            rrf,
            fused,
            queries: self.queries.len(),
            docs: self.docs.len(),
            search_ms_p50: times.get(times.len() / 2).copied().unwrap_or(0.0),
        }
    }

    fn scores(
        &self,
        index: &Index,
        vectors: Option<&Vectors>,
        method: Method,
        clock: &dyn Fn() -> f64,
        times: &mut Vec<f64>,
    ) -> Scores {
        self.judge(|number, question| {
            let vector = vectors.and_then(|vectors| vectors.queries.get(number));
            let query = Query {
                text: &question.text,
                vector: vector.map(Vec::as_slice),
                filter: Filter::default(),
                limit: DEPTH,
                method,
                now: UnixMillis(self.docs.len() as u64 * 1_000),
            };
            let start = clock();
            let hits = index::search(&[index], &query);
            times.push(clock() - start);
            hits.into_iter().map(|hit| hit.id).collect()
        })
    }

    /// How well any search does, which is given the number of each question and the question, and
    /// gives the ids of its hits, the best first: at most ten count.
    pub fn judge(&self, mut search: impl FnMut(usize, &Question) -> Vec<String>) -> Scores {
        let mut sum = Scores::default();
        for (number, question) in self.queries.iter().enumerate() {
            let hits = search(number, question);
            let hits = hits.iter().take(DEPTH);
            let found: Vec<bool> = hits.map(|id| question.relevant.contains(id)).collect();
            sum.add(&found, question.relevant.len());
        }
        sum.over(self.queries.len())
    }
}

impl Scores {
    /// Adds a question of which the hits are relevant or not, and so many documents are.
    fn add(&mut self, found: &[bool], relevant: usize) {
        let worth = |rank: usize| core::f64::consts::LN_2 / math::ln(rank as f64 + 2.0);
        let among = |first: usize| found.iter().take(first).filter(|hit| **hit).count() as f64;
        let gained: f64 = (0..found.len())
            .filter(|rank| found[*rank])
            .map(worth)
            .sum();
        let best: f64 = (0..relevant.min(DEPTH)).map(worth).sum();
        let relevant = relevant.max(1) as f64;
        self.recall_5 += among(5) / relevant;
        self.recall_10 += among(10) / relevant;
        self.ndcg_10 += if best > 0.0 { gained / best } else { 0.0 };
        self.mrr += found
            .iter()
            .position(|hit| *hit)
            .map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0));
    }

    fn over(self, questions: usize) -> Self {
        let questions = questions.max(1) as f64;
        Self {
            recall_5: self.recall_5 / questions,
            recall_10: self.recall_10 / questions,
            ndcg_10: self.ndcg_10 / questions,
            mrr: self.mrr / questions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relevant_document_at_the_second_place_is_worth_what_the_formula_says() {
        let mut scores = Scores::default();
        scores.add(&[false, true], 1);
        let expected = Scores {
            recall_5: 1.0,
            recall_10: 1.0,
            ndcg_10: 0.630_929_753_571_457_4,
            mrr: 0.5,
        };
        assert!((scores.ndcg_10 - expected.ndcg_10).abs() < 1e-12);
        assert_eq!(
            Scores {
                ndcg_10: expected.ndcg_10,
                ..scores
            },
            expected
        );
    }

    #[test]
    fn every_method_is_scored_and_one_without_vectors_has_none() {
        let set = br#"{"name":"n","extra":1,
            "docs":[{"id":"a","text":"the parser fails"},{"id":"b","text":"tea at four"}],
            "queries":[{"id":"q","text":"When is tea?","relevant":["b","lost"]},
                       {"id":"r","text":"nobody knows","relevant":["lost"]}]}"#;
        let report = Set::read(set).unwrap().score(None, &|| 0.0);
        let all = Scores {
            recall_5: 1.0,
            recall_10: 1.0,
            ndcg_10: 1.0,
            mrr: 1.0,
        };
        assert_eq!(
            (report.keyword, report.fused, report.vector),
            (all, all, Scores::default())
        );
        assert_eq!((report.docs, report.queries), (2, 1));
        assert!(
            serde_json::to_string(&report)
                .unwrap()
                .contains(r#""ndcg@10":1.0"#)
        );
    }

    #[test]
    fn what_is_no_set_is_told() {
        assert!(matches!(Set::read(b"{}"), Err(SetError::Malformed { .. })));
        let twice = br#"{"docs":[{"id":"a","text":"x"},{"id":"a","text":"y"}],"queries":[]}"#;
        assert_eq!(Set::read(twice), Err(SetError::Twice { id: "a".into() }));
        let empty = br#"{"docs":[],"queries":[{"text":"x","relevant":["a"]}]}"#;
        assert_eq!(
            Set::read(empty),
            Err(SetError::Empty {
                docs: 0,
                queries: 0
            })
        );
    }
}
