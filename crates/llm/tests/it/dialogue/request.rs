use seawall_llm::dialogue::{
    Ask, Effort, Format, Media, Part, Reasoning, Role, Source, Thinking, ToolDescription, ToolResult,
    ToolUse, Turn, write,
};
use serde_json::{Map, Value, json};

use super::ALL;

/// What is written, read again. There is nothing in it that a reader would not see.
fn written(ask: &Ask<'_>, format: Format) -> Value {
    let body = write(ask, format).body;
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value.to_string().as_bytes(), body, "no key twice, no white space");
    value
}

fn user(blocks: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role: Role::User, blocks }
}

fn assistant(blocks: Vec<Part<'_>>) -> Turn<'_> {
    Turn { role: Role::Assistant, blocks }
}

fn image(bytes: &[u8]) -> Part<'_> {
    Part::Image(Media { mime_type: "image/png", source: Source::Bytes(bytes) })
}

fn name_of(format: Format) -> &'static str {
    Format::ALL.iter().find(|(_, known)| *known == format).unwrap().0
}

/// A conversation with everything in it.
struct Conversation {
    schema: Value,
    inputs: [Value; 2],
    signatures: [Value; 3],
}

impl Conversation {
    fn new() -> Self {
        let schema = json!({
            "type": "object",
            "description": "Where.",
            "properties": {
                "city": {"type": "string", "enum": ["Rome", "Oslo"], "description": "The city."},
                "days": {"type": "array", "items": {"type": "object", "properties": {"day": {"type": "integer"}}}},
            },
            "required": ["city"],
            "additionalProperties": false,
        });
        let signatures = [
            json!({"anthropic": "c2ln"}),
            json!({"openai": {"id": "rs_1", "encrypted_content": "ZW5j"}}),
            json!({"gemini": "dGhv"}),
        ];
        Self { schema, inputs: [json!({"city": "Rome"}), json!({"city": "Oslo"})], signatures }
    }

    fn tools(&self) -> [ToolDescription<'_>; 1] {
        [ToolDescription {
            name: "weather",
            description: "Tells the weather.\nSlowly.",
            parameters: &self.schema,
        }]
    }

    /// Signed by all providers at once, so that each shows which is its own.
    fn turns(&self) -> Vec<Turn<'_>> {
        let thought =
            |signature| Part::Reasoning(Reasoning { text: "Two cities.", signature: Some(signature) });
        let [rome, oslo] = &self.inputs;
        let [anthropic, openai, gemini] = &self.signatures;
        let unsigned = Part::Reasoning(Reasoning { text: "Nobody signed this.", signature: None });
        let marker = Part::Reasoning(Reasoning { text: "", signature: Some(gemini) });
        vec![
            user(vec![Part::Text("How is it \"there\"? 🙂"), image(b"\x89PNG")]),
            assistant(vec![
                unsigned,
                thought(anthropic),
                thought(openai),
                Part::Text("Let me look."),
                marker,
                Part::ToolUse(ToolUse { id: "call_1_0", name: "weather", input: rome }),
                Part::ToolUse(ToolUse { id: "call_1_1", name: "weather", input: oslo }),
            ]),
            user(vec![
                // Late, and in the wrong order.
                Part::Text("Hurry."),
                Part::ToolResult(ToolResult {
                    id: "call_1_1",
                    content: vec![Part::Text("no such city")],
                    is_error: true,
                }),
                Part::ToolResult(ToolResult {
                    id: "call_1_0",
                    content: vec![Part::Text("sunny"), image(b"sun")],
                    is_error: false,
                }),
            ]),
            user(vec![Part::Text("And tomorrow?")]),
        ]
    }
}

#[test]
fn a_conversation_with_parallel_calls_thoughts_and_pictures_is_written_in_every_format() {
    let conversation = Conversation::new();
    let (turns, tools) = (conversation.turns(), conversation.tools());
    let ask = Ask {
        system: Some("You tell the weather."),
        tools: &tools,
        max_tokens: Some(1_000),
        temperature: Some(0.5),
        stream: true,
        ..Ask::new("some-model", &turns)
    };
    for format in ALL {
        let request = write(&ask, format);
        let body = serde_json::to_string_pretty(&written(&ask, format)).unwrap();
        insta::assert_snapshot!(
            format!("request_{}", name_of(format)),
            format!("POST {}\n{:?}\n{body}", request.path, request.headers)
        );
    }
}

