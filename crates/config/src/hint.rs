//! The known key that an unknown one was probably meant to be.

/// The one of `known` that looks most like `key`, when one does.
///
/// Few edits count as a slip of the fingers (`lisen`), a long common beginning as a word that was ended otherwise
/// (`trusted_proxy` for `trusted_proxies`).
pub fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + key.chars().count() / 4;
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(key, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= allowed || strsim::jaro_winkler(key, candidate) > 0.9)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["listen", "mode", "limits", "timeouts", "trusted_proxies"];
        for (key, expected) in [
            ("lisen", Some("listen")),
            ("Mode", Some("mode")),
            ("limit", Some("limits")),
            ("time_outs", Some("timeouts")),
            ("trusted_proxy", Some("trusted_proxies")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(key, known), expected, "{key}");
        }
    }
}
