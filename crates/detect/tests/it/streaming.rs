//! However a text is cut, what leaves is what would have left of the whole, and no byte of a match leaves.

use fastrand::Rng;
use proptest::prelude::*;
use seawall_detect::{Kind, PiiKind, PiiKinds, Selection, TextDetector};

use crate::samples::{drawn, jwt, near_misses, pem, positives};

/// Cases of the property, each with four selections and two splits.
const CASES: u32 = 10_000;

/// The redactor's output for a text that comes in these pieces; checks after each piece that nothing left too early.
fn redacted(detector: &TextDetector, pieces: &[&str], whole: &str) -> String {
    let mut redactor = detector.redactor();
    let mut out = String::new();
    for piece in pieces {
        redactor.push(detector, piece, &mut out);
        assert!(whole.starts_with(&out), "left too early:\n{out:?}\n{whole:?}\n{pieces:?}");
    }
    redactor.finish(detector, &mut out);
    assert_eq!(redactor.held(), 0);
    out
}

fn whole(detector: &TextDetector, text: &str) -> String {
    detector.redact(text).unwrap_or_else(|| text.to_owned())
}

fn cut<'a>(text: &'a str, cuts: &[prop::sample::Index]) -> Vec<&'a str> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.retain(|place| text.is_char_boundary(*place));
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn characters(text: &str) -> Vec<&str> {
    text.char_indices().map(|(at, character)| &text[at..at + character.len_utf8()]).collect()
}

fn selections() -> [Selection; 4] {
    let secrets = Selection { secrets: true, ..Selection::default() };
    let numbers: PiiKinds = PiiKind::ALL.iter().copied().filter(|kind| *kind != PiiKind::Email).collect();
    [
        Selection::all(),
        secrets,
        Selection { pii: numbers, ..secrets },
        Selection { pii: PiiKinds::all(), ..Selection::default() },
    ]
}

/// Pieces that begin, break off, end and overlap matches.
fn fragment() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        " ",
        "\n",
        ":",
        "=",
        "\"",
        "'",
        ".",
        ",",
        "-",
        "--",
        "-----",
        "_",
        "@",
        "+",
        "(",
        ")",
        "/",
        "://",
        "\\",
        "\\n",
        "%3D",
        "é",
        "你好",
        "🙂",
        "sk-",
        "sk-ant-",
        "sk-proj-",
        "ghp_",
        "github_pat_",
        "AKIA",
        "AIza",
        "SG.",
        "SK",
        "eyJ",
        "dapi",
        "xoxb-",
        "npm_",
        "AGE-SECRET-KEY-1",
        "password",
        "api_key",
        "token",
        "Authorization",
        "Bearer ",
        "AccountKey",
        "secret_access_key",
        "phone ",
        "ssn ",
        "version ",
        "-----BEGIN ",
        "PRIVATE KEY",
        "-----END ",
        "RSA ",
        "hooks.slack.com/services/",
        "https",
        "DE",
        "GB",
        "example.com",
        "a.b",
        "2001:",
        "::",
        "fe80",
        "127.0.0.1",
        "93.184.216.34",
        "415",
        "555",
        "2671",
        "4111",
        "1111",
        "eyJhbGciOiJIUzI1NiJ9",
        "e",
        "ey",
        "s",
        "sk",
        "g",
        "gh",
        "A",
        "AI",
        "1",
        "12",
    ]);
    prop_oneof![
        4 => words.prop_map(str::to_owned),
        2 => any::<u64>().prop_map(|seed| {
            let samples = positives(&mut Rng::with_seed(seed));
            let sample = &samples[Rng::with_seed(seed ^ 1).usize(..samples.len())];
            sample.text()
        }),
        1 => any::<u64>().prop_map(|seed| {
            let texts = near_misses(&mut Rng::with_seed(seed));
            texts[Rng::with_seed(seed ^ 1).usize(..texts.len())].clone()
        }),
        1 => "[A-Za-z0-9+/=_.-]{1,60}",
        1 => "[0-9 .()-]{1,30}",
        1 => any::<String>(),
    ]
}

fn text_and_cuts() -> impl Strategy<Value = (String, Vec<prop::sample::Index>)> {
    let text = prop::collection::vec(fragment(), 1..12).prop_map(|fragments| fragments.concat());
    (text, prop::collection::vec(any::<prop::sample::Index>(), 0..24))
}

