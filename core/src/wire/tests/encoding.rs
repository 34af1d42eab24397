//! Requests as they are sent.

use expect_test::expect_file;
use serde_json::json;

use super::*;
use crate::{
    ids::CallId,
    message::{Image, Message, Part, Role, ToolCall, ToolResult, ToolStatus},
    model::ToolChoice,
    safety::{Gate, Labels, Source, Untrusted, Vetted},
    tool::{OnRestore, ToolClass, ToolSpec},
};

fn vetted<T: crate::safety::Content>(content: T) -> Vetted<Arc<T>> {
    Gate::default()
        .vet(Untrusted::new(content, Source::Runtime))
        .0
        .shared()
}

fn call(id: &str, name: &str, arguments: Value) -> Part {
    Part::ToolCall(ToolCall {
        id: CallId(id.into()),
        name: name.into(),
        arguments,
    })
}

fn result(id: &str, status: ToolStatus, text: &str, images: Vec<Image>) -> Part {
    Part::ToolResult(ToolResult {
        call_id: CallId(id.into()),
        name: "read".into(),
        status,
        text: text.into(),
        images,
        duration_ms: 5,
        labels: Labels::NONE,
        ran: None,
    })
}

fn picture() -> Image {
    Image {
        mime: "image/png".into(),
        data: "iVBORw0KGgo=".into(),
    }
}

fn thinking(text: &str, signature: Option<&str>) -> Part {
    Part::Thinking {
        text: text.into(),
        signature: signature.map(Into::into),
    }
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into() }
}

fn request(model: ModelConfig) -> ModelRequest {
    let message = |role, parts| vetted(Message { role, parts });
    let tool = |name: &str| {
        vetted(ToolSpec {
            name: name.into(),
            description: "Reads a file.".into(),
            parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}}),
            class: ToolClass::Read,
            on_restore: OnRestore::Reissue,
            touches: Vec::new(),
            yields: Labels::NONE,
        })
    };
    ModelRequest {
        model: Arc::new(model),
        system: Gate::runtime_text("You are Tau."),
        messages: Arc::new(vec![
            message(
                Role::User,
                vec![text("What is this?"), Part::Image(picture())],
            ),
            message(
                Role::Assistant,
                vec![
                    thinking("Look first.", Some("c2lnbmVk")),
                    thinking("", Some("redacted_thinking:ZGF0YQ==")),
                    thinking("unsigned", None),
                    text("I will look."),
                    call("call_1", "read", json!({"path": "a"})),
                    call("fn.read:2", "fs.read", json!("not json")),
                ],
            ),
            message(
                Role::Tool,
                vec![
                    result("call_1", ToolStatus::Ok, "content", vec![picture()]),
                    result("fn.read:2", ToolStatus::Error, "no such tool", vec![]),
                ],
            ),
            message(Role::User, vec![text("Go on."), text("")]),
            message(Role::Assistant, vec![thinking("only thoughts", None)]),
            message(Role::User, vec![text("Please.")]),
        ]),
        closing: Some(Gate::runtime_text("This is the last step.")),
        tools: Arc::new(vec![tool("read"), tool("list")]),
        tool_choice: ToolChoice::None,
        max_output_tokens: 1_000,
    }
}

fn show(request: &HttpRequest) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let mut shown = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        shown += &format!("{name}: {value:?}\n");
    }
    shown += &serde_json::to_string_pretty(&body).unwrap();
    shown.push('\n');
    shown
}

#[test]
fn a_rich_conversation_for_openai() {
    let request = encode(&request(model(Api::OpenAi))).unwrap();
    expect_file!["openai_request.txt"].assert_eq(&show(&request));
}

#[test]
fn a_rich_conversation_for_anthropic() {
    let request = encode(&request(model(Api::Anthropic))).unwrap();
    expect_file!["anthropic_request.txt"].assert_eq(&show(&request));
}

fn body(request: &ModelRequest) -> Value {
    serde_json::from_slice(&encode(request).unwrap().body).unwrap()
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    for api in [Api::OpenAi, Api::Anthropic] {
        assert_eq!(encode(&request(model(api))), encode(&request(model(api))));
    }
}

#[test]
fn an_embedded_model_has_no_request() {
    assert_eq!(encode(&request(model(Api::Embedded))), None);
}

#[test]
fn without_a_secret_no_credential_is_named() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut model = model(api);
        model.secret = None;
        let request = encode(&request(model)).unwrap();
        let secret = |value: &HeaderValue| matches!(value, HeaderValue::Secret { .. });
        assert!(!request.headers.iter().any(|(_, value)| secret(value)));
    }
}

#[test]
fn without_tools_there_is_no_choice_of_them() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut request = request(model(api));
        request.tools = Arc::default();
        let body = body(&request);
        assert!(body.get("tools").is_none() && body.get("tool_choice").is_none());
    }
}

#[test]
fn tools_may_be_called_unless_said_otherwise() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut request = request(model(api));
        request.tool_choice = ToolChoice::Auto;
        let body = body(&request);
        assert!(body.get("tools").is_some() && body.get("tool_choice").is_none());
    }
}

#[test]
fn the_output_limit_is_named_as_the_server_knows_it() {
    let cases = [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://API.openai.com:443/v1/", "max_completion_tokens"),
        ("https://api.openai.com.evil.example/v1", "max_tokens"),
        ("http://localhost:11434/v1", "max_tokens"),
        ("http://proxy/https://api.openai.com/v1", "max_tokens"),
    ];
    for (base_url, name) in cases {
        let mut model = model(Api::OpenAi);
        model.base_url = base_url.into();
        assert_eq!(body(&request(model))[name], 1_000, "{base_url}");
    }
}

#[test]
fn a_model_without_eyes_gets_words_for_pictures() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut model = model(api);
        model.images = false;
        let body = body(&request(model)).to_string();
        assert!(!body.contains("iVBORw0KGgo="));
        assert_eq!(body.matches("a picture was left out").count(), 2);
    }
}

/// Only then does a provider's cache hold what was sent before.
#[test]
fn a_longer_conversation_begins_with_the_shorter_one() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut short = request(model(api));
        short.closing = None;
        let mut long = short.clone();
        Arc::make_mut(&mut long.messages).push(vetted(Message::text(Role::Assistant, "Done.")));
        let strip = |mut body: Value| {
            for message in body["messages"].as_array_mut().unwrap() {
                for block in message["content"].as_array_mut().into_iter().flatten() {
                    block.as_object_mut().unwrap().remove("cache_control");
                }
            }
            body
        };
        let (short, long) = (strip(body(&short)), strip(body(&long)));
        let (short, long) = (&short["messages"], &long["messages"]);
        let count = short.as_array().unwrap().len();
        assert_eq!(
            short.as_array().unwrap()[..],
            long.as_array().unwrap()[..count]
        );
    }
}
