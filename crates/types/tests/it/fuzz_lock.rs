//! The fuzz targets are a workspace of their own, and must be built of the same versions as the product.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::{manifests, read, root};

/// The part of a lock file that counts here: of each package its versions, and what it depends on, by name.
#[derive(Default)]
struct Lock {
    versions: BTreeMap<String, BTreeSet<String>>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Lock {
    fn read(path: &str) -> Self {
        let mut lock = Self::default();
        for package in read(&root().join(path)).split("[[package]]").skip(1) {
            let field = |name: &str| {
                let start = format!("{name} = \"");
                let line = package.lines().find_map(|line| line.strip_prefix(start.as_str()));
                line.and_then(|line| line.strip_suffix('"')).unwrap().to_owned()
            };
            // A dependency is its name, with the version where there are several.
            let inner = package.lines().filter_map(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next());
            lock.dependencies.insert(field("name"), inner.map(str::to_owned).collect());
            lock.versions.entry(field("name")).or_default().insert(field("version"));
        }
        assert!(lock.versions.len() > 20, "{path} was not understood");
        lock
    }
}

const REMEDY: &str = "bring fuzz/Cargo.lock up to date: cp Cargo.lock fuzz/ && cargo metadata --manifest-path fuzz/Cargo.toml > /dev/null";

#[test]
fn what_is_fuzzed_is_built_of_the_products_versions() {
    let (product, fuzz) = (Lock::read("Cargo.lock"), Lock::read("fuzz/Cargo.lock"));
    for (name, versions) in fuzz.versions {
        let Some(known) = product.versions.get(&name) else { continue };
        assert!(versions.is_subset(known), "{name} is {versions:?} there and {known:?} here; {REMEDY}");
    }
}

#[test]
fn the_lock_of_the_fuzz_targets_knows_every_dependency() {
    let fuzz = Lock::read("fuzz/Cargo.lock");
    for (name, dependencies) in manifests() {
        let Some(locked) = fuzz.dependencies.get(&name) else { continue };
        let named = dependencies.into_iter().filter(|dependency| !dependency.is_for_tests);
        let named: BTreeSet<String> = named.map(|dependency| dependency.name).collect();
        assert_eq!(*locked, named, "{name} has other dependencies there; {REMEDY}");
    }
}
