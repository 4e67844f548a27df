use serde_json::{Value, json};

use crate::scripted::{Reply, Scripted};
use crate::stage::{Stage, call, json as read, result, text};

const KEY: &str = "AKIAQWERTYUIOPASDFGH";

fn nothing() -> Value {
    json!({})
}

#[tokio::test]
async fn what_no_rule_changes_arrives_as_it_was_written_in_both_directions() {
    let answer = r#"{ "result" : {"x":1.10,"y":12345678901234567890123,"new":[null]}, "id":"a" ,"jsonrpc":"2.0","z":0 }"#;
    let server = Scripted::start(move |_| Reply::json(answer)).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "in": "deny", "out": "redact" } }));
    let question = r#"{"jsonrpc":"2.0","id":"a","method":"of/tomorrow","params":{"big":12345678901234567890123,"q":1.0}}"#;
    let headers = [("authorization", "Bearer sk-sw-x"), ("cookie", "a=b"), ("mcp-method", "of/tomorrow")];
    let response = stage.post("web", &headers, question).await;
    assert_eq!(text(response).await, answer);
    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("POST", question));
    assert_eq!(seen.headers["mcp-method"], "of/tomorrow");
    assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("cookie"));
    assert_eq!(stage.actions(), Vec::<String>::new(), "it is no call of a tool");
}

#[tokio::test]
async fn a_call_is_admitted_before_it_is_sent_and_settled_with_its_answer() {
    let server = Scripted::start(|_| Reply::json(result(7, "fine"))).await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    let answer = read(stage.post("web", &[], &call(7, "add", "{\"a\":1}")).await).await;
    assert_eq!(answer["result"]["content"][0]["text"], "fine");
    assert_eq!(stage.actions(), ["action.admitted web.add", "action.settled web.add"]);
}

#[tokio::test]
async fn a_refused_call_never_reaches_the_server() {
    let server = Scripted::start(|_| Reply::json("{}")).await;
    let policy = json!({ "tools": [{ "name": "web.rm*", "verdict": "deny" }], "files": { "root": "." } });
    let stage = Stage::new(&[("web", &server.url)], &policy);
    for (tool, arguments, code) in
        [("rm_all", "{}", "TOOL_NOT_ALLOWED"), ("read", "{\"path\":\"../x\"}", "FS_TRAVERSAL")]
    {
        let answer = read(stage.post("web", &[], &call(1, tool, arguments)).await).await;
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(true)), "{answer}");
        let told = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(told.starts_with(&format!("[seawall] denied {code}: ")), "{told}");
    }
    assert!(server.seen().is_empty());
    assert_eq!(stage.actions(), ["action.denied web.rm_all", "action.denied web.read"]);
}

#[tokio::test]
async fn a_call_without_an_id_does_not_pass_as_a_notification() {
    let server = Scripted::start(|_| Reply::Whole(202, "", String::new())).await;
    let stage =
        Stage::new(&[("web", &server.url)], &json!({ "tools": [{ "name": "*", "verdict": "deny" }] }));
    let rest = r#""method":"tools/call","params":{"name":"rm_all"}}"#;
    for head in [r#"{"jsonrpc":"2.0","#, r#"{"jsonrpc":"2.0","id":null,"#] {
        let response = stage.post("web", &[], &format!("{head}{rest}")).await;
        assert_eq!(response.status(), 400);
        assert!(text(response).await.contains("give a request an id"));
    }
    assert!(server.seen().is_empty(), "a server may look at the method and not at the id");
}

#[tokio::test]
async fn a_header_that_names_another_tool_than_the_body_is_refused() {
    let server = Scripted::start(|_| Reply::json(result(1, "fine"))).await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    for header in [("mcp-name", "rm_all"), ("mcp-method", "ping"), ("mcp-param-to", "evil.example")] {
        let refused = stage.post("web", &[header], &call(1, "add", "{\"to\":\"x\"}")).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(read(refused).await["error"]["code"], -32020, "{header:?}");
    }
    assert!(server.seen().is_empty(), "it may go by the headers");
}

