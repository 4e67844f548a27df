//! Which blobs an agent's log speaks of: pictures, sounds and files, and never events that are large themselves.

use std::collections::BTreeSet;

use seawall_engine::{Block, Event, Fact, Piece, Resolution, Source};

use super::blob::BlobId;

/// The blobs that an event speaks of.
pub(super) fn mentioned(event: &Event) -> BTreeSet<BlobId> {
    let mut blobs = BTreeSet::new();
    contents(&event.fact).into_iter().for_each(|content| collect(content, &mut blobs));
    blobs
}

fn collect(content: &[Block], blobs: &mut BTreeSet<BlobId>) {
    for block in content {
        match block {
            Block::Image(media) | Block::Audio(media) | Block::File(media) => {
                if let Source::Blob(name) = &media.source {
                    blobs.extend(name.parse::<BlobId>());
                }
            }
            Block::ToolResult { content, .. } => collect(content, blobs),
            Block::Text { .. } | Block::ToolUse { .. } | Block::Reasoning { .. } => {}
        }
    }
}

/// Everything in a fact that is said or given.
fn contents(fact: &Fact) -> Vec<&[Block]> {
    match fact {
        Fact::MessageReceived { content, .. } => vec![content],
        Fact::HistoryInherited { messages } => messages.iter().map(|message| &*message.content).collect(),
        Fact::StreamClosed { block, .. } => block.iter().map(std::slice::from_ref).collect(),
        Fact::ModelFinished { content, .. } => content.iter().filter_map(said).collect(),
        Fact::ToolDenied { result, .. }
        | Fact::ToolAnswered { result, .. }
        | Fact::ToolSealed { result, .. } => vec![&result.content],
        Fact::ToolCompleted { outcome } | Fact::ToolFailed { outcome } => vec![&outcome.result.content],
        Fact::ToolReviewed { result, .. } => result.iter().map(|result| &*result.content).collect(),
        Fact::ToolResolved { resolution, .. } => match resolution {
            Resolution::Done { result } => vec![&result.content],
            Resolution::NotDone => Vec::new(),
        },
        Fact::AgentCreated { .. }
        | Fact::AgentClaimed { .. }
        | Fact::AgentResumed { .. }
        | Fact::AgentArchived { .. }
        | Fact::AgentRepaired { .. }
        | Fact::ToolsChanged { .. }
        | Fact::StepStarted { .. }
        | Fact::StreamOpened { .. }
        | Fact::StreamChunk { .. }
        | Fact::ModelFailed { .. }
        | Fact::ModelRetried { .. }
        | Fact::LimitReached { .. }
        | Fact::ApprovalAsked { .. }
        | Fact::ApprovalDecided { .. }
        | Fact::ToolStarted { .. }
        | Fact::ToolInDoubt { .. }
        | Fact::StepCompleted { .. }
        | Fact::TurnInterrupted { .. }
        | Fact::CompressionStarted { .. }
        | Fact::CompressionFinished { .. }
        | Fact::CompressionFailed { .. }
        | Fact::SnapshotTaken { .. }
        | Fact::TodosChanged { .. }
        | Fact::ScheduleSet { .. }
        | Fact::ScheduleRemoved { .. }
        | Fact::SchedulePlanned { .. }
        | Fact::ScheduleTriggered { .. }
        | Fact::RoomJoined { .. }
        | Fact::RoomLeft { .. }
        | Fact::RoomSaid { .. }
        | Fact::RoomDelivered { .. }
        | Fact::Noted { .. } => Vec::new(),
    }
}

fn said(piece: &Piece) -> Option<&[Block]> {
    match piece {
        Piece::Block(block) => Some(std::slice::from_ref(block)),
        Piece::Streamed(_) | Piece::Call { .. } => None,
    }
}
