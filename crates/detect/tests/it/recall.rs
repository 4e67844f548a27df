//! What is found, and what is not.

use std::collections::BTreeMap;

use fastrand::Rng;
use seawall_detect::{Kind, Match, PiiKind, PiiKinds, Selection, TextDetector};
use seawall_types::Code;

use crate::samples::{near_misses, positives};

const ROUNDS: u64 = 50;

fn found(detector: &TextDetector, text: &str) -> Vec<Match> {
    let mut found = Vec::new();
    detector.scan(text, |one| found.push(one));
    found
}

#[test]
fn every_form_of_every_kind_is_found_at_its_exact_place() {
    let detector = TextDetector::new(Selection::all());
    let mut table: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for round in 0..ROUNDS {
        for sample in positives(&mut Rng::with_seed(round)) {
            let start = sample.before.len();
            let wanted = Match { range: start..start + sample.matched.len(), kind: sample.kind };
            let matches = found(&detector, &sample.text());
            let (hits, all) = table.entry(sample.kind.label()).or_default();
            *all += 1;
            if matches == [wanted] {
                *hits += 1;
            } else {
                missed.push((sample, matches));
            }
        }
    }
    for (label, (hits, all)) in &table {
        println!("{label:<24} {hits:>5} of {all:>5}");
    }
    // Of drawn values, some are no more varied than words are: fewer than one in 200.
    let drawn_low = missed.iter().all(|(sample, _)| sample.kind == Kind::NamedSecret);
    assert!(
        drawn_low && missed.len() * 200 < 50 * positives(&mut Rng::with_seed(0)).len(),
        "{:#?}",
        &missed[..missed.len().min(8)]
    );
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Injection);
    assert!(kinds.clone().all(|kind| table.contains_key(kind.label())), "every kind has samples");
}

#[test]
fn what_nearly_is_one_is_not_found() {
    let detector = TextDetector::new(Selection::all());
    for round in 0..ROUNDS {
        for text in near_misses(&mut Rng::with_seed(round)) {
            assert_eq!(found(&detector, &text), [], "{text}");
            let within = format!("see: {text} and so on");
            assert_eq!(found(&detector, &within), [], "{within}");
        }
    }
}

#[test]
fn only_what_is_selected_is_found() {
    for round in 0..5 {
        for sample in positives(&mut Rng::with_seed(round)) {
            let secrets = TextDetector::new(Selection { secrets: true, ..Selection::default() });
            let matches = found(&secrets, &sample.text());
            assert!(matches.iter().all(|one| one.kind.code() == Code::SecretFound), "{sample:?}");
            for kind in PiiKind::ALL.iter().copied() {
                let pii = PiiKinds::none().with(kind);
                let one_kind = TextDetector::new(Selection { pii, ..Selection::default() });
                let matches = found(&one_kind, &sample.text());
                assert!(matches.iter().all(|one| one.kind.label() == kind.as_str()), "{kind:?} {sample:?}");
                // `app:password@db.internal` holds what looks like an address, where nobody looks for passwords; and one
                // in ten numbers of accounts ends in what looks like a card.
                let expected = !matches!(sample.kind, Kind::Connection | Kind::Iban) || kind == PiiKind::Iban;
                assert!(
                    !expected || matches.is_empty() == (sample.kind.label() != kind.as_str()),
                    "{kind:?} {sample:?} {matches:?}"
                );
            }
        }
    }
    assert_eq!(found(&TextDetector::new(Selection::default()), "a@b.example"), []);
}

#[test]
fn a_key_is_found_behind_escapes_and_encodings_and_not_within_words() {
    let detector = TextDetector::new(Selection::all());
    let key = "sk-1234567890".to_owned() + "abcdefghijklmnop";
    for before in ["\\n", "\\t", "%3D", "\\x0a", "\\u000a", "\"", "`", "é", ":", "https://host/?k="] {
        let text = format!("line{before}{key}");
        let matches = found(&detector, &text);
        assert!(matches.iter().any(|one| text[one.range.clone()] == key), "{text} {matches:?}");
    }
    assert_eq!(found(&detector, &format!("ri{key}")), []);
}

#[test]
fn what_the_corpora_found_missing_is_found() {
    let detector = TextDetector::new(Selection::all());
    let begins_with_slash = "/neyXUCowPESc6N7tWoAP9S2FbECTjQaOWz3g2Qk".to_owned();
    for (kind, before, matched, after) in [
        (Kind::AwsSecretKey, "aws_secret_access_key=", begins_with_slash.as_str(), "\n"),
        (Kind::Connection, "postgres://", "app:correct#7Fe518", "@db.acme.dev:5432/app"),
        (Kind::ServiceToken, "key ", "sk-lf-fa057507-056a-9d37-4330-4d5ddcb52986", ""),
        (Kind::ServiceToken, "k=", "shippo_live_2BB6d3cf8cdAaEc1D78536E6e034ab6C94fe1c6f", "&b"),
        (Kind::Phone, "call me at ", "0467433478", " today"),
        (Kind::Phone, "Phone:\n", "(0306) 9990041", ""),
        (Kind::Phone, "Fax: ", "03 73 34 61 93", "."),
        (Kind::Phone, "tel. ", "0044 20 8361 2345", ""),
        (Kind::Phone, "or ", "+1-346-795-4614x8556", "."),
    ] {
        let text = format!("{before}{matched}{after}");
        let wanted = Match { range: before.len()..before.len() + matched.len(), kind };
        assert_eq!(found(&detector, &text), [wanted], "{text}");
    }
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "see §4.2.3.1 and version 3.5.0.1",
        "use 8.8.8.8 or 1.1.1.1",
        "room 0467433478",
        "shpat_abcdefghijklmnopqrstuvwxyzabcdef",
        "https://host:8080?mail=a",
    ] {
        assert_eq!(found(&detector, text), [], "{text}");
    }
}

#[test]
fn kinds_have_names_that_lead_back_to_them() {
    for kind in PiiKind::ALL {
        assert_eq!(PiiKind::parse(kind.as_str()), Some(*kind));
    }
    assert_eq!(PiiKind::parse("nose"), None);
}

#[test]
fn a_finding_does_not_hold_what_was_found() {
    for kind in Kind::ALL {
        let found = kind.found();
        assert_eq!((found.code, found.severity), (kind.code(), kind.severity()));
        assert!(found.message.contains(kind.what()));
    }
}

#[test]
fn a_match_is_found_wherever_in_a_text_it_stands() {
    let detector = TextDetector::new(Selection::all());
    for sample in positives(&mut Rng::with_seed(9)) {
        let alone = found(&detector, &sample.text());
        for lead in 0..130 {
            let text = format!("{}\n{}", "a ".repeat(lead), sample.text());
            let moved: Vec<_> = found(&detector, &text)
                .into_iter()
                .map(|one| Match {
                    range: one.range.start - 2 * lead - 1..one.range.end - 2 * lead - 1,
                    ..one
                })
                .collect();
            assert_eq!(moved, alone, "{lead}: {}", sample.text());
        }
    }
}
