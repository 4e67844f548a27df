//! What an agent wants to say to a model, in no provider's words. Everything is borrowed from the agent's own history: the only
//! copy of it is the request's body.

use serde_json::{Map, Value};

use crate::wire::Wire;

/// The format in which a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenAI's chat completions, which most others speak too.
    OpenAiChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Gemini,
}

impl Format {
    /// Every format, with the name that configurations call it by.
    pub const ALL: [(&'static str, Self); 4] = [
        ("openai", Self::OpenAiChat),
        ("openai-responses", Self::OpenAiResponses),
        ("anthropic", Self::Anthropic),
        ("gemini", Self::Gemini),
    ];

    /// The format of a provider as configurations call it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The wire format of a request, and of its answer, in one piece or as a stream.
    #[must_use]
    pub const fn wire(self, stream: bool) -> Wire {
        match (self, stream) {
            (Self::OpenAiChat, _) => Wire::OpenAiChat,
            (Self::OpenAiResponses, _) => Wire::OpenAiResponses,
            (Self::Anthropic, _) => Wire::AnthropicMessages,
            (Self::Gemini, false) => Wire::GeminiGenerate,
            (Self::Gemini, true) => Wire::GeminiStream,
        }
    }
}

/// One request to a model.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The model.
    pub model: &'a str,
    /// What stands before the conversation.
    pub system: Option<&'a str>,
    /// The conversation. Turns of one speaker after each other are one message where it is written.
    pub messages: &'a [Turn<'a>],
    /// What the model may ask for.
    pub tools: &'a [ToolDescription<'a>],
    /// The longest answer, in tokens, thoughts included. Anthropic demands one: 8,192 where none is given.
    pub max_tokens: Option<u64>,
    /// How freely the model chooses its words. Not sent to Anthropic together with thinking, which excludes it.
    pub temperature: Option<f64>,
    /// How much the model thinks first.
    pub thinking: Thinking,
    /// Whether the answer comes as a stream.
    pub stream: bool,
    /// Whether to mark the beginning of the conversation for the provider's cache, where it is cached only when marked
    /// (Anthropic): a history that grows by appending is then read again for a tenth of its price.
    pub cache: bool,
    /// Further fields of the provider, at the top of the body. Objects are merged, `tools` and other lists get longer, anything
    /// else takes the place of ours. Model, conversation, `stream`, its usage and the number of answers stay what they are.
    pub extra: Option<&'a Map<String, Value>>,
}

impl<'a> Ask<'a> {
    /// Nothing but a model and a conversation: no tools, one piece, everything else as the provider likes it.
    #[must_use]
    pub const fn new(model: &'a str, messages: &'a [Turn<'a>]) -> Self {
        Self {
            model,
            system: None,
            messages,
            tools: &[],
            max_tokens: None,
            temperature: None,
            thinking: Thinking::Unset,
            stream: false,
            cache: false,
            extra: None,
        }
    }
}

/// How much a model thinks before it answers. What a model does not know of is said in the nearest words that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// As the provider likes it.
    #[default]
    Unset,
    /// Not at all, where that can be asked for.
    Off,
    /// At most so many tokens.
    Budget(u64),
    /// So hard.
    Effort(Effort),
}

/// How hard a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Hardly.
    Minimal,
    /// A little.
    Low,
    /// Neither much nor little.
    Medium,
    /// Much.
    High,
    /// As much as it can.
    Highest,
}

impl Effort {
    /// Each effort with the tokens that it stands for where only those can be said: thinking of so many tokens is worth it.
    const BUDGETS: [(Self, u64); 5] = [
        (Self::Minimal, 1_024),
        (Self::Low, 4_096),
        (Self::Medium, 8_192),
        (Self::High, 16_384),
        (Self::Highest, 32_768),
    ];

    /// The tokens that it stands for.
    pub(super) fn budget(self) -> u64 {
        Self::BUDGETS.iter().find(|(effort, _)| *effort == self).map_or(1_024, |(_, tokens)| *tokens)
    }

    /// The greatest effort that stays within so many tokens; the least, where none does.
    pub(super) fn within(tokens: u64) -> Self {
        let fitting = Self::BUDGETS.iter().rev().find(|(_, budget)| *budget <= tokens);
        fitting.map_or(Self::Minimal, |(effort, _)| *effort)
    }
}

/// A tool, as the model gets to see it.
#[derive(Debug, Clone, Copy)]
pub struct ToolDescription<'a> {
    /// Its name: letters, digits, `_` and `-`, at most 64, which is what all providers take.
    pub name: &'a str,
    /// What it does and when to use it.
    pub description: &'a str,
    /// The JSON Schema of its arguments.
    pub parameters: &'a Value,
}

/// Who says a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person, a reminder, or the results of tools.
    User,
    /// The model.
    Assistant,
}

/// What one speaker says in one go.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// The speaker.
    pub role: Role,
    /// What it says, in order.
    pub blocks: Vec<Part<'a>>,
}

/// A piece of a turn.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// Words.
    Text(&'a str),
    /// The model asks for a tool.
    ToolUse(ToolUse<'a>),
    /// What became of that.
    ToolResult(ToolResult<'a>),
    /// What the model thought. Goes back to the provider only with its signature, and only to the one who signed it.
    Reasoning(Reasoning<'a>),
    /// A picture.
    Image(Media<'a>),
    /// A sound.
    Audio(Media<'a>),
    /// Any other file.
    File(Media<'a>),
}

/// The model asks for a tool.
#[derive(Debug, Clone, Copy)]
pub struct ToolUse<'a> {
    /// The call's name in this conversation: letters, digits, `_` and `-`, at most 64.
    pub id: &'a str,
    /// The tool.
    pub name: &'a str,
    /// Its arguments. What is no object is shown to the model as `{"unreadable": …}`, since providers take only objects.
    pub input: &'a Value,
}

/// What became of a call. One that answers no call of the turn before it is shown as text: providers refuse it as a result.
#[derive(Debug, Clone)]
pub struct ToolResult<'a> {
    /// The call.
    pub id: &'a str,
    /// What the model is told: words, pictures, files.
    pub content: Vec<Part<'a>>,
    /// Whether that is a failure.
    pub is_error: bool,
}

/// What a model thought.
#[derive(Debug, Clone, Copy)]
pub struct Reasoning<'a> {
    /// The thoughts, where they were shown.
    pub text: &'a str,
    /// What came with them in [`super::Said::Thought`], as it came.
    pub signature: Option<&'a Value>,
}

/// What is not words.
#[derive(Debug, Clone, Copy)]
pub struct Media<'a> {
    /// What it is (RFC 6838).
    pub mime_type: &'a str,
    /// Where it is.
    pub source: Source<'a>,
}

/// Where a picture, a sound or a file is.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Here. Written in base64, straight into the request.
    Bytes(&'a [u8]),
    /// At an address that the provider can reach.
    Url(&'a str),
}

impl std::fmt::Debug for Source<'_> {
    /// Without the bytes: they are many, and somebody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Url(_) => f.write_str("Url"),
        }
    }
}
