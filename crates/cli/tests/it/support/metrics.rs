//! A page of metrics, read.

use std::collections::BTreeMap;

/// One series: its name, its labels, its value.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page of metrics.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) Vec<Series>);

impl Metrics {
    pub(crate) fn read(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(series).collect())
    }

    /// The sum of the series of this name with these labels, others whatever they are.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|series| series.value).sum()
    }

    pub(crate) fn has_labels(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.with(name, labels).next().is_some()
    }

    fn with<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Series> {
        let has = |series: &Series, (label, value): (&str, &str)| {
            series.labels.get(label).is_some_and(|is| is == value)
        };
        self.0
            .iter()
            .filter(move |series| series.name == name && labels.iter().all(|&pair| has(series, pair)))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|series| series.name == name)
    }
}

fn series(line: &str) -> Series {
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let labels = labels.strip_suffix('}').unwrap().split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, value) = pair.split_once('=').unwrap();
        (label.to_owned(), value.trim_matches('"').to_owned())
    });
    Series { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
}
