//! Tables as Parquet: typed columns, each optional, compressed with zstd.
//!
//! Times are `TIMESTAMP(MICROS, UTC)`, and dollars `DECIMAL(38, 12)`: pico-dollars as they are counted, so that a sum
//! in the reader is exact. The file is put together column by column without Arrow.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::{ParquetError, Result as Written};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::ExportError;
use super::table::{Cell, Column, Kind};

/// Rows that are written together.
const GROUP_ROWS: usize = 65_536;
/// Bytes of text that are written together, where rows are long.
const GROUP_BYTES: usize = 32 << 20;
/// Decimal places of a dollar: pico-dollars.
const MONEY_SCALE: i32 = 12;
/// The most digits that a decimal of 16 bytes can have.
const MONEY_PRECISION: i32 = 38;
const MONEY_BYTES: i32 = 16;

/// Writes a table row by row; a group of rows is kept in memory until it is written.
pub struct ParquetTable<R: 'static, W: Write + Send> {
    columns: &'static [Column<R>],
    buffers: Vec<Buffer>,
    rows: usize,
    bytes: usize,
    file: SerializedFileWriter<W>,
}

impl<R, W: Write + Send> fmt::Debug for ParquetTable<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTable").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<R, W: Write + Send> ParquetTable<R, W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn begin(columns: &'static [Column<R>], out: W) -> Result<Self, ExportError> {
        let fields = columns.iter().map(|column| Ok(Arc::new(field(column)?))).collect::<Written<_>>()?;
        let schema = Type::group_type_builder("seawall").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("seawall ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        let buffers = columns.iter().map(|column| Buffer::new(column.kind)).collect();
        Ok(Self { columns, buffers, rows: 0, bytes: 0, file })
    }

    /// Takes one row.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn push(&mut self, row: &R) -> Result<(), ExportError> {
        for (column, buffer) in self.columns.iter().zip(&mut self.buffers) {
            self.bytes += buffer.push((column.of)(row));
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is left and the end of the file; gives back where it wrote to.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn finish(mut self) -> Result<W, ExportError> {
        self.write_group()?;
        Ok(self.file.into_inner()?)
    }

    fn write_group(&mut self) -> Written<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for buffer in &mut self.buffers {
            let column = group.next_column()?;
            let column = column.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?;
            buffer.write(column)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

fn field<R>(column: &Column<R>) -> Written<Type> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer => (Physical::INT64, None),
        Kind::Boolean => (Physical::BOOLEAN, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Money => {
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(MONEY_SCALE, MONEY_PRECISION)))
        }
    };
    let builder = Type::primitive_type_builder(column.name, physical).with_logical_type(logical);
    match column.kind {
        Kind::Money => {
            builder.with_length(MONEY_BYTES).with_precision(MONEY_PRECISION).with_scale(MONEY_SCALE).build()
        }
        Kind::Text | Kind::Integer | Kind::Boolean | Kind::Time => builder.build(),
    }
}

/// The values of one column that wait to be written.
#[derive(Debug)]
struct Buffer {
    /// For each row: 1 where there is a value, 0 where there is none.
    levels: Vec<i16>,
    values: Values,
}

/// The values that are there, in the column's physical type.
#[derive(Debug)]
enum Values {
    Bytes(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Booleans(Vec<bool>),
    Decimals(Vec<FixedLenByteArray>),
}

impl Buffer {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Bytes(Vec::new()),
            Kind::Integer | Kind::Time => Values::Numbers(Vec::new()),
            Kind::Boolean => Values::Booleans(Vec::new()),
            Kind::Money => Values::Decimals(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    /// Takes a cell; gives back about how many bytes it holds. A cell of another kind than the column's counts as
    /// nothing; a test holds every column to its kind.
    fn push(&mut self, cell: Cell<'_>) -> usize {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (is_there, bytes) = match (&mut self.values, cell) {
            (Values::Bytes(values), Cell::Text(text)) => {
                let bytes = text.len();
                values.push(ByteArray::from(text.into_owned().into_bytes()));
                (true, bytes)
            }
            (Values::Numbers(values), Cell::Integer(count)) => (push(values, number(count)), 8),
            (Values::Numbers(values), Cell::Time(at)) => (push(values, number(at.as_micros())), 8),
            (Values::Booleans(values), Cell::Boolean(value)) => (push(values, value), 1),
            (Values::Decimals(values), Cell::Money(usd)) => {
                let picos = i128::try_from(usd.as_picos()).unwrap_or(i128::MAX);
                (push(values, ByteArray::from(picos.to_be_bytes().to_vec()).into()), 16)
            }
            _ => (false, 0),
        };
        self.levels.push(i16::from(is_there));
        bytes
    }

    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Written<()> {
        let levels = Some(self.levels.as_slice());
        match &mut self.values {
            Values::Bytes(values) => column.typed::<ByteArrayType>().write_batch(values, levels, None)?,
            Values::Numbers(values) => column.typed::<Int64Type>().write_batch(values, levels, None)?,
            Values::Booleans(values) => column.typed::<BoolType>().write_batch(values, levels, None)?,
            Values::Decimals(values) => {
                column.typed::<FixedLenByteArrayType>().write_batch(values, levels, None)?
            }
        };
        column.close()?;
        self.levels.clear();
        self.values.clear();
        Ok(())
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

impl Values {
    fn clear(&mut self) {
        match self {
            Self::Bytes(values) => values.clear(),
            Self::Numbers(values) => values.clear(),
            Self::Booleans(values) => values.clear(),
            Self::Decimals(values) => values.clear(),
        }
    }
}
