//! What is in the store: every chain against the end that is kept beside it, every receipt against
//! its record.

use tau_core::{
    audit,
    ids::SessionId,
    journal::{
        self, Summary,
        replay::End,
        verify::{Bad, Verified, verify_alone},
    },
    receipt::verify::{Place, Signatures},
    session::Journal,
};
use tau_platform::{Storage, open, receipts};

use super::{Args, Found, rerun};
use crate::{audit::head, exit::Error, home::Home, identity::of_log, store::Store, ui::Ui};

/// Looks at all of it, up to the first link that does not hold.
pub(super) async fn verify(args: &Args, home: &Home, ui: Ui) -> Result<Found, Error> {
    let storage = home.store()?;
    let mut walk = Walk::default();
    let sessions = open::list(&storage).await?;
    for session in &sessions {
        if walk.session(&storage, session).await?.is_some() {
            return Ok(walk.found());
        }
    }
    for session in receipts::sessions_with_receipts(&storage).await? {
        if !sessions.iter().any(|summary| summary.session == session) {
            walk.bad(&session, 1, "it has receipts, and is gone".into());
            return Ok(walk.found());
        }
    }
    let lines = audit_lines(&storage).await?;
    if lines.len() > 1 {
        walk.lines(&lines, "the audit log");
    }
    let found = walk.found();
    if args.rerun && found.verified.ok {
        let workspace = args.workspace.as_deref();
        return rerun::of_store(found, &storage, &sessions, home, workspace, ui).await;
    }
    Ok(found)
}

#[derive(Default)]
struct Walk {
    checked: u64,
    signed: Signatures,
    bad: Option<(Bad, String)>,
}

impl Walk {
    /// One session and its receipts. Gives the error, if there is one.
    async fn session(&mut self, storage: &Store, summary: &Summary) -> Result<Option<()>, Error> {
        let id = &summary.session;
        let mut lines = Journal::new();
        loop {
            let range = journal::range(id, lines.len() as u64, 512);
            let rows = storage.scan(range).await?;
            if rows.is_empty() {
                break;
            }
            lines.extend(rows.into_iter().map(|(_, line)| line));
        }
        let records = lines.len();
        // Stored before the list held the hash.
        if !summary.hash.is_empty() {
            let mut end = End {
                records: summary.records,
                hash: summary.hash.clone(),
            }
            .line();
            end.pop();
            lines.push(end);
        }
        self.lines(&lines, &format!("session {id}"));
        if self.bad.is_some() {
            return Ok(Some(()));
        }
        lines.truncate(records);
        let signed = receipts::verify_session(storage, id, &lines).await;
        match signed.map_err(of_log)? {
            Ok(found) => {
                self.checked += found.receipts;
                self.signed.add(found);
            }
            Err(wrong) => match wrong.place {
                Place::Record(seq) => self.bad(id, seq + 1, wrong.why),
                Place::Receipt(n) => {
                    let bad = Bad {
                        line: n + 1,
                        why: wrong.why,
                    };
                    self.bad = Some((bad, format!("the receipts of session {id}")));
                }
            },
        }
        Ok(self.bad.as_ref().map(|_| ()))
    }

    fn lines(&mut self, lines: &[Vec<u8>], chain: &str) {
        let verified = verify_alone(lines.iter().map(Vec::as_slice));
        self.checked += verified.checked;
        self.bad = verified.first_bad.map(|bad| (bad, chain.to_owned()));
    }

    fn bad(&mut self, session: &SessionId, line: u64, why: String) {
        self.bad = Some((Bad { line, why }, format!("session {session}")));
    }

    fn found(self) -> Found {
        let (first_bad, chain) = self.bad.unzip();
        let has_any = self.signed != Signatures::default();
        Found {
            verified: Verified {
                ok: first_bad.is_none(),
                checked: self.checked,
                first_bad,
                signatures: has_any.then_some(self.signed),
            },
            chain,
            rerun: None,
        }
    }
}

async fn audit_lines(storage: &Store) -> Result<Vec<Vec<u8>>, Error> {
    let mut lines = Vec::new();
    loop {
        let rows = storage.scan(audit::range(lines.len() as u64, 512)).await?;
        if rows.is_empty() {
            return Ok(audit::with_end(lines, &head(storage).await?));
        }
        lines.extend(rows.into_iter().map(|(_, line)| line));
    }
}
