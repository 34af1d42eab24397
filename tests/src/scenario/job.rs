//! One process of a scenario as a message, for homes that are another process than whoever asks.

use serde::{Deserialize, Serialize};
use tau_platform::{Http, Storage};

use super::{Carried, Loopback, Played, Progress, ToolLog, parse, play_process};

/// What is to be played.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The name of the play: its store is of that name.
    pub play: String,
    /// The scenario, as it is written.
    pub scenario: String,
    /// The server's address for this play, without trailing slash.
    pub base_url: String,
    /// Where nobody listens, without trailing slash.
    pub refused_url: String,
    /// What the process before left; nothing for the first.
    pub carried: Option<Carried>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The process is to end, and another one goes on with this.
    Next(Carried),
    /// The scenario is over, and everything it expects holds.
    Over(Outcome),
    /// Something does not hold.
    Failed(String),
}

/// What is left of a scenario in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The transcript.
    pub transcript: String,
    /// The bodies of all requests that went over a connection, oldest first.
    pub requests: Vec<String>,
    /// Every run of a tool.
    pub runs: Vec<ToolLog>,
}

impl Played {
    /// What another home must have left as well.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let transcript = self.transcript();
        let sent = self.carried.requests.into_iter();
        Outcome {
            transcript,
            requests: sent
                .filter(|request| !request.url.is_empty())
                .map(|request| request.body)
                .collect(),
            runs: self.carried.runs,
        }
    }
}

/// Plays the process of `job` with the home's own HTTP client and store.
///
/// # Panics
///
/// As [`play_process`].
pub async fn finish<H: Http + Clone, S: Storage + Clone>(client: H, store: S, job: Job) -> Done {
    let network = Loopback {
        client,
        base_url: job.base_url,
        refused_url: job.refused_url,
    };
    let scenario = match parse(&job.scenario) {
        Ok(scenario) => scenario,
        Err(error) => return Done::Failed(error.to_string()),
    };
    let carried = job.carried.unwrap_or_default();
    match play_process(&scenario, &network, store, carried).await {
        Ok(Progress::Next(carried)) => Done::Next(carried),
        Ok(Progress::Over(played)) => Done::Over(played.outcome()),
        Err(why) => Done::Failed(why),
    }
}
