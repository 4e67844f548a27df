//! Between Python's values and what the policy reads.
//!
//! Nothing fails here because of what a value is: what has no parts that could be looked at is described by its `repr` and
//! judged as text. Where a person may be asked, what no description tells apart is [bound](crate::binding) on the way. What the policy put in the place of a text goes back into a value of the same kind; where that can't be
//! done, the call is refused rather than performed with what was to be replaced.

use std::borrow::Cow;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
    PyType,
};
use seawall_guard::{Binding, Replacement};
use serde_json::{Map, Number, Value};

use crate::binding::{Binder, Parts};

/// What is nested deeper is left out; the policy refuses what is nested more than 64 deep, so that it never matters.
const DEEPEST: usize = 70;

/// So many characters of a `repr` are judged.
const MOST_OF_A_REPR: usize = 65_536;

/// The value as plain data.
pub(crate) fn described(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    describe(value, 0, &mut Binder::idle())
}

/// The value as plain data, and a hash of all that it is.
pub(crate) fn described_and_bound(value: &Bound<'_, PyAny>) -> PyResult<(Value, Binding)> {
    let mut binder = Binder::new();
    let described = describe(value, 0, &mut binder)?;
    Ok((described, binder.finish()))
}

fn describe(value: &Bound<'_, PyAny>, depth: usize, binder: &mut Binder) -> PyResult<Value> {
    binder.kind(value);
    if let Ok(text) = value.cast::<PyString>() {
        binder.text(text);
        return Ok(Value::String(text_of(text)));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if depth > DEEPEST {
        binder.cannot(value);
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        binder.bytes(&[u8::from(flag.is_true())]);
        return Ok(Value::Bool(flag.is_true()));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(whole_number(value, binder));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        binder.bytes(&number.value().to_bits().to_le_bytes());
        return Ok(Number::from_f64(number.value()).map_or_else(|| by_repr(value), Value::Number));
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return fields(dict.iter(), depth, binder);
    }
    if let Some(parts) = parts(value)? {
        let is_in_order = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
        return items(&parts, is_in_order, depth, binder);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        binder.bytes(bytes.as_bytes());
        return Ok(Value::String(String::from_utf8_lossy(bytes.as_bytes()).into_owned()));
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        let bytes = bytes.to_vec();
        binder.bytes(&bytes);
        return Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    }
    object(value, depth, binder)
}

/// A path, something with fields, or anything else.
fn object(value: &Bound<'_, PyAny>, depth: usize, binder: &mut Binder) -> PyResult<Value> {
    if let Ok(path) = value.call_method0(intern!(value.py(), "__fspath__")) {
        binder.path(value);
        return describe(&path, depth + 1, binder);
    }
    if let Some(named) = fields_of_object(value) {
        return fields(named.into_iter().map(|field| (field.name.into_any(), field.value)), depth, binder);
    }
    let described = by_repr(value);
    binder.described(value, &described);
    Ok(described)
}

fn text_of(text: &Bound<'_, PyString>) -> String {
    // Half a surrogate pair is no text; what takes its place keeps everything else readable.
    text.to_string_lossy().into_owned()
}

fn whole_number(value: &Bound<'_, PyAny>, binder: &mut Binder) -> Value {
    let number = value.extract::<i64>().map(Value::from).or_else(|_| value.extract::<u64>().map(Value::from));
    match number {
        Ok(number) => {
            binder.bytes(number.to_string().as_bytes());
            number
        }
        Err(_larger) => {
            let described = by_repr(value);
            binder.described(value, &described);
            described
        }
    }
}

fn by_repr(value: &Bound<'_, PyAny>) -> Value {
    let text = value.repr().map(|text| text_of(&text).chars().take(MOST_OF_A_REPR).collect());
    Value::String(text.unwrap_or_else(|_failed| "<a value that can't be described>".to_owned()))
}

/// The most of a value that an outline tells, in bytes of its texts and one for each of its parts.
const MOST_OF_AN_OUTLINE: usize = 48 * 1024;

/// What a value is, as far as that can be said without running anything of its own: for the trace, which nobody is to wait for.
/// What is no plain data stands there by its type, and of what is large the beginning.
pub(crate) fn outline(value: &Bound<'_, PyAny>) -> Value {
    let mut room = MOST_OF_AN_OUTLINE;
    outlined(value, 0, &mut room)
}

fn outlined(value: &Bound<'_, PyAny>, depth: usize, room: &mut usize) -> Value {
    *room = room.saturating_sub(1);
    if value.is_none() || depth > DEEPEST {
        return Value::Null;
    }
    if let Ok(text) = value.cast::<PyString>() {
        return beginning(&text.to_string_lossy(), room);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Value::Bool(flag.is_true());
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().map_or_else(|_large| named_by_type(value), Value::from);
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return Number::from_f64(number.value()).map_or_else(|| named_by_type(value), Value::Number);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return beginning(&String::from_utf8_lossy(bytes.as_bytes()), room);
    }
    if let Ok(fields) = value.cast_exact::<PyDict>() {
        return outlined_fields(fields.iter(), depth, room);
    }
    let is_dataclass = || value.hasattr(intern!(value.py(), "__dataclass_fields__")).unwrap_or(false);
    if let Some(fields) = is_dataclass().then(|| fields_of_object(value)).flatten() {
        let fields = fields.into_iter().map(|field| (field.name.into_any(), field.value));
        return outlined_fields(fields, depth, room);
    }
    if is_plain_sequence(value)
        && let Ok(Some(parts)) = parts(value)
    {
        let outlined: Vec<Value> =
            parts.iter().map_while(|part| (*room > 0).then(|| outlined(part, depth + 1, room))).collect();
        return Value::Array(with_rest(outlined, parts.len()));
    }
    named_by_type(value)
}

fn outlined_fields<'py>(
    fields: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    depth: usize,
    room: &mut usize,
) -> Value {
    let mut outlined_fields = Map::new();
    for (name, field) in fields {
        if *room == 0 {
            break;
        }
        let name = match name.cast::<PyString>() {
            Ok(name) => text_of(name),
            Err(_) => outlined(&name, depth + 1, room).to_string(),
        };
        *room = room.saturating_sub(name.len());
        outlined_fields.insert(name, outlined(&field, depth + 1, room));
    }
    Value::Object(outlined_fields)
}

