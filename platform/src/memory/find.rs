//! Looking: searches, names, lists, namespaces.

use alloc::{format, string::String, vec::Vec};
use tau_core::{
    context::estimate_text,
    memory::{
        self, Access, Answer, Failure, Found, Kept, Memory, Scope, Search,
        entry::{checked_namespace, is_id},
        index::{self, Hit, Index, Query},
        request::{Branch, FOUND, FOUND_LIMIT, Method, Narrow, QUERY_LIMIT_BYTES},
        scope_named,
    },
    order,
    session::Range,
};

use super::{Service, as_id, unreadable};
use crate::{Clock, Embedder, Storage};

impl<S: Storage, E: Embedder, C: Clock> Service<S, E, C> {
    pub(super) async fn search(
        &self,
        access: &Access,
        search: &Search,
        notices: &mut Vec<String>,
    ) -> Result<Answer, Failure> {
        checked_query(&search.query)?;
        let scopes = scopes(access, &search.narrow)?;
        let vector = self.query_vector(&scopes, search, notices).await?;
        let method = match (search.method, &vector) {
            (Method::Vector, None) => Method::Keyword,
            (method, _) => method,
        };
        let limit = search.limit.unwrap_or(FOUND).min(FOUND_LIMIT) as usize;
        let query = Query {
            text: &search.query,
            vector: vector.as_deref(),
            filter: search.narrow.filter()?,
            limit: limit + search.without.len(),
            method: method.into(),
            now: self.clock.now(),
        };
        let mut hits = self.hits(&scopes, &query).await?;
        hits.retain(|hit| !search.without.contains(&hit.id));
        let mut found = Vec::new();
        let mut tokens = 0;
        for hit in hits.iter().take(limit) {
            let scope = scopes[hit.index].clone();
            let entry = self.entry(&scope, &hit.id).await?;
            // It may be gone since.
            let Some(entry) = entry.filter(Memory::is_live) else {
                continue;
            };
            tokens += estimate_text(&memory::line(&entry));
            if search.tokens.is_some_and(|limit| tokens > limit) {
                break;
            }
            found.push(Found::of(hit, scope, entry));
        }
        Ok(Answer::Found { found })
    }

    async fn hits(&self, scopes: &[Scope], query: &Query<'_>) -> Result<Vec<Hit>, Failure> {
        let mut turn = self.open.turn().await;
        let open = turn.get();
        for scope in scopes {
            self.opened(open, scope).await?;
        }
        let indexes: Vec<&Index> = scopes
            .iter()
            .filter_map(|scope| open.iter().find(|opened| opened.scope == *scope))
            .map(|opened| opened.store.index())
            .collect();
        Ok(index::search_with(&indexes, query, &*self.workers))
    }

    /// The entries of those names, each with its scope: all that have just that name, or the one
    /// that begins with it.
    pub(super) async fn named(
        &self,
        access: &Access,
        names: &[String],
        forgotten: bool,
    ) -> Result<Vec<Kept>, Failure> {
        let mut all = Vec::new();
        for name in names {
            let found = self.with_name(access, &as_id(name), forgotten).await?;
            all.extend(found);
        }
        Ok(all)
    }

    async fn with_name(
        &self,
        access: &Access,
        name: &str,
        forgotten: bool,
    ) -> Result<Vec<Kept>, Failure> {
        let missing = || Failure::Missing { id: name.into() };
        // Also what keeps a name from leading out of its scope.
        if !is_id(name) {
            return Err(missing());
        }
        let mut begins: Vec<Kept> = Vec::new();
        for scope in access.scopes() {
            let range = Range::prefix(&scope.key(name), SIMILAR);
            for (key, row) in self.storage.scan(range).await? {
                let entry = Memory::read(&row).map_err(|error| unreadable(&key, &error))?;
                if entry.is_live() || forgotten {
                    let scope = scope.clone();
                    begins.push(Kept { scope, entry });
                }
            }
        }
        if begins.iter().any(|kept| kept.entry.id == name) {
            begins.retain(|kept| kept.entry.id == name);
            return Ok(begins);
        }
        let first = begins.first().ok_or_else(missing)?;
        match begins.iter().find(|kept| kept.entry.id != first.entry.id) {
            None => Ok(begins),
            Some(other) => Err(Failure::Ambiguous {
                id: name.into(),
                first: first.entry.id.clone(),
                second: other.entry.id.clone(),
            }),
        }
    }

