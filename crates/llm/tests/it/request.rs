//! The facts of a request: bodies of real clients, and every trap that would make a reservation too small.

use seawall_llm::json::{Document, JsonError, JsonErrorKind};
use seawall_llm::{LimitName, Request, Wire, input_bound, read_request};

fn try_to_read(wire: Wire, body: &str) -> Result<Request, JsonError> {
    let body = Document::parse(body.to_owned().into(), 128)?;
    read_request(wire, None, &body)
}

fn read(wire: Wire, body: &str) -> Request {
    try_to_read(wire, body).unwrap()
}

fn results(request: &Request) -> Vec<(Option<&str>, Option<&str>)> {
    request.tool_results.iter().map(|result| (result.call_id.as_deref(), result.name.as_deref())).collect()
}

#[test]
fn a_messages_agent_is_read() {
    let request = read(Wire::AnthropicMessages, include_str!("../fixtures/request_anthropic_agent.json"));
    assert_eq!(request.model.as_deref(), Some("claude-opus-4-8"));
    assert_eq!((request.stream, request.max_output, request.choices), (true, Some(64_000), 1));
    assert_eq!((request.wants_usage, request.hidden_input, request.server_tools), (true, false, 0));
    assert_eq!(results(&request), [(Some("toolu_01"), Some("Bash"))]);
}

#[test]
fn a_responses_agent_is_read() {
    let request = read(Wire::OpenAiResponses, include_str!("../fixtures/request_responses_agent.json"));
    assert_eq!(request.model.as_deref(), Some("gpt-5.4"));
    assert_eq!((request.stream, request.max_output, request.background), (true, None, false));
    assert_eq!((request.wants_usage, request.hidden_input, request.server_tools), (true, false, 0));
    let expected = [(Some("call_1"), Some("exec_command")), (Some("call_2"), Some("apply_patch"))];
    assert_eq!(results(&request), expected);
}

#[test]
fn a_chat_agent_is_read() {
    let request = read(Wire::OpenAiChat, include_str!("../fixtures/request_chat_agent.json"));
    assert_eq!(request.model.as_deref(), Some("gpt-4o-mini"));
    assert_eq!((request.stream, request.max_output, request.wants_usage), (true, Some(32_000), true));
    assert_eq!((request.hidden_input, request.inline_images), (false, 1));
    assert_eq!(results(&request), [(Some("call_a"), Some("bash"))]);
}

#[test]
fn a_gemini_agent_is_read() {
    let body = include_str!("../fixtures/request_gemini_agent.json");
    let body = Document::parse(body.into(), 128).unwrap();
    let request = read_request(Wire::GeminiStream, Some("gemini-2.5-pro"), &body).unwrap();
    assert_eq!(request.model.as_deref(), Some("gemini-2.5-pro"));
    assert_eq!((request.stream, request.max_output, request.hidden_input), (true, Some(65_536), false));
    assert_eq!(results(&request), [(Some("fc_1"), Some("run_shell_command"))]);
}

fn new_ids(wire: Wire, body: &str) -> Vec<(String, bool)> {
    let request = read(wire, body);
    let new = request.new_results().iter();
    new.map(|result| (result.call_id.clone().unwrap_or_default(), result.is_error)).collect()
}