#[test]
fn schemas_reach_the_model_as_they_are() {
    let conversation = Conversation::new();
    let (turns, tools) = (conversation.turns(), conversation.tools());
    let ask = Ask { tools: &tools, ..Ask::new("m", &turns) };
    for (format, place) in [
        (Format::OpenAiChat, "/tools/0/function/parameters"),
        (Format::OpenAiResponses, "/tools/0/parameters"),
        (Format::Anthropic, "/tools/0/input_schema"),
        (Format::Gemini, "/tools/0/functionDeclarations/0/parametersJsonSchema"),
    ] {
        let body = written(&ask, format);
        assert_eq!(body.pointer(place), Some(&conversation.schema), "{format:?}");
    }
}

#[test]
fn a_schema_that_does_not_say_what_it_is_is_one_of_an_object() {
    let turns = [user(vec![Part::Text("hi")])];
    for (schema, expected) in [
        (json!({"properties": {"a": {}}}), json!({"properties": {"a": {}}, "type": "object"})),
        (Value::Null, json!({"type": "object", "properties": {}})),
    ] {
        let tools = [ToolDescription { name: "f", description: "", parameters: &schema }];
        let ask = Ask { tools: &tools, ..Ask::new("m", &turns) };
        assert_eq!(written(&ask, Format::Anthropic)["tools"][0]["input_schema"], expected);
    }
}

