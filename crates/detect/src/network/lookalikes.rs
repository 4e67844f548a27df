//! Names in other scripts that look like names they aren't (UTS #39).

use unicode_security::{RestrictionLevel, RestrictionLevelDetection, confusable_detection::skeleton};

/// What is suspicious about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// A label mixes scripts that nobody writes together ("highly restrictive", UTS #39 section 5.2).
    MixedScripts,
    /// A label under an ASCII zone looks like ASCII and isn't.
    LooksLikeAscii,
}

/// The prototype of what the name looks like; two names with the same can be taken for each other.
pub(super) fn looks(unicode_name: &str) -> String {
    skeleton(unicode_name).collect()
}

/// What is suspicious about an international name, as it is shown to people.
pub(super) fn suspicion(unicode_name: &str) -> Option<Suspicion> {
    let zone_is_ascii = unicode_name.rsplit('.').next().is_some_and(|zone| zone.is_ascii());
    unicode_name.split('.').filter(|label| !label.is_ascii()).find_map(|label| {
        if !label.check_restriction_level(RestrictionLevel::HighlyRestrictive) {
            Some(Suspicion::MixedScripts)
        } else if zone_is_ascii && skeleton(label).all(|character| character.is_ascii()) {
            Some(Suspicion::LooksLikeAscii)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_names_of_other_scripts_pass() {
        for name in [
            "bücher.example",
            "例え.jp",
            "日本語サイト.com",
            "москва.com",
            "müller.de",
            "한국.kr",
            "со.рф",
            "ελλάδα.gr",
        ] {
            assert_eq!(suspicion(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_look_like_others_do_not() {
        for (name, why) in [
            ("аррӏе.com", Suspicion::LooksLikeAscii),
            ("раураl.com", Suspicion::MixedScripts),
            ("exаmple.com", Suspicion::MixedScripts),
            ("gıthub.com", Suspicion::LooksLikeAscii),
            ("ехе.com", Suspicion::LooksLikeAscii),
        ] {
            assert_eq!(suspicion(name), Some(why), "{name}");
        }
    }
}
