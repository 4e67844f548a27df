//! The documents that a server serves of itself, held against what it does.

use serde_json::Value;

use crate::support::program::Setup;
use crate::support::raw;

#[tokio::test]
async fn every_route_of_the_openapi_document_exists_and_answers_as_it_says() {
    let server = Setup::simulated("").start();
    let document = server.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{document}");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let body = if operation["requestBody"].is_object() {
                r#"{"scope":"global","window":"day","usd":"1"}"#
            } else {
                ""
            };
            let request =
                raw::request(&method.to_uppercase(), path, &[("content-type", "application/json")], body);
            let answer = server.ask(request).await;
            let documented = &operation["responses"][answer.status.to_string()];
            assert!(
                documented.is_object(),
                "{method} {path} answers {}, which it does not say",
                answer.status
            );
            let types: Vec<&String> =
                documented["content"].as_object().into_iter().flat_map(|types| types.keys()).collect();
            let content_type =
                answer.header("content-type").unwrap_or_default().split(';').next().unwrap().to_owned();
            assert!(
                types.is_empty() || types.contains(&&content_type),
                "{method} {path}: {content_type}, not {types:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_answered_has_the_documented_members() {
    let server = Setup::simulated("").start();
    let document = server.get("/openapi.json").await.json();
    for path in ["/health", "/ready", "/api/budgets"] {
        let schema =
            &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let schema = resolve(&document, schema);
        let answer = server.get(path).await.json();
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(answer.get(name.as_str().unwrap()).is_some(), "{path} lacks {name}: {answer}");
        }
        for name in answer.as_object().unwrap().keys() {
            assert!(schema["properties"].get(name).is_some(), "{path} has an undocumented {name}: {schema}");
        }
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

#[tokio::test]
async fn the_page_of_routes_names_every_route() {
    let server = Setup::simulated("").start();
    let (document, page) = (server.get("/openapi.json").await.json(), server.get("/docs").await);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.text().contains(path.as_str()), "{path}");
    }
}

#[tokio::test]
async fn health_tells_real_figures() {
    let server = Setup::simulated("").start();
    let health = server.get("/health").await.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime_seconds"].as_f64().unwrap() >= 0.0);
    let megabytes = health["memory_usage_mb"].as_f64().unwrap();
    assert!((1.0..2_000.0).contains(&megabytes), "{health}");
    assert!(
        health["cpu_percent"].as_f64().is_some() && health["active_requests"].as_u64() == Some(0),
        "{health}"
    );
    assert_eq!(server.get("/livez").await.json()["status"], "healthy");
}

#[tokio::test]
async fn readiness_has_a_verdict_for_each_part() {
    let server = Setup::simulated("").start();
    for path in ["/ready", "/readyz"] {
        let ready = server.get(path).await.json();
        for part in ["database", "upstreams", "disk", "trace", "config"] {
            let check = &ready["checks"][part];
            assert_eq!(check["healthy"], true, "{part}: {ready}");
            assert!(
                check["message"].is_string()
                    && check["latency_ms"].is_f64()
                    && check["degraded"].is_boolean(),
                "{check}"
            );
        }
    }
}

#[tokio::test]
async fn errors_of_our_own_routes_are_problems_with_code_remedy_and_request() {
    let server = Setup::simulated("").start();
    for request in [
        raw::get("/nope"),
        raw::request("DELETE", "/health", &[], ""),
        raw::request("PUT", "/api/budgets", &[("content-type", "application/json")], "{"),
        raw::request("PUT", "/api/budgets", &[("content-type", "application/json")], r#"{"scope":"global"}"#),
        raw::request(
            "PUT",
            "/api/budgets",
            &[("content-type", "application/json")],
            r#"{"scope":"global","usd":"-1"}"#,
        ),
        raw::request(
            "PUT",
            "/api/budgets",
            &[("content-type", "application/json")],
            r#"{"scope":"global","usd":"1","x":1}"#,
        ),
        raw::request(
            "DELETE",
            "/api/budgets",
            &[("content-type", "application/json")],
            r#"{"scope":"global"}"#,
        ),
    ] {
        let answer = server.ask(&request).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        let problem = answer.json();
        for member in ["type", "title", "code", "detail", "remedy", "request_id"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        assert_eq!(problem["status"], answer.status);
        assert_eq!(answer.header("x-request-id"), problem["request_id"].as_str());
    }
}
