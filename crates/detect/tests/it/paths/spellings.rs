//! Every spelling of "upwards" that is known, in every combination.

use proptest::prelude::*;
use seawall_types::Effect;

use super::Place;

const DOTS: [&str; 20] = [
    ".",
    "%2e",
    "%2E",
    "%252e",
    "%25252e",
    "%c0%ae",
    "%c0%2e",
    "%e0%80%ae",
    "%f0%80%80%ae",
    "%u002e",
    "%uff0e",
    "\u{FF0E}",
    "\u{2024}",
    "\u{3002}",
    "0x2e",
    "0x2E",
    "&#46;",
    "&#x2e;",
    "%%32%65",
    ".\u{200B}",
];

const SEPARATORS: [&str; 27] = [
    "/",
    "\\",
    "//",
    "/./",
    "\\/",
    "%2f",
    "%2F",
    "%5c",
    "%252f",
    "%255c",
    "%25252f",
    "%c0%af",
    "%c1%9c",
    "%e0%80%af",
    "%u2215",
    "%u2216",
    "\u{2215}",
    "\u{FF0F}",
    "\u{2044}",
    "\u{FF3C}",
    "0x2f",
    "0x5c",
    "&#47;",
    "%00/",
    " /",
    ";/",
    "%20/",
];

const BEFORE: [&str; 9] = ["", "a/", "./", "/", "sub/", "file://", "a/b/c/", "images%2f", " "];

const AFTER: [&str; 4] = ["etc/passwd", "", "beside/secret", "windows\\win.ini"];

#[test]
fn no_spelling_of_upwards_passes() {
    let place = Place::new();
    let rules = place.rules();
    let mut tried = 0;
    for dot in DOTS {
        for separator in SEPARATORS {
            for depth in [1, 2, 5, 8] {
                let up = format!("{dot}{dot}{separator}").repeat(depth);
                for (before, after) in BEFORE.iter().flat_map(|before| AFTER.map(|after| (before, after))) {
                    let written = format!("{before}{up}{after}");
                    let judged = rules.judge(Effect::FsRead, &written);
                    assert!(!judged.found.is_empty(), "{written:?} passed, as {:?}", judged.resolved);
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 20 * 27 * 4 * 9 * 4);
}

proptest! {
    /// Whatever the text: it is refused, or it leads into the root.
    #[test]
    fn what_passes_leads_inside(written in r"(\.|/|\.\.|%2e|%2f|%25|\\|~|sub|file|[ -~]|\PC){0,12}") {
        let place = Place::new();
        let judged = place.rules().judge(Effect::FsWrite, &written);
        if judged.found.is_empty() {
            let root = std::fs::canonicalize(place.inside("")).unwrap();
            prop_assert!(judged.resolved.is_some_and(|path| path.starts_with(&root)), "{written:?}");
        }
    }
}
