//! What a tool is seen to do while it runs.

pub use seawall_checkpoint::tool::Observed as Seen;
