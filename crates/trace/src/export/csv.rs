//! Tables as CSV: RFC 4180, with a header, lines ending in CR LF, UTF-8.
//!
//! Spreadsheets take a cell that begins like a formula for one and run it when the file is opened
//! (<https://owasp.org/www-community/attacks/CSV_Injection>). Names in a trace are foreign, so such a text is given an
//! apostrophe in front, which spreadsheets don't show. Who needs the texts as they were exports Parquet or JSON.

use std::io::{self, Write};

use super::table::{Cell, Column};

/// Writes a table row by row.
#[derive(Debug)]
pub struct CsvTable<R: 'static, W> {
    columns: &'static [Column<R>],
    out: W,
}

impl<R, W: Write> CsvTable<R, W> {
    /// Begins the table: writes the header.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn begin(columns: &'static [Column<R>], mut out: W) -> io::Result<Self> {
        for (index, column) in columns.iter().enumerate() {
            out.write_all(if index == 0 { b"" } else { b"," })?;
            out.write_all(column.name.as_bytes())?;
        }
        out.write_all(b"\r\n")?;
        Ok(Self { columns, out })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn push(&mut self, row: &R) -> io::Result<()> {
        for (index, column) in self.columns.iter().enumerate() {
            self.out.write_all(if index == 0 { b"" } else { b"," })?;
            write_cell(&mut self.out, &(column.of)(row))?;
        }
        self.out.write_all(b"\r\n")
    }

    /// Gives back where it wrote to, with everything written.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn write_cell(out: &mut impl Write, cell: &Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Nothing => Ok(()),
        Cell::Text(text) => write_text(out, text),
        Cell::Integer(count) => write!(out, "{count}"),
        Cell::Boolean(value) => write!(out, "{value}"),
        Cell::Time(at) => write!(out, "{at}"),
        Cell::Money(usd) => write!(out, "{usd}"),
    }
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let guard = if is_formula(text) { "'" } else { "" };
    if text.contains([',', '"', '\n', '\r']) {
        write!(out, "\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        write!(out, "{guard}{text}")
    }
}

/// Whether a spreadsheet would take the text for a formula. The last four are the full-width forms, which some take too.
fn is_formula(text: &str) -> bool {
    let begins = text
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    begins && text.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_quoted_and_are_no_formulas() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("+1", "'+1"),
            ("-1+cmd", "'-1+cmd"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("-", "-"),
            ("a=b", "a=b"),
        ] {
            assert_eq!(written(text), expected);
        }
    }
}