fn is_plain_sequence(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyList>()
        || value.is_exact_instance_of::<PyTuple>()
        || value.is_exact_instance_of::<PySet>()
        || value.is_exact_instance_of::<PyFrozenSet>()
}

/// Says how many parts there are where not all are told.
fn with_rest(mut told: Vec<Value>, all: usize) -> Vec<Value> {
    if told.len() < all {
        told.push(Value::String(format!("… ({all} in all)")));
    }
    told
}

fn beginning(text: &str, room: &mut usize) -> Value {
    let kept = text.get(..text.floor_char_boundary(*room)).unwrap_or(text);
    *room = room.saturating_sub(kept.len());
    if kept.len() == text.len() {
        return Value::String(text.to_owned());
    }
    Value::String(format!("{kept}… ({} bytes in all)", text.len()))
}

fn named_by_type(value: &Bound<'_, PyAny>) -> Value {
    let kind = value.get_type().fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| text_of(&name));
    Value::String(format!("<{kind}>"))
}

/// The items of a list, tuple or set.
fn parts<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
    let is_sequence = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    if is_sequence || value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return value.try_iter()?.collect::<PyResult<_>>().map(Some);
    }
    Ok(None)
}

fn items(
    parts: &[Bound<'_, PyAny>],
    is_in_order: bool,
    depth: usize,
    binder: &mut Binder,
) -> PyResult<Value> {
    let mut bound = Parts::default();
    let mut described = Vec::with_capacity(parts.len());
    for item in parts {
        let mut part = binder.part();
        described.push(describe(item, depth + 1, &mut part)?);
        bound.add(part);
    }
    binder.parts(bound, is_in_order);
    Ok(Value::Array(described))
}

fn fields<'py>(
    named: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    depth: usize,
    binder: &mut Binder,
) -> PyResult<Value> {
    let mut described = Map::new();
    let mut bound = Parts::default();
    for (name, value) in named {
        let mut key = match name.cast::<PyString>() {
            Ok(text) => text_of(text),
            Err(_) => name.str().map_or_else(|_| "?".to_owned(), |text| text_of(&text)),
        };
        // `1` and `"1"` are two keys in Python. Neither value may hide the other.
        while described.contains_key(&key) {
            key.push('\'');
        }
        let mut part = binder.part();
        part.key(&name);
        described.insert(key, describe(&value, depth + 1, &mut part)?);
        bound.add(part);
    }
    binder.parts(bound, false);
    Ok(Value::Object(described))
}

