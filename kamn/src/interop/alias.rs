//! KAMN's own table of names for three protocols: used where somebody still speaks it.

use crate::task::State;

/// What a message is for, under each name of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// KAMN's.
    pub kamn: &'static str,
    /// The one the table calls A2A's.
    pub a2a: &'static str,
    /// The one the table calls MCP's.
    pub mcp: &'static str,
}

/// The table.
pub const INTENTS: [Intent; 3] = [
    Intent {
        kamn: "Request",
        a2a: "task.invoke",
        mcp: "tool_call",
    },
    Intent {
        kamn: "Response",
        a2a: "task.result",
        mcp: "tool_result",
    },
    Intent {
        kamn: "Event",
        a2a: "event.notify",
        mcp: "notification",
    },
];

/// Whether three names are one row of the table: `GO`, else `NO-GO`.
#[must_use]
pub fn decide(kamn: &str, a2a: &str, mcp: &str) -> &'static str {
    let is_row = |row: &Intent| row.kamn == kamn && row.a2a == a2a && row.mcp == mcp;
    if INTENTS.iter().any(is_row) {
        "GO"
    } else {
        "NO-GO"
    }
}

/// The table's name of a task's state; it has none for those that came later.
#[must_use]
pub fn state(state: State) -> Option<&'static str> {
    match state {
        State::Submitted => Some("pending"),
        State::InProgress => Some("running"),
        State::Blocked => Some("paused"),
        State::Completed => Some("succeeded"),
        State::Failed => Some("failed"),
        State::Cancelled => Some("cancelled"),
        State::Accepted | State::Delegated | State::InputRequired => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table_go_and_mixtures_do_not() {
        for row in INTENTS {
            assert_eq!(decide(row.kamn, row.a2a, row.mcp), "GO");
        }
        assert_eq!(decide("Request", "task.result", "tool_result"), "NO-GO");
        assert_eq!(decide("request", "task.invoke", "tool_call"), "NO-GO");
        assert_eq!(state(State::Blocked), Some("paused"));
        assert_eq!(state(State::Delegated), None);
    }
}