#[tokio::test]
async fn a_secret_reaches_no_server_beside_calls_either() {
    let prompt = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{{"name":"p","arguments":{{"t":"{KEY}"}}}}}}"#
    );
    let elicited =
        format!(r#"{{"jsonrpc":"2.0","id":"e1","result":{{"action":"accept","content":{{"t":"{KEY}"}}}}}}"#);
    let told = format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"t":"{KEY}"}}}}"#);
    let server = Scripted::start(|seen| match seen.rpc_method().as_str() {
        "prompts/get" => Reply::json(result(1, "fine")),
        _ => Reply::Whole(202, "", String::new()),
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "in": "deny" } }));
    for (message, status) in [(&prompt, 200), (&elicited, 403), (&told, 403)] {
        let response = stage.post("web", &[], message).await;
        assert_eq!(response.status(), status, "{message}");
        assert!(text(response).await.contains("denied SECRET_FOUND"), "{message}");
    }
    let seen = server.only().json();
    assert_eq!((&seen["id"], &seen["error"]["code"]), (&json!("e1"), &json!(-32_003)), "it waits no longer");
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "in": "redact" } }));
    for message in [&prompt, &elicited, &told] {
        stage.post("web", &[], message).await;
        let seen = server.seen().pop().unwrap().body;
        assert_eq!(seen, message.replace(KEY, "[REDACTED:aws_access_key]"));
    }
    assert_eq!(stage.events().iter().filter(|event| event["kind"] == "note").count(), 3);
}

#[tokio::test]
async fn only_what_a_rule_replaces_is_other_than_it_was_written() {
    let server = Scripted::start(|_| Reply::json(result(1, "fine"))).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "in": "redact" } }));
    let question = format!(
        r#"{{"jsonrpc":"2.0","id":1, "x":1.10,"method":"tools/call","params":{{"name":"say","arguments":{{"t":"{KEY}"}},"_meta":{{"k":1}}}}}}"#
    );
    let headers = [("mcp-param-t", KEY), ("mcp-name", "say")];
    stage.post("web", &headers, &question).await;
    let seen = server.only();
    assert_eq!(seen.body, question.replace(KEY, "[REDACTED:aws_access_key]"));
    assert!(!seen.headers.contains_key("mcp-param-t"), "it would tell what was taken out");
    assert_eq!(seen.headers["mcp-name"], "say");
}

#[tokio::test]
async fn what_a_tool_gives_is_looked_through_and_its_pictures_stay() {
    let picture = "QUJD".repeat(100);
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {
        "content": [
            { "type": "text", "text": format!("it is {KEY}") },
            { "type": "image", "data": picture, "mimeType": "image/png" },
            { "type": "resource", "resource": { "uri": "a://b", "blob": picture } },
        ],
        "structuredContent": { "blob": KEY },
        "isError": true,
    }});
    let sent = answer.to_string();
    let server = Scripted::start(move |_| Reply::json(sent.clone())).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let told = read(stage.post("web", &[], &call(1, "show", "{}")).await).await;
    let mut expected = answer;
    expected["result"]["content"][0]["text"] = json!("it is [REDACTED:aws_access_key]");
    expected["result"]["structuredContent"]["blob"] = json!("[REDACTED:aws_access_key]");
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_result_that_must_not_go_on_becomes_a_refusal() {
    let server = Scripted::start(|_| Reply::json(result(1, KEY))).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "deny" } }));
    let told = text(stage.post("web", &[], &call(1, "show", "{}")).await).await;
    assert!(told.contains("denied SECRET_FOUND") && !told.contains(KEY), "{told}");
    let settled = &stage.events()[1];
    assert_eq!((&settled["kind"], &settled["data"]["verdict"]), (&json!("action.settled"), &json!("deny")));
}

#[tokio::test]
async fn too_large_a_result_is_refused_also_when_it_is_a_picture() {
    for content in [
        json!({ "type": "text", "text": "x".repeat(5_000) }),
        json!({ "type": "image", "data": "QUJD".repeat(2_000), "mimeType": "image/png" }),
    ] {
        let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [content] } }).to_string();
        let server = Scripted::start(move |_| Reply::json(answer.clone())).await;
        let stage = Stage::new(&[("web", &server.url)], &json!({ "limits": { "output_bytes": 4096 } }));
        let told = text(stage.post("web", &[], &call(1, "show", "{}")).await).await;
        assert!(told.contains("OUTPUT_TOO_LARGE"), "{}", &told[..100.min(told.len())]);
    }
}

