//! An answer one bounded piece of work at a time, for a home that has one thread and messages to read.
//!
//! Invariant: the steps of an answer give the pieces [`Agent::respond`] gives, which runs these very steps.

use super::{Agent, Decision, Finish, Piece, Request, State, Turn, answer, start_of};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::text::{Advance, End, Generation};

/// An answer while it is made.
pub struct Answer {
    request: Request,
    stage: Stage,
}

/// What is to be done next.
pub(super) enum Stage {
    /// Look at what the conversation ends with.
    Begin,
    /// Find out whether a tool is asked for that is not there.
    Lacking,
    /// Choose between the tools and none.
    Deciding,
    /// Let the text model write.
    Speaking(Generation),
    /// Nothing.
    Ended(Finish),
}

impl Answer {
    /// The answer to a conversation. Nothing runs before [`Agent::step`].
    pub fn new(request: Request) -> Self {
        Self {
            request,
            stage: Stage::Begin,
        }
    }
}

impl State {
    /// Takes back what an answer has read, so that the next one need not read it again.
    pub(super) fn keep(&mut self, answer: Answer) {
        if let Stage::Speaking(generation) = answer.stage {
            self.chat = generation.into_session();
        }
    }
}

impl Agent {
    /// Does the next piece of an answer's work: at most a look at the conversation, a choice, 256 tokens of reading, or
    /// a token of writing. `Some` says that the answer is whole; each further call says so again.
    ///
    /// Fails as [`Self::respond`] does. An answer that will not be stepped to its end goes to [`Self::give_up`].
    pub fn step(
        &self,
        answer: &mut Answer,
        cancel: &Cancel,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Option<Finish>> {
        self.step_with(&mut self.lock(), answer, cancel, on_piece)
    }

    /// Ends an answer before its end. Dropping it instead costs the next answer the reading of the conversation.
    pub fn give_up(&self, answer: Answer) {
        self.lock().keep(answer);
    }

    pub(super) fn step_with(
        &self,
        state: &mut State,
        answer: &mut Answer,
        cancel: &Cancel,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Option<Finish>> {
        let Answer { request, stage } = answer;
        let next = match stage {
            Stage::Begin => self.begin(state, request, on_piece)?,
            Stage::Lacking => self.say_what_lacks(state, request, on_piece)?,
            Stage::Deciding => self.choose_or_talk(state, request, cancel, on_piece)?,
            Stage::Speaking(generation) => match self.text.advance(generation)? {
                Advance::Text(text) => {
                    if !text.is_empty() {
                        on_piece(Piece::Text(text));
                    }
                    return Ok(None);
                }
                Advance::Ended(text, end) => {
                    if !text.is_empty() {
                        on_piece(Piece::Text(text));
                    }
                    let made = generation.generated();
                    on_piece(Piece::Usage {
                        input: made.prompt_tokens,
                        output: made.new_tokens,
                    });
                    Stage::Ended(match end {
                        End::Stop | End::Broken => Finish::Answered,
                        End::MaxTokens | End::ContextFull => Finish::Length,
                    })
                }
            },
            Stage::Ended(finish) => return Ok(Some(*finish)),
        };
        let ended = match next {
            Stage::Ended(finish) => Some(finish),
            _ => None,
        };
        let before = std::mem::replace(stage, next);
        if let Stage::Speaking(generation) = before {
            state.chat = generation.into_session();
        }
        Ok(ended)
    }

    fn begin(
        &self,
        state: &mut State,
        request: &Request,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Stage> {
        let Some(Turn::ToolResult {
            name,
            text,
            is_error,
            ..
        }) = request.turns.last()
        else {
            return Ok(Stage::Lacking);
        };
        match answer::repair(request, name, *is_error, text) {
            Some((name, arguments)) => {
                on_piece(Piece::ToolCall { name, arguments });
                on_piece(Piece::Usage {
                    input: 0,
                    output: 0,
                });
                Ok(Stage::Ended(Finish::ToolCall))
            }
            None => self.answer_from(state, request, on_piece),
        }
    }

    fn say_what_lacks(
        &self,
        state: &mut State,
        request: &Request,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Stage> {
        let instruction = start_of(answer::last_instruction(request));
        if request.tools.is_empty() {
            return Ok(Stage::Deciding);
        }
        let Some(does) = self.missing(state, instruction, &request.tools)? else {
            return Ok(Stage::Deciding);
        };
        let told = format!("I cannot do that: it takes a tool that {does}, and I have none.");
        Ok(say(told, on_piece))
    }

    fn choose_or_talk(
        &self,
        state: &mut State,
        request: &Request,
        cancel: &Cancel,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Result<Stage> {
        let instruction = answer::last_instruction(request);
        match self.decide_with(state, instruction, &request.tools, cancel)? {
            Decision::Call { name, arguments } => {
                let input = self.request_prompt(start_of(instruction))?.len();
                on_piece(Piece::ToolCall { name, arguments });
                on_piece(Piece::Usage { input, output: 0 });
                Ok(Stage::Ended(Finish::ToolCall))
            }
            Decision::Answer => self.chat(state, request),
        }
    }
}

/// An answer that took no writing.
pub(super) fn say(text: String, on_piece: &mut dyn FnMut(Piece)) -> Stage {
    on_piece(Piece::Text(text));
    on_piece(Piece::Usage {
        input: 0,
        output: 0,
    });
    Stage::Ended(Finish::Answered)
}
