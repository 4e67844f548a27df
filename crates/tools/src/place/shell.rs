//! One command of an agent: its output goes into a file while it runs, and it can be ended at any time with all that it
//! has started.

use std::fs::File;
use std::io::{self, PipeReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_sandbox::{Child, Ender, Report};
use tokio::sync::watch;

use crate::Failure;
use crate::bound::join;

/// So much of what a command says is kept.
const MOST_KEPT: u64 = 64 * 1024 * 1024;

/// A command that was begun.
#[derive(Debug)]
pub(crate) struct Shell {
    id: String,
    log: PathBuf,
    state: Mutex<State>,
    ended: watch::Sender<Option<ShellEnd>>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShellEnd {
    /// It ran.
    Ran(Report),
    /// It did not, or nothing is known of its end.
    Failed(Failure),
}

#[derive(Debug, Default)]
struct State {
    is_unwanted: bool,
    ender: Option<Ender>,
}

/// Ends a command when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Attended(Option<Arc<Shell>>);

impl Attended {
    pub(crate) fn new(shell: &Arc<Shell>) -> Self {
        Self(Some(Arc::clone(shell)))
    }

    /// It may go on by itself.
    pub(crate) fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        if let Some(shell) = &self.0 {
            shell.kill();
        }
    }
}

impl Shell {
    pub(super) fn new(id: String, log: PathBuf) -> Self {
        Self { id, log, state: Mutex::default(), ended: watch::Sender::new(None) }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Ends it and all that it has started, also if it has not begun yet. Returns at once.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.is_unwanted = true;
        if let Some(ender) = &state.ender {
            ender.kill_family();
        }
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<ShellEnd> {
        self.ended.borrow().clone()
    }

    /// Waits until nothing is left of it.
    pub(crate) async fn ended(&self) -> ShellEnd {
        let mut ended = self.ended.subscribe();
        let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        end.unwrap_or_else(|| ShellEnd::Failed(Failure::new("nothing is known of the command's end")))
    }

    /// It was started: from here on a thread of its own listens to it and waits for it.
    pub(super) fn attend(self: &Arc<Self>, mut child: Child) {
        let attended = child.ender().and_then(|ender| {
            let mut state = self.state();
            if state.is_unwanted {
                ender.kill_family();
            }
            state.ender = Some(ender);
            drop(state);
            let output = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
            let shell = Arc::clone(self);
            let thread = std::thread::Builder::new().name("command of an agent".to_owned());
            thread.spawn(move || shell.listen(output, child))
        });
        if let Err(error) = attended {
            // The child was dropped, which ended it.
            self.fail(Failure::system("the command can't be listened to", &error));
        }
    }

    /// It could not be started.
    pub(super) fn fail(&self, failure: Failure) {
        self.ended.send_replace(Some(ShellEnd::Failed(failure)));
    }

    fn listen(&self, output: PipeReader, child: Child) {
        let kept = self.keep(output);
        if kept.is_err() {
            child.kill_family();
        }
        let waited = child.wait();
        let end = match (waited, kept) {
            (Ok(report), Ok(())) => ShellEnd::Ran(report),
            (Ok(_), Err(error)) => ShellEnd::Failed(Failure::system("its output can't be kept", &error)),
            (Err(error), _) => ShellEnd::Failed(Failure::system("the command was lost", &error)),
        };
        self.ended.send_replace(Some(end));
    }

    /// Writes what it says into its file, as soon as it says it.
    fn keep(&self, mut output: PipeReader) -> io::Result<()> {
        let mut log = File::options().append(true).open(&self.log)?;
        let (mut room, mut buffer) = (MOST_KEPT, vec![0; 64 * 1024]);
        loop {
            let read = match output.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(read);
            log.write_all(buffer.get(..take).unwrap_or_default())?;
            room -= take as u64;
            if take < read && take > 0 {
                log.write_all(b"\n[what follows is not kept]\n")?;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two fields, each of which is written at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in a command's file: whole when it is short, else its beginning and its end. Also whether it was cut.
pub(crate) fn output(log: &Path, most: usize) -> io::Result<(String, bool)> {
    let file = File::open(log)?;
    let bytes = file.metadata()?.len();
    if bytes <= most as u64 {
        let mut whole = Vec::new();
        file.take(most as u64).read_to_end(&mut whole)?;
        return Ok((String::from_utf8_lossy(&whole).into_owned(), false));
    }
    // What a command says last is mostly what matters.
    let (first, last) = (most as u64 / 4, most as u64 / 4 * 3);
    let (head, _) = characters(&file, 0, first)?;
    let (tail, _) = characters(&file, bytes - last, last)?;
    let rest =
        format!("the whole is in {}; read it with fs_read (offset, limit, byte_offset)", log.display());
    Ok((join(&head, &tail, bytes, &rest), true))
}

/// The text at `start`, at most `most` bytes of it, without halves of characters at its ends; and where it ends.
pub(crate) fn characters(mut file: &File, start: u64, most: u64) -> io::Result<(String, u64)> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let begin = if start == 0 { 0 } else { continuation(bytes.iter()) };
    let end = whole_characters(&bytes);
    let text = String::from_utf8_lossy(bytes.get(begin..end).unwrap_or_default()).into_owned();
    Ok((text, start + end as u64))
}

/// How many bytes at the front belong to a character that began before.
fn continuation<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count()
}

/// How many bytes there are without a character that is cut off at the end.
pub(crate) fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(4);
    let end = bytes.get(last..).unwrap_or_default();
    match std::str::from_utf8(end.get(continuation(end.iter())..).unwrap_or_default()) {
        Err(error) if error.error_len().is_none() => last + continuation(end.iter()) + error.valid_up_to(),
        _ => bytes.len(),
    }
}