    pub(super) async fn list(
        &self,
        access: &Access,
        narrow: &Narrow,
        limit: Option<u32>,
        forgotten: bool,
    ) -> Result<Answer, Failure> {
        let filter = narrow.filter()?;
        let mut entries = Vec::new();
        for scope in scopes(access, narrow)? {
            let all = self.all(&scope).await?;
            let admitted = all
                .into_iter()
                .filter(|entry| entry.is_live() != forgotten && filter.admits(&entry.facets()));
            entries.extend(admitted.map(|entry| Kept {
                scope: scope.clone(),
                entry,
            }));
        }
        order::sort_by(&mut entries, |a, b| {
            (b.entry.at, &a.entry.id) < (a.entry.at, &b.entry.id)
        });
        entries.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(Answer::Entries { entries })
    }

    pub(super) async fn tree(&self, access: &Access, namespace: &str) -> Result<Answer, Failure> {
        let narrow = Narrow {
            namespace: Some(checked_namespace(namespace)?),
            ..Narrow::default()
        };
        let filter = narrow.filter()?;
        let mut branches: Vec<Branch> = Vec::new();
        for scope in access.scopes() {
            let all = self.all(scope).await?;
            let live = all.iter().filter(|entry| entry.is_live());
            let mut names: Vec<&str> = live
                .filter(|entry| filter.admits(&entry.facets()))
                .map(|entry| entry.namespace.as_str())
                .collect();
            order::sort_by(&mut names, |a, b| a < b);
            branches.extend(names.chunk_by(|a, b| a == b).map(|same| Branch {
                scope: scope.clone(),
                namespace: same[0].into(),
                entries: same.len() as u64,
            }));
        }
        Ok(Answer::Tree { branches })
    }

    /// Every entry of a scope, forgotten or not. The scope is opened first: what was kept before
    /// there were scopes is moved then.
    pub(super) async fn all(&self, scope: &Scope) -> Result<Vec<Memory>, Failure> {
        {
            let mut turn = self.open.turn().await;
            self.opened(turn.get(), scope).await?;
        }
        let mut range = Range {
            limit: PAGE,
            ..scope.range()
        };
        let mut entries = Vec::new();
        loop {
            let rows = self.storage.scan(range.clone()).await?;
            for (key, row) in &rows {
                let entry = Memory::read(row).map_err(|error| unreadable(key, &error))?;
                entries.push(entry);
            }
            match rows.last() {
                Some((last, _)) if rows.len() == PAGE as usize => range.start = format!("{last}\0"),
                _ => return Ok(entries),
            }
        }
    }
}

/// Entries read at once.
const PAGE: u32 = 1_000;
/// Entries that are looked at when a name is the beginning of several.
const SIMILAR: u32 = 8;

/// The scopes that are searched.
fn scopes(access: &Access, narrow: &Narrow) -> Result<Vec<Scope>, Failure> {
    match &narrow.scope {
        Some(name) => Ok([scope_named(access, name)?].into()),
        None => Ok(access.scopes().cloned().collect()),
    }
}

fn checked_query(query: &str) -> Result<(), Failure> {
    let what = match query.len() {
        _ if query.trim().is_empty() => "the query is empty".into(),
        bytes if bytes > QUERY_LIMIT_BYTES => {
            format!("the query has {bytes} bytes, at most {QUERY_LIMIT_BYTES} are searched for")
        }
        _ => return Ok(()),
    };
    Err(Failure::BadQuery { what })
}
