//! The threads that read files: a few, so that a long reading holds no other one up, and no more.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use seawall_store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::shared::closed;

/// Threads that read.
const READERS: usize = 3;

/// Readings that may wait; who has one more waits for a place.
const QUEUE: usize = 1024;

type Reading = Box<dyn FnOnce() + Send>;

/// The readers. They end when this is dropped, with what they read at that moment.
pub(crate) struct Readers(mpsc::Sender<Reading>);

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl Readers {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..READERS {
            let receiver = Arc::clone(&receiver);
            let name = format!("seawall-json-read-{number}");
            thread::Builder::new().name(name).spawn(move || serve(&receiver))?;
        }
        Ok(Self(sender))
    }

    /// Reads on one of the threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let reading: Reading = Box::new(move || _ = answer.send(read()));
        self.0.send(reading).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

fn serve(receiver: &Mutex<mpsc::Receiver<Reading>>) {
    loop {
        // Only the waiting is done one after the other.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match next {
            Some(reading) => reading(),
            None => return,
        }
    }
}
