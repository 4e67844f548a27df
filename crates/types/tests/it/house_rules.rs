//! How the code looks, where no lint says so.

use std::path::{Path, PathBuf};

use crate::workspace::{files, read, root};

const LONGEST_FILE: usize = 600;
const LONGEST_LINE: usize = 130;

/// A source file with what of it is not for tests.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Every file of the product's crates, tests inside them aside.
    fn all() -> Vec<Self> {
        let crates = root().join("crates");
        let is_product = |path: &PathBuf| {
            let inner = path.strip_prefix(&crates).unwrap();
            inner.components().nth(1).is_some_and(|folder| folder.as_os_str() == "src")
        };
        let sources = files(&crates, "rs").into_iter().filter(is_product);
        let sources: Vec<_> = sources.map(|path| Self { text: read(&path), path }).collect();
        assert!(sources.len() > 100, "only {} files were found", sources.len());
        sources
    }

    fn is_for_tests(&self) -> bool {
        let stem = |path: &Path| {
            let for_tests = ["tests", "conformance", "test-support"];
            path.file_stem().is_some_and(|stem| for_tests.iter().any(|name| stem == *name))
        };
        stem(&self.path) || self.path.ancestors().any(stem)
    }

    /// The numbered lines, without the items that are only there for tests.
    fn product_lines(&self) -> Vec<(usize, &str)> {
        if self.is_for_tests() {
            return Vec::new();
        }
        let mut kept = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            if line.trim_start() != "#[cfg(test)]" {
                kept.push((index + 1, line));
                continue;
            }
            // The item ends with the first line of the same depth that closes something, or that is the whole item.
            let depth = line.len() - line.trim_start().len();
            let ends = |line: &str| {
                let inner = line.trim_start();
                line.len() - inner.len() == depth && (inner.starts_with('}') || inner.ends_with(';'))
            };
            lines.find(|(_, line)| ends(line));
        }
        kept
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(root()).unwrap().display())
    }
}

/// Everything that breaks a rule at once, so that one run shows all of it.
fn nowhere(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

#[test]
fn no_file_has_two_subjects() {
    let rule = format!(
        "a file of more than {LONGEST_FILE} lines has a second subject: give that one a file of its own"
    );
    let long = |source: &Source| source.text.lines().count() > LONGEST_FILE;
    let broken: Vec<_> =
        Source::all().iter().filter(|source| long(source)).map(|source| source.place(1)).collect();
    nowhere(&rule, &broken);
}

#[test]
fn lines_fit_on_a_page() {
    let mut broken = Vec::new();
    for source in Source::all() {
        let is_long = |(_, line): &(usize, &str)| {
            // Texts for people are not broken up: they are searched for.
            line.chars().count() > LONGEST_LINE && !line.contains('"')
        };
        let lines = source.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        broken.extend(lines.filter(is_long).map(|(line, _)| source.place(line)));
    }
    nowhere(&format!("lines have at most {LONGEST_LINE} characters"), &broken);
}

#[test]
fn nothing_is_put_off() {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat()];
    let mut broken = Vec::new();
    for source in Source::all() {
        let puts_off = |(_, line): &(usize, &str)| marks.iter().any(|mark| line.contains(mark.as_str()));
        let lines = source.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        broken.extend(lines.filter(puts_off).map(|(line, _)| source.place(line)));
    }
    nowhere("what is to be done later is an issue, not a comment", &broken);
}

#[test]
fn the_product_does_not_panic_on_what_it_is_given() {
    let calls = [".unwrap()", ".expect(\"", ".unwrap_err()", ".expect_err("];
    let mut broken = Vec::new();
    for source in Source::all() {
        let panics = |(_, line): &(usize, &str)| {
            !line.trim_start().starts_with("//") && calls.iter().any(|call| line.contains(call))
        };
        broken.extend(source.product_lines().into_iter().filter(panics).map(|(line, _)| source.place(line)));
    }
    nowhere("outside of tests a value that may be missing is matched on, and an error is handed up", &broken);
}

#[test]
fn one_file_has_unsafe_code() {
    let has_it = |source: &&Source| source.text.contains("unsafe_code") || source.text.contains("unsafe {");
    let sources = Source::all();
    let found: Vec<_> = sources.iter().filter(has_it).map(|source| source.place(1)).collect();
    assert_eq!(
        found,
        ["crates/budget/src/journal/mapped.rs:1"],
        "what needs more of it is left to a crate that is well kept"
    );
}

#[test]
fn every_file_says_what_it_is() {
    let silent = |source: &Source| !source.is_for_tests() && !source.text.starts_with("//!");
    let broken: Vec<_> =
        Source::all().iter().filter(|source| silent(source)).map(|source| source.place(1)).collect();
    nowhere("a file begins with `//!`: what it is, and what it is not", &broken);
}

#[test]
fn documents_name_no_path_of_anybodys_machine() {
    let root = root();
    let here = root.to_string_lossy().into_owned();
    let top = ["README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root.join(name));
    let mut broken = Vec::new();
    for path in top.into_iter().chain(files(&root.join("docs"), "md")) {
        let text = read(&path);
        for (index, line) in text.lines().enumerate() {
            // `/home`, `/root` and `/Users` begin somebody's folder; `/etc` and `/dev` are everybody's.
            let foreign = ["/home/", "/root/", "/Users/", "/work/", "C:\\"];
            if line.contains(&here) || foreign.iter().any(|start| begins_a_path(line, start)) {
                broken.push(format!("{}:{}", path.strip_prefix(&root).unwrap().display(), index + 1));
            }
        }
    }
    nowhere("documents hold for every machine: use paths below the checkout or the data directory", &broken);
}

/// Whether `start` stands in the line where a path may begin, and not inside a longer one or a URL.
fn begins_a_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| {
            !before.is_alphanumeric() && !['.', '/', '-', '_', '>', '}'].contains(&before)
        })
    })
}
