//! Values on their way into and out of columns.
//!
//! Each has one type of the server, which is sent along with it: so a statement needs no round trip to find its types out,
//! and a connection that a pooler hands on needs no prepared statements.

use std::borrow::Cow;
use std::error::Error;

use bytes::{BufMut, BytesMut};
use seawall_types::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

type Fault = Box<dyn Error + Sync + Send>;

/// 2000-01-01, from which the server counts, in microseconds since 1970.
const SERVER_EPOCH: i128 = 946_684_800_000_000;

/// The last time that the server knows (`294276-12-31 23:59:59.999999`), by its own count.
const LAST_TIME: i64 = 9_223_371_331_199_999_999;

/// A value that one column type fits.
pub(crate) trait Column: ToSql + Send + Sync {
    /// The type.
    fn column() -> Type;
}

/// One of which there are arrays.
pub(crate) trait Element: Column {
    /// The type of an array.
    fn array() -> Type;
}

/// A count or number: `bigint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

/// Words: `text`, which can't hold the character of number 0.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a>(Cow<'a, str>);

/// JSON, byte for byte as it was written: `json`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<'a>(pub(crate) &'a [u8]);

/// `bytea`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

/// `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

/// `boolean`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag(pub(crate) bool);

impl<'a> Text<'a> {
    /// The words, with a replacement character where the server takes none: for columns that are searched, never for what
    /// is read back.
    pub(crate) fn new(words: &'a str) -> Self {
        if words.contains('\0') { Self(words.replace('\0', "\u{fffd}").into()) } else { Self(words.into()) }
    }
}

impl Number {
    /// The number, or the highest that there can be: for bounds.
    pub(crate) fn capped(number: u64) -> Self {
        Self(number.min(i64::MAX.unsigned_abs()))
    }
}

impl ToSql for Number {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        out.put_i64(i64::try_from(self.0)?);
        Ok(IsNull::No)
    }

    accepts!(INT8);
    to_sql_checked!();
}

impl FromSql<'_> for Number {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Fault> {
        Ok(Self(u64::try_from(i64::from_be_bytes(raw.try_into()?))?))
    }

    accepts!(INT8);
}

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        let micros = i128::from(self.0.as_micros()) - SERVER_EPOCH;
        out.put_i64(i64::try_from(micros).map_or(LAST_TIME, |micros| micros.min(LAST_TIME)));
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl FromSql<'_> for Time {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Fault> {
        let micros = i128::from(i64::from_be_bytes(raw.try_into()?)) + SERVER_EPOCH;
        Ok(Self(Timestamp::from_micros(u64::try_from(micros)?)))
    }

    accepts!(TIMESTAMPTZ);
}

impl<'a> FromSql<'a> for Json<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self(raw))
    }

    accepts!(JSON);
}

impl ToSql for Flag {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        out.put_u8(u8::from(self.0));
        Ok(IsNull::No)
    }

    accepts!(BOOL);
    to_sql_checked!();
}

macro_rules! as_bytes {
    ($($name:ident, $column:ident, |$value:ident| $bytes:expr;)*) => {$(
        impl ToSql for $name<'_> {
            fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
                let $value = self;
                out.put_slice($bytes);
                Ok(IsNull::No)
            }

            accepts!($column);
            to_sql_checked!();
        }
    )*};
}

as_bytes! {
    Text, TEXT, |text| text.0.as_bytes();
    Json, JSON, |json| json.0;
    Raw, BYTEA, |raw| raw.0;
}

macro_rules! columns {
    ($($name:ty, $column:ident, $array:ident;)*) => {$(
        impl Column for $name {
            fn column() -> Type {
                Type::$column
            }
        }

        impl Element for $name {
            fn array() -> Type {
                Type::$array
            }
        }
    )*};
}

columns! {
    Number, INT8, INT8_ARRAY;
    Text<'_>, TEXT, TEXT_ARRAY;
    Json<'_>, JSON, JSON_ARRAY;
    Raw<'_>, BYTEA, BYTEA_ARRAY;
    Time, TIMESTAMPTZ, TIMESTAMPTZ_ARRAY;
    Flag, BOOL, BOOL_ARRAY;
}

impl<T: Column> Column for Option<T> {
    fn column() -> Type {
        T::column()
    }
}

impl<T: Element> Element for Option<T> {
    fn array() -> Type {
        T::array()
    }
}

impl<T: Element> Column for Vec<T> {
    fn column() -> Type {
        T::array()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_back_as_it_was_written() {
        let last = u64::try_from(i128::from(LAST_TIME) + SERVER_EPOCH).unwrap();
        for (micros, kept) in [(0, 0), (1_700_000_000_000_007, 1_700_000_000_000_007), (u64::MAX, last)] {
            let mut out = BytesMut::new();
            Time(Timestamp::from_micros(micros)).to_sql(&Type::TIMESTAMPTZ, &mut out).unwrap();
            let read = Time::from_sql(&Type::TIMESTAMPTZ, &out).unwrap();
            assert_eq!(read.0.as_micros(), kept);
        }
    }

    #[test]
    fn a_number_that_the_server_has_no_room_for_is_refused() {
        let mut out = BytesMut::new();
        assert!(Number(u64::MAX).to_sql(&Type::INT8, &mut out).is_err());
        assert!(Number::from_sql(&Type::INT8, &(-1_i64).to_be_bytes()).is_err());
    }

    #[test]
    fn words_have_no_character_that_the_server_refuses() {
        assert_eq!(Text::new("a\0b").0, "a\u{fffd}b");
        assert_eq!(Text::new("plain").0, "plain");
    }
}
