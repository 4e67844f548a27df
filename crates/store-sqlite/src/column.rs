//! How our types stand in columns. Reading checks: what makes no sense in a column is an error of that
//! column.

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use rusqlite::types::Type;
use rusqlite::{Error as SqlError, Result, Row};
use seawall_types::{ActionId, ApprovalId, HoldId, KeyId, RunId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A count as SQLite's integer: the same bits.
pub(crate) const fn integer(count: u64) -> i64 {
    count.cast_signed()
}

/// A count from SQLite's integer: the same bits.
pub(crate) const fn count(integer: i64) -> u64 {
    integer.cast_unsigned()
}

/// A time as SQLite's integer.
pub(crate) const fn micros(at: Timestamp) -> i64 {
    integer(at.as_micros())
}

/// A list as JSON text. Lists of strings, numbers and identifiers can always be written.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| SqlError::ToSqlConversionFailure(error.into()))
}

/// Reads columns by name.
pub(crate) trait Columns {
    /// A count.
    fn count(&self, name: &str) -> Result<u64>;
    /// A count that may be missing.
    fn count_if(&self, name: &str) -> Result<Option<u64>>;
    /// A time.
    fn time(&self, name: &str) -> Result<Timestamp>;
    /// A time that may be missing.
    fn time_if(&self, name: &str) -> Result<Option<Timestamp>>;
    /// Something written as text.
    fn text<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T>;
    /// Something written as text that may be missing.
    fn text_if<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>>;
    /// Something written as JSON.
    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T>;
    /// An identifier.
    fn id<T: Identifier>(&self, name: &str) -> Result<T>;
    /// An identifier that may be missing.
    fn id_if<T: Identifier>(&self, name: &str) -> Result<Option<T>>;
}

impl Columns for Row<'_> {
    fn count(&self, name: &str) -> Result<u64> {
        self.get(name).map(count)
    }

    fn count_if(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.get::<_, Option<i64>>(name)?.map(count))
    }

    fn time(&self, name: &str) -> Result<Timestamp> {
        self.count(name).map(Timestamp::from_micros)
    }

    fn time_if(&self, name: &str) -> Result<Option<Timestamp>> {
        Ok(self.count_if(name)?.map(Timestamp::from_micros))
    }

    fn text<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        parse(name, &self.get::<_, String>(name)?)
    }

    fn text_if<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>> {
        self.get::<_, Option<String>>(name)?.map(|text| parse(name, &text)).transpose()
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text: String = self.get(name)?;
        serde_json::from_str(&text).map_err(|error| senseless(name, Type::Text, &error))
    }

    fn id<T: Identifier>(&self, name: &str) -> Result<T> {
        self.get(name).map(T::from_bytes)
    }

    fn id_if<T: Identifier>(&self, name: &str) -> Result<Option<T>> {
        Ok(self.get::<_, Option<[u8; 16]>>(name)?.map(T::from_bytes))
    }
}

fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| senseless(name, Type::Text, &error))
}

fn senseless(name: &str, kind: Type, error: &impl Display) -> SqlError {
    let error: Box<dyn Error + Send + Sync> = format!("column {name}: {error}").into();
    SqlError::FromSqlConversionFailure(0, kind, error)
}

/// An identifier of sixteen bytes.
pub(crate) trait Identifier {
    fn from_bytes(bytes: [u8; 16]) -> Self;
}

macro_rules! identifiers {
    ($($name:ident)*) => {$(
        impl Identifier for $name {
            fn from_bytes(bytes: [u8; 16]) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )*};
}

identifiers! { ActionId ApprovalId HoldId KeyId RunId }