fn no_split_makes_a_difference(text: &str, cuts: &[prop::sample::Index]) {
    for selection in selections() {
        let detector = TextDetector::new(selection);
        let wanted = whole(&detector, text);
        assert_eq!(redacted(&detector, &cut(text, cuts), &wanted), wanted);
        assert_eq!(redacted(&detector, &characters(text), &wanted), wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_split_gives_what_the_whole_gives((text, cuts) in text_and_cuts()) {
        no_split_makes_a_difference(&text, &cuts);
    }
}

#[test]
fn every_sample_is_taken_out_however_it_is_cut() {
    let detector = TextDetector::new(Selection::all());
    for sample in positives(&mut Rng::with_seed(7)) {
        let text = sample.text();
        let wanted = format!("{}{}{}", sample.before, sample.kind.mark(), sample.after);
        assert_eq!(whole(&detector, &text), wanted);
        assert_eq!(redacted(&detector, &characters(&text), &wanted), wanted);
        for (at, _) in text.char_indices() {
            assert_eq!(redacted(&detector, &[&text[..at], &text[at..]], &wanted), wanted);
        }
    }
}

#[test]
fn a_card_over_twenty_deltas_is_taken_out() {
    let detector = TextDetector::new(Selection::all());
    let text = "card 4111 1111 1111 1111 ok";
    let pieces = characters(text);
    assert!(pieces.len() >= 20);
    assert_eq!(redacted(&detector, &pieces, "card [REDACTED:card] ok"), "card [REDACTED:card] ok");
}

#[test]
fn text_that_can_begin_nothing_leaves_at_once() {
    let detector = TextDetector::new(Selection::all());
    for text in ["Hello, ", "你好。", "end.\n", "a - b ", "{ x } ", "\"quoted\" "] {
        let (mut redactor, mut out) = (detector.redactor(), String::new());
        assert_eq!(redactor.push(&detector, text, &mut out), None);
        assert_eq!((out.as_str(), redactor.held()), (text, 0));
    }
    // Without addresses to look for, a word leaves with its last letter, unless a key begins like it.
    let detector = TextDetector::new(Selection { secrets: true, ..Selection::default() });
    for (text, held) in
        [("Hello", 0), ("the", 1), ("disk", 2), (" sk", 2), ("12", 0), ("x.", 0), ("github", 6)]
    {
        let (mut redactor, mut out) = (detector.redactor(), String::new());
        redactor.push(&detector, text, &mut out);
        assert_eq!(redactor.held(), held, "{text}");
    }
}

#[test]
fn the_kind_is_told_as_soon_as_it_is_certain() {
    let detector = TextDetector::new(Selection::all());
    let (mut redactor, mut out) = (detector.redactor(), String::new());
    assert_eq!(redactor.push(&detector, "mail bob@example.com", &mut out), None);
    assert_eq!(out, "mail ");
    assert_eq!(redactor.push(&detector, " and", &mut out), Some(Kind::Email));
    assert_eq!(out, "mail [REDACTED:email] ");
    assert_eq!(redactor.finish(&detector, &mut out), None);
    assert_eq!(out, "mail [REDACTED:email] and");
}

#[test]
fn a_private_key_of_any_length_is_swallowed_without_being_kept() {
    let detector = TextDetector::new(Selection::all());
    let text = pem(&mut Rng::with_seed(3), "RSA PRIVATE KEY", 20_000, "\n") + "\nafter";
    let (mut redactor, mut out, mut most) = (detector.redactor(), String::new(), 0);
    for piece in text.as_bytes().chunks(64).map(|piece| std::str::from_utf8(piece).expect("ASCII")) {
        redactor.push(&detector, piece, &mut out);
        most = most.max(redactor.held());
    }
    redactor.finish(&detector, &mut out);
    assert_eq!(out, "[REDACTED:private_key]\nafter");
    assert!(most < 256, "{most}");
}

#[test]
fn a_private_key_that_is_cut_off_is_not_shown() {
    let detector = TextDetector::new(Selection::all());
    let key = pem(&mut Rng::with_seed(4), "PRIVATE KEY", 8, "\n");
    for kept in [80, 200, 300] {
        let cut_off = &key[..kept];
        assert_eq!(
            redacted(&detector, &characters(cut_off), "[REDACTED:private_key]"),
            "[REDACTED:private_key]"
        );
    }
}

#[test]
fn a_token_past_every_bound_is_swallowed_to_its_end() {
    let detector = TextDetector::new(Selection::all());
    let token = jwt(&mut Rng::with_seed(5), 100_000);
    let text = format!("see {token} end");
    let (mut redactor, mut out, mut most) = (detector.redactor(), String::new(), 0);
    for piece in characters(&text) {
        redactor.push(&detector, piece, &mut out);
        most = most.max(redactor.held());
    }
    redactor.finish(&detector, &mut out);
    assert_eq!(out, "see [REDACTED:jwt] end");
    assert!(most <= 17 * 1024, "{most}");
    assert_eq!(whole(&detector, &text), out);
}

#[test]
fn a_value_past_every_bound_is_swallowed_to_its_end() {
    let detector = TextDetector::new(Selection::all());
    let mut rng = Rng::with_seed(6);
    let long = drawn(&mut rng, "abcdefghijklmnopqrstuvwxyz0123456789", 5_000);
    for (text, wanted) in [
        (format!("api_key=\"{long}\" x"), "api_key=\"[REDACTED:secret]\" x"),
        (format!("sk-ant-{long} x"), "[REDACTED:anthropic_key] x"),
        (format!("postgres://app:{long}@db/x"), "postgres://[REDACTED:connection_credentials]/x"),
        (format!("Authorization: Bearer {long}\n"), "Authorization: Bearer [REDACTED:authorization]\n"),
        (format!("a@{long}.com"), "a@"),
    ] {
        let out = redacted(&detector, &characters(&text), &whole(&detector, &text));
        assert!(out == wanted || (wanted == "a@" && out == text), "{out}");
    }
}

#[test]
fn a_redactor_can_begin_anew_after_the_end() {
    let detector = TextDetector::new(Selection::all());
    let (mut redactor, mut out) = (detector.redactor(), String::new());
    redactor.push(&detector, "password=", &mut out);
    redactor.finish(&detector, &mut out);
    redactor.push(&detector, "hunter2hunter", &mut out);
    redactor.finish(&detector, &mut out);
    assert_eq!(out, "password=hunter2hunter");
}

#[test]
fn what_is_held_is_never_printed() {
    let detector = TextDetector::new(Selection::all());
    let mut redactor = detector.redactor();
    redactor.push(&detector, "password=hunter2", &mut String::new());
    assert!(!format!("{redactor:?}").contains("hunter2"));
}