#[test]
fn paths_say_whether_a_stream_is_wanted_and_never_hold_a_key() {
    let turns = [user(vec![Part::Text("hi")])];
    for (model, stream, path) in [
        ("gemini-3-pro", true, "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("gemini-3-pro", false, "/v1beta/models/gemini-3-pro:generateContent"),
        ("models/g", false, "/v1beta/models/g:generateContent"),
        ("tunedModels/t", false, "/v1beta/tunedModels/t:generateContent"),
        ("a?b#c%", false, "/v1beta/models/a%3Fb%23c%25:generateContent"),
    ] {
        let ask = Ask { stream, ..Ask::new(model, &turns) };
        assert_eq!(write(&ask, Format::Gemini).path, path);
        let leads_to = path.split('?').next().unwrap();
        assert_eq!(seawall_llm::endpoint(leads_to).unwrap().wire, Format::Gemini.wire(stream), "{path}");
    }
}

#[test]
fn usage_is_asked_for_in_every_stream() {
    let turns = [user(vec![Part::Text("hi")])];
    let ask = Ask { stream: true, ..Ask::new("m", &turns) };
    let body = written(&ask, Format::OpenAiChat);
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    let whole = written(&Ask::new("m", &turns), Format::OpenAiChat);
    assert_eq!((whole.get("stream_options"), whole.get("stream")), (None, None), "refused without a stream");
}

#[test]
fn the_output_limit_stands_under_the_name_that_the_model_knows() {
    let turns = [user(vec![Part::Text("hi")])];
    for (model, name) in [
        ("gpt-5.4", "max_completion_tokens"),
        ("openai/o3-mini", "max_completion_tokens"),
        ("deepseek-chat", "max_tokens"),
        ("openai/gpt-oss-120b", "max_tokens"),
    ] {
        let body = written(&Ask { max_tokens: Some(7), ..Ask::new(model, &turns) }, Format::OpenAiChat);
        assert_eq!(body[name], 7, "{model}");
    }
    let body = written(&Ask::new("claude-sonnet-4-5", &turns), Format::Anthropic);
    assert_eq!(body["max_tokens"], 8_192, "demanded there");
}

#[test]
fn thinking_is_asked_for_in_words_that_the_model_takes() {
    let turns = [user(vec![Part::Text("hi")])];
    let (high, budget) = (Thinking::Effort(Effort::High), Thinking::Budget(5_000));
    for (format, model, thinking, expected) in [
        (Format::OpenAiChat, "gpt-5", high, json!({"reasoning_effort": "high"})),
        (Format::OpenAiChat, "gpt-5", budget, json!({"reasoning_effort": "low"})),
        (Format::OpenAiChat, "gpt-5", Thinking::Off, json!({"reasoning_effort": "none"})),
        (Format::OpenAiResponses, "gpt-5", high, json!({"reasoning": {"effort": "high", "summary": "auto"}})),
        (
            Format::Anthropic,
            "claude-sonnet-4-5",
            budget,
            json!({"thinking": {"type": "enabled", "budget_tokens": 5_000}}),
        ),
        // Never without its budget, and never with one that leaves no room for an answer.
        (
            Format::Anthropic,
            "claude-haiku-4-5",
            high,
            json!({"thinking": {"type": "enabled", "budget_tokens": 9_999}}),
        ),
        (
            Format::Anthropic,
            "claude-opus-4-8",
            budget,
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ),
        (
            Format::Gemini,
            "gemini-2.5-pro",
            high,
            json!({"generationConfig": {"maxOutputTokens": 10_000, "temperature": 0.5,
                "thinkingConfig": {"thinkingBudget": 16_384, "includeThoughts": true}}}),
        ),
        (
            Format::Gemini,
            "gemini-2.5-flash",
            Thinking::Off,
            json!({"generationConfig": {"maxOutputTokens": 10_000, "temperature": 0.5,
                "thinkingConfig": {"thinkingBudget": 0}}}),
        ),
        (
            Format::Gemini,
            "gemini-3-flash",
            Thinking::Off,
            json!({"generationConfig": {"maxOutputTokens": 10_000, "temperature": 0.5,
                "thinkingConfig": {"thinkingLevel": "minimal"}}}),
        ),
        (
            Format::Gemini,
            "gemini-3-pro",
            high,
            json!({"generationConfig": {"maxOutputTokens": 10_000, "temperature": 0.5,
                "thinkingConfig": {"thinkingLevel": "high", "includeThoughts": true}}}),
        ),
    ] {
        let ask =
            Ask { thinking, max_tokens: Some(10_000), temperature: Some(0.5), ..Ask::new(model, &turns) };
        let body = written(&ask, format);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&body[key], value, "{format:?} {model} {thinking:?}");
        }
        assert_eq!(body.get("temperature").is_some(), !matches!(format, Format::Anthropic | Format::Gemini));
    }
    let short = Ask { thinking: high, max_tokens: Some(500), ..Ask::new("claude-haiku-4-5", &turns) };
    assert_eq!(written(&short, Format::Anthropic).get("thinking"), None, "no room for it");
}

#[test]
fn thoughts_go_back_only_to_whom_has_signed_them() {
    let signatures = [
        (Format::Anthropic, json!({"anthropic": "OWN"})),
        (Format::Anthropic, json!({"anthropic_redacted": "OWN"})),
        (Format::OpenAiResponses, json!({"openai": {"id": "rs_1", "encrypted_content": "OWN"}})),
        (Format::Gemini, json!({"gemini": "OWN"})),
    ];
    for (owner, signature) in &signatures {
        let thought = Part::Reasoning(Reasoning { text: "SECRET THOUGHT", signature: Some(signature) });
        let turns = [
            user(vec![Part::Text("hi")]),
            assistant(vec![thought, Part::Text("there")]),
            user(vec![Part::Text("go on")]),
        ];
        for format in ALL {
            let body = written(&Ask::new("m", &turns), format).to_string();
            assert_eq!(body.contains("OWN"), format == *owner, "{format:?} {body}");
            assert!(format == *owner || !body.contains("SECRET THOUGHT"), "{format:?} {body}");
        }
    }
}

