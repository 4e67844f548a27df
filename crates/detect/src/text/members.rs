//! Values that are secrets by the names that they stand under, rather than by their looks: a text that is a member of
//! something, and the members of a text that is itself made like JSON.
//!
//! As in a text, a name makes its value a secret only where the value looks like one; other than in a text, the value is
//! known to its last character, whatever quotes and escapes are in it.

use std::borrow::Cow;

use super::kind::Kind;
use super::{Match, TextDetector};
use crate::redact::json::{strings, unescape};
use crate::secrets::is_secret_name;

impl TextDetector {
    /// Tells every match in a text that stands under this name (empty where it stands under none), in the order of the text:
    /// all of it where the name makes it a secret, else what [`scan`](Self::scan) finds, and in a text that is made like JSON
    /// the members that are secrets by their names.
    pub fn scan_member(&self, name: &str, text: &str, mut each: impl FnMut(Match)) {
        if let Some(kind) = self.named(name, text) {
            return each(Match { range: 0..text.len(), kind });
        }
        let named = self.named_members(text);
        if named.is_empty() {
            return self.scan(text, each);
        }
        let mut scanned = Vec::new();
        self.scan(text, |found| scanned.push(found));
        joined(named, scanned).into_iter().for_each(each);
    }

    /// The members of a text made like JSON that are secrets by their names, in order. Of a list the first item counts as a
    /// value of the name.
    fn named_members(&self, text: &str) -> Vec<Match> {
        if !self.selection.secrets || !text.trim_start().starts_with(['{', '[']) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut name = None;
        for inside in strings(text).unwrap_or_default() {
            let written = text.get(inside.clone()).unwrap_or_default();
            let is_name = text.get(inside.end + 1..).unwrap_or_default().trim_start().starts_with(':');
            let known_name: Option<Cow<'_, str>> = name.take();
            if is_name {
                name = Some(plain(written)).filter(|name| is_secret_name(name));
            } else if let Some(kind) = known_name.and_then(|name| self.named(&name, &plain(written))) {
                found.push(Match { range: inside, kind });
            }
        }
        found
    }
}

/// What the inside of a JSON string stands for.
fn plain(written: &str) -> Cow<'_, str> {
    if written.contains('\\') { Cow::Owned(unescape(written).0) } else { Cow::Borrowed(written) }
}

/// Both, in the order of the text. Where two tell the same place, the one that covers the other tells more; attempts to
/// instruct the model are another matter, and stay.
fn joined(mut named: Vec<Match>, mut scanned: Vec<Match>) -> Vec<Match> {
    scanned.retain(|one| {
        if one.kind == Kind::Injection {
            return true;
        }
        // Both are in order and without overlaps, so that one look finds the first that could be touched.
        let at = named.partition_point(|member| member.range.end <= one.range.start);
        let Some(member) = named.get_mut(at).filter(|member| member.range.start < one.range.end) else {
            return true;
        };
        if one.range.start <= member.range.start && member.range.end <= one.range.end {
            member.kind = one.kind;
            member.range = one.range.clone();
        }
        false
    });
    named.append(&mut scanned);
    named.sort_by_key(|found| found.range.start);
    named
}
