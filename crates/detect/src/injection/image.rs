//! Images in Markdown whose address carries data out: the reader's program fetches them without asking.

use std::ops::Range;

use super::Signals;

const LONGEST_TITLE: usize = 128;
const LONGEST_ADDRESS: usize = 512;
/// What stands in an address that a model is to fill in.
const TO_FILL_IN: [&str; 5] = ["{", "<", "[", "%7B", "..."];
const CARRIES: [&str; 10] = [
    "data=",
    "secret",
    "token=",
    "prompt=",
    "history=",
    "conversation",
    "context=",
    "leak",
    "exfil",
    "summary=",
];

/// Judges the image whose `](http` stands at `opening`.
pub(super) fn signals(text: &str, opening: Range<usize>, signals: &mut Signals) {
    let from = text.floor_char_boundary(opening.start.saturating_sub(LONGEST_TITLE));
    let title = text.get(from..opening.start).unwrap_or_default();
    let Some(image) = title.rfind("![") else { return };
    let until = text.floor_char_boundary(opening.end.saturating_add(LONGEST_ADDRESS).min(text.len()));
    let address = text.get(opening.end..until).unwrap_or_default();
    let address = address.split([')', '\n', ' ']).next().unwrap_or_default();
    let Some((_, query)) = address.split_once('?') else { return };
    let holds = |words: &[&str]| words.iter().any(|word| query.contains(word));
    let range = from + image..opening.end + address.len();
    if holds(&TO_FILL_IN) {
        signals.add(range, 60, "an image whose address is to be filled in");
    } else if holds(&CARRIES) {
        signals.add(range, 30, "an image whose address carries data");
    }
}
