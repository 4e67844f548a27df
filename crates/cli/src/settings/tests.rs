//! Whatever stands in a configuration file: it is taken, or refused with lines that each name the file and the key. Nothing
//! panics, and no secret is shown.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use seawall_config::{keys, show};
use serde_json::Map;
use tempfile::TempDir;

use super::*;
use crate::boot::Request;
use crate::exit::Failure;

/// Every section, as the product's contract writes it.
const EXAMPLE: &str = include_str!("../../tests/it/contract/contract.yaml");

/// A secret that looks like any other word: only who knows that it came by reference can keep it back.
const WORD: &str = "hush-4711-hush";
/// A secret that has the form of one.
const KEY: &str = "sk-hush0123456789abcdefghij";
/// What routes are told that there is: a secret is no name for an upstream.
const TOLD: &str = "upstreams[].name";

/// Texts that no key expects, that some do, and that come near to it.
const ODD_TEXTS: &str = "¦ ¦\n¦a\nb¦\0¦\u{202e}x¦\u{feff}a¦é¦💥¦true¦null¦0¦-1¦1.5¦1e999¦NaN¦-5s¦5¦5y¦0s¦99999999999999999999d¦\
    18446744073709551615h¦16E¦99999999999999999999T¦-1K¦$¦${¦${}¦${UNSET}¦${UNSET:-}¦${UNSET:-x}¦${EMPTY}¦$${X}¦[¦{¦[]¦{}¦\
    [1,¦{\"a\":1}¦sim:¦http://¦http://[::1¦https://a b¦ftp://x¦http://u:p@h/¦https://h/#f?q¦127.0.0.1¦[::]:0¦0.0.0.0:0¦\
    :99999¦10.0.0.0/8¦10.0.0.0/99¦::/0¦*¦a*b*c¦global¦key:¦key:é¦run:1¦tenant:a/b¦total¦week¦EdDSA¦none¦HS256¦strict¦off¦\
    safe¦./x¦/¦.¦..¦/dev/null¦prices.json¦sqlite:¦json:¦postgres://¦redis://h¦trace¦loud,x=y¦-----BEGIN PUBLIC KEY-----\nx";

/// The same for values that are no texts.
fn odd_values() -> Vec<Value> {
    let numbers = json!([i64::MIN, -1, -0.0, 0, 1, 1.5, 1e308, i64::MAX, u64::MAX]);
    let others = json!([null, true, [], {}, [[]], [null], [{}], [1, "a"], { "": 1 }]);
    [numbers, others].iter().filter_map(Value::as_array).flatten().cloned().collect()
}

/// A key with `[]` and `NAME` where a list and a chosen name are, and whether its value is never shown.
static KEYS: LazyLock<Vec<(String, bool)>> = LazyLock::new(|| {
    let keys = keys(Settings::declare);
    keys.into_iter().map(|key| (key.key, key.type_name.contains("secret"))).collect()
});

fn environment() -> Environment {
    let seed = "aHVzaGh1c2hodXNoaHVzaGh1c2hodXNoaHVzaGh1c2g=";
    [("OPENAI_API_KEY", WORD), ("WORD", WORD), ("KEY", KEY), ("SIGN_KEY", seed), ("EMPTY", "")]
        .into_iter()
        .collect()
}

/// A folder for one file, with the files that the example names.
struct Place {
    folder: TempDir,
    example: Value,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prices = folder.path().join("prices.json");
        std::fs::write(&prices, r#"{"models":{"x":{"in":1,"out":2}}}"#).unwrap();
        let text = EXAMPLE.replace("syslog: { address: /dev/log }", "syslog: null");
        let text = text.replace("prices.json", prices.to_str().unwrap());
        Self { folder, example: serde_saphyr::from_str(&text).unwrap() }
    }

    /// What a start says to this file, asked as a start asks; `None`: nothing, it is good.
    fn refusal(&self, name: &str, text: &[u8]) -> Option<Refusal> {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let global = Global {
            config: vec![file.clone()],
            data_dir: Some(self.folder.path().join("data")),
            json: false,
            quiet: false,
            verbose: 0,
            log_format: None,
            log_file: None,
        };
        let sources = sources(&global, &environment(), Vec::new());
        let args = ServeArgs::default();
        let request = Request { global, args, environment: environment(), workers: 1, listens: true };
        let said = match request.plan() {
            Ok(_) => return None,
            Err(Failure::Usage(said)) => said,
            Err(Failure::Failed(error)) => panic!("it ends with 1 instead of 2: {error:#}"),
        };
        let parsed = Document::load(&sources).is_ok();
        Some(Refusal { file, said, parsed })
    }

