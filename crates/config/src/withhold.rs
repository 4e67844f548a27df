//! Takes values that came by reference out of what is said about them.
//!
//! Who quotes a value may have cut it, trimmed it, taken one item of it or changed its case. So it is not looked for as a
//! whole: whatever a text shares with it is taken out, and what was written in the file stands in its place. It is meant for
//! errors, not for text that comes often.

use std::collections::HashSet;

use super::node::Node;

/// So many bytes in a row, both have by chance only where both say something general.
const SHARED: usize = 6;

/// The text, in which values at `about` and below it that came by reference stand as they were written (`${NAME}`). Pieces of
/// them that are shorter than six bytes are found in quotes alone.
pub(crate) fn from(text: &str, about: &Node) -> String {
    let mut referred = Vec::new();
    about.referred(&mut referred);
    referred.iter().fold(text.to_owned(), |text, (value, written)| without(&text, value, written))
}

fn without(text: &str, value: &str, written: &str) -> String {
    // As it is, and as it is quoted.
    let forms = [value.to_ascii_lowercase(), value.escape_debug().to_string().to_ascii_lowercase()];
    let windows: HashSet<&[u8]> = forms.iter().flat_map(|form| form.as_bytes().windows(SHARED)).collect();
    // Has the length of the text, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let mut is_taken = vec![false; text.len()];
    let mut take = |from: usize, length: usize| {
        if let Some(taken) = is_taken.get_mut(from..from + length) {
            taken.fill(true);
        }
    };
    for (at, window) in lower.as_bytes().windows(SHARED).enumerate() {
        if windows.contains(window) {
            take(at, SHARED);
        }
    }
    for (at, quoted) in quotations(&lower) {
        if forms.iter().any(|form| form.contains(quoted)) {
            take(at, quoted.len());
        }
    }
    let mut rest = String::with_capacity(text.len());
    let mut was_taken = false;
    for (at, character) in text.char_indices() {
        let taken = is_taken.iter().skip(at).take(character.len_utf8()).any(|taken| *taken);
        if !taken {
            rest.push(character);
        } else if !was_taken {
            rest.push_str(written);
        }
        was_taken = taken;
    }
    rest
}

/// What stands between quotation marks of one kind, and where it begins. Nothing is known of which mark opens, so what stands
/// between two quotations is among them.
fn quotations(text: &str) -> impl Iterator<Item = (usize, &str)> {
    ['"', '`', '\''].into_iter().flat_map(move |mark| {
        let marks: Vec<usize> = text.match_indices(mark).map(|(at, _)| at).collect();
        let between = move |pair: &[usize]| {
            let &[open, close] = pair else { return None };
            text.get(open + 1..close)
                .filter(|quoted| !quoted.trim().is_empty())
                .map(|quoted| (open + 1, quoted))
        };
        marks.windows(2).filter_map(between).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_back(text: &str, value: &str) -> String {
        without(text, value, "${X}")
    }

    #[test]
    fn a_value_is_shown_as_it_was_written_however_it_is_quoted() {
        let long = "0123456789".repeat(10);
        for (text, value, expected) in [
            ("\"hunter2\" is no level", "hunter2", "\"${X}\" is no level"),
            ("`hunter2` is no host", "hunter2", "`${X}` is no host"),
            ("hunter2: No such file", "hunter2", "${X}: No such file"),
            ("a/hunter2/b: No such file", "hunter2", "a/${X}/b: No such file"),
            ("\"hunter2\" is none", "EdDSA,hunter2", "\"${X}\" is none"),
            ("\"hunter2\" is none", " hunter2 ", "\"${X}\" is none"),
            ("\"hunter2\" is none", "HUNTER2", "\"${X}\" is none"),
            ("\"HUNTER2\" is none", "hunter2", "\"${X}\" is none"),
            ("\"two\\nlines\" are none", "two\nlines", "\"${X}\" are none"),
            ("\"\u{e9}t\u{e9}s d'\u{e9}t\u{e9}\"", "\u{e9}t\u{e9}s d'\u{e9}t\u{e9}", "\"${X}\""),
            ("\"a\" or \"b\"", "b", "\"a\" or \"${X}\""),
            (&format!("\"{}\"\u{2026} is none", &long[..60]), &long, "\"${X}\"\u{2026} is none"),
        ] {
            assert_eq!(kept_back(text, value), expected, "{text} of {value}");
        }
    }

    #[test]
    fn what_is_not_of_the_value_stays() {
        for (text, value) in [
            ("expected a number, found text", "numb"),
            ("there is no \"fast\"", "slow"),
            ("", "hunter2"),
            ("\"\" is none", "hunter2"),
            ("no words", ""),
        ] {
            assert_eq!(kept_back(text, value), text, "{value}");
        }
    }
}
