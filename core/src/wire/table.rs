//! The table: what a decoder does with what it did not hope for.
//!
//! Decoders ask [`on`] or [`settle`] instead of deciding where they stand; the enum, the function
//! and the rendered table come from the one list below, so none of them can say something else.

use alloc::string::String;

use super::WireError;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// As if it had not come.
    Skip,
    /// Passed on as it is: a finish reason as `Unknown`, a text as text.
    Keep,
    /// A new tool call begins with it.
    Open,
    /// It belongs to the tool call that was open last.
    Append,
    /// The answer is complete.
    Complete,
    /// The answer is incomplete: [`WireError::Truncated`], worth another attempt.
    Truncated,
    /// [`WireError::Corrupt`], worth another attempt.
    FailRetryable,
    /// [`WireError::TooLarge`]; another attempt would end the same way.
    FailFinal,
    /// [`WireError::Provider`], which says itself whether another attempt makes sense.
    FailAsTold,
}

macro_rules! table {
    ($($situation:ident: $what:literal => $action:ident, $why:literal;)*) => {
        /// Everything that is not a plain piece of an answer.
        ///
        /// | situation | what came | action | because |
        /// |---|---|---|---|
        $(#[doc = concat!(
            "| `", stringify!($situation), "` | ", $what, " | `", stringify!($action), "` | ", $why, " |"
        )])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Situation {
            $(#[doc = $what] $situation,)*
        }

        /// What is done in that situation.
        pub(super) fn on(situation: Situation) -> Action {
            match situation {
                $(Situation::$situation => Action::$action,)*
            }
        }

        /// Every row, for the tests.
        #[cfg(test)]
        pub(super) const ROWS: &[(Situation, &str, &str)] = &[
            $((Situation::$situation, $what, $why),)*
        ];
    };
}

table! {
    // What a newer or different provider may add.
    UnknownEvent: "an event type this version does not know" => Skip,
        "both formats promise to grow by new events";
    KeepAlive: "a ping" => Skip, "it only keeps the connection open";
    UnknownField: "a field this version does not know, in an object it knows" => Skip,
        "both formats grow by new fields";
    UnknownBlock: "an Anthropic content block of unknown type, with its deltas" => Skip,
        "it belongs to a feature that was not asked for";
    UnknownDelta: "a kind of delta or content part this version does not know" => Skip,
        "the known ones make a whole answer without it";
    UnknownFinishReason: "a finish reason this version does not know" => Keep,
        "the answer is complete; the session is told the provider's word for it";
    LegacyFunctionCall: "`function_call`, the tool calls of 2023" => Skip,
        "no tools are offered in that way";
    OtherChoice: "a choice other than the first" => Skip, "one was asked for";
    NoChoices: "a chunk with `choices: []` or none" => Keep,
        "usage and content filter reports come so; what usage it holds counts";
    RepeatedWhole: "a whole message after its deltas" => Skip,
        "some servers repeat the answer in their last chunk";
    // Frames that are not what they should be.
    EmptyData: "an event with empty data" => Skip, "used as a keep-alive";
    InvalidUtf8: "bytes that are not UTF-8" => FailRetryable,
        "a replaced character inside a tool's arguments would end up in a file";
    InvalidJson: "a frame that is not JSON" => FailRetryable,
        "what was lost with it is unknown";
    WrongShape: "JSON with a known field of the wrong type, or no object" => FailRetryable,
        "what was meant is unknown";
    ForeignBody: "a web page instead of an answer" => FailRetryable,
        "a proxy or a sign-in page in between";
    OverLimit: "a line, frame or body over 16 MiB, or over 1,024 tool calls" => FailFinal,
        "memory is not the server's to fill";
    ErrorFrame: "an error inside the stream, `overloaded_error` included" => FailAsTold,
        "the provider says what is wrong";
    // Tool calls in pieces.
    NewIdAtSameIndex: "a fragment with a used index and another id" => Open,
        "Ollama and older vLLM number every call 0";
    NameAtSameIndex: "a fragment that names a tool again where the call is already whole" => Open,
        "servers that send neither ids nor numbers send whole calls";
    NameWithoutIndex: "a fragment with a name and without index" => Open,
        "servers that do not number calls send each as one piece";
    FragmentWithoutIndex: "arguments without index, id or name" => Append,
        "there is only one call they can mean";
    FragmentWithoutCall: "arguments for a call that never began" => FailRetryable,
        "the call's name is lost";
    NamelessCall: "a call that begins without a name" => Keep,
        "the dispatcher refuses it and tells the model why";
    // Ends.
    DoneWithoutReason: "the end event after content, without a finish reason" => Keep,
        "the provider says it is done; the reason is `Unknown` and empty";
    DoneTooEarly: "the end event before any content, or inside a tool call's arguments, without a finish reason" => Truncated,
        "proxies append the end event when their upstream died";
    EndAfterReason: "end of bytes after OpenAI's finish reason, without `[DONE]`" => Complete,
        "several compatible servers never send `[DONE]`; the finish reason is the end of the answer";
    EndWithoutEnd: "end of bytes without an end event; for Anthropic, without `message_stop`" => Truncated,
        "nobody said that the answer is whole";
    CutFrame: "end of bytes in the middle of a frame" => Truncated, "the rest never came";
    AfterEnd: "anything but usage after the end" => Skip, "the answer is complete without it";
}

/// [`on`], with the actions that fail turned into their errors.
///
/// `detail` is asked only for [`WireError::Corrupt`].
pub(super) fn settle(
    situation: Situation,
    detail: impl FnOnce() -> String,
) -> Result<Action, WireError> {
    match on(situation) {
        Action::Truncated => Err(WireError::Truncated),
        Action::FailRetryable => Err(WireError::Corrupt { detail: detail() }),
        Action::FailFinal => Err(WireError::TooLarge),
        action => Ok(action),
    }
}
