//! The getters of a [`Reader`], one for each kind of value.
//!
//! All take the key and its words. `optional_…` give `None` where the key is absent; the others their default.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use seawall_types::{Secret, Usd};
use serde_json::Value;

use super::Reader;
use crate::kind::{
    Absent, Boolean, Choice, Integer, Items, Map, Money, Parsed, Partly, Ratio, Raw, SecretMap, SecretText,
    Size, Text, Time,
};

impl Reader<'_> {
    /// A text.
    pub fn text(&mut self, key: &str, doc: &str, default: &str) -> String {
        let default = default.to_owned();
        self.leaf(key, doc, &Text, Some(&default)).unwrap_or(default)
    }

    /// A text, if it is set.
    pub fn optional_text(&mut self, key: &str, doc: &str) -> Option<String> {
        self.leaf(key, doc, &Text, None)
    }

    /// A text that must be set; empty where it is not, with an error.
    pub fn required_text(&mut self, key: &str, doc: &str) -> String {
        self.required_leaf(key, doc, &Text).unwrap_or_default()
    }

    /// A text that is never shown. An empty one counts as absent, so that `${KEY:-}` makes it optional.
    pub fn secret(&mut self, key: &str, doc: &str) -> Option<Secret<String>> {
        self.leaf(key, doc, &SecretText, None).filter(|secret| !secret.expose().is_empty())
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &str, doc: &str, default: bool) -> bool {
        self.leaf(key, doc, &Boolean, Some(&default)).unwrap_or(default)
    }

    /// `true` or `false`, if it is set.
    pub fn optional_boolean(&mut self, key: &str, doc: &str) -> Option<bool> {
        self.leaf(key, doc, &Boolean, None)
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &str, doc: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.leaf(key, doc, &Integer(range), Some(&default)).unwrap_or(default)
    }

    /// A whole number within `range`, if it is set.
    pub fn optional_integer(&mut self, key: &str, doc: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.leaf(key, doc, &Integer(range), None)
    }

    /// A number within `range`: a share, a factor. Never money.
    pub fn number(&mut self, key: &str, doc: &str, default: f64, range: RangeInclusive<f64>) -> f64 {
        self.leaf(key, doc, &Ratio(range), Some(&default)).unwrap_or(default)
    }

    /// A number within `range`, if it is set.
    pub fn optional_number(&mut self, key: &str, doc: &str, range: RangeInclusive<f64>) -> Option<f64> {
        self.leaf(key, doc, &Ratio(range), None)
    }

    /// A duration such as `10s` within `range`.
    pub fn duration(
        &mut self,
        key: &str,
        doc: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.leaf(key, doc, &Time(range), Some(&default)).unwrap_or(default)
    }

    /// A duration such as `10s` within `range`, if it is set.
    pub fn optional_duration(
        &mut self,
        key: &str,
        doc: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.leaf(key, doc, &Time(range), None)
    }

    /// A number of bytes such as `10M` within `range`.
    pub fn size(&mut self, key: &str, doc: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.leaf(key, doc, &Size(range), Some(&default)).unwrap_or(default)
    }

    /// A number of bytes such as `10M` within `range`, if it is set.
    pub fn optional_size(&mut self, key: &str, doc: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.leaf(key, doc, &Size(range), None)
    }

    /// An amount of US dollars, exact: `"0.25"`, `100`, `0.5`. A number without quotes may have 15 digits.
    pub fn usd(&mut self, key: &str, doc: &str, default: Usd) -> Usd {
        self.leaf(key, doc, &Money, Some(&default)).unwrap_or(default)
    }

    /// An amount of US dollars, if it is set.
    pub fn optional_usd(&mut self, key: &str, doc: &str) -> Option<Usd> {
        self.leaf(key, doc, &Money, None)
    }

    /// One of the names in `choices`.
    pub fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        doc: &str,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        self.leaf(key, doc, &Choice(choices), Some(&default)).unwrap_or(default)
    }

    /// One of the names in `choices`; one of `absent` is known, and refused because this build does not do it.
    pub fn partial_choice<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        doc: &str,
        default: T,
        choices: &[(&str, T)],
        absent: &[&str],
    ) -> T {
        self.leaf(key, doc, &Partly { choices, absent }, Some(&default)).unwrap_or(default)
    }

    /// A key for something that this build does not do: whatever is asked for is refused, with this remedy. Nothing, and
    /// an empty table or list, asks for nothing.
    pub fn absent(&mut self, key: &str, doc: &str, remedy: &str) {
        let _nothing = self.leaf(key, doc, &Absent { remedy }, None);
    }

    /// One of the names in `choices`, if it is set.
    pub fn optional_choice<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        doc: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        self.leaf(key, doc, &Choice(choices), None)
    }

    /// One of the names in `choices`, which must be set; `stand_in` where it is not, with an error.
    pub fn required_choice<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        doc: &str,
        stand_in: T,
        choices: &[(&str, T)],
    ) -> T {
        self.required_leaf(key, doc, &Choice(choices)).unwrap_or(stand_in)
    }

    /// A text that `T` reads.
    pub fn parsed<T: FromStr<Err: Display> + Display>(&mut self, key: &str, doc: &str, default: T) -> T {
        self.leaf(key, doc, &Parsed::new(), Some(&default)).unwrap_or(default)
    }

    /// A text that `T` reads, if it is set.
    pub fn optional_parsed<T: FromStr<Err: Display> + Display>(&mut self, key: &str, doc: &str) -> Option<T> {
        self.leaf(key, doc, &Parsed::new(), None)
    }

    /// A text that `T` reads and that must be set; `None` where it is not, with an error.
    pub fn required_parsed<T: FromStr<Err: Display> + Display>(&mut self, key: &str, doc: &str) -> Option<T> {
        self.required_leaf(key, doc, &Parsed::new())
    }

    /// A list of texts that `T` reads; absent is empty.
    pub fn parsed_list<T: FromStr<Err: Display> + Display>(&mut self, key: &str, doc: &str) -> Vec<T> {
        self.leaf(key, doc, &Items(Parsed::new()), Some(&Vec::new())).unwrap_or_default()
    }

    /// A list of texts that `T` reads, where absent and empty mean different things.
    pub fn optional_parsed_list<T: FromStr<Err: Display> + Display>(
        &mut self,
        key: &str,
        doc: &str,
    ) -> Option<Vec<T>> {
        self.leaf(key, doc, &Items(Parsed::new()), None)
    }

    /// A list of whole numbers within `range`, where absent and empty mean different things.
    pub fn optional_integers(
        &mut self,
        key: &str,
        doc: &str,
        range: RangeInclusive<u64>,
    ) -> Option<Vec<u64>> {
        self.leaf(key, doc, &Items(Integer(range)), None)
    }

    /// A list of texts; absent is empty.
    pub fn strings(&mut self, key: &str, doc: &str) -> Vec<String> {
        self.leaf(key, doc, &Items(Text), Some(&Vec::new())).unwrap_or_default()
    }

    /// A list of texts, where absent and empty mean different things.
    pub fn optional_strings(&mut self, key: &str, doc: &str) -> Option<Vec<String>> {
        self.leaf(key, doc, &Items(Text), None)
    }

    /// Names and texts; absent is empty. For values that may be secrets, such as HTTP headers, see
    /// [`Reader::secret_map`].
    pub fn map(&mut self, key: &str, doc: &str) -> BTreeMap<String, String> {
        self.leaf(key, doc, &Map, Some(&BTreeMap::new())).unwrap_or_default()
    }

    /// Names and texts that are never shown; absent is empty.
    pub fn secret_map(&mut self, key: &str, doc: &str) -> BTreeMap<String, Secret<String>> {
        self.leaf(key, doc, &SecretMap, Some(&BTreeMap::new())).unwrap_or_default()
    }

    /// A value of any shape, if it is set, for another part of the program to read.
    pub fn raw(&mut self, key: &str, doc: &str) -> Option<Value> {
        self.leaf(key, doc, &Raw, None)
    }
}
