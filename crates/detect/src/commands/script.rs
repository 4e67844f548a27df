//! What a shell line holds: commands, each with its words.

/// One word of a command, as far as it can be told before the shell runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes. What the shell puts in stands as it was written: `$HOME`, `$(date)`, `*.txt`.
    pub(super) text: String,
    /// Whether the shell leaves it as it stands: no variables, substitutions, patterns, braces.
    pub(super) is_known: bool,
    /// Where in the text a quoted part begins: what is quoted is no word of the shell's own (`if`, `{`, `NAME=`).
    pub(super) quoted_at: Option<usize>,
}

impl Word {
    /// A word that no shell has touched.
    pub(super) fn given(text: &str) -> Self {
        Self { text: text.to_owned(), is_known: true, quoted_at: Some(0) }
    }

    /// The beginning of one that is read.
    pub(super) fn empty() -> Self {
        Self { text: String::new(), is_known: true, quoted_at: None }
    }

    /// Notes that a quoted part begins here.
    pub(super) fn quote(&mut self) {
        self.quoted_at.get_or_insert(self.text.len());
    }

    /// Something that is only known when it runs.
    pub(super) fn unknown(text: &str) -> Self {
        Self { is_known: false, ..Self::given(text) }
    }
}

/// A program, or a word of the shell, with what it gets.
#[derive(Debug, Clone, Default)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// `NAME=value` before the program, as names.
    pub(super) assigned: Vec<String>,
    /// Where output goes and input comes from.
    pub(super) redirected: Vec<Word>,
    /// Which of the line's here-documents it reads.
    pub(super) document: Option<usize>,
    pub(super) in_background: bool,
    /// Commands of one pipeline have the same number, and stand in its order.
    pub(super) pipeline: usize,
    /// The place among the line's commands.
    pub(super) position: usize,
}

/// All that a line holds, what is inside of substitutions first.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    /// The texts of here-documents and here-strings.
    pub(super) documents: Vec<Word>,
    /// The names of functions that the line defines.
    pub(super) functions: Vec<String>,
    pub(super) pipelines: usize,
    pub(super) has_pipes: bool,
}

/// Why a line can't be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opaque {
    Unclosed,
    TooDeep,
    TooLong,
    Unusual,
}

impl Opaque {
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Unclosed => "the line ends within a quote, a substitution or a group",
            Self::TooDeep => "the line is nested too deeply",
            Self::TooLong => "the line is too long",
            Self::Unusual => "the line uses the shell in a way that isn't understood here",
        }
    }
}

impl Script {
    /// Takes over what stands in a substitution.
    pub(super) fn take_over(&mut self, inner: Self) {
        let (documents, pipelines) = (self.documents.len(), self.pipelines);
        self.commands.extend(inner.commands.into_iter().map(|command| Command {
            document: command.document.map(|document| document + documents),
            pipeline: command.pipeline + pipelines,
            ..command
        }));
        self.documents.extend(inner.documents);
        self.functions.extend(inner.functions);
        self.pipelines += inner.pipelines;
        self.has_pipes |= inner.has_pipes;
    }
}
