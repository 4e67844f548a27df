//! Every stable code has a page that says what it means, which status it comes with and what to do.

use std::collections::BTreeSet;

use seawall_types::Code;
use serde_json::Value;

use crate::workspace::{files, read, root};

fn page(code: Code) -> String {
    read(&root().join(format!("docs/errors/{code}.md")))
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> = files(&root().join("docs/errors"), "md")
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README")
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(pages, codes);
}

#[test]
fn a_page_states_the_status_of_its_code() {
    for &code in Code::ALL {
        let page = page(code);
        let head: Vec<&str> = page.lines().take(5).collect();
        let status = format!("HTTP status: {}", code.http_status());
        assert_eq!(head[..4], [&format!("# {code}"), "", &status, ""], "docs/errors/{code}.md");
        assert!(!head[4].is_empty(), "docs/errors/{code}.md does not say what the code means");
    }
}

#[test]
fn a_page_says_what_to_do() {
    for &code in Code::ALL {
        let page = page(code);
        let (_, advice) =
            page.split_once("\n## What to do\n").unwrap_or_else(|| panic!("{code} has no advice"));
        assert!(advice.lines().any(|line| line.starts_with("- ")), "docs/errors/{code}.md");
    }
}

#[test]
fn an_example_shows_its_code_and_a_remedy() {
    for &code in Code::ALL {
        let example = example(&page(code));
        let ours = example.pointer("/error/seawall").or_else(|| example.get("seawall")).unwrap();
        assert_eq!(ours["code"], code.as_str());
        assert!(ours["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "docs/errors/{code}.md");
    }
}

fn example(page: &str) -> Value {
    let (_, rest) = page.split_once("```json\n").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

#[test]
fn the_list_has_every_code_in_order_with_its_status_and_meaning() {
    let list = read(&root().join("docs/errors/README.md"));
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| [")).collect();
    let expected = Code::ALL.iter().map(|code| {
        let page = page(*code);
        let meaning: Vec<&str> = page.lines().skip(4).take_while(|line| !line.is_empty()).collect();
        format!("| [{code}]({code}.md) | {} | {} |", code.http_status(), meaning.join(" "))
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}