    /// The values in force, as `config show` has them.
    fn shown(&self, name: &str) -> Vec<(String, String)> {
        let sources = Sources {
            files: vec![self.folder.path().join(name)],
            environment: environment(),
            ..Sources::default()
        };
        let entries = Document::load(&sources).map(|document| show(&document, Settings::declare));
        entries.unwrap_or_default().into_iter().map(|entry| (entry.key, entry.value.to_string())).collect()
    }
}

struct Refusal {
    file: PathBuf,
    said: String,
    parsed: bool,
}

impl Refusal {
    /// Each line names the file and, where it could be parsed, a key.
    fn names_file_and_key(&self) -> Result<(), TestCaseError> {
        prop_assert!(!self.said.is_empty());
        for line in self.said.split('\n') {
            let rest = line.strip_prefix(&format!("{}: ", self.file.display()));
            let Some(rest) = rest else { return Err(TestCaseError::fail(format!("no file in {line:?}"))) };
            let key = rest.split_once(": ").map(|(key, _)| key);
            prop_assert!(!self.parsed || key.is_some_and(|key| !key.is_empty()), "no key in {:?}", line);
            prop_assert!(!line.contains(char::is_control), "{:?}", line);
        }
        Ok(())
    }
}

/// One change of a configuration.
#[derive(Debug, Clone)]
enum Change {
    /// The value of a declared key; tables and lists on the way to it are made.
    Put(String, Value),
    /// One of the keys that are there, taken out.
    Drop(Index),
    /// The value of one of them, under another name beside it.
    Rename(Index, &'static str),
    /// An element of a list, or a value made one, twice.
    Repeat(Index),
}

/// Values that no key expects, that some do, and that come near to it.
fn odd() -> impl Strategy<Value = Value> {
    let texts = ODD_TEXTS.split('¦').chain([KEY]).collect::<Vec<_>>();
    prop_oneof![
        4 => select(texts).prop_map(|text| json!(text)),
        2 => select(odd_values()),
        1 => any::<String>().prop_map(|text| json!(text)),
        1 => (1_000_usize..20_000).prop_map(|length| json!("x".repeat(length))),
        1 => "[a-z .\\[\\]\n\u{e9}-]{0,8}".prop_map(|key| json!({ key: 1 })),
    ]
}

/// A key, and a value for it: any odd one, or a secret by reference.
fn put() -> impl Strategy<Value = Change> {
    let secret = prop_oneof![Just("${WORD}"), Just("x${WORD}x"), Just("${KEY}")];
    let secret = secret.prop_map(|text| json!(text));
    (any::<Index>(), prop_oneof![4 => odd(), 1 => secret]).prop_map(|(index, value)| {
        let (key, _) = index.get(&KEYS);
        let is_told = key == TOLD;
        let is_word = value.as_str().is_some_and(|text| text.contains("${WORD}"));
        Change::Put(key.clone(), if is_told && is_word { json!("${KEY}") } else { value })
    })
}

fn change() -> impl Strategy<Value = Change> {
    let names = ["", " ", "\n", "colour", "a.b", "[0]", "é", "${WORD}", "kind", "mode"];
    prop_oneof![
        6 => put(),
        1 => any::<Index>().prop_map(Change::Drop),
        1 => (any::<Index>(), select(names.to_vec())).prop_map(|(index, name)| Change::Rename(index, name)),
        1 => any::<Index>().prop_map(Change::Repeat),
    ]
}

impl Change {
    fn apply(&self, config: &mut Value) {
        match self {
            Self::Put(key, value) => {
                put_at(config, &key.replace("[]", ".0").replace("NAME", "web"), value.clone())
            }
            Self::Drop(index) => at(config, index, |table, key| drop(table.remove(key))),
            Self::Rename(index, name) => at(config, index, |table, key| {
                let value = table.remove(key).unwrap_or_default();
                table.insert((*name).to_owned(), value);
            }),
            Self::Repeat(index) => at(config, index, |table, key| {
                if let Some(value) = table.get_mut(key) {
                    let twice = value
                        .as_array()
                        .map_or_else(|| vec![value.clone(); 2], |list| [&list[..], list].concat());
                    *value = json!(twice);
                }
            }),
        }
    }
}

fn put_at(place: &mut Value, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.') else {
        if let Some(table) = place.as_object_mut() {
            table.insert(key.to_owned(), value);
        }
        return;
    };
    if first == "0" {
        if !place.is_array() {
            *place = json!([]);
        }
        let Some(list) = place.as_array_mut() else { return };
        if !list.first().is_some_and(Value::is_object) {
            list.insert(0, json!({}));
        }
        return put_at(&mut list[0], rest, value);
    }
    let Some(table) = place.as_object_mut() else { return };
    let inner = table.entry(first).or_insert_with(|| json!({}));
    if !inner.is_object() && !rest.starts_with("0.") {
        *inner = json!({});
    }
    put_at(inner, rest, value);
}

