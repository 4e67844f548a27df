//! Exports: what the tables and the spans say of a run, read back with other eyes than those that wrote them.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::LogicalType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use seawall_trace::export::csv::CsvTable;
use seawall_trace::export::parquet::ParquetTable;
use seawall_trace::export::table::{ACTIONS, Cell, EVENTS, EventRow, Kind};
use seawall_trace::export::{ActionRow, Actions, End, Row, otlp};
use seawall_trace::read;
use seawall_types::{Actor, EventKind};
use serde_json::{Value, json};

use crate::stage::{Stage, action, run, stage};

/// A run of this kind with a settled call that asked for a tool, a refused one, and one that is still under way.
fn three_actions(kind: &str) -> Stage {
    let stage = stage();
    let (writer, handle) = stage.start(1 << 30);
    handle.start_run(run(1), kind, &());
    let actor = Arc::new(Actor { key: Some("=ci,\"x\"".into()), tenant: Some("acme".into()), agent: None });
    let record = |number: u8, kind: EventKind, data: Value| {
        stage.clock.advance(std::time::Duration::from_micros(10));
        handle.record(stage.event(run(1), kind, &data).about(action(number), Arc::clone(&actor)));
    };
    record(
        1,
        EventKind::ActionAdmitted,
        json!({
            "kind": "model_call", "name": "gpt-4o", "verdict": "warn", "would": "deny", "wire": "openai_chat",
            "stream": true, "reserved_usd": "0.500000", "reserved_tokens": 9,
            "findings": [{ "rule": "r", "code": "PII_FOUND", "severity": "low", "message": "an address" }],
        }),
    );
    record(1, EventKind::ToolCalled, json!({ "name": "search", "call_id": "call_7" }));
    record(
        2,
        EventKind::ActionDenied,
        json!({
            "kind": "model_call", "name": "o1", "verdict": "deny", "status": 402,
            "findings": [{ "code": "BUDGET_EXCEEDED", "message": "spent" }],
        }),
    );
    record(3, EventKind::ActionAdmitted, json!({ "kind": "tool_call", "name": "bash", "verdict": "allow" }));
    record(
        1,
        EventKind::ActionSettled,
        json!({
            "kind": "model_call", "name": "gpt-4o", "verdict": "warn", "status": 200, "duration_us": 31,
            "cost_usd": "0.000000000125",
            "usage": { "input_tokens": 12, "output_tokens": 5, "cached_tokens": 8, "estimated": false },
            "attempts": [
                { "upstream": "one", "model": "gpt-4o", "status": 500, "cost_usd": "0.000000" },
                { "upstream": "two", "model": "gpt-4o-mini", "status": 200, "cost_usd": "0.000000000125" },
            ],
        }),
    );
    assert_eq!(writer.stop().dropped, 0);
    stage
}

fn rows(stage: &Stage) -> Vec<Row> {
    let mut actions = Actions::default();
    let lines = read::lines(&stage.path(run(1))).unwrap();
    let mut rows: Vec<Row> = lines.flat_map(|line| actions.take(&line.unwrap().parsed)).collect();
    rows.extend(actions.finish());
    rows
}

fn actions_of(rows: Vec<Row>) -> Vec<ActionRow> {
    rows.into_iter()
        .filter_map(|row| match row {
            Row::Action(action) => Some(*action),
            Row::Run(_) => None,
        })
        .collect()
}

#[test]
fn each_action_is_one_row_whatever_its_end() {
    let actions = actions_of(rows(&three_actions("agent")));
    let told: Vec<_> = actions.iter().map(|row| (row.action, row.end, row.tools.len())).collect();
    assert_eq!(told, [(action(2), End::Denied, 0), (action(1), End::Settled, 1), (action(3), End::Open, 0)]);
    assert_eq!(actions[1].started_at.since(actions[0].started_at).as_micros(), 0);
    assert_eq!(actions[1].ended_at.unwrap().since(actions[1].started_at).as_micros(), 40);
}

fn holds(kind: Kind, cell: &Cell<'_>) -> bool {
    matches!(
        (kind, cell),
        (_, Cell::Nothing)
            | (Kind::Text, Cell::Text(_))
            | (Kind::Integer, Cell::Integer(_))
            | (Kind::Boolean, Cell::Boolean(_))
            | (Kind::Time, Cell::Time(_))
            | (Kind::Money, Cell::Money(_))
    )
}

