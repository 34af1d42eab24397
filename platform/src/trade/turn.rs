//! What a turn came to, for the escrow it was done for: read from its session's journal.

use tau_core::{
    ids::{SessionId, TurnId},
    journal::{Body, Record},
    model::Usage,
    session::{Outcome, Session},
};
use tau_kamn::{escrow::Escrow, settlement::Ended};

use super::{TradeError, cost_of};
use crate::{
    Storage,
    open::{self, OpenError, Stored},
};

/// How a turn ended, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnEnd {
    /// The session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
    /// How it ended.
    pub outcome: Outcome,
    /// What its model calls took.
    pub usage: Usage,
}

impl TurnEnd {
    /// The end of a turn of `session`, the last one unless another is named; `None` where it has not
    /// ended. The journal is checked first.
    pub async fn read<S: Storage>(
        storage: &S,
        session: &SessionId,
        turn: Option<TurnId>,
    ) -> Result<Option<Self>, OpenError> {
        let Stored {
            ancestors,
            journal,
            blobs,
        } = open::load(storage, session).await?;
        Session::restore_whole(&ancestors, &journal, &blobs).map_err(|error| {
            OpenError::Journal {
                session: session.clone(),
                error,
            }
        })?;
        let records = ancestors.iter().chain([&journal]).flatten().rev();
        let ends = records.filter_map(|record| match Record::read(record).ok()?.body {
            Body::TurnFinished {
                turn,
                outcome,
                usage,
            } => Some(Self {
                session: session.clone(),
                turn,
                outcome,
                usage,
            }),
            _ => None,
        });
        let mut ends = ends.filter(|end| turn.is_none_or(|turn| end.turn == turn));
        Ok(ends.next())
    }

    /// How that ends an escrow: an answer costs what it took in the escrow's asset, anything else
    /// nothing.
    pub fn ended(&self, escrow: &Escrow) -> Result<Ended, TradeError> {
        match &self.outcome {
            Outcome::Answered | Outcome::Truncated => Ok(Ended::Succeeded {
                cost: cost_of(&self.usage, &escrow.terms().asset)?,
            }),
            Outcome::BudgetExhausted { .. } | Outcome::Interrupted | Outcome::Failed { .. } => {
                Ok(Ended::Failed)
            }
        }
    }

    /// How it ended, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Outcome::Answered => "answered",
            Outcome::Truncated => "truncated",
            Outcome::BudgetExhausted { .. } => "budget_exhausted",
            Outcome::Interrupted => "interrupted",
            Outcome::Failed { .. } => "failed",
        }
    }
}