#[test]
fn only_the_results_after_the_models_last_word_are_new() {
    let chat = |messages: &str| new_ids(Wire::OpenAiChat, &format!(r#"{{"messages":[{messages}]}}"#));
    let asks = r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"ls"}},{"id":"b","function":{"name":"ls"}}]}"#;
    let results = r#"{"role":"tool","tool_call_id":"a","content":"x"},{"role":"tool","tool_call_id":"b","content":"y"}"#;
    let both = [("a".to_owned(), false), ("b".to_owned(), false)];
    assert_eq!(chat(&format!("{asks},{results}")), both);
    assert_eq!(chat(&format!(r#"{asks},{results},{{"role":"user","content":"go on"}}"#)), both);
    assert_eq!(
        chat(&format!(
            r#"{asks},{results},{{"role":"assistant","content":"done"}},{{"role":"user","content":"z"}}"#
        )),
        []
    );
    let messages = r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"old"}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Bash"}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"no such file"}]}]}"#;
    assert_eq!(new_ids(Wire::AnthropicMessages, messages), [("t".to_owned(), true)]);
    let items = r#"{"input":[{"type":"function_call","name":"x","call_id":"1"},{"type":"function_call_output","call_id":"1"},
        {"type":"reasoning","summary":[]},{"type":"function_call","name":"x","call_id":"2"},{"type":"function_call_output","call_id":"2"}]}"#;
    assert_eq!(new_ids(Wire::OpenAiResponses, items), [("2".to_owned(), false)]);
    let contents = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"id":"g","name":"f"}}]}]}"#;
    assert_eq!(new_ids(Wire::GeminiGenerate, contents), [("g".to_owned(), false)]);
}

