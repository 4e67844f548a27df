//! Paths: whatever stands there, it leads to an endpoint with a bounded label or nowhere, and spellings that an upstream
//! takes for the same path lead to the same one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seawall_llm::{Wire, endpoint};

fuzz_target!(|data: &[u8]| {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let Some(found) = endpoint(path) else { return };
    assert!(path.starts_with('/') && found.route.starts_with("/v1"));
    assert!(found.wire == Wire::Other || found.allowed == ["POST"]);
    if found.model.is_none() {
        // Models keep their case; all else is read without regard to it.
        let spelt = path.to_ascii_uppercase();
        assert_eq!(
            endpoint(&spelt).map(|other| (other.wire, other.route)),
            Some((found.wire, found.route)),
            "{spelt}"
        );
    }
    if !path.ends_with('/') {
        let slashed = format!("{path}/");
        assert_eq!(endpoint(&slashed).as_ref(), Some(&found), "{slashed}");
    }
});