#[test]
fn calls_that_gemini_has_not_signed_are_said_to_be_so() {
    let input = json!({});
    let use_of = |id| Part::ToolUse(ToolUse { id, name: "f", input: &input });
    let result = |id| Part::ToolResult(ToolResult { id, content: vec![Part::Text("1")], is_error: false });
    let turns = [
        user(vec![Part::Text("hi")]),
        assistant(vec![use_of("a"), use_of("b")]),
        user(vec![result("a"), result("b")]),
    ];
    for (model, expected) in
        [("gemini-3-pro", Some("skip_thought_signature_validator")), ("gemini-2.5-pro", None)]
    {
        let parts = written(&Ask::new(model, &turns), Format::Gemini)["contents"][1]["parts"].clone();
        assert_eq!(parts[0].get("thoughtSignature").and_then(Value::as_str), expected, "{model}");
        assert_eq!(parts[1].get("thoughtSignature"), None, "{model}: only the first of them has one");
    }
}

#[test]
fn what_a_format_cannot_carry_is_said_to_be_missing() {
    let at = |mime_type, url| Media { mime_type, source: Source::Url(url) };
    let here = |mime_type| Media { mime_type, source: Source::Bytes(b"\xff\xfe") };
    let (chat, responses, anthropic, gemini) =
        (Format::OpenAiChat, Format::OpenAiResponses, Format::Anthropic, Format::Gemini);
    let cases: [(Part<'_>, &[Format]); 10] = [
        (Part::Audio(here("audio/wav")), &[chat, gemini]),
        (Part::Audio(here("audio/ogg")), &[gemini]),
        (Part::Image(here("image/png")), &ALL),
        (Part::Image(here("image/tiff")), &[]),
        (Part::Image(here("image/heic")), &[gemini]),
        (Part::Image(here("image/gif")), &[chat, responses, anthropic]),
        (Part::Image(at("image/png", "https://x/y.png")), &ALL),
        (Part::File(here("application/pdf")), &ALL),
        (Part::File(at("text/csv", "https://x/y.csv")), &[responses, gemini]),
        (Part::File(at("application/zip", "https://x/y.zip")), &[]),
    ];
    for (part, carried_by) in cases {
        let turns = [user(vec![part.clone()])];
        for format in ALL {
            let body = written(&Ask::new("m", &turns), format).to_string();
            let is_told = body.contains("that can't be shown to this model");
            assert_eq!(is_told, !carried_by.contains(&format), "{format:?} {part:?}: {body}");
        }
        // A model says nothing but words.
        let turns = [assistant(vec![part])];
        for format in ALL {
            assert!(written(&Ask::new("m", &turns), format).to_string().contains("that can't be shown"));
        }
    }
}

#[test]
fn a_file_of_words_is_read_by_every_model() {
    let file = Media { mime_type: "text/csv", source: Source::Bytes(b"a,b\n1,2") };
    let turns = [user(vec![Part::File(file)])];
    for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::Anthropic] {
        let body = written(&Ask::new("m", &turns), format).to_string();
        assert!(body.contains("[A file (text/csv):]\\na,b\\n1,2"), "{format:?} {body}");
    }
}

#[test]
fn a_type_that_is_none_changes_nothing_around_it() {
    let media = Media { mime_type: "image/png,\"<x\n", source: Source::Bytes(b"a") };
    let turns = [user(vec![Part::Image(media), Part::Audio(media), Part::File(media)])];
    for format in ALL {
        // That it is JSON is held by `written`.
        let body = written(&Ask::new("m", &turns), format).to_string();
        assert_eq!(body.matches("that can't be shown").count(), 3, "{format:?}");
    }
}

#[test]
fn fields_of_the_provider_are_merged() {
    let turns = [user(vec![Part::Text("hi")])];
    let extra: Map<String, Value> = serde_json::from_value(json!({
        "top_p": 0.1,
        "temperature": 0.9,
        "stream_options": {"include_obfuscation": false, "include_usage": false},
        "tools": [{"type": "web_search"}],
        "model": "another",
        "messages": [],
        "stream": false,
        "n": 3,
        "max_tokens": 5,
    }))
    .unwrap();
    let schema = json!({"type": "object"});
    let tools = [ToolDescription { name: "f", description: "", parameters: &schema }];
    let ask = Ask {
        extra: Some(&extra),
        tools: &tools,
        temperature: Some(0.0),
        max_tokens: Some(9),
        stream: true,
        ..Ask::new("gpt-mine", &turns)
    };
    let body = written(&ask, Format::OpenAiChat);
    assert_eq!((&body["top_p"], &body["temperature"]), (&json!(0.1), &json!(0.9)));
    assert_eq!(body["stream_options"], json!({"include_usage": true, "include_obfuscation": false}));
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    assert_eq!((&body["model"], &body["stream"]), (&json!("gpt-mine"), &json!(true)), "not another call");
    assert_eq!(body["messages"][0]["content"], "hi");
    assert_eq!(body.get("n"), None, "one answer is awaited");
    assert_eq!(
        (&body["max_tokens"], body.get("max_completion_tokens")),
        (&json!(5), None),
        "one limit, the caller's"
    );
}

