//! Literal replacement: no character of either text means anything but itself.

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};

/// So many places are told where there are too many.
const MOST_PLACES: usize = 5;

/// One replacement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replacement<'a> {
    pub(super) old: &'a str,
    pub(super) new: &'a str,
    pub(super) all: bool,
}

impl Replacement<'_> {
    /// The text with the replacement, and how often it was made; or why not.
    pub(super) fn make(self, text: &str) -> Result<(String, usize), Cow<'static, str>> {
        if self.old.is_empty() {
            return Err("the text to be replaced is empty; to write a new file use fs_write".into());
        }
        if self.old == self.new {
            return Err("both texts are the same, so there is nothing to change".into());
        }
        let places: Vec<usize> = memmem::find_iter(text.as_bytes(), self.old).collect();
        match places.len() {
            0 => Err(self.absent(text)),
            more if more > 1 && !self.all => Err(ambiguous(text, &places)),
            count => Ok((text.replace(self.old, self.new), count)),
        }
    }

    fn absent(self, text: &str) -> Cow<'static, str> {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let old = squeezed(self.old);
        if !old.is_empty() && squeezed(text).contains(&old) {
            return "the text to be replaced is there only with other blanks or line ends; copy it as fs_read gives it"
                .into();
        }
        "the text to be replaced is not in the file; read it again and copy the text as it is".into()
    }
}

fn ambiguous(text: &str, places: &[usize]) -> Cow<'static, str> {
    let line = |place: &usize| {
        let before = text.as_bytes().get(..*place).unwrap_or_default();
        (memchr_iter(b'\n', before).count() + 1).to_string()
    };
    let lines: Vec<_> = places.iter().take(MOST_PLACES).map(line).collect();
    let more = if places.len() > MOST_PLACES { " …" } else { "" };
    format!(
        "the text to be replaced stands there {} times (lines {}{more}); add lines around it until it is one place, or set replace_all",
        places.len(),
        lines.join(", ")
    )
    .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_replaces_means_nothing_but_itself() {
        for new in ["$&", "$$", "$1", "\\1", "$`", "${0}", "&", "%s"] {
            let made = Replacement { old: "A", new, all: false }.make("cost is A or $5").unwrap();
            assert_eq!(made, (format!("cost is {new} or $5"), 1));
        }
    }

    #[test]
    fn what_is_replaced_means_nothing_but_itself() {
        let made = Replacement { old: ".*", new: "x", all: false }.make("a.*b").unwrap();
        assert_eq!(made.0, "axb");
    }

    #[test]
    fn more_than_one_place_takes_a_wish_for_all() {
        let once = Replacement { old: "a", new: "b", all: false };
        let said = once.make("a\na\nxa").unwrap_err();
        assert!(said.contains("3 times (lines 1, 2, 3)"), "{said}");
        assert_eq!(Replacement { all: true, ..once }.make("a\na\nxa").unwrap(), ("b\nb\nxb".to_owned(), 3));
        let said = once.make(&"a".repeat(9)).unwrap_err();
        assert!(said.contains("(lines 1, 1, 1, 1, 1 …)"), "{said}");
    }

    #[test]
    fn what_is_wrong_with_a_replacement_is_said() {
        for (old, new, text, expected) in [
            ("", "b", "text", "is empty"),
            ("a", "a", "a", "both texts are the same"),
            ("absent", "b", "text", "is not in the file"),
            ("fn a() {\n\tx", "b", "fn a() {\n    x", "only with other blanks"),
        ] {
            let said = Replacement { old, new, all: false }.make(text).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }

    proptest! {
        #[test]
        fn replacing_back_gives_the_text_again(before in "[a-z\\n]{0,40}", new in "\\PC{1,20}", after in "[a-z\\n]{0,40}") {
            let text = format!("{before}\u{1}{after}");
            prop_assume!(!before.contains(&*new) && !after.contains(&*new));
            let there = Replacement { old: "\u{1}", new: &new, all: false }.make(&text).unwrap().0;
            prop_assert_eq!(&there, &format!("{before}{new}{after}"));
        }
    }
}
