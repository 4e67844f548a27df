//! Durations and sizes as people write them in flags and files: `250ms`, `10s`, `2h`, `30d`; `512K`, `10M`, `4G`.
//!
//! A duration always has a unit; a size without one is in bytes. Both are whole numbers: `1.5h` is written `90m`.

use std::time::Duration;

/// Units of time in nanoseconds, the largest first.
const DURATIONS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of size in bytes (powers of 1024), the largest first.
const SIZES: [(&str, u64); 5] = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10), ("", 1)];

/// The text is no duration or no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseUnitError {
    /// It does not have the form of a duration.
    #[error("{0:?} is not a duration: write a whole number and its unit, such as 250ms, 10s, 5m, 2h or 30d")]
    Duration(String),
    /// It does not have the form of a size.
    #[error(
        "{0:?} is not a size: write a whole number of bytes, or one with K, M, G or T, such as 512K or 10M"
    )]
    Size(String),
    /// It has the form, and is more than can be kept.
    #[error("{0:?} is out of range: write a smaller number")]
    OutOfRange(String),
}

/// Reads a duration such as `250ms`, `10s`, `5m`, `2h` or `30d` (also `us` and `ns`).
///
/// # Errors
/// The text is not one whole number directly followed by one of the units, or is too large.
pub fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    let refused = || ParseUnitError::Duration(text.to_owned());
    let out_of_range = || ParseUnitError::OutOfRange(text.to_owned());
    let (digits, unit) = split_number(text).ok_or_else(refused)?;
    let (_, nanos_per_unit) = DURATIONS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
    let count: u128 = digits.parse().map_err(|_| out_of_range())?;
    let nanos = count.checked_mul(*nanos_per_unit).ok_or_else(out_of_range)?;
    duration_of_nanos(nanos).ok_or_else(out_of_range)
}

fn duration_of_nanos(nanos: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let fraction = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, fraction))
}

/// Shows a duration in the largest unit that keeps it exact (`90s`, `2m`, `1500us`); [`parse_duration`] reads it back.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let exact = DURATIONS.iter().find(|(_, per_unit)| nanos.is_multiple_of(*per_unit));
    exact.map_or_else(|| format!("{nanos}ns"), |(unit, per_unit)| format!("{}{unit}", nanos / per_unit))
}

/// Reads a size such as `512K`, `10M`, `4G` or `1T` (powers of 1024), or a plain number of bytes.
///
/// # Errors
/// The text is not one whole number, alone or directly followed by one of the units, or is too large.
pub fn parse_size(text: &str) -> Result<u64, ParseUnitError> {
    let refused = || ParseUnitError::Size(text.to_owned());
    let out_of_range = || ParseUnitError::OutOfRange(text.to_owned());
    let (digits, unit) = split_number(text).ok_or_else(refused)?;
    let (_, bytes_per_unit) =
        SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(refused)?;
    let count: u64 = digits.parse().map_err(|_| out_of_range())?;
    count.checked_mul(*bytes_per_unit).ok_or_else(out_of_range)
}

/// Shows a size in the largest unit that keeps it exact (`10M`, `1536K`, `1000`); [`parse_size`] reads it back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let exact = SIZES.iter().find(|(_, per_unit)| bytes != 0 && bytes.is_multiple_of(*per_unit));
    exact.map_or_else(|| bytes.to_string(), |(unit, per_unit)| format!("{}{unit}", bytes / per_unit))
}

/// The leading digits, at least one, and what follows them.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    (!digits.is_empty()).then_some((digits, unit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("30d", 2_592_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "10", "s", "-1s", "1.5h", "10 s", "10S", "1h30m", "10sec", "１0s"] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error, ParseUnitError::Duration(text.to_owned()));
            assert!(error.to_string().contains("250ms"));
        }
        for text in ["999999999999999999999999999d", "400000000000000000000000000000000000000s"] {
            assert_eq!(parse_duration(text), Err(ParseUnitError::OutOfRange(text.to_owned())));
        }
    }

    #[test]
    fn sizes_are_binary_and_plain_numbers_are_bytes() {
        for (text, bytes) in [
            ("512K", 524_288),
            ("10M", 10_485_760),
            ("4G", 4_294_967_296),
            ("1t", 1 << 40),
            ("1000", 1000),
            ("0", 0),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "K", "-1", "1.5M", "10MB", "10 M", "10X"] {
            assert_eq!(parse_size(text), Err(ParseUnitError::Size(text.to_owned())));
        }
        for text in ["99999999999999999999", "99999999T"] {
            assert_eq!(parse_size(text), Err(ParseUnitError::OutOfRange(text.to_owned())));
        }
    }

    #[test]
    fn the_largest_exact_unit_is_shown() {
        for (duration, text) in
            [(90_000, "90s"), (120_000, "2m"), (1_500, "1500ms"), (86_400_000, "1d"), (0, "0s")]
        {
            assert_eq!(format_duration(Duration::from_millis(duration)), text);
        }
        for (bytes, text) in [(0, "0"), (1000, "1000"), (1536, "1536"), (1_572_864, "1536K"), (1 << 30, "1G")]
        {
            assert_eq!(format_size(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn every_duration_is_read_back_as_it_was_shown(seconds: u64, nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn every_size_is_read_back_as_it_was_shown(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
