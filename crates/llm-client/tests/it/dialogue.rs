//! Agents talk to the simulated provider, in each of its formats: what they write is understood, and what it says is heard.

use http::Method;
use http_body_util::BodyExt as _;
use seawall_llm::dialogue::{
    Ask, Failure, FailureClass, Format, Heard, Hearer, Input, Part, Reasoning, Reply, Role, Said, Stop,
    ToolDescription, ToolResult, ToolUse, Turn, hear_whole, write,
};
use seawall_llm_client::sim::Sim;
use serde_json::{Value, json};

use crate::sim_support::{request, sim};

const FORMATS: [Format; 4] = [Format::OpenAiChat, Format::OpenAiResponses, Format::Anthropic, Format::Gemini];

/// Asks once; what was heard on the way, and the end of it.
async fn ask(sim: &Sim, ask: &Ask<'_>, format: Format) -> (Vec<Heard>, Result<Reply, Failure>) {
    let written = write(ask, format);
    let response = request(sim, Method::POST, &written.path, written.body).await;
    let (head, mut body) = response.into_parts();
    let header = |name: &str| head.headers.get(name)?.to_str().ok();
    if head.status != 200 {
        let body = body.collect().await.unwrap().to_bytes();
        return (Vec::new(), Err(Failure::from_answer(head.status.as_u16(), header, &body)));
    }
    if !ask.stream {
        return (Vec::new(), hear_whole(format, &body.collect().await.unwrap().to_bytes()));
    }
    let (mut hearer, mut heard) = (Hearer::new(format), Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        heard.extend(hearer.hear(frame.into_data().unwrap()));
    }
    (heard, hearer.finish())
}

async fn say(sim: &Sim, text: &str, format: Format, stream: bool) -> Result<Reply, Failure> {
    let turns = [Turn { role: Role::User, blocks: vec![Part::Text(text)] }];
    ask(sim, &Ask { stream, ..Ask::new("sim-1", &turns) }, format).await.1
}

/// A turn of the model's, given back to it with a result for each call.
fn answered<'a>(reply: &'a Reply, ids: &'a [String], inputs: &'a [Value]) -> [Turn<'a>; 2] {
    let mut calls = ids.iter().zip(inputs);
    let blocks = reply.parts.iter().map(|part| match part {
        Said::Text(text) => Part::Text(text),
        Said::Thought { text, signature } => {
            Part::Reasoning(Reasoning { text, signature: signature.as_ref() })
        }
        Said::Call(call) => {
            let (id, input) = calls.next().unwrap();
            Part::ToolUse(ToolUse { id, name: &call.name, input })
        }
    });
    let results = ids
        .iter()
        .map(|id| Part::ToolResult(ToolResult { id, content: vec![Part::Text("sunny")], is_error: false }));
    [
        Turn { role: Role::Assistant, blocks: blocks.collect() },
        Turn { role: Role::User, blocks: results.collect() },
    ]
}

#[tokio::test]
async fn an_agent_calls_tools_and_goes_on_in_every_format() {
    const WISH: &str = "sim:think Two cities.\n\
        sim:tools [{\"name\":\"weather\",\"arguments\":{\"city\":\"Rome\"}},{\"name\":\"weather\",\"arguments\":{\"city\":\"Tromsø\"}}]\n\
        sim:chunk 1\nsim:turn 1 text not yet\nsim:turn 2 text Sunny everywhere.";
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tools = [ToolDescription { name: "weather", description: "Tells the weather.", parameters: &schema }];
    for (format, stream) in FORMATS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        let sim = sim();
        let wish = Turn { role: Role::User, blocks: vec![Part::Text(WISH)] };
        let turns = [wish.clone()];
        let first = Ask { system: Some("Be short."), tools: &tools, stream, ..Ask::new("sim-1", &turns) };
        let reply = ask(&sim, &first, format).await.1.unwrap();
        assert_eq!(reply.stop, Stop::Calls, "{format:?} {stream}");
        let thoughts: Vec<&str> = reply
            .parts
            .iter()
            .filter_map(|part| if let Said::Thought { text, .. } = part { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(thoughts, ["Two cities."], "{format:?} {stream}");
        let inputs: Vec<Value> = reply
            .calls()
            .map(|call| match &call.input {
                Input::Object(input) => Value::Object(input.clone()),
                Input::Unreadable(text) => panic!("{text}"),
            })
            .collect();
        assert_eq!(inputs, [json!({"city": "Rome"}), json!({"city": "Tromsø"})], "{format:?} {stream}");
        assert!(!reply.usage.estimated && reply.usage.input > 0 && reply.usage.output > 0);

        let ids = ["call_1_0".to_owned(), "call_1_1".to_owned()];
        let [calls, results] = answered(&reply, &ids, &inputs);
        let turns = [wish, calls, results];
        let second = Ask { messages: &turns, ..first };
        let reply = ask(&sim, &second, format).await.1.unwrap();
        assert_eq!(reply.text(), "Sunny everywhere.", "{format:?} {stream}: both results have come");
        assert_eq!(reply.stop, Stop::Done);
    }
}

#[tokio::test]
async fn every_letter_is_heard_as_it_comes() {
    let turns =
        [Turn { role: Role::User, blocks: vec![Part::Text("sim:text Grüße, 世界 🙂\nsim:chunk 1")] }];
    let asked = Ask { stream: true, ..Ask::new("sim-1", &turns) };
    for format in FORMATS {
        let (heard, reply) = ask(&sim(), &asked, format).await;
        let texts: Vec<&String> = heard
            .iter()
            .filter_map(|heard| if let Heard::Text(text) = heard { Some(text) } else { None })
            .collect();
        assert!(texts.len() > 10, "{format:?}: {texts:?}");
        assert_eq!(reply.unwrap().text(), texts.into_iter().map(String::as_str).collect::<String>());
    }
}

#[tokio::test]
async fn what_fails_at_the_provider_is_a_failure_with_its_class() {
    use FailureClass::{Authentication, Invalid, Quota, RateLimit, Timeout, Unavailable};
    for format in FORMATS {
        for (status, class) in [
            (400, Invalid),
            (401, Authentication),
            (402, Quota),
            (403, Authentication),
            (429, RateLimit),
            (500, Unavailable),
            (503, Unavailable),
            (504, Timeout),
            (529, Unavailable),
        ] {
            let failure =
                say(&sim(), &format!("sim:error {status} retry-after=3"), format, true).await.unwrap_err();
            assert_eq!(failure.class, class, "{format:?} {status}");
            assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(3), "{format:?} {status}");
        }
        for broken in [
            "sim:text one two three\nsim:disconnect after=2",
            "sim:text a b c\nsim:garbage",
            "sim:disconnect after=0",
        ] {
            let failure = say(&sim(), broken, format, true).await.unwrap_err();
            assert_eq!((failure.class, failure.retryable), (Unavailable, true), "{format:?} {broken}");
        }
    }
}

#[tokio::test]
async fn usage_that_is_not_told_is_estimated() {
    for (format, stream) in FORMATS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        let reply = say(&sim(), "sim:text one two three\nsim:nousage", format, stream).await.unwrap();
        assert!(reply.usage.estimated && reply.usage.output > 0, "{format:?} {stream} {:?}", reply.usage);
    }
}
