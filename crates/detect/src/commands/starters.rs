//! Programs that start others: where the other one stands in their words.

use super::pattern::name_of;
use super::script::{Command, Word};

/// What a command starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// A program with its words.
    Words(Vec<Word>),
    /// A line for a shell.
    Line(Word),
    /// What a shell reads from its input.
    Input,
    /// A file that a shell reads.
    File(Word),
}

struct Starter {
    name: &'static str,
    /// Options whose value is the next word.
    with_value: &'static [&'static str],
    /// So many words stand before the program, options apart.
    operands: usize,
    /// What follows is one line for a shell, in pieces.
    joins: bool,
}

const fn words(name: &'static str, with_value: &'static [&'static str], operands: usize) -> Starter {
    Starter { name, with_value, operands, joins: false }
}

const fn line(name: &'static str, with_value: &'static [&'static str], operands: usize) -> Starter {
    Starter { name, with_value, operands, joins: true }
}

/// From the manual pages of coreutils 9, util-linux 2.40, findutils 4.10, sudo 1.9, opendoas 6.8 and OpenSSH 9.
const STARTERS: [Starter; 33] = [
    words("env", &["-u", "--unset", "-C", "--chdir", "-a", "--argv0"], 0),
    words(
        "sudo",
        &[
            "-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group", "--host",
            "--prompt",
        ],
        0,
    ),
    words("doas", &["-u", "-C", "-a"], 0),
    words("run0", &["-u", "-g"], 0),
    words("pkexec", &["--user"], 0),
    words("nohup", &[], 0),
    words("setsid", &[], 0),
    words("nice", &["-n", "--adjustment"], 0),
    words("ionice", &["-c", "-n", "-p"], 0),
    words("chrt", &[], 1),
    words("taskset", &[], 1),
    words("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    words("stdbuf", &["-i", "-o", "-e", "--input", "--output", "--error"], 0),
    words("unbuffer", &[], 0),
    words("time", &["-f", "-o", "--format", "--output"], 0),
    words("command", &[], 0),
    words("builtin", &[], 0),
    words("exec", &["-a"], 0),
    words("busybox", &[], 0),
    words("toybox", &[], 0),
    words(
        "xargs",
        &["-I", "-n", "-P", "-d", "-L", "-s", "-a", "-E", "--max-args", "--max-procs", "--delimiter"],
        0,
    ),
    words("parallel", &["-j", "--jobs", "-a"], 0),
    words("chroot", &["--userspec", "--groups"], 1),
    words("unshare", &[], 0),
    words("nsenter", &["-t", "--target"], 0),
    words("strace", &["-o", "-e", "-p", "-u", "-s"], 0),
    words("ltrace", &["-o", "-e", "-p", "-u", "-s"], 0),
    words("flock", &["-w", "-E", "--timeout"], 1),
    words("systemd-run", &["-u", "-p", "--unit", "--property"], 0),
    words("setpriv", &["--reuid", "--regid", "--groups"], 0),
    line("eval", &[], 0),
    line("watch", &["-n", "--interval"], 0),
    line(
        "ssh",
        &[
            "-b", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O", "-o", "-p", "-Q",
            "-R", "-S", "-W", "-w",
        ],
        1,
    ),
];

/// Shells: all of them take a line after `-c`, and read their input when they get nothing else.
pub(super) const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "rbash", "csh", "tcsh"];

/// Programs and words of the shell among whose words variables are set.
const SETTERS: [&str; 7] = ["env", "sudo", "doas", "export", "declare", "typeset", "readonly"];

/// Options of shells whose value is the next word.
const SHELL_VALUES: [&str; 6] = ["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

/// What of `find` is followed by a command, up to `;` or `+`.
const FIND_STARTS: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];

/// Everything that the command starts; most start nothing.
pub(super) fn started_by(words: &[Word]) -> Vec<Started> {
    let Some((program, arguments)) = words.split_first() else { return Vec::new() };
    let name = name_of(&program.text);
    if SHELLS.contains(&name) {
        return vec![by_shell(arguments)];
    }
    match name {
        "find" => by_find(arguments),
        "source" | "." => arguments.first().cloned().map(Started::File).into_iter().collect(),
        "su" | "script" | "runuser" => after_option(arguments, "-c", "--command"),
        _ => {
            let lines = match name {
                "env" => after_option(arguments, "-S", "--split-string"),
                "flock" => after_option(arguments, "-c", "--command"),
                _ => Vec::new(),
            };
            if lines.is_empty() { by_listed(name, arguments).into_iter().collect() } else { lines }
        }
    }
}

fn by_listed(name: &str, arguments: &[Word]) -> Option<Started> {
    STARTERS.iter().find(|starter| starter.name == name).and_then(|starter| by_starter(starter, arguments))
}

fn by_starter(starter: &Starter, arguments: &[Word]) -> Option<Started> {
    let mut rest = arguments;
    let mut operands = starter.operands;
    while let [word, after @ ..] = rest {
        let text = word.text.as_str();
        if starter.with_value.contains(&text) {
            rest = after.get(1..).unwrap_or_default();
        } else if is_option(text) || is_assignment(text) {
            rest = after;
        } else if operands > 0 {
            operands -= 1;
            rest = after;
        } else {
            break;
        }
    }
    if rest.is_empty() {
        return None;
    }
    if starter.joins {
        return Some(Started::Line(joined(rest)));
    }
    let mut words = rest.to_vec();
    if matches!(starter.name, "xargs" | "parallel") {
        words.push(Word::unknown("what it reads"));
    }
    Some(Started::Words(words))
}

fn is_option(text: &str) -> bool {
    text.len() > 1 && text.starts_with('-')
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// The variables that a command sets for itself or for what it starts, by name.
pub(super) fn assigned_by(command: &Command) -> impl Iterator<Item = &str> {
    let sets = command.words.first().is_some_and(|program| SETTERS.contains(&name_of(&program.text)));
    let words = command.words.iter().skip(1).filter(move |_| sets);
    let among_words = words.filter_map(|word| word.text.split_once('=')).map(|(name, _)| name);
    command.assigned.iter().map(String::as_str).chain(among_words)
}

/// Words as a shell reads them that gets them in one piece.
pub(super) fn joined(words: &[Word]) -> Word {
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Word { text, is_known: words.iter().all(|word| word.is_known), quoted_at: Some(0) }
}

fn by_shell(arguments: &[Word]) -> Started {
    let mut rest = arguments;
    let mut takes_line = false;
    while let [word, after @ ..] = rest {
        let text = word.text.as_str();
        let is_short = is_option(text) && !text.starts_with("--");
        if SHELL_VALUES.contains(&text) {
            rest = after.get(1..).unwrap_or_default();
        } else if is_short && text.contains('s') && !text.contains('c') {
            return Started::Input;
        } else if is_option(text) || text.starts_with('+') {
            takes_line |= (is_short && text.contains('c')) || text == "--command";
            rest = after;
        } else if takes_line {
            return Started::Line(word.clone());
        } else {
            return Started::File(word.clone());
        }
    }
    Started::Input
}

/// What each action starts; one that stands among the words of another belongs to that.
fn by_find(arguments: &[Word]) -> Vec<Started> {
    let mut started = Vec::new();
    let mut rest = arguments.iter();
    while rest.any(|word| FIND_STARTS.contains(&word.text.as_str())) {
        let words = rest.by_ref().take_while(|word| !matches!(word.text.as_str(), ";" | "+"));
        started.push(Started::Words(words.cloned().collect()));
    }
    started
}

/// The lines that stand behind an option, apart from it or attached.
fn after_option(arguments: &[Word], short: &str, long: &str) -> Vec<Started> {
    let next = arguments.iter().skip(1).map(Some).chain([None]);
    let line = |(word, next): (&Word, Option<&Word>)| {
        let text = word.text.as_str();
        if text == short || text == long {
            return next.cloned();
        }
        let long = text.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        let attached = long.or_else(|| text.strip_prefix(short))?;
        Some(Word { text: attached.to_owned(), ..word.clone() })
    };
    arguments.iter().zip(next).filter_map(line).map(Started::Line).collect()
}