#[test]
fn every_column_holds_what_it_says_and_some_row_has_it() {
    let stage = three_actions("agent");
    let actions = actions_of(rows(&stage));
    for column in ACTIONS {
        let cells: Vec<_> = actions.iter().map(|row| (column.of)(row)).collect();
        assert!(cells.iter().all(|cell| holds(column.kind, cell)), "{}: {cells:?}", column.name);
        let is_absent = ["parent", "agent", "ended", "cache"].contains(&column.name);
        assert_eq!(cells.iter().all(|cell| *cell == Cell::Nothing), is_absent, "{}", column.name);
    }
    let lines = read::lines(&stage.path(run(1))).unwrap();
    let events: Vec<_> = lines.map(|line| EventRow::new(line.unwrap().parsed)).collect();
    for column in EVENTS {
        let cells: Vec<_> = events.iter().map(|row| (column.of)(row)).collect();
        assert!(cells.iter().all(|cell| holds(column.kind, cell)), "{}: {cells:?}", column.name);
        let is_absent = ["parent", "agent"].contains(&column.name);
        assert_eq!(cells.iter().all(|cell| *cell == Cell::Nothing), is_absent, "{}", column.name);
    }
}

/// Reads CSV by RFC 4180, without knowing who wrote it.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the last row has no end");
    rows
}

#[test]
fn the_table_of_actions_says_what_the_events_said() {
    let mut table = CsvTable::begin(ACTIONS, Vec::new()).unwrap();
    for row in actions_of(rows(&three_actions("agent"))) {
        table.push(&row).unwrap();
    }
    let rows = read_csv(&String::from_utf8(table.finish().unwrap()).unwrap());
    assert_eq!(rows.len(), 4);
    let cell = |row: usize, name: &str| {
        let column = rows[0].iter().position(|title| title == name).unwrap();
        rows[row][column].as_str()
    };
    let settled = [
        ("action", action(1).to_string()),
        ("end", "settled".to_owned()),
        ("verdict", "warn".to_owned()),
        ("would", "deny".to_owned()),
        ("codes", "PII_FOUND".to_owned()),
        ("status", "200".to_owned()),
        ("upstream", "two".to_owned()),
        ("upstream_model", "gpt-4o-mini".to_owned()),
        ("attempts", "2".to_owned()),
        ("cached_tokens", "8".to_owned()),
        ("cost_usd", "0.000000000125".to_owned()),
        ("reserved_usd", "0.500000".to_owned()),
        ("stream", "true".to_owned()),
        ("key", "'=ci,\"x\"".to_owned()),
    ];
    for (name, expected) in settled {
        assert_eq!(cell(2, name), expected, "{name}");
    }
    assert_eq!((cell(1, "codes"), cell(1, "reason"), cell(1, "cost_usd")), ("BUDGET_EXCEEDED", "spent", ""));
    assert_eq!((cell(3, "kind"), cell(3, "end"), cell(3, "ended_at")), ("tool_call", "open", ""));
}

#[test]
fn the_table_of_events_has_every_line_and_its_data() {
    let stage = three_actions("agent");
    let mut table = CsvTable::begin(EVENTS, Vec::new()).unwrap();
    for line in read::lines(&stage.path(run(1))).unwrap() {
        table.push(&EventRow::new(line.unwrap().parsed)).unwrap();
    }
    let rows = read_csv(&String::from_utf8(table.finish().unwrap()).unwrap());
    assert_eq!(rows.len(), 7);
    let data = rows[0].iter().position(|title| title == "data").unwrap();
    assert_eq!(rows[3][data], r#"{"name":"search","call_id":"call_7"}"#);
}

#[test]
fn every_value_of_the_tables_is_in_the_parquet_file_with_its_type() {
    let stage = three_actions("agent");
    let path = stage.dir().join("actions.parquet");
    let mut table = ParquetTable::begin(ACTIONS, File::create(&path).unwrap()).unwrap();
    for row in actions_of(rows(&stage)) {
        table.push(&row).unwrap();
    }
    table.finish().unwrap();

    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let logical = |name: &str| {
        let column = schema.columns().iter().find(|column| column.name() == name).unwrap();
        column.logical_type_ref().cloned()
    };
    assert_eq!(logical("cost_usd"), Some(LogicalType::decimal(12, 38)));
    assert!(matches!(logical("started_at"), Some(LogicalType::Timestamp(_))));
    assert_eq!(logical("name"), Some(LogicalType::String));

    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    let field = |row: usize, name: &str| {
        rows[row].get_column_iter().find(|(column, _)| *column == name).unwrap().1.clone()
    };
    assert_eq!(field(1, "name"), Field::Str("gpt-4o".to_owned()));
    assert_eq!(field(1, "key"), Field::Str("=ci,\"x\"".to_owned()));
    assert_eq!(field(1, "input_tokens"), Field::Long(12));
    assert_eq!(field(1, "estimated"), Field::Bool(false));
    let Field::TimestampMicros(started) = field(1, "started_at") else { panic!("a time") };
    assert_eq!(started, 1_767_323_045_000_016);
    let Field::Decimal(cost) = field(1, "cost_usd") else { panic!("a decimal") };
    assert_eq!(cost.data(), 125_i128.to_be_bytes());
    assert_eq!((field(0, "cost_usd"), field(2, "ended_at")), (Field::Null, Field::Null));
}

#[test]
fn a_parquet_file_without_rows_is_one_all_the_same() {
    let stage = stage();
    let path = stage.dir().join("empty.parquet");
    ParquetTable::begin(EVENTS, File::create(&path).unwrap()).unwrap().finish().unwrap();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn many_rows_come_in_several_groups_and_all_of_them() {
    let stage = stage();
    stage.write(run(1), 3, 1 << 30);
    let lines: Vec<_> = read::lines(&stage.path(run(1))).unwrap().map(|line| line.unwrap().parsed).collect();
    let path = stage.dir().join("many.parquet");
    let mut table = ParquetTable::begin(EVENTS, File::create(&path).unwrap()).unwrap();
    let row = EventRow::new(lines[1].clone());
    for _ in 0..70_000 {
        table.push(&row).unwrap();
    }
    table.finish().unwrap();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    assert_eq!((reader.num_row_groups(), reader.metadata().file_metadata().num_rows()), (2, 70_000));
}

/// The spans of a request, and the attributes of one as a map.
fn spans(kind: &str) -> Vec<Value> {
    let request = otlp::request(&rows(&three_actions(kind)), &otlp::Resource::default());
    let request: Value = serde_json::from_str(&request).unwrap();
    let resource = &request["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0],
        json!({ "key": "service.name", "value": { "stringValue": "seawall" } })
    );
    resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

fn attributes(span: &Value) -> Value {
    let attributes = span["attributes"].as_array().unwrap();
    attributes.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), one["value"].clone())).collect()
}

