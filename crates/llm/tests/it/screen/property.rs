//! For every answer, however it is cut and interleaved: what is gathered from the screened stream is what is gathered
//! from the stream as it came, screened as a whole. So it is too where a judge takes its time, however long.

use proptest::prelude::*;
use seawall_llm::Wire;

use super::gather::{Choices, expected, gather, normal};
use super::judge::{WORD, Word};
use super::script::{self, Dice};
use super::{screened, screened_by};

fn check(wire: Wire, stream: &[String], mut answers: impl FnMut() -> bool) -> Result<(), TestCaseError> {
    check_one(wire, stream, &screened(wire, &stream.concat()))?;
    check_one(wire, stream, &screened_by(wire, &stream.concat(), Word::slow(), &mut answers))
}

/// What is gathered from what goes.
fn check_one(wire: Wire, stream: &[String], goes: &[String]) -> Result<(), TestCaseError> {
    let came = gather(wire, stream);
    let gathered: Choices =
        gather(wire, goes).iter().map(|(index, choice)| (*index, normal(wire, choice))).collect();
    prop_assert_eq!(&gathered, &expected(wire, &came), "\ncame {:#?}\ngoes {:#?}", stream, goes);
    let word = serde_json::Value::from(WORD).to_string();
    // What a tool is given is the judge's to cover, and this one covers something else there.
    let mut texts = goes.iter().filter(|event| !event.contains("functionCall"));
    prop_assert!(texts.all(|event| !event.contains(word.trim_matches('"'))));
    Ok(())
}

/// Says yes where the bytes are odd, over and over.
fn whenever_odd(bytes: &[u8]) -> impl FnMut() -> bool {
    let mut bytes = bytes.iter().cycle();
    move || bytes.next().is_some_and(|byte| byte % 2 == 1)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chat(bytes in bytes()) {
        check(Wire::OpenAiChat, &script::chat(&mut Dice::new(&bytes)), whenever_odd(&bytes))?;
    }

    #[test]
    fn responses(bytes in bytes()) {
        check(Wire::OpenAiResponses, &script::responses(&mut Dice::new(&bytes)), whenever_odd(&bytes))?;
    }

    #[test]
    fn messages(bytes in bytes()) {
        check(Wire::AnthropicMessages, &script::anthropic(&mut Dice::new(&bytes)), whenever_odd(&bytes))?;
    }

    #[test]
    fn generate_content(bytes in bytes()) {
        check(Wire::GeminiStream, &script::gemini(&mut Dice::new(&bytes)), whenever_odd(&bytes))?;
    }
}
