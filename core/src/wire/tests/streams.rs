//! Framing and the situations of the table, one by one.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::wire::table::{ROWS, on};

fn check(api: Api, body: &str, expected: Expect) {
    let whole = decode(api, None, &[body.as_bytes()]);
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(decode(api, None, &bytes), whole, "{body:?}");
    expected.assert_eq(&render(&whole));
}

fn openai(body: &str, expected: Expect) {
    check(Api::OpenAi, body, expected);
}

fn text(text: &str) -> String {
    format!("{{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}")
}

const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn the_table() {
    let rows: String = ROWS
        .iter()
        .map(|(situation, what, _)| format!("{situation:?}: {what} => {:?}\n", on(*situation)))
        .collect();
    expect![[r#"
        UnknownEvent: an event type this version does not know => Skip
        KeepAlive: a ping => Skip
        UnknownField: a field this version does not know, in an object it knows => Skip
        UnknownBlock: an Anthropic content block of unknown type, with its deltas => Skip
        UnknownDelta: a kind of delta or content part this version does not know => Skip
        UnknownFinishReason: a finish reason this version does not know => Keep
        LegacyFunctionCall: `function_call`, the tool calls of 2023 => Skip
        OtherChoice: a choice other than the first => Skip
        NoChoices: a chunk with `choices: []` or none => Keep
        RepeatedWhole: a whole message after its deltas => Skip
        EmptyData: an event with empty data => Skip
        InvalidUtf8: bytes that are not UTF-8 => FailRetryable
        InvalidJson: a frame that is not JSON => FailRetryable
        WrongShape: JSON with a known field of the wrong type, or no object => FailRetryable
        ForeignBody: a web page instead of an answer => FailRetryable
        OverLimit: a line, frame or body over 16 MiB, or over 1,024 tool calls => FailFinal
        ErrorFrame: an error inside the stream, `overloaded_error` included => FailAsTold
        NewIdAtSameIndex: a fragment with a used index and another id => Open
        NameAtSameIndex: a fragment that names a tool again where the call is already whole => Open
        NameWithoutIndex: a fragment with a name and without index => Open
        FragmentWithoutIndex: arguments without index, id or name => Append
        FragmentWithoutCall: arguments for a call that never began => FailRetryable
        NamelessCall: a call that begins without a name => Keep
        DoneWithoutReason: the end event after content, without a finish reason => Keep
        DoneTooEarly: the end event before any content, or inside a tool call's arguments, without a finish reason => Truncated
        EndAfterReason: end of bytes after OpenAI's finish reason, without `[DONE]` => Complete
        EndWithoutEnd: end of bytes without an end event; for Anthropic, without `message_stop` => Truncated
        CutFrame: end of bytes in the middle of a frame => Truncated
        AfterEnd: anything but usage after the end => Skip
    "#]].assert_eq(&rows);
}

#[test]
fn line_ends_comments_and_marks() {
    let (a, b) = (text("a"), text("b"));
    let body = format!(
        "\u{feff}: hello\r\nid: 7\rretry: 10\r\ndata:{a}\r\n\r\n:\n\nevent: x\n\ndata: {b}\r\rdata\n\ndata: \n\ndata: {STOP}\n\ndata: [DONE]\n\n"
    );
    openai(
        &body,
        expect![[r#"
        {"type":"text","text":"a"}
        {"type":"text","text":"b"}
        {"type":"stop","reason":"end_turn"}
        end: complete
    "#]],
    );
}

#[test]
fn data_of_several_lines_is_one_frame() {
    openai(
        "data: {\"choices\":[{\"delta\":{\"content\":\ndata: \"a\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n",
        expect![[r#"
            {"type":"text","text":"a"}
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
}

#[test]
fn the_last_event_counts_without_its_blank_line() {
    openai(
        &format!("data: {}\n\ndata: {STOP}", text("a")),
        expect![[r#"
        {"type":"text","text":"a"}
        {"type":"stop","reason":"end_turn"}
        end: complete
    "#]],
    );
}

#[test]
fn ends() {
    let a = text("a");
    // Nothing, blanks, content without an end, the end event before everything.
    openai(
        "",
        expect![[r#"
        end: the answer was cut off before its end
    "#]],
    );
    openai(
        "\n\n",
        expect![[r#"
        end: the answer was cut off before its end
    "#]],
    );
    openai(
        &format!("data: {a}\n\n"),
        expect![[r#"
        {"type":"text","text":"a"}
        end: the answer was cut off before its end
    "#]],
    );
    openai(
        "data: [DONE]\n\n",
        expect![[r#"
        end: the answer was cut off before its end
    "#]],
    );
    // The end event without a reason, after content and inside a call.
    openai(
        &format!("data: {a}\n\ndata: [DONE]\n\n"),
        expect![[r#"
        {"type":"text","text":"a"}
        {"type":"stop","reason":{"unknown":""}}
        end: complete
    "#]],
    );
    openai(
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\ndata: [DONE]\n\n",
        expect![[r#"
            {"type":"tool_call_start","index":0,"id":"1","name":"f"}
            {"type":"tool_call_arguments","index":0,"fragment":"{"}
            end: the answer was cut off before its end
        "#]],
    );
    // Bytes after the end.
    openai(
        &format!("data: {a}\n\ndata: {STOP}\n\ndata: {a}\n\ndata: [DONE]\n\ndata: {{nonsense\n\n"),
        expect![[r#"
            {"type":"text","text":"a"}
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
}

#[test]
fn odd_chunks() {
    let choices = |choice: &str| format!("data: {{\"choices\":[{choice}]}}\n\ndata: {STOP}\n\n");
    openai(
        &choices(r#"{"delta":{"content":"x"},"finish_reason":"galaxy"}"#),
        expect![[r#"
            {"type":"text","text":"x"}
            {"type":"stop","reason":{"unknown":"galaxy"}}
            end: complete
        "#]],
    );
    openai(
        &choices(r#"{"index":1,"delta":{"content":"x"}}"#),
        expect![[r#"
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
    openai(
        &choices(r#"{"delta":{"function_call":{"name":"f"},"reasoning":{"a":1}}}"#),
        expect![[r#"
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
    openai(
        &choices(r#"{"delta":{"content":7}}"#),
        expect![[r#"
        end: the provider sent something unreadable: field `content` is no string
    "#]],
    );
    openai(
        &choices(r#"{"delta":[]}"#),
        expect![[r#"
        end: the provider sent something unreadable: field `delta` is no object
    "#]],
    );
    openai(
        &choices("7"),
        expect![[r#"
            end: the provider sent something unreadable: field `choices` is no list of objects
        "#]],
    );
    openai(
        &choices(r#"{"delta":{"tool_calls":[{"index":3,"function":{"arguments":"{}"}}]}}"#),
        expect![[r#"
            end: the provider sent something unreadable: arguments for a tool call that never began
        "#]],
    );
    openai(
        "data: {\"type\":\"ping\"}\n\ndata: [1]\n\n",
        expect![[r#"
        end: the provider sent something unreadable: a frame that is no object: [1]
    "#]],
    );
    openai(
        "event: error\ndata: {\"message\":\"boom\",\"code\":400}\n\n",
        expect![[r#"
            end: BadRequest, again: no
              boom
              hint: none
        "#]],
    );
    openai(
        "data: {\"error\":\"just words\"}\n\n",
        expect![[r#"
        end: Unavailable, again: yes
          just words
          hint: none
    "#]],
    );
    openai(
        &choices(r#"{"delta":{},"finish_reason":"error"}"#),
        expect![[r#"
            end: Unavailable, again: yes
              the provider reported an error without saying which
              hint: none
        "#]],
    );
    openai(
        &choices(r#"{"message":{"content":"x"},"finish_reason":null}"#),
        expect![[r#"
            {"type":"text","text":"x"}
            {"type":"stop","reason":{"unknown":""}}
            end: complete
        "#]],
    );
    openai(
        &format!(
            "data: {}\n\n{}",
            text("x"),
            choices(r#"{"message":{"content":"x"},"finish_reason":"stop"}"#)
        ),
        expect![[r#"
            {"type":"text","text":"x"}
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
}

#[test]
fn calls_without_ids_and_numbers() {
    let call = |fields: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{{fields}}}]}}}}]}}\n\n")
    };
    // Whole calls at one index, without ids.
    let same = call(r#""index":0,"function":{"name":"f","arguments":"{}"}"#);
    openai(
        &format!("{same}{same}data: {STOP}\n\n"),
        expect![[r#"
        {"type":"tool_call_start","index":0,"id":"","name":"f"}
        {"type":"tool_call_arguments","index":0,"fragment":"{}"}
        {"type":"tool_call_start","index":1,"id":"","name":"f"}
        {"type":"tool_call_arguments","index":1,"fragment":"{}"}
        {"type":"stop","reason":"tool_use"}
        end: complete
    "#]],
    );
    // A name repeated in every fragment, arguments as an object, and a call without a name.
    let pieces = [
        call(r#""index":0,"id":"1","function":{"name":"f","arguments":"{\"a\""}"#),
        call(r#""index":0,"id":"1","function":{"name":"f","arguments":":1}"}"#),
        call(r#""function":{"name":"g","arguments":{"b":2}}"#),
        call(r#""id":"3","function":{"arguments":"{"}"#),
        call(r#""function":{"arguments":"}"}"#),
    ];
    openai(
        &format!("{}data: {STOP}\n\n", pieces.concat()),
        expect![[r#"
        {"type":"tool_call_start","index":0,"id":"1","name":"f"}
        {"type":"tool_call_arguments","index":0,"fragment":"{\"a\""}
        {"type":"tool_call_arguments","index":0,"fragment":":1}"}
        {"type":"tool_call_start","index":1,"id":"","name":"g"}
        {"type":"tool_call_arguments","index":1,"fragment":"{\"b\":2}"}
        {"type":"tool_call_start","index":2,"id":"3","name":""}
        {"type":"tool_call_arguments","index":2,"fragment":"{"}
        {"type":"tool_call_arguments","index":2,"fragment":"}"}
        {"type":"stop","reason":"tool_use"}
        end: complete
    "#]],
    );
}

#[test]
fn anthropic_by_event_name_and_out_of_order() {
    check(
        Api::Anthropic,
        "event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: message_stop\ndata: {}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
        expect![[r#"
            {"type":"text","text":"a"}
            {"type":"stop","reason":{"unknown":""}}
            end: complete
        "#]],
    );
    check(
        Api::Anthropic,
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        expect![[r#"
            end: the answer was cut off before its end
        "#]],
    );
    check(
        Api::Anthropic,
        "data: {\"type\":\"content_block_delta\",\"index\":4,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n",
        expect![[r#"
            end: the provider sent something unreadable: arguments for a tool call that never began
        "#]],
    );
}

#[test]
fn bodies_that_are_no_stream() {
    openai(
        "{\"error\":{\"message\":\"no such model\",\"code\":404}}",
        expect![[r#"
            end: NotFound, again: no
              no such model
              hint: check the model's name and the base URL, which includes the version, such as /v1
        "#]],
    );
    openai(
        &format!("{}\n{{\"half", text("a")),
        expect![[r#"
        {"type":"text","text":"a"}
        end: the answer was cut off before its end
    "#]],
    );
    openai(
        &format!("{} {STOP} garbage\n", text("a")),
        expect![[r#"
            {"type":"text","text":"a"}
            {"type":"stop","reason":"end_turn"}
            end: complete
        "#]],
    );
    openai(
        &format!("{}\nnonsense\n{STOP}\n", text("a")),
        expect![[r#"
        {"type":"text","text":"a"}
        end: the provider sent something unreadable: expected ident at line 1 column 2 in the frame nonsense
    "#]],
    );
    openai(
        "<html><body>Sign in</body></html>",
        expect![[r#"
        end: the provider sent something unreadable: a page, not an answer
    "#]],
    );
    openai(
        "Internal Server Error",
        expect![[r#"
        end: the answer was cut off before its end
    "#]],
    );
    let json = decode(
        Api::OpenAi,
        Some("application/json"),
        &[b"Internal Server Error"],
    );
    expect![[r#"
        end: the answer was cut off before its end
    "#]]
    .assert_eq(&render(&json));
    // A stream under the wrong content type.
    let body = format!("data: {STOP}\n\n");
    let html = decode(Api::OpenAi, Some("Application/JSON"), &[body.as_bytes()]);
    assert_eq!(html.1, Ok(()));
    let html = decode(Api::OpenAi, Some("text/html; charset=utf-8"), &[b"Sign in"]);
    assert!(matches!(html.1, Err(WireError::Corrupt { .. })));
}

#[test]
fn invalid_utf8_is_corrupt_but_not_in_comments() {
    let frame = |bytes: &[u8]| {
        let stop = format!("\n\ndata: {STOP}\n\n");
        [bytes, stop.as_bytes()].concat()
    };
    let data = frame(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}");
    let (_, end) = decode(Api::OpenAi, None, &[&data]);
    assert!(matches!(end, Err(WireError::Corrupt { .. })), "{end:?}");
    assert_eq!(decode(Api::OpenAi, None, &[&frame(b": \xff")]).1, Ok(()));
}

#[test]
fn what_has_no_end_is_too_large_before_it_fills_the_memory() {
    let piece = vec![b'a'; 1024 * 1024];
    for start in ["data: ", ": ", "{\"a\":\"", "x"] {
        let mut decoder = Decoder::new(Api::OpenAi, None);
        let mut out = Vec::new();
        decoder.push(start.as_bytes(), &mut out).unwrap();
        let failed = (0..17).find_map(|_| decoder.push(&piece, &mut out).err());
        assert_eq!(failed, Some(WireError::TooLarge), "{start}");
        assert_eq!(decoder.push(b"", &mut out), Err(WireError::TooLarge));
    }
    let mut decoder = Decoder::new(Api::OpenAi, None);
    let line = [b"data: ", piece.as_slice(), b"\n"].concat();
    let failed = (0..17).find_map(|_| decoder.push(&line, &mut Vec::new()).err());
    assert_eq!(failed, Some(WireError::TooLarge));
    let calls = r#"{"id":"","function":{"name":"f"}},"#.repeat(1_025);
    let calls = calls.trim_end_matches(',');
    let body = format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{calls}]}}}}]}}\n\n");
    assert_eq!(
        decode(Api::OpenAi, None, &[body.as_bytes()]).1,
        Err(WireError::TooLarge)
    );
}

#[test]
fn done_is_the_last_event_and_not_the_reason() {
    let mut decoder = Decoder::new(Api::OpenAi, None);
    let mut out = Vec::new();
    decoder
        .push(format!("data: {STOP}\n\n").as_bytes(), &mut out)
        .unwrap();
    assert!(!decoder.is_done());
    decoder.push(b"data: [DONE]\n\n", &mut out).unwrap();
    assert!(decoder.is_done());
}

/// Text made of what streams are made of, so that random bytes get somewhere.
fn stream_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec![
            "data: ",
            "event: error\n",
            "\n\n",
            "\r",
            "[DONE]",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "\"choices\"",
            "\"delta\"",
            "\"tool_calls\"",
            "\"index\":0",
            "\"error\"",
            "null",
            "1e99",
            "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
            "\"type\":\"content_block_start\"",
            "{\"type\":\"message_stop\"}",
            "\u{feff}",
            "é",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_cut_matters(
        body in stream_like(),
        cut in any::<prop::sample::Index>(),
        anthropic: bool,
        content_type in prop::sample::select(vec![
            None, Some("text/event-stream"), Some("application/json"), Some("text/html"),
        ]),
    ) {
        let api = if anthropic { Api::Anthropic } else { Api::OpenAi };
        let whole = decode(api, content_type, &[&body]);
        let (left, right) = body.split_at(cut.index(body.len() + 1));
        prop_assert_eq!(&decode(api, content_type, &[left, right]), &whole);
        let stopped = whole.0.iter().any(|delta| matches!(delta, Delta::Stop { .. }));
        prop_assert!(stopped || whole.1.is_err());
    }

    #[test]
    fn no_error_body_panics(body in stream_like(), status: u16, after in ".{0,40}") {
        let head = crate::session::HttpHead {
            status,
            headers: vec![
                ("retry-after".into(), after.clone()),
                ("x-ratelimit-reset".into(), after),
            ],
            at: crate::ids::UnixMillis(0),
        };
        let error = provider_error(&model(Api::OpenAi), &head, &body);
        prop_assert!(error.message.chars().count() <= 300 && !error.message.contains('\n'));
    }
}