#[tokio::test]
async fn an_answer_takes_its_memory_until_it_is_read() {
    let answer = result(1, &"x".repeat(10_000));
    let length = answer.len();
    let server = Scripted::start(move |_| Reply::json(answer.clone())).await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    let response = stage.post("web", &[], &call(1, "show", "{}")).await;
    assert_eq!(stage.memory.used(), length, "its client may take as long as it likes");
    text(response).await;
    assert_eq!(stage.memory.used(), 0);
}

#[tokio::test]
async fn a_list_has_no_denied_tool_and_keeps_what_nobody_here_knows() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"rm","new":{}},{"name":"add","inputSchema":{"$defs":{}},"new":[1.50]}],"nextCursor":"c","ttl":7}}"#;
    let server = Scripted::start(move |_| Reply::json(answer)).await;
    let stage =
        Stage::new(&[("web", &server.url)], &json!({ "tools": [{ "name": "*.rm", "verdict": "deny" }] }));
    let told = read(stage.post("web", &[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await).await;
    let expected = json!({ "tools": [{ "name": "add", "inputSchema": { "$defs": {} }, "new": [1.5] }], "nextCursor": "c", "ttl": 7 });
    assert_eq!(told["result"], expected);
}

#[tokio::test]
async fn a_key_that_stands_twice_hides_nothing_in_either_direction() {
    let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":"{KEY}","content":[]}}}}"#);
    let server = Scripted::start(move |_| Reply::json(answer.clone())).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let told = text(stage.post("web", &[], &call(1, "show", "{}")).await).await;
    assert!(!told.contains(KEY), "{told}");
    let twice = r#"{"jsonrpc":"2.0","id":2,"method":"ping","method":"tools/call","params":{"name":"rm"}}"#;
    let refused = stage.post("web", &[], twice).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_gets_its_call_an_error_and_settles_it() {
    let deaf = Scripted::start(|_| Reply::Whole(401, "www-authenticate: Bearer\r\n", "no".into())).await;
    let odd = Scripted::start(|_| Reply::Whole(200, "content-type: text/html\r\n", "<p>".into())).await;
    let stage =
        Stage::new(&[("gone", "http://127.0.0.1:9/mcp"), ("deaf", &deaf.url), ("odd", &odd.url)], &nothing());
    for (server, said) in [("gone", "can't be reached"), ("deaf", "credentials"), ("odd", "answered 200")] {
        let response = stage.post(server, &[], &call(3, "add", "{}")).await;
        assert!(!response.headers().contains_key("www-authenticate"), "it is for us, not for the caller");
        let told = read(response).await;
        assert_eq!((&told["id"], &told["error"]["code"]), (&json!(3), &json!(-32001)), "{told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(said), "{told}");
    }
    let settled = stage.actions().into_iter().filter(|action| action.starts_with("action.settled")).count();
    assert_eq!(settled, 3);
}

/// A server whose tools give tasks, in the form of one version or the other, and their results when they are asked for.
async fn tasking(is_modern: bool) -> Scripted {
    let given = r#""content":[{"type":"text","text":"the launch code is tangerine-42-quartz-lantern"}],"structuredContent":{"password":"correct-horse-7"}"#;
    Scripted::start(move |seen| {
        let id = seen.json()["id"].clone();
        let task = if is_modern {
            r#""resultType":"task","taskId":"t1","status":"working""#
        } else {
            r#""task":{"taskId":"t1","status":"working"}"#
        };
        let result = match seen.rpc_method().as_str() {
            "tools/call" if seen.json()["params"]["name"] == "read" => task.to_owned(),
            "tasks/result" => given.to_owned(),
            "tasks/get" if is_modern => format!(r#""taskId":"t1","status":"completed","result":{{{given}}}"#),
            "tasks/get" => r#""taskId":"t1","status":"completed""#.to_owned(),
            _ => r#""content":[]"#.to_owned(),
        };
        Reply::json(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{result}}}}}"#))
    })
    .await
}

fn about_task(id: u32, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"taskId":"t1"}}}}"#)
}

