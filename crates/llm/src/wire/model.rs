//! Where in a path the model stands, and the path with another in its place. Which paths name one is [`super::endpoint`]'s
//! to say.

use std::ops::Range;

use super::percent_decode;

/// The collections of Gemini's models, as they stand before a name.
const COLLECTIONS: &[&str] = &["models/", "tunedModels/"];

/// Where the model stands in a path that names one, as it came: a segment of its own (`/v1/engines/{model}/…`), or, for
/// Gemini, whose models are resources with a verb behind them, collection and name (`/v1beta/{models/m}:verb`).
pub(super) fn place(path: &str) -> Option<Range<usize>> {
    let mut starts = path.match_indices('/').map(|(slash, _)| slash + 1);
    let (_version, collection, name) = (starts.next()?, starts.next()?, starts.next()?);
    let end = starts.next().map_or(path.len(), |next| next - 1);
    if percent_decode(path.get(collection..name - 1)?).eq_ignore_ascii_case("engines") {
        return Some(name..end);
    }
    let segment = path.get(name..end)?.to_ascii_lowercase();
    let colon = segment.rfind(':').max(segment.rfind("%3a"))?;
    Some(collection..name + colon)
}

/// `path` with `model` in the place of the one that stands at `place`.
#[must_use]
pub fn with_model(path: &str, place: &Range<usize>, model: &str) -> String {
    let before = path.get(..place.start).unwrap_or_default();
    let named = path.get(place.clone()).unwrap_or_default();
    let after = path.get(place.end..).unwrap_or_default();
    let names_collection = COLLECTIONS.iter().any(|collection| model.starts_with(collection));
    let collection = if named.contains('/') && !names_collection { "models/" } else { "" };
    [before, collection, model, after].concat()
}
