//! False alarms: texts without secrets and without personal data, of the kinds that pass a gateway.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use seawall_detect::{Selection, TextDetector};

use crate::samples::drawn;

/// In 100 KB of clean text.
const MOST_ALARMS: f64 = 1.0;

const PROSE: &str = "\
The committee met at 10:30 and agreed on three points: the budget, the timetable (see section 4.2), and the staff. Nobody \
asked about the password policy; the token of appreciation was a book. In 2024 the sales rose from 1,200,000 to 1,350,000, \
which is 12.5% more than in 2023-2024. Order 4711-0815 was sent on 2026-11-21, order 20261121-000123 a day later.
Der Ausschuss tagte um 10:30 Uhr und einigte sich auf drei Punkte: Haushalt, Zeitplan (siehe Abschnitt 4.2) und Personal. \
Die Rechnung Nr. 2026-1121-4 über 1.234.567,89 EUR ist bis zum 31.12.2026 zu zahlen. Größe: 180 cm, Kennung A-113.
Le comité s'est réuni à 10h30 ; trois points ont été retenus : le budget, le calendrier et le personnel. Le dossier nº \
2026/00123456 a été transmis à l'administration. Mot de passe : voir le guide. Prix : 12 345 678 francs.
委员会于 10:30 开会，就三点达成一致：预算、时间表（见第 4.2 节）和人员。2026年11月21日，订单号 202611210001234567，金额 1,234,567.89 元。密码请见手册。
委員会は10時30分に開かれ、予算、日程、人員の三点で合意した。受付番号 2026-1121-000123、金額は1,234,567円。
Комитет собрался в 10:30 и согласовал три пункта: бюджет, график и персонал. Счёт № 2026-1121-4 на 1 234 567,89 рублей.
El comité se reunió a las 10:30 y acordó tres puntos: presupuesto, calendario y personal. Factura 2026-1121-4, 1.234.567,89 EUR.
";

const ANSWER: &str = r#"{"id":"chatcmpl-AbC123dEf456GhI789","object":"chat.completion","created":1767323045,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"There are 4155552671 grains and 13800138000 stars, about 1767323045123456 in all.","refusal":null},"logprobs":{"content":[{"token":"There","logprob":-0.31278143525123596,"bytes":[84,104,101,114,101]}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1234,"completion_tokens":5678,"total_tokens":6912,"prompt_tokens_details":{"cached_tokens":1024}},"service_tier":"default","system_fingerprint":"fp_a1b2c3d4e5"}"#;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).expect("the repository can be read").map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        let skipped = ["target", ".git", ".tools", "node_modules", "tests", "peers", "results", "detect"];
        if path.is_dir() && !skipped.iter().any(|name| path.ends_with(name)) {
            sources(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| ["rs", "toml", "md", "py", "lock", "yaml"].iter().any(|name| end == *name))
        {
            found.push(path);
        }
    }
}

/// The sources without their unit tests and without this crate: those hold made-up credentials, addresses and numbers.
fn repository() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found.sort();
    assert!(found.len() > 100, "the sources of the repository");
    let texts = found.iter().map(|path| fs::read_to_string(path).expect("a source is text"));
    texts.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()).collect()
}

fn hexadecimal(rng: &mut Rng, length: usize) -> String {
    drawn(rng, "0123456789abcdef", length)
}

fn uuid(rng: &mut Rng) -> String {
    [8, 4, 4, 4, 12].map(|length| hexadecimal(rng, length)).join("-")
}

fn logs(rng: &mut Rng, lines: usize) -> String {
    let mut text = String::new();
    for line in 0..lines {
        let micros = 1_767_323_045_000_000_u64 + rng.u64(..1_000_000_000);
        let _ = writeln!(
            text,
            "2026-11-21T10:{:02}:{:02}.{:06}Z INFO request={} span={} took={}us bytes={} ts={micros} seq={line} sha256={} etag=\"{}\" port=127.0.0.1:{} v1.{}.{} ratio=0.{}",
            rng.u32(..60),
            rng.u32(..60),
            rng.u32(..1_000_000),
            uuid(rng),
            hexadecimal(rng, 16),
            rng.u32(..1_000_000),
            rng.u64(..10_000_000_000),
            hexadecimal(rng, 64),
            hexadecimal(rng, 32),
            rng.u16(1024..),
            rng.u8(..),
            rng.u8(..),
            rng.u64(..10_000_000_000_000_000),
        );
    }
    text
}

fn image(rng: &mut Rng, length: usize) -> String {
    let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
    format!(
        "{{\"type\":\"image_url\",\"image_url\":{{\"url\":\"data:image/png;base64,{}\"}}}}\n",
        STANDARD.encode(bytes)
    )
}

fn numbers(rng: &mut Rng, lines: usize) -> String {
    (0..lines)
        .map(|line| {
            format!("{line},{},{:.3},{}\n", rng.u32(..), f64::from(rng.u32(..)) / 1e3, 1_767_323_045 + line)
        })
        .collect()
}

fn corpus() -> Vec<(&'static str, String)> {
    let mut rng = Rng::with_seed(11);
    vec![
        ("sources", repository()),
        ("prose", PROSE.repeat(50)),
        ("answers", ANSWER.repeat(100)),
        ("logs", logs(&mut rng, 2_000)),
        ("images", (0..10).map(|_| image(&mut rng, 50_000)).collect()),
        ("numbers", numbers(&mut rng, 10_000)),
    ]
}

#[test]
fn clean_texts_give_at_most_one_alarm_in_100_kilobytes() {
    let detector = TextDetector::new(Selection::all());
    let (mut alarms, mut bytes) = (0, 0);
    for (name, text) in corpus() {
        let mut found = Vec::new();
        detector.scan(&text, |one| found.push((one.kind.label(), text[one.range].to_owned())));
        println!("{name:<8} {:>9} bytes {:>4} alarms", text.len(), found.len());
        for (label, matched) in &found {
            println!("    {label}: {}", matched.chars().take(60).collect::<String>());
        }
        let most = MOST_ALARMS * text.len() as f64 / 1e5;
        assert!(found.len() as f64 <= most.max(1.0), "{name}: {found:?}");
        alarms += found.len();
        bytes += text.len();
    }
    println!("{:.2} alarms in 100 KB of {bytes} bytes", alarms as f64 * 1e5 / bytes as f64);
}
