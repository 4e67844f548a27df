//! Where the files of an agent are, and what is done to files alike everywhere.
//!
//! What is in the files is said by those who read and write them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::BlobId;

/// The folder of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Folder(pub(crate) PathBuf);

/// The folder with the folders of all agents.
pub(crate) fn agents(root: &Path) -> PathBuf {
    root.join("agents")
}

impl Folder {
    pub(crate) fn of(root: &Path, id: &AgentId) -> Self {
        Self(agents(root).join(id.as_str()))
    }

    /// A folder of a name that no agent has: for what is being made, and what is being removed.
    pub(crate) fn passing(root: &Path, what: &str) -> Self {
        Self(agents(root).join(format!(".{what}-{:016x}", fastrand::u64(..))))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The truth.
    pub(crate) fn log(&self) -> PathBuf {
        self.file("log.jsonl")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.file("state.json")
    }

    pub(crate) fn card(&self) -> PathBuf {
        self.file("agent.json")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.file("blobs")
    }

    /// Keeps bytes under their hash. Durable when it returns; nothing is done where they are there already.
    pub(crate) fn put_blob(&self, id: &BlobId, bytes: &[u8]) -> io::Result<()> {
        let path = self.blobs().join(id.to_string());
        if fs::read(&path).is_ok_and(|found| BlobId::of(&found) == *id) {
            return Ok(());
        }
        if make(&self.blobs())? {
            sync(&self.0)?;
        }
        seawall_base::atomic::write(&path, bytes, 0o600)
    }

    /// Whether bytes of this hash were kept here.
    pub(crate) fn has_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        let path = self.blobs().join(id.to_string());
        path.try_exists().map_err(failed(&path))
    }

    /// The bytes of this hash. `None`: they were never kept here.
    pub(crate) fn blob(&self, id: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.blobs().join(id.to_string());
        match fs::read(&path) {
            Ok(bytes) if BlobId::of(&bytes) == *id => Ok(Some(bytes)),
            Ok(_) => Err(StoreError::Corrupt {
                reason: format!("{} has other bytes than its name says", path.display()),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path)(error)),
        }
    }
}

/// What becomes of an error of the system about this file or folder.
pub(crate) fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Unavailable { reason: format!("{}: {error}", path.display()) }
}

/// Makes a folder that its owner alone may enter. Whether it was not there.
pub(crate) fn make(path: &Path) -> io::Result<bool> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names that came or went survive a power failure only when their folder is on the disk.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens a file to read and write it, making it where it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Writes `bytes` at `at`, which is the file's end; a failure leaves the file as it was.
pub(crate) fn append(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, at).inspect_err(|_| {
        // Where even this fails the bytes are seen to be no whole append when the file is read.
        let _ = file.set_len(at);
    })
}

/// The bytes from one place of a file to another.
pub(crate) fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// Replaces a file by another one without waiting for the disk: for what is checked when it is read, and can be made anew.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    fs::rename(&draft, path)
}

/// Copies what is in a file from `from` on to another one beside it, that is a new one, and names it.
pub(crate) fn set_aside(path: &Path, from: u64) -> io::Result<PathBuf> {
    let mut source = File::open(path)?;
    io::Seek::seek(&mut source, io::SeekFrom::Start(from))?;
    let (aside, mut kept) = damaged_file(path)?;
    io::copy(&mut source, &mut kept)?;
    kept.sync_all()?;
    if let Some(folder) = path.parent() {
        sync(folder)?;
    }
    Ok(aside)
}

/// The first of `NAME.damaged`, `NAME.damaged.2` … that is not there.
fn damaged_file(path: &Path) -> io::Result<(PathBuf, File)> {
    for number in 1_u32.. {
        let suffix = if number == 1 { ".damaged".to_owned() } else { format!(".damaged.{number}") };
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name) {
            Ok(file) => return Ok((name.into(), file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many damaged files"))
}
