//! Server-sent events (WHATWG HTML, section 9.2): a session's events as they happen.

use core::{future::Future, pin::Pin};
use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
    stream,
};
use tau_core::{ids::TurnId, json, session::Event};
use tau_platform::{
    Clock,
    live::{Mark, Watch},
};
use tau_target_web::WebClock;
use worker::Response;

/// Between comments on a quiet stream: what stands between drops connections that are silent for
/// longer than half a minute or so.
const HEARTBEAT_MS: u64 = 15_000;
/// Events that are there already go out together, up to about so many bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// When a stream of events ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// With the run of the session.
    RunEnds,
    /// With the turn that begins in it.
    TurnEnds,
}

struct State {
    watch: Watch,
    first: Option<Vec<u8>>,
    until: Until,
    /// The first turn that began in this stream.
    turn: Option<TurnId>,
    over: bool,
    heartbeat: Pin<Box<dyn Future<Output = ()>>>,
}

/// The response that shows what `watch` sees, after `first`.
pub(crate) fn response(
    watch: Watch,
    first: Option<Vec<u8>>,
    until: Until,
) -> worker::Result<Response> {
    let state = State {
        watch,
        // Something at once, so that the head is not held back.
        first: Some(first.unwrap_or_else(|| b":\n\n".to_vec())),
        until,
        turn: None,
        over: false,
        heartbeat: heartbeat(),
    };
    let pieces = stream::unfold(state, |mut state| async move {
        let piece = state.next().await?;
        Some((Ok::<_, worker::Error>(piece), state))
    });
    let response = Response::from_stream(pieces)?;
    let headers = response.headers();
    headers.set("content-type", "text/event-stream")?;
    headers.set("cache-control", "no-store")?;
    Ok(response)
}

impl State {
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.over {
            return None;
        }
        let event = match select(self.watch.next(), &mut self.heartbeat).await {
            Either::Left((event, _)) => event?,
            Either::Right(((), _)) => {
                self.heartbeat = heartbeat();
                return Some(b":\n\n".to_vec());
            }
        };
        let mut piece = Vec::new();
        self.write(event, &mut piece);
        while !self.over
            && piece.len() < PIECE_BYTES
            && let Some(Some(event)) = self.watch.next().now_or_never()
        {
            self.write(event, &mut piece);
        }
        Some(piece)
    }

    fn write(&mut self, (mark, event): (Mark, Event), piece: &mut Vec<u8>) {
        self.over = self.until == Until::TurnEnds && ends(&mut self.turn, &event);
        let data = json::to_string(&event);
        piece.extend_from_slice(frame(Some(mark), kind(&data), &data).as_bytes());
    }
}

/// Whether `event` ends the first turn that began in the stream, which is kept in `first`.
fn ends(first: &mut Option<TurnId>, event: &Event) -> bool {
    match event {
        Event::TurnStarted { turn, .. } => {
            first.get_or_insert(*turn);
            false
        }
        Event::TurnFinished { turn, .. } => *first == Some(*turn),
        Event::Stopped { .. } => true,
        _ => false,
    }
}

fn heartbeat() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {
        let clock = WebClock;
        clock.sleep_until(clock.now().plus(HEARTBEAT_MS)).await;
    })
}

/// The event's type, which its JSON begins with.
fn kind(data: &str) -> &str {
    data.strip_prefix("{\"type\":\"")
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("message")
}

/// One event. `data` is JSON, so it has no line breaks.
pub(crate) fn frame(mark: Option<Mark>, kind: &str, data: &str) -> String {
    match mark {
        Some(mark) => format!("id: {mark}\nevent: {kind}\ndata: {data}\n\n"),
        None => format!("event: {kind}\ndata: {data}\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_core::{ids::EntryId, model::Usage, session::Outcome};

    #[test]
    fn the_stream_of_a_prompt_ends_with_its_own_turn() {
        let started = |turn| Event::TurnStarted {
            turn: TurnId(turn),
            entry: EntryId("e".into()),
        };
        let finished = |turn| Event::TurnFinished {
            turn: TurnId(turn),
            outcome: Outcome::Answered,
            usage: Usage::default(),
        };
        let mut first = None;
        for (event, is_end) in [
            (finished(1), false),
            (started(2), false),
            (finished(1), false),
            (finished(2), true),
        ] {
            assert_eq!(ends(&mut first, &event), is_end, "{event:?}");
        }
    }

    #[test]
    fn a_frame_names_its_type_and_its_place() {
        let event = Event::TextDelta {
            text: "a\nb\r\u{2028}\"".into(),
        };
        let data = json::to_string(&event);
        let mark = Mark { life: 3, number: 7 };
        assert_eq!(
            frame(Some(mark), kind(&data), &data),
            "id: 3-7\nevent: text_delta\ndata: {\"type\":\"text_delta\",\"text\":\"a\\nb\\r\u{2028}\\\"\"}\n\n"
        );
    }
}
