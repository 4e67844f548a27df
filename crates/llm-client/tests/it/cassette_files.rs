//! What lies in `tests/cassettes`: it can be played, and nobody's key is in it.
//!
//! The keys that it was recorded with are made up and look like real ones (`tests/cassettes/record.py`); so does the key
//! that stands in one of the prompts. Finding none of them shows that real ones would not be there either.

use std::path::{Path, PathBuf};

use seawall_llm_client::sim::cassette::Replay;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cassettes")
}

fn files() -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    assert!(files.len() > 5, "the cassettes are missing");
    files
}

fn lines() -> impl Iterator<Item = (String, Value)> {
    files().into_iter().flat_map(|(file, text)| {
        text.lines().map(|line| (file.clone(), serde_json::from_str(line).unwrap())).collect::<Vec<_>>()
    })
}

#[test]
fn every_cassette_can_be_played() {
    Replay::load(&folder()).unwrap();
}

#[test]
fn no_text_in_a_cassette_looks_like_a_key() {
    let starts = [
        "sk-",
        "AIza",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xox",
        "AKIA",
        "ASIA",
        "hf_",
        "gsk_",
        "eyJ",
    ];
    for (file, text) in files() {
        // What a key is made of; everything else is a boundary.
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter));
        for word in words.filter(|word| word.len() >= 16) {
            assert!(!starts.iter().any(|start| word.starts_with(start)), "{file} holds {word:?}");
            assert!(!word.to_lowercase().contains("recorded"), "{file} holds a piece of a key: {word:?}");
        }
        assert!(!text.contains("PRIVATE KEY"), "{file} holds a private key");
    }
}

#[test]
fn headers_that_carry_keys_are_scrubbed_and_were_there() {
    let carriers =
        ["authorization", "x-api-key", "x-goog-api-key", "cookie", "set-cookie", "openai-organization"];
    for (file, line) in lines() {
        let request = line["request"]["headers"].as_object().unwrap();
        let response = line["response"]["headers"].as_object().unwrap();
        let mut found = 0;
        for (name, value) in request.iter().chain(response) {
            if carriers.contains(&name.as_str()) {
                assert_eq!(value, "[scrubbed]", "{file}: {name}");
                found += 1;
            }
        }
        assert!(found > 0, "{file} has an exchange without a key: was it recorded with an SDK?");
    }
}

#[test]
fn queries_carry_no_keys() {
    for (file, line) in lines() {
        let path = line["request"]["path"].as_str().unwrap();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            assert!(!name.to_lowercase().contains("key") || value == "[scrubbed]", "{file}: {path}");
        }
    }
}

#[test]
fn a_key_in_a_prompt_is_overwritten() {
    let masked = lines().any(|(_, line)| {
        let body = line["request"]["body"].to_string();
        body.contains("My key is ****") && !body.contains("0123456789")
    });
    assert!(masked, "a cassette shows how a key in a prompt is kept");
}