/// Does something to the key of one of all tables, wherever it is.
fn at(config: &mut Value, index: &Index, act: impl FnOnce(&mut Map<String, Value>, &str)) {
    fn pointers(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
        let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    found.push((pointer.to_owned(), key.clone()));
                    pointers(value, &format!("{pointer}/{}", escaped(key)), found);
                }
            }
            Value::Array(list) => {
                list.iter()
                    .enumerate()
                    .for_each(|(at, value)| pointers(value, &format!("{pointer}/{at}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    pointers(config, "", &mut found);
    if found.is_empty() {
        return;
    }
    let (pointer, key) = index.get(&found);
    if let Some(table) = config.pointer_mut(pointer).and_then(Value::as_object_mut) {
        act(table, key);
    }
}

/// Whether the value of a key, as it is written with indices and names, is never shown.
fn is_secret(key: &str) -> bool {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    KEYS.iter().any(|(name, secret)| *secret && last(name) == last(key))
}

#[test]
fn the_example_is_good_and_what_is_secret_in_it_is_known() {
    let place = Place::new();
    let refusal = place.refusal("c.yaml", place.example.to_string().as_bytes());
    assert!(refusal.is_none(), "{}", refusal.unwrap().said);
    for key in
        ["upstreams[0].api_key", "upstreams[0].headers", "trace.sign_key", "store", "mcp.servers.a.env"]
    {
        assert!(is_secret(key), "{key}");
    }
    assert!(!is_secret("gateway.listen") && KEYS.len() > 100, "{}", KEYS.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Values of wrong types, out of range, in odd letters; keys that are missing, unknown or there twice.
    #[test]
    fn whatever_value_stands_at_whatever_key_it_is_taken_or_refused_by_name(changes in vec(change(), 1..6)) {
        let place = Place::new();
        let mut config = place.example.clone();
        changes.iter().for_each(|change| change.apply(&mut config));
        let refusal = place.refusal("c.json", config.to_string().as_bytes());
        if let Some(refusal) = &refusal {
            refusal.names_file_and_key()?;
            prop_assert!(!refusal.said.contains(WORD) && !refusal.said.contains(KEY), "{}", refusal.said);
        }
        for (key, value) in place.shown("c.json") {
            prop_assert!(!value.contains(KEY) && (!is_secret(&key) || !value.contains(WORD)), "{} is {}", key, value);
        }
    }

    /// Files that were cut, overwritten in places, or are of bytes that are no text.
    #[test]
    fn whatever_bytes_a_file_has_it_is_taken_or_refused_by_name(
        end in any::<Index>(),
        cut in any::<bool>(),
        damage in vec((any::<Index>(), vec(any::<u8>(), 0..4), 0_usize..8), 0..4),
        marks in vec((any::<Index>(), select(b"{}[],:&*!|>%@`\"'#-?\n\t \\$".to_vec())), 0..4),
        name in select(vec!["c.yaml", "c.json", "c.toml"]),
    ) {
        let place = Place::new();
        let text = if name == "c.yaml" { EXAMPLE.to_owned() } else { place.example.to_string() };
        let mut bytes = text.into_bytes();
        for (at, new, gone) in damage {
            let at = at.index(bytes.len());
            bytes.splice(at..(at + gone).min(bytes.len()), new);
        }
        for (at, mark) in marks {
            let at = at.index(bytes.len());
            bytes[at] = mark;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let refusal = place.refusal(name, &bytes);
        if let Some(refusal) = &refusal {
            refusal.names_file_and_key()?;
            prop_assert!(!refusal.said.contains(WORD), "{}", refusal.said);
        }
    }

    /// No text at all, in any of the formats.
    #[test]
    fn noise_is_taken_or_refused_by_name(
        bytes in vec(any::<u8>(), 0..200),
        name in select(vec!["c.yaml", "c.json", "c.toml", "c", "c.txt"]),
    ) {
        if let Some(refusal) = Place::new().refusal(name, &bytes) {
            refusal.names_file_and_key()?;
        }
    }
}