/// A field of an object, and where the object keeps it.
struct Field<'py> {
    name: Bound<'py, PyString>,
    value: Bound<'py, PyAny>,
    kept: Kept,
}

/// Where an object keeps a field.
#[derive(Clone, Copy)]
enum Kept {
    /// As an attribute.
    Attribute,
    /// In a dictionary of this name, from which pydantic's models give them out like attributes.
    In(&'static str),
}

/// Where pydantic's models keep what was not declared (`extra="allow"`), and what is private.
const OF_MODELS: [&str; 2] = ["__pydantic_extra__", "__pydantic_private__"];

/// The fields of dataclasses, and of whatever else keeps them as pydantic does: those that were declared, and what else the
/// object holds, which a tool can read just as well.
fn fields_of_object<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Field<'py>>> {
    let py = value.py();
    let has = |name| value.hasattr(name).unwrap_or(false);
    if value.is_instance_of::<PyType>() {
        return None;
    }
    let own = value.getattr(intern!(py, "__dict__")).ok().and_then(|own| own.cast_into::<PyDict>().ok());
    let is_model = has(intern!(py, "__pydantic_fields_set__"));
    let mut fields = Vec::new();
    if has(intern!(py, "__dataclass_fields__")) {
        let declared = value.getattr(intern!(py, "__dataclass_fields__")).ok()?.cast_into::<PyDict>().ok()?;
        attributes(value, declared.keys().iter(), &mut fields)?;
        // Whatever was put beside them; a class with slots has nothing of its own.
        let others = own.iter().flat_map(|own| own.keys());
        attributes(value, others.filter(|name| !declared.contains(name).unwrap_or(false)), &mut fields)?;
    } else if is_model {
        attributes(value, own?.keys().iter(), &mut fields)?;
    } else {
        return None;
    }
    for place in OF_MODELS.into_iter().filter(|_| is_model) {
        for (name, value) in kept_in(value, place).iter().flat_map(|kept| kept.iter()) {
            fields.push(Field { name: name.cast_into().ok()?, value, kept: Kept::In(place) });
        }
    }
    Some(fields)
}

/// Adds the attributes of these names.
fn attributes<'py>(
    value: &Bound<'py, PyAny>,
    names: impl Iterator<Item = Bound<'py, PyAny>>,
    fields: &mut Vec<Field<'py>>,
) -> Option<()> {
    for name in names {
        let name = name.cast_into::<PyString>().ok()?;
        // A field may be without a value.
        if let Ok(value) = value.getattr(&name) {
            fields.push(Field { name, value, kept: Kept::Attribute });
        }
    }
    Some(())
}

/// The dictionary of this name, where the object has one.
fn kept_in<'py>(value: &Bound<'py, PyAny>, place: &'static str) -> Option<Bound<'py, PyDict>> {
    value.getattr(place).ok()?.cast_into::<PyDict>().ok()
}

/// Of a call's arguments those that are replaced, by name, made anew of what `after` says; `None` when none is.
///
/// # Errors
/// `ValueError` when one can't be made anew.
pub(crate) fn changed<'py>(
    arguments: &Bound<'py, PyDict>,
    replacements: &[Replacement],
    after: &Value,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    if replacements.is_empty() {
        return Ok(None);
    }
    let changed = PyDict::new(arguments.py());
    for replacement in replacements {
        let name = first_name(&replacement.location);
        // Of names that are no text two could be read as the same, by the mark that takes the place of what is none.
        let written = if name.contains('\u{FFFD}') { None } else { arguments.get_item(&*name)? };
        let (Some(written), Some(after)) = (written, after.get(&*name)) else {
            return Err(not_made(arguments.as_any()));
        };
        if written.is_exact_instance_of::<PyString>() {
            changed.set_item(&*name, &replacement.text)?;
        } else if !changed.contains(&*name)?
            && let Some(made) = replaced(&written, &described(&written)?, after)?
        {
            changed.set_item(&*name, made)?;
        }
    }
    Ok(Some(changed))
}

/// The argument that a JSON pointer leads into.
fn first_name(pointer: &str) -> Cow<'_, str> {
    let name = pointer.split('/').nth(1).unwrap_or_default();
    if name.contains('~') {
        Cow::Owned(name.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(name)
    }
}