#[test]
fn a_model_call_is_a_span_in_the_words_of_the_conventions() {
    let spans = spans("agent");
    let span = &spans[1];
    let run_id = run(1).to_string().replace('-', "");
    let id = action(1).to_string().replace('-', "");
    assert_eq!((&span["traceId"], &span["spanId"]), (&json!(run_id), &json!(id[16..])));
    assert_eq!((&span["parentSpanId"], &span["kind"]), (&json!(run_id[16..]), &json!(3)));
    assert_eq!((&span["name"], &span["status"]), (&json!("chat gpt-4o"), &Value::Null));
    assert_eq!(span["startTimeUnixNano"], "1767323045000016000");
    assert_eq!(span["endTimeUnixNano"], "1767323045000056000");
    let attributes = attributes(span);
    for (key, value) in [
        ("gen_ai.operation.name", json!({ "stringValue": "chat" })),
        ("gen_ai.provider.name", json!({ "stringValue": "openai" })),
        ("gen_ai.request.model", json!({ "stringValue": "gpt-4o" })),
        ("gen_ai.response.model", json!({ "stringValue": "gpt-4o-mini" })),
        ("gen_ai.request.stream", json!({ "boolValue": true })),
        ("gen_ai.usage.input_tokens", json!({ "intValue": "12" })),
        ("gen_ai.usage.output_tokens", json!({ "intValue": "5" })),
        ("gen_ai.usage.cache_read.input_tokens", json!({ "intValue": "8" })),
        ("seawall.cost_usd", json!({ "doubleValue": 1.25e-10 })),
        ("seawall.codes", json!({ "arrayValue": { "values": [{ "stringValue": "PII_FOUND" }] } })),
    ] {
        assert_eq!(attributes[key], value, "{key}");
    }
    assert_eq!(attributes["error.type"], Value::Null);
    let tool = &span["events"][0];
    assert_eq!(
        tool["attributes"][0],
        json!({ "key": "gen_ai.tool.name", "value": { "stringValue": "search" } })
    );
}

#[test]
fn a_refusal_is_an_error_by_its_code() {
    let spans = spans("agent");
    assert_eq!(spans[0]["status"], json!({ "code": 2, "message": "spent" }));
    assert_eq!(attributes(&spans[0])["error.type"], json!({ "stringValue": "BUDGET_EXCEEDED" }));
    assert_eq!(attributes(&spans[2])["gen_ai.operation.name"], json!({ "stringValue": "execute_tool" }));
}

#[test]
fn a_run_is_one_trace_and_a_servers_session_is_one_for_each_call() {
    let agent = spans("agent");
    assert_eq!((agent.len(), &agent[3]["name"]), (4, &json!("run agent")));
    assert!(agent.iter().all(|span| span["traceId"] == agent[3]["traceId"]));
    let session = spans("proxy");
    assert_eq!(session.len(), 3);
    for span in &session {
        assert_eq!(span["parentSpanId"], Value::Null);
        assert!(span["traceId"].as_str().unwrap().ends_with(span["spanId"].as_str().unwrap()));
    }
}
