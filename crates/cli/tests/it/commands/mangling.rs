//! Configuration files that are broken in ways that break parsers: taken, or refused with exit code 2 and lines that name
//! the file. What stands at which key is tried in the settings' own tests.

use std::time::{Duration, Instant};

use crate::support::program::Setup;

const EXAMPLE: &str = include_str!("../contract/contract.yaml");

/// Deeper than any stack.
const DEEP: usize = 100_000;

/// Checks a file; whether it was taken.
fn is_taken(name: &str, bytes: &[u8]) -> bool {
    let setup = Setup::new("config").args(["check", "--config", name]);
    std::fs::write(setup.path(name), bytes).unwrap();
    let begun = Instant::now();
    let output = setup.env("OPENAI_API_KEY", "hush").env("SIGN_KEY", "hush").run();
    let said = String::from_utf8(output.stderr).unwrap();
    let named = said.strip_prefix("seawall: ").unwrap_or(&said).lines().all(|line| line.starts_with(name));
    match output.status.code() {
        Some(0) => assert!(said.is_empty(), "{name}: {said}"),
        Some(2) => assert!(!said.is_empty() && named && !said.contains("hush"), "{name}: {said}"),
        _ => panic!("{name} ends it with {}: {said}", output.status),
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{name} took {:?}", begun.elapsed());
    output.status.success()
}

fn refused(files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        assert!(!is_taken(name, bytes), "{name}");
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused_by_name_wherever_it_is_no_whole_one() {
    let cut = |part| is_taken("cut.yaml", &EXAMPLE.as_bytes()[..EXAMPLE.len() * part / 24]);
    let taken = (0..24).filter(|&part| cut(part)).count();
    assert!(taken <= 12, "whole by chance: {taken} of 24");
}

#[test]
fn what_is_nested_deeper_than_the_stack_is_refused_by_name() {
    refused(&[
        ("lists.json", b"[".repeat(DEEP)),
        ("tables.json", b"{\"a\":".repeat(DEEP)),
        ("closed.json", [b"[".repeat(DEEP), b"]".repeat(DEEP)].concat()),
        ("flow.yaml", b"[".repeat(DEEP)),
        ("tables.yaml", b"{a: ".repeat(DEEP)),
        ("block.yaml", b"- ".repeat(DEEP)),
        ("keys.yaml", b"? ".repeat(DEEP)),
        ("lists.toml", [b"a=".to_vec(), b"[".repeat(DEEP)].concat()),
        ("tables.toml", [b"a=".to_vec(), b"{a=".repeat(DEEP)].concat()),
        ("dotted.toml", [b"a".to_vec(), b".a".repeat(DEEP), b"=1".to_vec()].concat()),
        ("heads.toml", [b"[a".to_vec(), b".a".repeat(DEEP), b"]".to_vec()].concat()),
    ]);
}

#[test]
fn a_condition_nested_deeper_than_the_stack_is_refused_by_name() {
    let rule = |when: &str| {
        format!("policy: {{ tools: [ {{ name: a, verdict: deny, when: \"{when}\" }} ] }}").into_bytes()
    };
    refused(&[
        ("brackets.yaml", rule(&"(".repeat(DEEP))),
        ("closed.yaml", rule(&format!("{}true{}", "(".repeat(DEEP), ")".repeat(DEEP)))),
        ("negated.yaml", rule(&format!("{}true", "!".repeat(DEEP)))),
        ("lists.yaml", rule(&"[".repeat(DEEP))),
    ]);
}

#[test]
fn what_grows_when_it_is_read_is_refused_by_name() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 0..12 {
        let below = vec![format!("*a{level}"); 10].join(",");
        bomb.push_str(&format!("a{0}: &a{0} [{below}]\n", level + 1));
    }
    refused(&[
        ("bomb.yaml", bomb.into_bytes()),
        ("itself.yaml", b"a: &a [*a]".to_vec()),
        ("merged.yaml", b"gateway: &g { <<: *g }".to_vec()),
        ("long.yaml", [b"colour: ".to_vec(), b"x".repeat(9 << 20)].concat()),
        (
            "digits.json",
            [br#"{"gateway":{"limits":{"in_flight":"#.to_vec(), b"9".repeat(DEEP), b"}}}".to_vec()].concat(),
        ),
    ]);
}

#[test]
fn what_is_no_text_or_says_a_thing_twice_is_refused_by_name() {
    refused(&[
        ("bytes.yaml", b"gateway: \"\xff\"".to_vec()),
        ("utf16.yaml", b"\xff\xfeg\0a\0:\0".to_vec()),
        ("nul.yaml", b"gateway:\0 {}".to_vec()),
        ("twice.yaml", b"gateway: {}\ngateway: {}".to_vec()),
        ("twice.json", br#"{"gateway":{},"gateway":{}}"#.to_vec()),
        ("twice.toml", b"[gateway]\n[gateway]\n".to_vec()),
        ("documents.yaml", b"gateway: {}\n---\ngateway: {}\n".to_vec()),
        ("empty.json", Vec::new()),
        ("infinite.yaml", b"upstreams: [ { weight: .inf } ]".to_vec()),
        ("newline.yaml", b"policy: \"a\\nb\"\nprices: { file: \"a\\nb\" }".to_vec()),
    ]);
}

#[test]
fn what_editors_leave_in_a_file_does_no_harm() {
    for (name, bytes) in [
        ("mark.yaml", &b"\xef\xbb\xbfgateway: {}"[..]),
        ("lines.yaml", b"gateway:\r\n  mode: strict\r\n"),
        ("lines.toml", b"[gateway]\r\nmode = 'strict'\r\n"),
        ("empty.yaml", b""),
        ("empty.toml", b""),
        ("comment.yaml", b"# nothing yet\n"),
        ("null.yaml", b"gateway: null\nupstreams: ~\n"),
    ] {
        assert!(is_taken(name, bytes), "{name}");
    }
}
