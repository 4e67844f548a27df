//! Characters that look like the ones a path is built of, or that can't be seen.
//!
//! A program that normalises text (NFKC, or a font's idea of it) may read them as what they look like. The table holds
//! what Unicode 16.0 decomposes to `.`, `/`, `\`, `%`, `:` or `~` (UnicodeData.txt, compatibility mappings), and what
//! UTS #39 lists as confusable with the first three (confusables.txt), without letters of living scripts.

/// What a character does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// So many dots.
    Dots(u8),
    /// It ends a name: `/`, `\`, or what looks like them.
    Separator,
    /// It can't be seen at a name's end.
    Space,
    /// It begins what some servers cut off a name: `;`, `:`, `?`, `#`.
    Delimiter,
    /// It can't be seen at all.
    Invisible,
    /// A part of a name.
    Name,
}

/// Looks like `.`, so many times.
const DOTS: [(char, u8); 12] = [
    ('\u{2024}', 1),
    ('\u{2025}', 2),
    ('\u{2026}', 3),
    ('\u{3002}', 1),
    ('\u{FE12}', 1),
    ('\u{FE19}', 3),
    ('\u{FE30}', 2),
    ('\u{FE52}', 1),
    ('\u{FF0E}', 1),
    ('\u{FF61}', 1),
    ('\u{A4F8}', 1),
    ('\u{A60E}', 1),
];

/// Looks like `/`, `\`, `%`, `:` or `~`: characters that no name needs.
const OTHERS: [char; 20] = [
    '\u{2044}', '\u{2215}', '\u{2571}', '\u{27CB}', '\u{29F8}', '\u{3033}', '\u{FF0F}', '\u{1735}',
    '\u{2F03}', '\u{2216}', '\u{2572}', '\u{27CD}', '\u{29F5}', '\u{29F9}', '\u{FE68}', '\u{FF3C}',
    '\u{FE6A}', '\u{FF05}', '\u{FE55}', '\u{FF1A}',
];

/// What `character` does to a path.
pub(super) fn role(character: char) -> Role {
    match character {
        '.' => Role::Dots(1),
        '/' | '\\' => Role::Separator,
        ';' | ':' | '?' | '#' => Role::Delimiter,
        ' ' => Role::Space,
        ascii if ascii.is_ascii() => Role::Name,
        other => role_beyond_ascii(other),
    }
}

fn role_beyond_ascii(character: char) -> Role {
    if let Some(&(_, dots)) = DOTS.iter().find(|(dot, _)| *dot == character) {
        return Role::Dots(dots);
    }
    if is_lookalike(character) {
        return Role::Separator;
    }
    if is_invisible(character) {
        return Role::Invisible;
    }
    if character.is_whitespace() { Role::Space } else { Role::Name }
}

/// Whether no name needs the character, because it looks like one that a path is built of.
pub(super) fn is_lookalike(character: char) -> bool {
    OTHERS.contains(&character)
}

/// Whether the character changes the order in which others are shown, so that a name looks like another.
pub(super) fn turns_text_around(character: char) -> bool {
    matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Default-ignorable code points: most programs show nothing for them, and some drop them.
fn is_invisible(character: char) -> bool {
    turns_text_around(character)
        || matches!(
            character,
            '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}'
        )
}
