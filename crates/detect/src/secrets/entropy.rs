//! How random a value looks, and whether it only stands for one.

use std::sync::LazyLock;

/// Shannon's entropy of the bytes, in bits a byte. Zero for nothing.
///
/// With `n` bytes of which each stands `c` times, `-Σ c/n · log2(c/n)` over the distinct bytes is
/// `log2(n) - Σ c·log2(c) / n`. The sum is made on the way: a byte that comes for another time adds what its count makes it
/// grow by, out of a table, and one that stands once adds nothing.
pub(super) fn bits_per_byte(value: &[u8]) -> f64 {
    let growth = &*GROWTH;
    let mut counts = [0_u16; 256];
    let mut sum = 0.0;
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            sum += growth.get(usize::from(*count)).copied().unwrap_or_default();
            *count = count.saturating_add(1);
        }
    }
    let length = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX).max(1));
    length.log2() - sum / length
}

/// By how much `c·log2(c)` grows with the next byte that is the same; for more than keys have it stays as it is, so that the
/// entropy comes out too high rather than too low.
static GROWTH: LazyLock<[f64; 512]> = LazyLock::new(|| {
    let weight = |count: u32| if count == 0 { 0.0 } else { f64::from(count) * f64::from(count).log2() };
    std::array::from_fn(|count| u32::try_from(count).map_or(0.0, |count| weight(count + 1) - weight(count)))
});

/// Whether the characters vary as those of a key do, and those of `xxxx…` and `0000…` do not.
///
/// Keys have 3 bits a character or more, drawn from whatever alphabet; what is made of five characters has 2.3 at most.
pub(super) fn is_varied(value: &[u8]) -> bool {
    const LEAST_BITS: f64 = 2.33;
    bits_per_byte(value) >= LEAST_BITS
}

/// What stands where a secret is to be put.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 19] = [
        b"example",
        b"your",
        b"changeme",
        b"change_me",
        b"change-me",
        b"placeholder",
        b"redacted",
        b"dummy",
        b"xxxx",
        b"****",
        b"....",
        b"todo",
        b"insert",
        b"replace",
        b"sample",
        b"-here",
        b"_here",
        b"${",
        b"{{",
    ];
    let foreign = matches!(value, [b'$' | b'%' | b'{' | b'<' | b'[' | b'(' | b'*', ..]);
    foreign || (0..value.len()).any(|at| value.get(at..).is_some_and(|rest| begins_with_one(rest, &WORDS)))
}

/// Whether the bytes begin with one of the words, in whatever case. Most bytes begin none, which the first two say.
fn begins_with_one(rest: &[u8], words: &[&[u8]]) -> bool {
    let begins = |word: &&[u8]| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let Some(&[first, second]) = rest.first_chunk::<2>() else { return false };
    let two = [first.to_ascii_lowercase(), second.to_ascii_lowercase()];
    let may_begin = matches!(
        &two,
        b"ex"
            | b"yo"
            | b"ch"
            | b"pl"
            | b"re"
            | b"du"
            | b"xx"
            | b"**"
            | b".."
            | b"to"
            | b"in"
            | b"sa"
            | b"-h"
            | b"_h"
            | b"${"
            | b"{{"
    );
    may_begin && words.iter().any(begins)
}

/// Whether a value looks drawn at random: long enough, digits among letters, and as varied as its alphabet asks for.
///
/// The bounds: random hexadecimal digits have 4 bits each, of which 16 show about 3.1 and 32 about 3.6; random base64 has
/// 6, of which 16 show about 3.7 and 40 about 4.8. Words and identifiers stay below 3.5 or have no digits.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let hexadecimal = value.iter().all(u8::is_ascii_hexdigit);
    let least = match (hexadecimal, value.len()) {
        (_, ..16) => return false,
        (true, _) => 2.6,
        (false, 16..20) => 3.1,
        (false, _) => 3.4,
    };
    value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && bits_per_byte(value) >= least
}

/// Whether a value is what people choose for a password: eight characters of more than one class.
pub(super) fn looks_like_a_password(value: &[u8]) -> bool {
    let digit = value.iter().any(u8::is_ascii_digit);
    let letter = value.iter().any(u8::is_ascii_alphabetic);
    let sign = value.iter().any(|byte| b"!@#$%^*?~+=".contains(byte));
    value.len() >= 8 && letter && (digit || sign) && bits_per_byte(value) >= 2.3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_shannons() {
        for (value, bits) in
            [(&b""[..], 0.0), (b"aaaa", 0.0), (b"aabb", 1.0), (b"abcd", 2.0), (b"aaab", 0.811_278)]
        {
            assert!((bits_per_byte(value) - bits).abs() < 1e-6, "{value:?}: {}", bits_per_byte(value));
        }
        let every: Vec<u8> = (0..=255).collect();
        assert!((bits_per_byte(&every) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn randomness_is_told_from_words() {
        for value in ["f3a9c17e0b5d4826", "wJalrXUtnFEMIK7MDENGbPxRfiCY9K", "a8Fk2LpQ9zXc7VbN"] {
            assert!(looks_random(value.as_bytes()), "{value}");
        }
        for value in ["a8Fk2Lp", "configuration_value", "aaaaaaaaaaaaaaaaaaa1", "12345678901234567890"] {
            assert!(!looks_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_placeholder_is_no_secret() {
        for value in
            ["your-key-here", "xxxxxxxxxxxx1", "${DB_PASSWORD}", "example-12345", "ChangeMe123", "<token>"]
        {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"Tr0ub4dor&3"));
        for word in [
            "a-example",
            "1your",
            "2todo",
            "3insert",
            "4sample",
            "5replace",
            "6_here",
            "7-here",
            "8{{",
            "9....",
            "0dummy",
        ] {
            assert!(is_placeholder(word.as_bytes()), "{word}");
        }
    }
}
