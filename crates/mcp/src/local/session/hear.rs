//! What a process says, on its way to whoever waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rmcp::model::{ConstString, ProgressNotificationMethod};

use super::Session;
use super::life::away;
use crate::batch::{is_batch, parts};
use crate::body::{Frame, event};
use crate::book::{Found, Unanswered};
use crate::message::{Kind, Message};
use crate::screen::{Eyes, looked_through};
use crate::server::Server;

impl Session {
    /// A line of the process: a message, or several.
    pub(in crate::local) async fn hear(self: &Arc<Self>, server: &Arc<Server>, line: Frame) {
        if !is_batch(line.bytes()) {
            return self.hear_one(server, line).await;
        }
        let parts = parts(line.bytes()).unwrap_or_else(|error| {
            tracing::warn!(server = %server.name, %error, "a batch that the server wrote goes nowhere");
            Vec::new()
        });
        for part in parts {
            let mut memory = server.desk.parts.memory.share();
            if !memory.take(part.len(), self.limits.buffer) {
                tracing::error!(server = %server.name, "all buffered bytes are in use; a message is lost");
                return;
            }
            self.hear_one(server, Frame::new(part, Some(memory))).await;
        }
    }

    async fn hear_one(self: &Arc<Self>, server: &Arc<Server>, line: Frame) {
        let message = match Message::of_server(line.bytes().clone()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(server = %server.name, %error, "a line that the server wrote is no message, and goes nowhere");
                return;
            }
        };
        match &message.kind {
            Kind::Answer { id: Some(id), .. } => {
                self.has_spoken.store(true, Ordering::Relaxed);
                let Found::Open(mut entry) = self.book.answered(id) else { return };
                let Some(reply) = entry.reply.take() else { return };
                let told = looked_through(server, id.clone(), *entry, message).await;
                reply.send(told, Some(line)).await;
            }
            Kind::Answer { id: None, .. } => {}
            Kind::Request { .. } | Kind::Notification { .. } => {
                let policy = self.policy.load_full();
                let eyes = Eyes { server, policy: &policy, actor: &self.actor, whose: self.whose };
                let told = eyes.said(&message);
                self.route(&message, line.with(event(told))).await;
            }
        }
    }

    /// Sends on what answers no request: progress the way of its request, anything else the way of the newest one, so that
    /// it comes before that one's answer; where none is open, to who listens; and kept where nobody does.
    async fn route(&self, message: &Message, mut frame: Frame) {
        let progress = (message.method() == Some(ProgressNotificationMethod::VALUE))
            .then(|| message.value().get("progressToken").cloned())
            .flatten();
        let of_request = progress.and_then(|token| self.book.reply_of_progress(&token));
        if let Some(reply) = of_request.or_else(|| self.book.newest_reply()) {
            match reply.to.send(frame).await {
                Ok(()) => return,
                Err(unsent) => frame = unsent.0,
            }
        }
        let stream = self.listening().stream.clone();
        if let Some(stream) = stream {
            match stream.send(frame).await {
                Ok(()) => return,
                Err(unsent) => frame = unsent.0,
            }
        }
        self.listening().keep(frame);
    }

    /// Tells everybody who waits that nothing comes any more; of those who wait for one process, where it is named.
    pub(super) fn give_up_all(&self, server: &Server, generation: Option<u64>, reason: &str) {
        for (id, mut entry) in self.book.take_all(generation) {
            let reply = entry.reply.take();
            let told = entry.give_up(&server.desk, &server.name, &id, Unanswered::Away(reason));
            if let (Some(told), Some(reply)) = (told, reply) {
                reply.send_soon(&server.host, told);
            }
        }
    }

    /// What is said of a process that is gone.
    pub(super) fn away(&self, server: &Server) -> String {
        if self.has_spoken.load(Ordering::Relaxed) {
            return away(server);
        }
        format!("the server {} ended before it answered; see the log", server.name)
    }
}
