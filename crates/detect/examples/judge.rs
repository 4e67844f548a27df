//! Puts texts from elsewhere through the detectors: one JSON object a line in, one a line out.
//!
//! `{"detector": "text", "text": …}` answers every match with its place in characters and the score of the injection
//! heuristic; `path`, `url` and `command` answer the codes of what was found, and where a path or a URL leads.
//! `cargo run -p seawall-detect --example judge ROOT`, where ROOT is the folder that paths are judged under.
//! The corpora in `tests/corpora` are judged with it.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;

use seawall_detect::commands::CommandRules;
use seawall_detect::injection::InjectionDetector;
use seawall_detect::network::NetworkRules;
use seawall_detect::paths::{FileRules, Symlinks};
use seawall_detect::{Found, Kind, Selection, TextDetector};
use seawall_types::Effect;
use serde_json::{Value, json};

struct Detectors {
    text: TextDetector,
    injection: InjectionDetector,
    files: FileRules,
    network: NetworkRules,
    dangerous: CommandRules,
}

impl Detectors {
    fn new(root: PathBuf) -> Self {
        Self {
            text: TextDetector::new(Selection::all()),
            injection: InjectionDetector::new(),
            files: FileRules { root, also: Vec::new(), max_file_bytes: None, symlinks: Symlinks::Inside },
            network: NetworkRules::default(),
            dangerous: CommandRules::dangerous(),
        }
    }

    fn judge(&self, question: &Value) -> Result<Value, Box<dyn Error>> {
        let text = question["text"].as_str().ok_or("a question needs a text")?;
        match question["detector"].as_str() {
            Some("text") => Ok(self.judge_text(text)),
            Some("path") => Ok(self.judge_path(text)),
            Some("url") => Ok(self.judge_url(text)),
            Some("command") => self.judge_command(text, &question["allow"]),
            _ => Err("a detector is one of text, path, url, command".into()),
        }
    }

    fn judge_text(&self, text: &str) -> Value {
        let (mut matches, mut bytes, mut characters) = (Vec::new(), 0, 0);
        self.text.scan(text, |one| {
            if one.kind == Kind::Injection {
                return;
            }
            // Matches come in the order of the text, so each character is counted once.
            let mut place = |until: usize| {
                characters += text.get(bytes..until).map_or(0, |piece| piece.chars().count());
                bytes = until;
                characters
            };
            let (start, end) = (place(one.range.start), place(one.range.end));
            matches
                .push(json!({"kind": one.kind.label(), "code": one.kind.code(), "start": start, "end": end}));
        });
        let signals = self.injection.signals(text);
        let told: Vec<_> = signals.iter().map(|signal| signal.what).collect();
        json!({"matches": matches, "score": InjectionDetector::score(&signals), "signals": told})
    }

    fn judge_path(&self, text: &str) -> Value {
        let judged = self.files.judge(Effect::FsRead, text);
        json!({"codes": codes(&judged.found), "resolved": judged.resolved})
    }

    fn judge_url(&self, text: &str) -> Value {
        let judged = self.network.judge_url(text);
        let host = judged.target.map(|target| target.host);
        json!({"codes": codes(&judged.found), "host": host})
    }

    /// With `allow` a list of patterns, the line may run those commands only; without it, all but the dangerous ones.
    fn judge_command(&self, text: &str, allow: &Value) -> Result<Value, Box<dyn Error>> {
        let Some(allow) = allow.as_array() else {
            return Ok(json!({"codes": codes(&self.dangerous.judge_line(text))}));
        };
        let patterns = allow.iter().filter_map(Value::as_str).map(str::parse).collect::<Result<_, _>>()?;
        let rules = CommandRules { allow: Some(patterns), deny: Vec::new() };
        Ok(json!({"codes": codes(&rules.judge_line(text))}))
    }
}

fn codes(found: &[Found]) -> Vec<&'static str> {
    found.iter().map(|found| found.code.as_str()).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os().nth(1).ok_or("judge: name the folder that paths are judged under")?;
    let detectors = Detectors::new(root.into());
    let mut out = std::io::BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        writeln!(out, "{}", detectors.judge(&serde_json::from_str(&line?)?)?)?;
    }
    out.flush()?;
    Ok(())
}
