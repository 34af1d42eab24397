//! Conversations as data: how a scenario is written is told in `scenarios/README.md`.
//!
//! Invariant: a scenario says nothing about the home that plays it, and the same scenario gives
//! the same transcript, byte for byte, wherever and however often it is played.

mod check;
mod crash;
mod home;
mod items;
mod job;
mod loopback;
mod pace;
mod parse;
mod play;
mod point;
mod reply;
mod response;
mod setup;
mod stage;
mod tap;
mod transcript;
mod valid;

pub use check::Check;
pub use crash::{Ending, Life, survive};
pub use home::{Carried, Network, Simulated};
pub use job::{Done, Job, Outcome, finish};
pub use loopback::{Loopback, LoopbackBody, LoopbackHttp};
pub use pace::Gate;
pub use parse::{ScenarioError, parse};
pub use play::{Played, Progress, Request, play, play_process};
pub use point::{Operation, Point, Side, ToolLog};
pub use response::Response;
pub use setup::{Fault, Setup, Tool};
pub use transcript::{difference, transcript};

use crate::wire::{Piece, Tokens};
use tau_core::{
    message::Image,
    policy::{Extent, Policy},
    session::MergeHow,
};

/// One conversation and what is expected of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in a sentence.
    pub title: String,
    /// Models, tools, limits.
    pub setup: Setup,
    /// What the models answer, in the order they are asked.
    pub replies: Vec<Reply>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One thing that is done, and the line it is written at.
#[derive(Clone, Debug)]
pub struct Step {
    /// From 1.
    pub line: usize,
    /// What.
    pub what: What,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum What {
    /// A prompt, once the turn before is over.
    Prompt {
        /// Its text.
        text: String,
        /// Its pictures.
        images: Vec<Image>,
    },
    /// A prompt although a turn may be running.
    PromptNow {
        /// Its text.
        text: String,
    },
    /// An interrupt.
    Interrupt(When),
    /// A waiting call is let through.
    Approve {
        /// The call.
        call: String,
        /// How far the yes reaches.
        extent: Extent,
        /// When, from the time it is asked.
        when: When,
    },
    /// A waiting call is refused.
    Deny {
        /// The call.
        call: String,
        /// Why.
        reason: Option<String>,
    },
    /// Another policy.
    Policy(Policy),
    /// A summary is asked for.
    Compact,
    /// The last turn is left.
    Undo,
    /// The last undo is taken back.
    Redo,
    /// The conversation goes on from the nth entry, from 1.
    Switch(usize),
    /// The conversation goes on from what has a name.
    SwitchTo(String),
    /// A branch begins where the session stands.
    Branch(String),
    /// The branch that ends at the nth entry, from 1, is merged.
    Merge(usize, MergeHow),
    /// Nothing for so many milliseconds.
    Wait(u64),
    /// The process ends by itself, and another one opens the session.
    Reopen,
    /// The process dies, and another one opens the session.
    Crash(Death),
    /// What must hold once everything before is over.
    Expect(Vec<Check>),
}

/// When a command comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// So many milliseconds after the last prompt, or after the process began.
    At(u64),
    /// When an event of this type is seen.
    On(String),
}

/// Where a process dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// At a time or an event.
    When(When),
    /// Before or after something the home does.
    At(Point),
}

/// What a model's server does with one request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where it is written, from 1.
    pub line: usize,
    /// The model that must be asked; none is the first.
    pub model: Option<String>,
    /// How it begins.
    pub head: Head,
    /// Headers of the response, names in lower case.
    pub headers: Vec<(String, String)>,
    /// How long the head takes, in ms.
    pub late_ms: u64,
    /// Its parts.
    pub pieces: Vec<Piece>,
    /// Tokens it tells of.
    pub tokens: Tokens,
    /// The bytes of a piece, however that cuts the text.
    pub split: Option<usize>,
    /// Only so many bytes come.
    pub cut: Option<usize>,
}

/// How a response begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// With a status.
    Status(u16),
    /// Nobody listens.
    Refused,
    /// Never.
    Hangs,
}
