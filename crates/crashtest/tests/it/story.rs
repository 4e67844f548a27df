//! What a client wants of its agent: messages that make its model call tools of every kind, and people who decide.

use seawall_engine::{MessageKind, Ruling};

/// A message of the story.
pub(crate) struct Said {
    pub(crate) id: &'static str,
    pub(crate) kind: MessageKind,
    pub(crate) text: &'static str,
    /// Whether the client waits for the end of what comes of it before it goes on.
    pub(crate) is_awaited: bool,
}

/// Calls that people allow; others that they are asked about they deny.
const ALLOWED: u64 = 7;

/// All that is said, in order. Each call of a tool has a number of its own.
pub(crate) const STORY: [Said; 4] = [
    Said {
        id: "m1",
        kind: MessageKind::User,
        text: concat!(
            "sim:tools [{\"name\":\"pure\",\"arguments\":{\"n\":1}},{\"name\":\"idempotent\",\"arguments\":{\"n\":2}},",
            "{\"name\":\"keyed\",\"arguments\":{\"n\":3}},{\"name\":\"reconcilable\",\"arguments\":{\"n\":4}},",
            "{\"name\":\"unsafe\",\"arguments\":{\"n\":5}}]\n",
            "sim:turn 5 sim:tool unsafe {\"n\":6}\n",
            "sim:turn 6 sim:text all six are done"
        ),
        is_awaited: false,
    },
    // Comes at any moment of the first turn, or after it.
    Said { id: "note", kind: MessageKind::User, text: "By the way, take your time.", is_awaited: true },
    Said {
        id: "m2",
        kind: MessageKind::User,
        text: concat!(
            "sim:tools [{\"name\":\"asked\",\"arguments\":{\"n\":7}},{\"name\":\"asked\",\"arguments\":{\"n\":8}}]\n",
            "sim:turn 2 sim:repeat 1500 word"
        ),
        is_awaited: true,
    },
    Said {
        id: "m3",
        kind: MessageKind::User,
        text: "sim:fail 1 503\nsim:think well\nsim:text the end",
        is_awaited: true,
    },
];

/// The last words of the agent.
pub(crate) const LAST_WORDS: &str = "the end";

/// Tools, with their numbers in the order in which the model calls them.
pub(crate) const CALLS: [(u64, &str); 8] = [
    (1, "pure"),
    (2, "idempotent"),
    (3, "keyed"),
    (4, "reconcilable"),
    (5, "unsafe"),
    (6, "unsafe"),
    (7, "asked"),
    (8, "asked"),
];

/// What people say of a call.
pub(crate) fn ruling(number: u64) -> Ruling {
    if number == ALLOWED { Ruling::Allow } else { Ruling::Deny }
}
