//! A hash of all that the arguments of a call are, of which the policy reads a description: types, raw bytes, halves of
//! surrogate pairs. What a person allows is bound to it, so that nothing else passes which is described by the same words.
//!
//! It describes nothing itself: it is told what the [description](crate::value) comes upon, in the same walk.

use blake3::Hasher;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};
use pyo3::{PyTypeInfo, intern};
use seawall_guard::Binding;
use serde_json::Value;

/// Types of the standard library whose `repr` tells everything. A class made of one of them is another type.
const TOLD_BY_REPR: [(&str, &str); 7] = [
    ("builtins", "int"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("uuid", "UUID"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("builtins", "complex"),
];

/// Takes in one value. Where nobody may be asked it is idle and costs nothing.
#[derive(Debug)]
pub(crate) struct Binder {
    hasher: Option<Box<Hasher>>,
    /// The type of what can't be bound, once something like that was met.
    unbound: Option<String>,
}

/// The parts of a value, each with its hash.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    hashes: Vec<[u8; 32]>,
    unbound: Option<String>,
}

impl Parts {
    pub(crate) fn add(&mut self, part: Binder) {
        self.hashes.extend(part.hasher.map(|hasher| *hasher.finalize().as_bytes()));
        self.unbound = self.unbound.take().or(part.unbound);
    }
}

impl Binder {
    pub(crate) fn new() -> Self {
        Self { hasher: Some(Box::default()), unbound: None }
    }

    pub(crate) const fn idle() -> Self {
        Self { hasher: None, unbound: None }
    }

    pub(crate) fn finish(self) -> Binding {
        match (self.hasher, self.unbound) {
            (None, _) => Binding::Arguments,
            (Some(_), Some(kind)) => Binding::Impossible { kind },
            (Some(hasher), None) => Binding::Original(*hasher.finalize().as_bytes()),
        }
    }

    /// One for a part of the value.
    pub(crate) fn part(&self) -> Self {
        if self.hasher.is_some() { Self::new() } else { Self::idle() }
    }

    /// All parts of the value; those of sets and mappings count as the same in whatever order they come.
    pub(crate) fn parts(&mut self, mut parts: Parts, is_in_order: bool) {
        if !is_in_order {
            parts.hashes.sort_unstable();
        }
        self.bytes(parts.hashes.as_flattened());
        self.unbound = self.unbound.take().or(parts.unbound);
    }

    /// A value of this type follows.
    pub(crate) fn kind(&mut self, value: &Bound<'_, PyAny>) {
        if self.hasher.is_some() {
            match value.get_type().fully_qualified_name() {
                Ok(name) => self.text(&name),
                Err(_nameless) => self.cannot(value),
            }
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes.len().to_le_bytes()).update(bytes);
        }
    }

    pub(crate) fn text(&mut self, text: &Bound<'_, PyString>) {
        if self.hasher.is_none() {
            return;
        }
        if let Ok(text) = text.to_cow() {
            return self.bytes(text.as_bytes());
        }
        // Halves of surrogate pairs are no UTF-8 and stand for bytes of their own, in the names of files for one.
        let encoded = PyString::type_object(text.py())
            .call_method1(intern!(text.py(), "encode"), (text, "utf-8", "surrogatepass"))
            .and_then(|encoded| encoded.extract::<Vec<u8>>());
        match encoded {
            Ok(encoded) => self.bytes(&encoded),
            Err(_) => self.cannot(text),
        }
    }

    /// The key of a mapping. Keys that are no plain values are described by `str`, which may say anything.
    pub(crate) fn key(&mut self, key: &Bound<'_, PyAny>) {
        if self.hasher.is_none() {
            return;
        }
        match crate::value::described_and_bound(key) {
            Ok((_, Binding::Original(hash))) => self.bytes(&hash),
            Ok((_, Binding::Impossible { kind })) => self.unbound = Some(kind),
            Ok((_, Binding::Arguments)) | Err(_) => self.cannot(key),
        }
    }

    /// A path, which is told by its text. What else leads to a file may hold more than that.
    pub(crate) fn path(&mut self, path: &Bound<'_, PyAny>) {
        if self.hasher.is_some() && !is_a(path, "pathlib", "PurePath") {
            self.cannot(path);
        }
    }

    /// A value of which there is nothing but this description. A member of an enumeration is told by its name.
    pub(crate) fn described(&mut self, value: &Bound<'_, PyAny>, described: &Value) {
        if self.hasher.is_none() {
            return;
        }
        if is_a(value, "enum", "Enum") {
            match value
                .getattr(intern!(value.py(), "_name_"))
                .and_then(|name| Ok(name.cast_into::<PyString>()?))
            {
                Ok(name) => self.text(&name),
                Err(_nameless) => self.cannot(value),
            }
        } else if let Some(text) = described.as_str().filter(|_| is_told_by_repr(value)) {
            self.bytes(text.as_bytes());
        } else {
            self.cannot(value);
        }
    }

    /// Nothing can be said for sure of this.
    pub(crate) fn cannot(&mut self, value: &Bound<'_, PyAny>) {
        if self.hasher.is_some() {
            let name = value.get_type().name();
            self.unbound = Some(name.map_or_else(|_| "value".to_owned(), |name| name.to_string()));
        }
    }
}

fn is_told_by_repr(value: &Bound<'_, PyAny>) -> bool {
    // Of a very large number there may be no `repr` at all.
    if value.is_exact_instance_of::<PyInt>() {
        return value.repr().is_ok();
    }
    if is_exactly(value, "datetime", "datetime") {
        let zone = value.getattr(intern!(value.py(), "tzinfo"));
        return zone.is_ok_and(|zone| zone.is_none() || is_exactly(&zone, "datetime", "timezone"));
    }
    TOLD_BY_REPR.iter().any(|(module, name)| is_exactly(value, module, name))
}

fn named<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(module)?.getattr(name)
}

fn is_exactly(value: &Bound<'_, PyAny>, module: &str, name: &str) -> bool {
    named(value.py(), module, name).is_ok_and(|kind| value.get_type().is(&kind))
}

fn is_a(value: &Bound<'_, PyAny>, module: &str, name: &str) -> bool {
    named(value.py(), module, name).is_ok_and(|kind| value.is_instance(&kind).unwrap_or(false))
}
