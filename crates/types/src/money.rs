//! Money and tokens: integers, checked.
//!
//! A pico-dollar is 10⁻¹² US dollars. Cached prompt tokens cost fractions of a nano-dollar, so nothing coarser is
//! exact; no float takes part in any decision about money.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const PICOS_PER_USD: u128 = 1_000_000_000_000;

/// A count of tokens.
pub type Tokens = u64;

/// An amount of US dollars that is never negative, in pico-dollars.
///
/// Shown and serialised as an exact decimal with at least six places (`"0.001350"`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(u128);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anybody has.
    pub const MAX: Self = Self(u128::MAX);

    /// From pico-dollars.
    #[must_use]
    pub const fn from_picos(picos: u128) -> Self {
        Self(picos)
    }

    /// In pico-dollars.
    #[must_use]
    pub const fn as_picos(self) -> u128 {
        self.0
    }

    /// The sum, or `None` when it is out of range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(picos) => Some(Self(picos)),
            None => None,
        }
    }

    /// The sum; the largest amount when it is out of range, which no limit allows.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; nothing when `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This price for each of `count` things; the largest amount when that is out of range.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count as u128))
    }

    /// How many things of `price` this pays for; `None` when they are free.
    #[must_use]
    pub fn buys(self, price: Self) -> Option<u64> {
        self.0.checked_div(price.0).map(|count| u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// For metrics only, where a float is the format: never decide with it.
    #[must_use]
    pub fn as_f64_for_metrics(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let picos = self.0 as f64;
        picos / 1e12
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0 / PICOS_PER_USD;
        // Below 10^12; in half the width each division is one instruction.
        let mut fraction = u64::try_from(self.0 % PICOS_PER_USD).unwrap_or_default();
        let mut places = 12;
        while places > 6 && fraction.is_multiple_of(10) {
            (places, fraction) = (places - 1, fraction / 10);
        }
        write!(f, "{whole}.{fraction:0places$}")
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

/// The text is not an amount of dollars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseUsdError {
    /// It is below zero.
    #[error("{0:?} is negative; an amount of dollars is zero or more")]
    Negative(String),
    /// It has digits below the pico-dollar, or is too large.
    #[error("{0:?} can't be kept exactly: at most 12 decimals and 26 digits before them")]
    OutOfRange(String),
    /// It is no decimal number.
    #[error("{0:?} is not an amount of dollars like 10 or 0.25")]
    NotANumber(String),
}

impl FromStr for Usd {
    type Err = ParseUsdError;

    /// Reads a plain or scientific decimal (`10`, `0.25`, `2.5e-07`), with or without a leading `$`, exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('$').unwrap_or(text);
        if number.starts_with('-') {
            return Err(ParseUsdError::Negative(text.to_owned()));
        }
        let parts = Decimal::parse(number).ok_or_else(|| ParseUsdError::NotANumber(text.to_owned()))?;
        parts.picos().map(Self).ok_or_else(|| ParseUsdError::OutOfRange(text.to_owned()))
    }
}

/// The digits of a decimal number and where its point stands.
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    fn parse(number: &str) -> Option<Self> {
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some(Self { digits, exponent: i32::from(exponent) - i32::try_from(fraction.len()).ok()? })
    }

    /// The value in units of 10⁻¹², when that is whole and in range.
    fn picos(&self) -> Option<u128> {
        let digits = self.digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Some(0);
        }
        let dropped_zeros = i32::try_from(digits.len() - significant.len()).ok()?;
        let shift = u32::try_from(self.exponent + dropped_zeros + 12).ok()?;
        significant.parse::<u128>().ok()?.checked_mul(10_u128.checked_pow(shift)?)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Money and tokens together: what a reservation holds and what a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Amount {
    /// The money.
    pub usd: Usd,
    /// The tokens.
    pub tokens: Tokens,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { usd: Usd::ZERO, tokens: 0 };

    /// Both sums, at most the largest representable.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self { usd: self.usd.saturating_add(other.usd), tokens: self.tokens.saturating_add(other.tokens) }
    }

    /// Both differences, at least nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self { usd: self.usd.saturating_sub(other.usd), tokens: self.tokens.saturating_sub(other.tokens) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_exactly_with_at_least_six_places() {
        for (picos, text) in [
            (0, "0.000000"),
            (1_350_000_000, "0.001350"),
            (12_500, "0.0000000125"),
            (1, "0.000000000001"),
            (100 * PICOS_PER_USD, "100.000000"),
        ] {
            assert_eq!(Usd(picos).to_string(), text);
            assert_eq!(text.parse(), Ok(Usd(picos)));
        }
    }

    #[test]
    fn decimals_are_read_exactly() {
        for (text, picos) in [
            ("10", 10 * PICOS_PER_USD),
            ("$0.25", PICOS_PER_USD / 4),
            ("2.5e-07", 250_000),
            ("1E3", 1000 * PICOS_PER_USD),
        ] {
            assert_eq!(text.parse(), Ok(Usd(picos)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_kept_exactly_is_refused() {
        for text in ["", "x", "1.2.3", "-1", "1e-13", "1e40", "NaN", ".", "1,5", "+1"] {
            assert!(text.parse::<Usd>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_amount_is_read_back_as_it_was_shown(picos in proptest::prelude::any::<u128>()) {
            proptest::prop_assert_eq!(Usd(picos).to_string().parse(), Ok(Usd(picos)));
        }
    }
}
