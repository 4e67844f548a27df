//! Putting a compressed file in the place of a plain one, so that at every moment one of them is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::layout::{self, COMPRESSED};

/// zstd's own default: traces shrink about tenfold, at some hundreds of megabytes a second.
const LEVEL: i32 = 3;

/// Compresses a file, reads it back, and only then removes the plain one. Gives back the size of the compressed one.
///
/// The compressed file keeps the time at which the plain one was last written, since retention goes by that.
pub(super) fn compress(path: &Path) -> io::Result<u64> {
    let (target, scratch) = (with_suffix(path, COMPRESSED), with_suffix(path, ".zst.tmp"));
    write_compressed(path, &scratch)?;
    if !is_same(path, &scratch)? {
        fs::remove_file(&scratch)?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what was compressed reads back differently"));
    }
    fs::rename(&scratch, &target)?;
    let run_dir = path.parent().unwrap_or(path);
    layout::sync_dir(run_dir)?;
    fs::remove_file(path)?;
    layout::sync_dir(run_dir)?;
    Ok(fs::metadata(&target)?.len())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn write_compressed(path: &Path, scratch: &Path) -> io::Result<()> {
    let mut plain = File::open(path)?;
    let modified = plain.metadata()?.modified()?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(scratch)?;
    let mut encoder = zstd::Encoder::new(file, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut plain, &mut encoder)?;
    let file = encoder.finish()?;
    file.set_modified(modified)?;
    file.sync_all()
}

fn is_same(path: &Path, scratch: &Path) -> io::Result<bool> {
    let mut plain = BufReader::with_capacity(128 << 10, File::open(path)?);
    let mut unpacked = BufReader::with_capacity(128 << 10, zstd::Decoder::new(File::open(scratch)?)?);
    loop {
        let (one, other) = (plain.fill_buf()?, unpacked.fill_buf()?);
        let common = one.len().min(other.len());
        if common == 0 {
            return Ok(one.is_empty() && other.is_empty());
        }
        if one.get(..common) != other.get(..common) {
            return Ok(false);
        }
        plain.consume(common);
        unpacked.consume(common);
    }
}
