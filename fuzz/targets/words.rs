//! The small languages: whatever is read says, written out again, the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use seawall_config::units;
use seawall_llm_client::BaseUrl;
use seawall_types::{RunId, Scope, Timestamp, Usd, Window};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    comes_back::<Usd>(text);
    comes_back::<Timestamp>(text);
    comes_back::<Scope>(text);
    comes_back::<Window>(text);
    comes_back::<RunId>(text);
    comes_back::<BaseUrl>(text);
    if let Ok(duration) = units::parse_duration(text) {
        let written = units::format_duration(duration);
        assert_eq!(units::parse_duration(&written), Ok(duration), "{text:?} is written {written:?}");
    }
    if let Ok(size) = units::parse_size(text) {
        let written = units::format_size(size);
        assert_eq!(units::parse_size(&written), Ok(size), "{text:?} is written {written:?}");
    }
});

fn comes_back<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert!(written.parse::<T>().is_ok_and(|again| again == value), "{text:?} is written {written:?}");
    }
}