#[test]
fn every_name_of_the_output_limit_is_known() {
    for (wire, body, limit) in [
        (Wire::OpenAiChat, r#"{"max_tokens":5}"#, Some(5)),
        (Wire::OpenAiChat, r#"{"max_completion_tokens":6}"#, Some(6)),
        (Wire::OpenAiChat, r#"{"max_tokens":5,"max_completion_tokens":6}"#, Some(6)),
        (Wire::OpenAiChat, r#"{"max_tokens":null}"#, None),
        (Wire::OpenAiChat, r#"{"max_tokens":1e3}"#, Some(1_000)),
        (Wire::OpenAiChat, r#"{"max_tokens":"70"}"#, Some(70)),
        (Wire::OpenAiChat, r#"{"max_tokens":-1}"#, None),
        (Wire::OpenAiCompletions, r#"{"max_tokens":7}"#, Some(7)),
        (Wire::OpenAiResponses, r#"{"max_output_tokens":8}"#, Some(8)),
        (Wire::AnthropicMessages, r#"{"max_tokens":9}"#, Some(9)),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":10}}"#, Some(10)),
        (Wire::GeminiGenerate, r#"{"generation_config":{"max_output_tokens":11}}"#, Some(11)),
    ] {
        assert_eq!(read(wire, body).max_output, limit, "{body}");
    }
}

#[test]
fn the_one_name_of_a_chats_limit_is_known() {
    for (body, name) in [
        (r#"{"max_tokens":5}"#, Some(LimitName::MaxTokens)),
        (r#"{"max_completion_tokens":6}"#, Some(LimitName::MaxCompletionTokens)),
        (r#"{"max_tokens":0,"max_completion_tokens":6}"#, Some(LimitName::MaxCompletionTokens)),
        (r#"{"max_tokens":5,"max_completion_tokens":6}"#, None),
        ("{}", None),
    ] {
        assert_eq!(read(Wire::OpenAiChat, body).limit_name, name, "{body}");
    }
}

#[test]
fn choices_multiply_the_reservation() {
    for (wire, body, choices) in [
        (Wire::OpenAiChat, r#"{"n":3}"#, 3),
        (Wire::OpenAiChat, r#"{"n":0}"#, 1),
        (Wire::OpenAiChat, r#"{"n":null}"#, 1),
        (Wire::OpenAiChat, r#"{"n":"4"}"#, 4),
        (Wire::OpenAiChat, r#"{"n":{}}"#, 128),
        (Wire::OpenAiCompletions, r#"{"n":2,"best_of":5,"prompt":"x"}"#, 5),
        (Wire::OpenAiCompletions, r#"{"n":2,"prompt":["a","b","c"]}"#, 6),
        (Wire::OpenAiCompletions, r#"{"prompt":[1,2,3]}"#, 1),
        (Wire::OpenAiCompletions, r#"{"prompt":[[1,2],[3]]}"#, 2),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"candidateCount":4}}"#, 4),
        (Wire::GeminiGenerate, r#"{"generation_config":{"candidate_count":2}}"#, 2),
    ] {
        assert_eq!(read(wire, body).choices, choices, "{body}");
    }
}

#[test]
fn input_that_is_not_in_the_body_is_noticed() {
    use Wire::*;
    for (wire, body) in [
        (OpenAiResponses, r#"{"previous_response_id":"resp_1"}"#),
        (OpenAiResponses, r#"{"conversation":{"id":"conv_1"}}"#),
        (OpenAiResponses, r#"{"prompt":{"id":"pmpt_1"}}"#),
        (OpenAiResponses, r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#),
        (OpenAiResponses, r#"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]}"#),
        (
            OpenAiResponses,
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png"}]}]}"#,
        ),
        (
            OpenAiResponses,
            r#"{"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://x/y.pdf"}]}]}"#,
        ),
        (
            OpenAiResponses,
            r#"{"input":[{"role":"user","content":[{"type":"input_file","file_data":"data:application/pdf;base64,JV"}]}]}"#,
        ),
        (
            OpenAiResponses,
            r#"{"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"f"}]}]}"#,
        ),
        (
            OpenAiResponses,
            r#"{"input":[{"role":"user","content":[{"type":"input_file","f\u0069le_id":"f"}]}]}"#,
        ),
        (OpenAiResponses, r#"{"tools":[{"type":"web_search"}]}"#),
        (OpenAiResponses, r#"{"tools":[{"type":"mcp","server_url":"https://x"}]}"#),
        (OpenAiResponses, r#"{"tools":[{"name":"no type"}]}"#),
        (OpenAiChat, r#"{"web_search_options":{}}"#),
        (
            OpenAiChat,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#,
        ),
        (OpenAiChat, r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#),
        (OpenAiChat, r#"{"messages":[{"role":"user","content":[{"type":"something_new","ref":"x"}]}]}"#),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JV"}}]}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url","url":"x"}}]}]}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"container_upload","file_id":"f"}]}]}"#,
        ),
        (AnthropicMessages, r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#),
        (AnthropicMessages, r#"{"mcp_servers":[{"type":"url","url":"https://x"}]}"#),
        (AnthropicMessages, r#"{"container":{"skills":[{"type":"anthropic","skill_id":"pdf"}]}}"#),
        (GeminiGenerate, r#"{"cachedContent":"cachedContents/1"}"#),
        (GeminiGenerate, r#"{"cached_content":"cachedContents/1"}"#),
        (GeminiGenerate, r#"{"contents":[{"parts":[{"fileData":{"fileUri":"gs://x"}}]}]}"#),
        (GeminiGenerate, r#"{"contents":[{"parts":[{"file_data":{"file_uri":"gs://x"}}]}]}"#),
        (GeminiGenerate, r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"AA"}}]}]}"#),
        (
            GeminiGenerate,
            r#"{"contents":[{"parts":[{"inline_data":{"mime_type":"application/pdf","data":"JV"}}]}]}"#,
        ),
        (GeminiGenerate, r#"{"tools":[{"googleSearch":{}}]}"#),
        (GeminiGenerate, r#"{"tools":[{"functionDeclarations":[]},{"url_context":{}}]}"#),
    ] {
        let request = read(wire, body);
        assert!(request.hidden_input, "{body}");
        assert_eq!(input_bound(&request, 100, Some(200_000)), 200_000);
    }
}

#[test]
fn input_that_is_in_the_body_is_bounded_by_it() {
    use Wire::*;
    for (wire, body, images) in [
        (OpenAiChat, r#"{"messages":[{"role":"user","content":"https://example.com file_id"}]}"#, 0),
        (
            OpenAiChat,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}"#,
            1,
        ),
        (
            OpenAiChat,
            r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]}"#,
            0,
        ),
        (OpenAiResponses, r#"{"input":"hi","previous_response_id":null,"conversation":null}"#, 0),
        (
            OpenAiResponses,
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"DATA:image/png;base64,AA"}]}]}"#,
            1,
        ),
        (
            OpenAiResponses,
            r#"{"input":[{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AA"}}]}"#,
            1,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}]}"#,
            1,
        ),
        (
            AnthropicMessages,
            r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}}]}]}"#,
            1,
        ),
        (
            GeminiGenerate,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}},{"inline_data":{"mime_type":"image/jpeg","data":"AA"}}]}]}"#,
            2,
        ),
        (GeminiGenerate, r#"{"tools":[{"functionDeclarations":[]}]}"#, 0),
    ] {
        let request = read(wire, body);
        assert!(!request.hidden_input, "{body}");
        assert_eq!(request.inline_images, images, "{body}");
        let bound = input_bound(&request, 1_000, None);
        assert!((1_000 + 5_000 * u64::from(images)..200_000).contains(&bound), "{body}: {bound}");
    }
}

#[test]
fn no_bound_is_above_the_window_and_an_unknown_window_is_a_large_one() {
    let (plain, hidden) =
        (read(Wire::OpenAiChat, "{}"), read(Wire::OpenAiChat, r#"{"web_search_options":{}}"#));
    assert_eq!(input_bound(&plain, 10_000_000, Some(128_000)), 128_000);
    assert_eq!(input_bound(&hidden, 10, None), 1_048_576);
    assert_eq!(input_bound(&hidden, 10_000_000, None), 10_000_000);
    assert_eq!(input_bound(&plain, u64::MAX, None), u64::MAX);
}

#[test]
fn an_image_is_as_dear_as_the_model_makes_it() {
    let body = |model: &str, detail: &str| {
        format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,AA","detail":"{detail}"}}}}]}}]}}"#
        )
    };
    let bound = |model, detail| input_bound(&read(Wire::OpenAiChat, &body(model, detail)), 0, None);
    assert!(bound("gpt-4o-mini-2024-07-18", "high") >= 48_169);
    assert!((5_000..10_000).contains(&bound("gpt-4.1", "high")));
    assert!(bound("gpt-5.4", "original") >= 12_000);
}

#[test]
fn a_faster_service_is_noticed() {
    for (wire, body, premium) in [
        (Wire::OpenAiChat, r#"{"service_tier":"priority"}"#, true),
        (Wire::OpenAiResponses, r#"{"service_tier":"something_new"}"#, true),
        (Wire::OpenAiChat, r#"{"service_tier":"flex"}"#, false),
        (Wire::OpenAiChat, r#"{"service_tier":"auto"}"#, false),
        (Wire::AnthropicMessages, r#"{"speed":"fast"}"#, true),
        (Wire::AnthropicMessages, r#"{"service_tier":"standard_only"}"#, false),
    ] {
        assert_eq!(read(wire, body).premium, premium, "{body}");
    }
}

#[test]
fn usage_is_wanted_only_where_the_client_says_so() {
    for (wire, body, wants) in [
        (Wire::OpenAiChat, r#"{"stream":true}"#, false),
        (Wire::OpenAiChat, r#"{"stream":true,"stream_options":null}"#, false),
        (Wire::OpenAiChat, r#"{"stream":true,"stream_options":{"include_usage":false}}"#, false),
        (Wire::OpenAiChat, r#"{"stream":true,"stream_options":{"include_usage":true}}"#, true),
        (Wire::OpenAiCompletions, r#"{"stream":true}"#, false),
        (Wire::OpenAiResponses, r#"{"stream":true}"#, true),
        (Wire::AnthropicMessages, r#"{"stream":true}"#, true),
    ] {
        assert_eq!(read(wire, body).wants_usage, wants, "{body}");
    }
    assert!(read(Wire::OpenAiResponses, r#"{"background":true}"#).background);
}

#[test]
fn what_decides_about_money_may_not_be_said_twice() {
    for (wire, body) in [
        (Wire::OpenAiChat, r#"{"max_tokens":1,"max_tokens":100000}"#),
        (Wire::OpenAiChat, r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":9}}"#),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#),
        (Wire::GeminiGenerate, r#"{"generationConfig":{},"generation_config":{"max_output_tokens":9}}"#),
    ] {
        let error = try_to_read(wire, body).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::DuplicateKey, "{body}");
    }
}

#[test]
fn parts_nested_without_end_count_as_hidden() {
    let body = format!("{{\"messages\":{}\"x\"{}}}", "[{\"content\":".repeat(30), "}]".repeat(30));
    assert!(read(Wire::AnthropicMessages, &body).hidden_input);
}

#[test]
fn a_request_of_several_prompts_has_a_window_for_each() {
    let texts = vec!["word ".repeat(6_000); 40];
    let body = serde_json::json!({ "model": "text-embedding-3-large", "input": texts }).to_string();
    let request = read(Wire::OpenAiEmbeddings, &body);
    assert_eq!(request.inputs, 40);
    assert!(input_bound(&request, body.len() as u64, Some(8_191)) > 240_000);
    for (wire, body, inputs) in [
        (Wire::OpenAiEmbeddings, r#"{"input":"one"}"#, 1),
        (Wire::OpenAiEmbeddings, r#"{"input":[1,2,3]}"#, 1),
        (Wire::OpenAiEmbeddings, r#"{"input":[[1,2],[3]]}"#, 2),
        (Wire::OpenAiCompletions, r#"{"prompt":["a","b","c"]}"#, 3),
        (Wire::GeminiEmbed, r#"{"requests":[{"content":{}},{"content":{}}]}"#, 2),
    ] {
        assert_eq!(read(wire, body).inputs, inputs, "{body}");
    }
}

#[test]
fn an_output_limit_of_nothing_is_no_limit() {
    use Wire::*;
    for (wire, body) in [
        (OpenAiChat, r#"{"max_tokens":0}"#),
        (OpenAiResponses, r#"{"max_output_tokens":0}"#),
        (AnthropicMessages, r#"{"max_tokens":0}"#),
        (GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":0}}"#),
    ] {
        assert_eq!(read(wire, body).max_output, None, "{body}");
    }
}

#[test]
fn an_item_that_is_only_an_id_stands_for_what_the_provider_keeps() {
    assert!(read(Wire::OpenAiResponses, r#"{"input":[{"id":"msg_1"}]}"#).hidden_input);
    assert!(
        !read(Wire::OpenAiResponses, r#"{"input":[{"id":"msg_1","role":"user","content":"x"}]}"#)
            .hidden_input
    );
}

#[test]
fn a_key_that_only_some_parsers_take_for_another_is_refused() {
    for (wire, body) in [
        (Wire::OpenAiChat, r#"{"model":"gpt-4o-mini","Model":"gpt-4o"}"#),
        (Wire::OpenAiChat, r#"{"model":"m","max_tokens":1,"MAX_TOKENS":100000}"#),
        (Wire::OpenAiChat, r#"{"model":"m","max_to\u212aens":9}"#),
        (Wire::OpenAiChat, r#"{"model":"m","\u017ftream":true}"#),
        (Wire::OpenAiChat, r#"{"model":"m","\u0053tream":true}"#),
        (Wire::OpenAiChat, r#"{"model":"m","stream_options":{"Include_Usage":true}}"#),
        (Wire::OpenAiCompletions, r#"{"model":"m","N":100}"#),
        (Wire::OpenAiResponses, r#"{"model":"m","Max_Output_Tokens":9}"#),
        (Wire::AnthropicMessages, r#"{"model":"m","max_tokens":1,"Max_Tokens":9}"#),
        (Wire::GeminiGenerate, r#"{"GenerationConfig":{}}"#),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1,"maxoutputtokens":9}}"#),
        (Wire::Other, r#"{"model":"m","MODEL":"n"}"#),
    ] {
        let error = try_to_read(wire, body).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::LookalikeKey, "{body}");
    }
    for (wire, body) in [
        (Wire::OpenAiChat, r#"{"model":"m","metadata":{"Model":"x"},"X-Model":1,"models":[]}"#),
        (Wire::GeminiGenerate, r#"{"generationConfig":{"maxOutputTokens":1},"generation":1}"#),
        (Wire::Other, r#"{"model":"m","Input":"x"}"#),
    ] {
        assert!(try_to_read(wire, body).is_ok(), "{body}");
    }
}

#[test]
fn sound_and_the_number_of_answers_are_noticed() {
    let chat = |body| read(Wire::OpenAiChat, body);
    assert!(!chat(r#"{"messages":[{"role":"user","content":"x"}]}"#).sound);
    assert!(chat(r#"{"modalities":["text","audio"]}"#).sound);
    assert!(
        chat(r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}"#).sound
    );
    let gemini =
        read(Wire::GeminiGenerate, r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/mp3"}}]}]}"#);
    assert!(gemini.sound);
    assert_eq!(chat(r#"{"n":3}"#).answers, 3);
    let plain = read(Wire::OpenAiCompletions, r#"{"n":2,"best_of":5,"prompt":["a","b"]}"#);
    assert_eq!((plain.choices, plain.answers), (10, 4));
    assert_eq!(read(Wire::GeminiGenerate, r#"{"generationConfig":{"candidateCount":2}}"#).answers, 2);
    assert!(read(Wire::GeminiGenerate, r#"{"serviceTier":"PRIORITY"}"#).premium);
}

#[test]
fn what_the_providers_tools_cost_beside_tokens_is_known_or_not() {
    use Wire::{AnthropicMessages, GeminiGenerate, OpenAiChat, OpenAiResponses};
    for (wire, body, server_tools, may_search, unpriced) in [
        (OpenAiChat, r#"{"web_search_options":{}}"#, 1, true, false),
        (OpenAiResponses, r#"{"tools":[{"type":"web_search_preview"},{"type":"mcp"}]}"#, 2, true, false),
        (OpenAiResponses, r#"{"tools":[{"type":"function"},{"type":"mcp"}]}"#, 1, false, false),
        (OpenAiResponses, r#"{"tools":[{"type":"code_interpreter"}]}"#, 1, false, true),
        (OpenAiResponses, r#"{"tools":[{"type":"file_search"},{"type":"web_search"}]}"#, 2, true, true),
        (OpenAiResponses, r#"{"tools":[{"type":"image_generation"}]}"#, 1, false, true),
        (OpenAiResponses, r#"{"tools":[{"type":"of tomorrow"},{}]}"#, 2, false, true),
        (AnthropicMessages, r#"{"tools":[{"type":"web_search_20250305"},{"name":"mine"}]}"#, 1, true, false),
        (
            AnthropicMessages,
            r#"{"tools":[{"type":"web_fetch_20250910"}],"mcp_servers":[{}]}"#,
            2,
            false,
            false,
        ),
        (AnthropicMessages, r#"{"tools":[{"type":"code_execution_20250825"}]}"#, 1, false, true),
        (GeminiGenerate, r#"{"tools":[{"googleSearch":{},"functionDeclarations":[]}]}"#, 1, true, false),
        (GeminiGenerate, r#"{"tools":[{"url_context":{}},{"codeExecution":{}}]}"#, 2, false, false),
        (GeminiGenerate, r#"{"tools":[{"googleMaps":{}}]}"#, 1, false, true),
    ] {
        let request = read(wire, body);
        let found = (request.server_tools, request.may_search, request.unpriced_tools);
        assert_eq!(found, (server_tools, may_search, unpriced), "{body}");
    }
}
