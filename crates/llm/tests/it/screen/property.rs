//! For every answer, however it is cut and interleaved: what is gathered from the screened stream is what is gathered
//! from the stream as it came, screened as a whole.

use proptest::prelude::*;
use seawall_llm::Wire;

use super::gather::{Choices, expected, gather, normal};
use super::judge::WORD;
use super::screened;
use super::script::{self, Dice};

fn check(wire: Wire, stream: &[String]) -> Result<(), TestCaseError> {
    let goes = screened(wire, &stream.concat());
    let came = gather(wire, stream);
    let gathered: Choices =
        gather(wire, &goes).iter().map(|(index, choice)| (*index, normal(wire, choice))).collect();
    prop_assert_eq!(&gathered, &expected(wire, &came), "\ncame {:#?}\ngoes {:#?}", stream, goes);
    let word = serde_json::Value::from(WORD).to_string();
    // What a tool is given is the judge's to cover, and this one covers something else there.
    let mut texts = goes.iter().filter(|event| !event.contains("functionCall"));
    prop_assert!(texts.all(|event| !event.contains(word.trim_matches('"'))));
    Ok(())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chat(bytes in bytes()) {
        check(Wire::OpenAiChat, &script::chat(&mut Dice::new(&bytes)))?;
    }

    #[test]
    fn responses(bytes in bytes()) {
        check(Wire::OpenAiResponses, &script::responses(&mut Dice::new(&bytes)))?;
    }

    #[test]
    fn messages(bytes in bytes()) {
        check(Wire::AnthropicMessages, &script::anthropic(&mut Dice::new(&bytes)))?;
    }

    #[test]
    fn generate_content(bytes in bytes()) {
        check(Wire::GeminiStream, &script::gemini(&mut Dice::new(&bytes)))?;
    }
}
