//! OpenMetrics 1.0, made of the text format of Prometheus: what they share is almost everything.
//!
//! Source: <https://prometheus.io/docs/specs/om/open_metrics_spec/>. Ours has no units, no exemplars and no times of creation.

use http::HeaderMap;
use http::header::ACCEPT;

/// What it is called in headers.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the client takes it. Those who do prefer it.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|value| value.split(','));
    types.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it =
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
        is_it && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// The same page. A family of counters has the name of its samples without `_total`; quotes in help are escaped; the page says
/// where it ends.
pub(super) fn of(text: &str) -> String {
    let mut page = String::with_capacity(text.len() + 8);
    // What helps stands before the type, and bears the same name.
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').or(Some((rest, "")));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (kind, family) = match kind {
                "counter" => (kind, name.strip_suffix("_total").unwrap_or(name)),
                "untyped" => ("unknown", name),
                _ => (kind, name),
            };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                push(&mut page, &["# HELP ", family, " ", &words.replace('"', "\\\"")]);
            }
            push(&mut page, &["# TYPE ", family, " ", kind]);
        } else if !line.is_empty() {
            push(&mut page, &[line]);
        }
    }
    page.push_str("# EOF\n");
    page
}

fn push(page: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| page.push_str(part));
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn it_is_given_to_those_who_ask_for_it() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, wanted) in [
            (prometheus, true),
            ("text/plain, Application/OpenMetrics-Text", true),
            ("text/plain", false),
            ("*/*", false),
            ("application/openmetrics-text; q=0, */*", false),
            ("application/openmetrics-textual", false),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(is_wanted(&headers), wanted, "{accept}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }

    #[test]
    fn counters_lose_their_total_in_the_name_of_the_family_alone() {
        let text = "# HELP a_total Says \"a\".\n# TYPE a_total counter\na_total{x=\"y_total\"} 1\n\
                    # HELP b B.\n# TYPE b gauge\nb 2\n# TYPE c_total gauge\nc_total 3\n# TYPE d untyped\nd 4\n";
        let page = "# HELP a Says \\\"a\\\".\n# TYPE a counter\na_total{x=\"y_total\"} 1\n\
                    # HELP b B.\n# TYPE b gauge\nb 2\n# TYPE c_total gauge\nc_total 3\n# TYPE d unknown\nd 4\n# EOF\n";
        assert_eq!(of(text), page);
        assert_eq!(of(""), "# EOF\n");
    }
}