/// The value with each text of `before` that differs in `after` replaced; `None` when none does.
///
/// # Errors
/// `ValueError` when a value can't be made anew.
pub(crate) fn replaced<'py>(
    original: &Bound<'py, PyAny>,
    before: &Value,
    after: &Value,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if before == after {
        return Ok(None);
    }
    let made = match (before, after) {
        (Value::String(_), Value::String(text)) => with_text(original, text)?,
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => with_items(original, old, new)?,
        (Value::Object(old), Value::Object(new)) if old.len() == new.len() => {
            with_fields(original, old, new)?
        }
        _ => return Err(not_made(original)),
    };
    Ok(Some(made))
}

fn not_made(original: &Bound<'_, PyAny>) -> PyErr {
    let kind = original.get_type().name().map_or_else(|_| "value".to_owned(), |name| text_of(&name));
    PyValueError::new_err(format!("a {kind} in it can't be made anew with other contents"))
}

fn with_text<'py>(original: &Bound<'py, PyAny>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    if original.is_instance_of::<PyString>() {
        return Ok(PyString::new(py, text).into_any());
    }
    if original.is_instance_of::<PyBytes>() {
        return Ok(PyBytes::new(py, text.as_bytes()).into_any());
    }
    if original.is_instance_of::<PyByteArray>() {
        return Ok(PyByteArray::new(py, text.as_bytes()).into_any());
    }
    if original.hasattr(intern!(py, "__fspath__"))? {
        let made = original.get_type().call1((text,)).map_err(|_| not_made(original))?;
        let leads_to: String = made.call_method0(intern!(py, "__fspath__"))?.extract()?;
        return if leads_to == text { Ok(made) } else { Err(not_made(original)) };
    }
    Err(not_made(original))
}

fn with_items<'py>(
    original: &Bound<'py, PyAny>,
    before: &[Value],
    after: &[Value],
) -> PyResult<Bound<'py, PyAny>> {
    let parts =
        parts(original)?.filter(|parts| parts.len() == before.len()).ok_or_else(|| not_made(original))?;
    let mut made = Vec::with_capacity(parts.len());
    for ((part, before), after) in parts.into_iter().zip(before).zip(after) {
        made.push(replaced(&part, before, after)?.unwrap_or(part));
    }
    let list = PyList::new(original.py(), made)?;
    let kind = original.get_type();
    // A named tuple takes its items one by one.
    let make = kind.getattr(intern!(original.py(), "_make")).unwrap_or_else(|_| kind.clone().into_any());
    make.call1((list,)).map_err(|_| not_made(original))
}

fn with_fields<'py>(
    original: &Bound<'py, PyAny>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    // A shallow copy keeps the class, and everything that is not replaced.
    let copied = || py.import(intern!(py, "copy"))?.call_method1(intern!(py, "copy"), (original,));
    if let Ok(named) = original.cast::<PyDict>() {
        if named.len() != before.len() {
            return Err(not_made(original));
        }
        let made = copied()?;
        for ((name, value), (before, after)) in named.iter().zip(before.values().zip(after.values())) {
            if let Some(new) = replaced(&value, before, after)? {
                made.set_item(name, new)?;
            }
        }
        return Ok(made);
    }
    let named = fields_of_object(original).filter(|named| named.len() == before.len());
    let named = named.ok_or_else(|| not_made(original))?;
    let made = copied()?;
    for (field, (before, after)) in named.iter().zip(before.values().zip(after.values())) {
        if let Some(new) = replaced(&field.value, before, after)? {
            put(original, &made, field, new)?;
        }
    }
    Ok(made)
}

/// Puts a field into the copy of an object.
fn put<'py>(
    original: &Bound<'py, PyAny>,
    made: &Bound<'py, PyAny>,
    field: &Field<'py>,
    new: Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = original.py();
    match field.kept {
        // Also where the class is frozen: the copy is nobody's yet.
        Kept::Attribute => {
            let object = py.get_type::<PyAny>();
            object.call_method1(intern!(py, "__setattr__"), (made, &field.name, new)).map(drop)
        }
        Kept::In(place) => {
            let (old, copy) = (kept_in(original, place), kept_in(made, place));
            // A class may copy itself in its own way, and share what must not change in the original.
            let copy = copy.filter(|copy| old.is_none_or(|old| !old.is(copy)));
            copy.ok_or_else(|| not_made(original))?.set_item(&field.name, new)
        }
    }
}

/// Plain data as Python's values.
pub(crate) fn given<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => flag.into_pyobject(py)?.to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?,
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| given(py, item)).collect::<PyResult<_>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, field) in fields {
                dict.set_item(name, given(py, field)?)?;
            }
            dict.into_any()
        }
    })
}
