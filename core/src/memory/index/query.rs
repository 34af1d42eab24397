//! What is asked of an index, and what it answers.

use alloc::{string::String, vec::Vec};

use super::Facets;
use crate::ids::UnixMillis;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// In words.
    pub text: &'a str,
    /// What the words mean, of length 1, by the model of the indexes; without one only words count.
    pub vector: Option<&'a [f32]>,
    /// What a hit must be. Documents that are not are never ranked.
    pub filter: Filter,
    /// At most so many hits.
    pub limit: usize,
    /// How they are ranked.
    pub method: Method,
    /// The time of asking.
    pub now: UnixMillis,
}

/// How hits are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// By words alone: BM25 over stems, and nothing else.
    Keyword,
    /// By meaning alone: the cosine of the vectors.
    Vector,
    /// By reciprocal rank: the sum of `1 / (60 + rank)` over both lists.
    Rrf,
    /// By both scores, and what lies around them.
    #[default]
    Fused,
}

/// What a hit must be: everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this namespace or below it.
    pub namespace: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With each of these tags.
    pub tags: Vec<String>,
    /// From this source.
    pub source: Option<String>,
    /// Written then or later.
    pub from: Option<UnixMillis>,
    /// Written before then.
    pub until: Option<UnixMillis>,
    /// At least so important.
    pub min_importance: Option<u8>,
}

impl Filter {
    /// Whether something with `facets` may be a hit.
    #[must_use]
    pub fn admits(&self, facets: &Facets<'_>) -> bool {
        self.admits_namespace(facets.namespace)
            && self.kind.as_ref().is_none_or(|kind| kind == facets.kind)
            && self.tags.iter().all(|tag| facets.tags.contains(tag))
            && self
                .source
                .as_ref()
                .is_none_or(|source| source == facets.source)
            && self.admits_time(facets.at)
            && self
                .min_importance
                .is_none_or(|least| least <= facets.importance)
    }

    pub(super) fn admits_namespace(&self, namespace: &str) -> bool {
        let Some(wanted) = self
            .namespace
            .as_deref()
            .filter(|wanted| !wanted.is_empty())
        else {
            return true;
        };
        let rest = namespace.strip_prefix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(super) fn admits_time(&self, at: UnixMillis) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// A document that matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Which of the searched indexes it is in.
    pub index: usize,
    /// Its id there.
    pub id: String,
    /// What it is ranked by; comparable within one search only.
    pub score: f64,
    /// Its place by words, if it has any of the query's.
    pub keyword: Option<Ranked>,
    /// Its place by meaning, if it is close enough.
    pub vector: Option<Ranked>,
    /// What else is in the score.
    pub boosts: Boosts,
}

/// A place in a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// From 1.
    pub rank: u32,
    /// BM25's score, or the cosine.
    pub score: f32,
}

/// What is in a score beside words and meaning; all 0 unless the method is [`Method::Fused`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Boosts {
    /// From documents that were written just before or after it.
    pub neighbours: f32,
    /// From a name in the query that the text begins with.
    pub speaker: f32,
    /// From a time in the query.
    pub time: f32,
}