#[tokio::test]
async fn a_call_that_becomes_a_task_is_settled_with_what_the_task_gives() {
    let policy = json!({ "secrets": { "out": "redact" },
        "sensitive": [{ "tool": "web.read" }], "sinks": [{ "tool": "web.post" }] });
    for is_modern in [false, true] {
        let server = tasking(is_modern).await;
        let stage = Stage::new(&[("web", &server.url)], &policy);
        let begun = read(stage.post("web", &[], &call(1, "read", "{}")).await).await;
        assert!(begun.to_string().contains("t1"), "{begun}");
        assert_eq!(stage.actions(), ["action.admitted web.read"], "it goes on");
        let told = text(stage.post("web", &[], &about_task(2, "tasks/get")).await).await;
        let told = if is_modern {
            told
        } else {
            text(stage.post("web", &[], &about_task(3, "tasks/result")).await).await
        };
        assert!(told.contains("tangerine") && told.contains("[REDACTED:secret]"), "{told}");
        assert_eq!(stage.actions(), ["action.admitted web.read", "action.settled web.read"]);
        let leak = call(4, "post", r#"{"body":"the launch code is tangerine-42-quartz-lantern"}"#);
        assert!(text(stage.post("web", &[], &leak).await).await.contains("TAINT_LEAK"));
        let again = text(stage.post("web", &[], &about_task(5, "tasks/result")).await).await;
        assert!(again.contains("[REDACTED:secret]"), "{again}");
    }
}

#[tokio::test]
async fn what_a_task_gives_may_be_refused_like_what_a_call_gives() {
    for is_modern in [false, true] {
        let server = tasking(is_modern).await;
        let stage = Stage::new(&[("web", &server.url)], &json!({ "limits": { "output_bytes": 20 } }));
        stage.post("web", &[], &call(1, "read", "{}")).await;
        let method = if is_modern { "tasks/get" } else { "tasks/result" };
        let told = text(stage.post("web", &[], &about_task(2, method)).await).await;
        assert!(told.contains("OUTPUT_TOO_LARGE") && !told.contains("tangerine"), "{told}");
    }
}

#[tokio::test]
async fn a_task_that_its_server_tells_of_is_settled_and_looked_through() {
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t1","status":"completed","result":{"content":[],"structuredContent":{"password":"correct-horse-7"}}}}"#;
    let server = Scripted::start(move |seen| match seen.method.as_str() {
        "GET" => Reply::events(&[&format!("data: {notice}\n\n")]),
        _ => Reply::json(
            r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"t1","status":"working"}}"#,
        ),
    })
    .await;
    for (policy, words) in [
        (json!({ "secrets": { "out": "redact" } }), "[REDACTED:secret]"),
        (json!({ "secrets": { "out": "deny" } }), "\"completed\""),
    ] {
        let stage = Stage::new(&[("web", &server.url)], &policy);
        stage.post("web", &[], &call(1, "read", "{}")).await;
        let told = text(stage.send(None, http::Method::GET, "web", &[], "").await).await;
        assert!(told.contains(words) && !told.contains("correct-horse"), "{told}");
        assert_eq!(stage.actions(), ["action.admitted web.read", "action.settled web.read"]);
    }
}

