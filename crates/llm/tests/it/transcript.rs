//! What a model wrote, word by word: whole, as a stream, and with several texts growing at the same time.

use bytes::Bytes;
use seawall_llm::json::Document;
use seawall_llm::sse::Splitter;
use seawall_llm::transcript::{Channel, Transcript};
use seawall_llm::{StreamReader, Wire, read_request, transcribe_json_answer};

const FORMATS: [Wire; 4] =
    [Wire::OpenAiChat, Wire::OpenAiResponses, Wire::AnthropicMessages, Wire::GeminiStream];

fn stream(wire: Wire, text: &str) -> (Transcript, usize) {
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(Bytes::copy_from_slice(text.as_bytes()));
    let mut reader = StreamReader::new(wire, false).taking_down();
    while let Some(event) = splitter.next_event().unwrap() {
        reader.event(&event);
    }
    (*reader.answer().transcript.clone().unwrap(), reader.answer().tool_calls.len())
}

fn whole(wire: Wire, body: &str) -> Transcript {
    *transcribe_json_answer(wire, body.as_bytes()).unwrap().transcript.unwrap()
}

/// Every text as channel, place and words; then the arguments of the first two calls.
fn told(transcript: &Transcript) -> Vec<String> {
    let parts = transcript.parts().iter().map(|part| {
        let channel = if part.channel == Channel::Text { "says" } else { "thinks" };
        format!("{} {channel} {}", part.index, part.taken.text)
    });
    let arguments = (0..2).filter_map(|call| transcript.arguments(call)).map(|taken| taken.text.clone());
    parts.chain(arguments).collect()
}

fn chunks(datas: &[&str]) -> String {
    datas.iter().map(|data| format!("data: {data}\n\n")).collect()
}

#[test]
fn a_chat_is_taken_down_choice_by_choice_and_call_by_call() {
    let datas = chunks(&[
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Hel"}},{"index":1,"delta":{"content":"By"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"lo"}},{"index":1,"delta":{"content":"e"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}},{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
    ]);
    let (transcript, _) = stream(Wire::OpenAiChat, &datas);
    assert_eq!(told(&transcript), ["0 thinks hm", "0 says Hello", "1 says Bye", "{\"x\":1}", "{}"]);
    let body = r#"{"choices":[{"message":{"content":"Hello","reasoning":"hm","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}},{"message":{"content":[{"type":"text","text":"Bye"}]}}]}"#;
    let transcript = whole(Wire::OpenAiChat, body);
    assert_eq!(told(&transcript), ["0 says Hello", "0 thinks hm", "1 says Bye", "{\"x\":1}"]);
}

#[test]
fn messages_are_taken_down_block_by_block() {
    let datas = chunks(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"x\""}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
    ]);
    let (transcript, calls) = stream(Wire::AnthropicMessages, &datas);
    assert_eq!(told(&transcript), ["0 thinks hm", "1 says Hi", "{\"x\":1}"]);
    assert_eq!(calls, 1, "the provider's own tool is none of the client's");
    let body = r#"{"content":[{"type":"text","text":"Hi"},{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}},{"type":"tool_use","id":"t","name":"f","input":{"x": 1}}]}"#;
    assert_eq!(told(&whole(Wire::AnthropicMessages, body)), ["0 says Hi", "{\"x\": 1}"]);
}

#[test]
fn responses_are_taken_down_item_by_item_and_their_arguments_once() {
    let datas = chunks(&[
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"hm"}"#,
        r#"{"type":"response.output_text.delta","output_index":1,"delta":"Hi"}"#,
        r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"x\""}"#,
        r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}]}}"#,
    ]);
    let (transcript, calls) = stream(Wire::OpenAiResponses, &datas);
    assert_eq!(
        (told(&transcript), calls),
        (vec!["0 thinks hm".to_owned(), "1 says Hi".to_owned(), "{\"x\":1}".to_owned()], 1)
    );
    let body = r#"{"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"message","content":[{"type":"output_text","text":"Hi"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}]}"#;
    assert_eq!(told(&whole(Wire::OpenAiResponses, body)), ["0 thinks hm", "1 says Hi", "{\"x\":1}"]);
}

#[test]
fn candidates_are_taken_down_with_their_thoughts_and_calls() {
    let datas = chunks(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"H"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"i"},{"functionCall":{"name":"f","args":{"x":1}}}]}}]}"#,
    ]);
    let (transcript, _) = stream(Wire::GeminiStream, &datas);
    assert_eq!(told(&transcript), ["0 thinks hm", "0 says Hi", "{\"x\":1}"]);
}

#[test]
fn nothing_is_taken_down_unless_it_is_wanted() {
    for wire in FORMATS {
        assert_eq!(StreamReader::new(wire, false).answer().transcript, None);
        assert_eq!(
            seawall_llm::read_answer(wire, br#"{"choices":[{"message":{"content":"x"}}]}"#).transcript,
            None
        );
    }
}

/// What of a request is news to the model, and what its new results hold.
fn news(wire: Wire, body: &str) -> (&str, Vec<&str>) {
    let document = Document::parse(body.to_owned().into(), 64).unwrap();
    let request = read_request(wire, None, &document).unwrap();
    let results = request.new_results().iter().map(|result| &body[result.output.clone()]).collect();
    (&body[request.news], results)
}

#[test]
fn what_is_new_in_a_prompt_stands_behind_the_models_last_word() {
    let hi = r#"{"role":"user","content":"hi"}"#;
    let chat = format!(r#"{{"messages":[{hi}],"model":"m"}}"#);
    assert_eq!(news(Wire::OpenAiChat, &chat), (hi, vec![]));
    let more = r#" ,{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"x"}]},{"role":"user","content":"go"}"#;
    let chat = format!(r#"{{"messages":[{hi},{{"role":"assistant","content":"yo"}}{more}]}}"#);
    assert_eq!(news(Wire::OpenAiChat, &chat), (more, vec![r#"[{"type":"text","text":"x"}]"#]));

    let more = r#",{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"none"}]}"#;
    let body = format!(
        r#"{{"system":"be kind","messages":[{hi},{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"f","input":{{}}}}]}}{more}]}}"#
    );
    assert_eq!(news(Wire::AnthropicMessages, &body), (more, vec!["\"none\""]));
    assert_eq!(
        news(
            Wire::AnthropicMessages,
            r#"{"system":"be kind","messages":[{"role":"assistant","content":"{"}]}"#
        )
        .0,
        ""
    );

    let more = r#",{"role":"user","parts":[{"functionResponse":{"id":"g","name":"f","response":{"a":1}}}]}"#;
    let body =
        format!(r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{{"name":"f"}}}}]}}{more}]}}"#);
    assert_eq!(news(Wire::GeminiGenerate, &body), (more, vec![r#"{"a":1}"#]));

    let more = r#",{"type":"function_call_output","call_id":"1","output":"done"}"#;
    let body = format!(r#"{{"input":[{{"type":"function_call","name":"x","call_id":"1"}}{more}]}}"#);
    assert_eq!(news(Wire::OpenAiResponses, &body), (more, vec!["\"done\""]));
    assert_eq!(news(Wire::OpenAiResponses, r#"{"input":"hi"}"#).0, "\"hi\"");
    assert_eq!(news(Wire::OpenAiCompletions, r#"{"prompt":"once"}"#).0, "\"once\"");
}