#[test]
fn a_model_that_has_not_thought_before_its_calls_is_not_told_to_go_on_thinking() {
    let (input, signature) = (json!({}), json!({"anthropic": "s"}));
    let thought = Part::Reasoning(Reasoning { text: "Hm.", signature: Some(&signature) });
    let calls = Part::ToolUse(ToolUse { id: "c", name: "f", input: &input });
    let result = Part::ToolResult(ToolResult { id: "c", content: vec![Part::Text("1")], is_error: false });
    let thinking = Thinking::Budget(2_000);
    for (model, blocks, is_told) in [
        ("claude-sonnet-4-5", vec![calls.clone()], false),
        ("claude-sonnet-4-5", vec![thought, calls.clone()], true),
        ("claude-sonnet-4-5", vec![Part::Text("no calls")], true),
        ("claude-opus-4-8", vec![calls], true),
    ] {
        let mut turns = vec![user(vec![Part::Text("hi")]), assistant(blocks)];
        turns.push(user(vec![result.clone(), Part::Text("go on")]));
        let body = written(&Ask { thinking, ..Ask::new(model, &turns) }, Format::Anthropic);
        assert_eq!(body.get("thinking").is_some(), is_told, "{model} {body}");
    }
}

#[test]
fn the_beginning_is_marked_for_a_cache_that_wants_marks() {
    let turns = [user(vec![Part::Text("a"), Part::Text("b")])];
    let ask = Ask { system: Some("s"), cache: true, ..Ask::new("m", &turns) };
    let body = written(&ask, Format::Anthropic);
    let mark = json!({"type": "ephemeral"});
    assert_eq!(body["system"][0]["cache_control"], mark);
    assert_eq!(body["messages"][0]["content"][0].get("cache_control"), None);
    assert_eq!(body["messages"][0]["content"][1]["cache_control"], mark);
    for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::Gemini] {
        assert!(!written(&ask, format).to_string().contains("cache_control"), "{format:?}");
    }
    // Providers allow few marks: there are two, however many results and words.
    let conversation = Conversation::new();
    let turns = conversation.turns();
    let body = written(&Ask { system: Some("s"), cache: true, ..Ask::new("m", &turns) }, Format::Anthropic)
        .to_string();
    assert_eq!(body.matches("cache_control").count(), 2, "{body}");
    let results = written(&Ask { cache: true, ..Ask::new("m", &turns[..3]) }, Format::Anthropic);
    assert_eq!(results["messages"][2]["content"][2]["cache_control"], mark);
}

#[test]
fn arguments_that_are_no_object_are_shown_inside_of_one() {
    let broken = json!("{\"city\": ");
    let turns = [
        user(vec![Part::Text("hi")]),
        assistant(vec![Part::ToolUse(ToolUse { id: "c", name: "f", input: &broken })]),
        user(vec![Part::ToolResult(ToolResult {
            id: "c",
            content: vec![Part::Text("no JSON")],
            is_error: true,
        })]),
    ];
    let ask = Ask::new("m", &turns);
    let shown = json!({"unreadable": "{\"city\": "});
    assert_eq!(written(&ask, Format::Anthropic)["messages"][1]["content"][0]["input"], shown);
    assert_eq!(written(&ask, Format::Gemini)["contents"][1]["parts"][0]["functionCall"]["args"], shown);
    let arguments =
        written(&ask, Format::OpenAiChat)["messages"][1]["tool_calls"][0]["function"]["arguments"].clone();
    assert_eq!(arguments, shown.to_string());
}