const BATCH: &str = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm","arguments":{}}}, {"jsonrpc":"2.0","method":"notifications/x"},
 {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add","arguments":{}}}]"#;

fn by_id(seen: &crate::scripted::Seen) -> Reply {
    match seen.json()["id"].as_u64() {
        Some(id) => Reply::json(result(u32::try_from(id).unwrap(), "fine")),
        None => Reply::Whole(202, "", String::new()),
    }
}

#[tokio::test]
async fn each_call_of_a_batch_is_an_action_of_its_own() {
    let server = Scripted::start(by_id).await;
    let policy = json!({ "tools": [{ "name": "*.rm", "verdict": "deny" }] });
    for headers in [vec![], vec![("mcp-protocol-version", "2025-03-26")]] {
        let stage = Stage::new(&[("web", &server.url)], &policy);
        let told = read(stage.post("web", &headers, BATCH).await).await;
        assert_eq!((&told[0]["id"], &told[0]["result"]["isError"]), (&json!(1), &json!(true)), "{told}");
        assert_eq!((&told[1]["id"], &told[1]["result"]["content"][0]["text"]), (&json!(2), &json!("fine")));
        assert_eq!(told.as_array().unwrap().len(), 2, "a notification has no answer");
        assert_eq!(
            stage.actions(),
            ["action.denied web.rm", "action.admitted web.add", "action.settled web.add"]
        );
    }
    assert!(server.seen().iter().all(|seen| !seen.body.starts_with('[')), "each went on alone");
    let stage = Stage::new(&[("web", &server.url)], &policy);
    let told = stage.post("web", &[], r#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#).await;
    assert_eq!((told.status().as_u16(), text(told).await.as_str()), (202, ""));
}

#[tokio::test]
async fn streams_of_a_batch_become_one() {
    let server = Scripted::start(|seen| match seen.json()["id"].as_u64() {
        Some(1) => Reply::events(&[&format!("data: {}\n\n", result(1, "in a stream"))]),
        _ => by_id(seen),
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    let response = stage.post("web", &[], BATCH).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let told = text(response).await;
    assert!(told.contains("in a stream") && told.contains("fine"), "{told}");
    assert_eq!(told.matches("\n\n").count(), 2, "{told}");
}

#[tokio::test]
async fn a_batch_of_a_server_is_looked_through_message_by_message() {
    let batch = format!(
        r#"[{},{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{KEY}"}}}}]"#,
        result(1, KEY)
    );
    let server = Scripted::start(move |_| Reply::events(&[&format!("data: {batch}\n\n")])).await;
    let stage = Stage::new(&[("web", &server.url)], &json!({ "secrets": { "out": "redact" } }));
    let told = text(stage.post("web", &[], &call(1, "walk", "{}")).await).await;
    assert_eq!(told.matches("[REDACTED:aws_access_key]").count(), 2, "{told}");
    assert!(!told.contains(KEY), "{told}");
    assert_eq!(stage.actions(), ["action.admitted web.walk", "action.settled web.walk"]);
}

#[tokio::test]
async fn a_batch_is_refused_by_the_versions_that_have_none() {
    let server = Scripted::start(|seen| match seen.rpc_method().as_str() {
        "initialize" => Reply::Whole(
            200,
            "content-type: application/json\r\nmcp-session-id: s1\r\n",
            r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18"}}"#.to_owned(),
        ),
        _ => by_id(seen),
    })
    .await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    stage.post("web", &[], r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).await;
    for header in [("mcp-session-id", "s1"), ("mcp-protocol-version", "2025-11-25")] {
        let refused = stage.post("web", &[header], BATCH).await;
        assert_eq!(refused.status(), 400);
        assert!(text(refused).await.contains("one message at a time"), "{header:?}");
    }
    let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"notifications/x"}"#; 101].join(","));
    for (body, said) in [
        ("[]", "empty"),
        (many.as_str(), "100 messages"),
        (r#"[{"jsonrpc":"2.0","id":0,"method":"initialize"}]"#, "stands alone"),
        (&format!("[{BATCH}]"), "one message at a time"),
        (r#"[{"jsonrpc":"2.0","method":"tools/call"}]"#, "an id"),
    ] {
        let refused = stage.post("web", &[], body).await;
        assert_eq!(refused.status(), 400, "{body}");
        assert!(text(refused).await.contains(said), "{said}");
    }
    assert_eq!(server.seen().len(), 1, "nothing of them was done");
}

#[tokio::test]
async fn what_is_no_message_is_refused_here() {
    let server = Scripted::start(|_| Reply::json("{}")).await;
    let stage = Stage::new(&[("web", &server.url)], &nothing());
    for (body, code) in [("", -32700), ("{", -32700), ("[]", -32600), ("{\"id\":1}", -32600)] {
        let response = stage.post("web", &[], body).await;
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(read(response).await["error"]["code"], code, "{body}");
    }
    assert!(server.seen().is_empty());
}
