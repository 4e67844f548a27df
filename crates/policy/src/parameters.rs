//! What a parameter is for, told from its name and its value.

use seawall_types::Effect;

/// What the text of a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A path.
    Path,
    /// A URL, or the name of a host.
    Url,
    /// A path or a URL, as its value shows.
    Place,
    /// A line for a shell, or a program with its arguments when it is a list.
    Command,
}

impl Class {
    /// What a parameter is that was declared to have this effect.
    pub(crate) fn of(effect: Effect) -> Self {
        match effect {
            Effect::FsRead | Effect::FsWrite | Effect::FsDelete => Self::Path,
            Effect::Net => Self::Url,
            Effect::Exec => Self::Command,
        }
    }
}

/// What a name is for, in lower case and without separators; and whether it is for the same as the last word of a longer
/// name: `output_path`, `downloadUrl`. Others aren't: a `zip_code` is no command, and a `data_source` is no place.
fn meaning(letters: &[u8]) -> Option<(Class, bool)> {
    // Patterns, not a list to search: the compiler makes a tree of comparisons of them.
    Some(match letters {
        b"path" | b"file" | b"filename" | b"filepath" => (Class::Path, true),
        b"dir" | b"directory" | b"folder" => (Class::Path, true),
        b"pathname" | b"cwd" | b"workdir" | b"workingdirectory" => (Class::Path, false),
        b"url" | b"endpoint" | b"host" | b"hostname" => (Class::Url, true),
        b"webhook" => (Class::Url, false),
        b"uri" | b"href" => (Class::Place, true),
        b"dest" | b"destination" | b"dst" | b"target" | b"output" => (Class::Place, false),
        b"source" | b"src" | b"link" => (Class::Place, false),
        b"command" | b"cmd" => (Class::Command, true),
        b"argv" | b"bash" | b"code" | b"commandline" => (Class::Command, false),
        b"executable" | b"program" | b"script" => (Class::Command, false),
        _ => return None,
    })
}

/// The names of the list that goes with a command beside it.
const ARGUMENTS: [&str; 3] = ["args", "arguments", "params"];

/// What a parameter of this name is for; also in the plural.
pub(crate) fn class(name: &str) -> Option<Class> {
    known(name).map(|(class, _)| class).or_else(|| {
        let word = words(name).last().filter(|word| word.len() < name.len())?;
        known(word).filter(|(_, ends_names)| *ends_names).map(|(class, _)| class)
    })
}

/// The meaning of a name, whatever its case and separators, or of what it is the plural of.
fn known(name: &str) -> Option<(Class, bool)> {
    // One letter more than the longest name, for its plural.
    let mut letters = [0; 17];
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        *letters.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let letters = letters.get(..length)?;
    meaning(letters).or_else(|| meaning(letters.strip_suffix(b"s")?))
}

/// Whether a list of this name goes with a command beside it.
pub(crate) fn is_arguments(name: &str) -> bool {
    ARGUMENTS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The words of a name: `read_file`, `read-file`, `readFile` and `fs.read` are two each.
pub(crate) fn words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    parts.flat_map(humps).filter(|word| !word.is_empty())
}

/// Divides before every capital that follows a small letter.
fn humps(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let hump = |pair: &[u8]| matches!(pair, [a, b] if !a.is_ascii_uppercase() && b.is_ascii_uppercase());
        let end = rest.as_bytes().windows(2).position(hump).map_or(rest.len(), |before| before + 1);
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(word)
    })
}

/// Whether a text is plainly a URL: a scheme, and then slashes or one of the schemes that need none.
pub(crate) fn looks_like_url(text: &str) -> bool {
    const WITHOUT_SLASHES: [&str; 6] = ["http", "https", "ws", "wss", "ftp", "file"];
    // None is without it, and most names and words are.
    if !text.as_bytes().contains(&b':') {
        return false;
    }
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme
        && !text.contains(['\n', ' '])
        && (rest.starts_with("//") || WITHOUT_SLASHES.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}

/// Whether a text is plainly a path: absolute, at home, or with dots for folders.
pub(crate) fn looks_like_path(text: &str) -> bool {
    const LONGEST: usize = 4096;
    const BEGINNINGS: [&str; 8] = ["/", "~/", "./", "../", "\\\\", ".\\", "..\\", "file:"];
    // None is without one of these, and most names and words are.
    if !text.bytes().any(|byte| b"/\\~.:".contains(&byte)) {
        return false;
    }
    if text.len() > LONGEST || text.contains(['\n', '\r']) {
        return false;
    }
    let is_comment = text.starts_with("/* ") || text.starts_with("// ");
    let has_drive =
        matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    !is_comment
        && (matches!(text, ".." | "~")
            || has_drive
            || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
            || climbs(text))
}

/// Whether a path, or what may be taken for one, goes up somewhere.
pub(crate) fn climbs(text: &str) -> bool {
    text.contains("..")
        && !text.contains(' ')
        && text.split(['/', '\\']).any(|name| name == "..")
        && text.contains(['/', '\\'])
}

/// Whether a text has the form of a file's name, and not of a word.
pub(crate) fn is_file_like(text: &str) -> bool {
    text.contains(['/', '.']) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_parameters_are_for() {
        for (name, expected) in [
            ("path", Some(Class::Path)),
            ("filePath", Some(Class::Path)),
            ("file_path", Some(Class::Path)),
            ("FILE-PATH", Some(Class::Path)),
            ("files", Some(Class::Path)),
            ("output_path", Some(Class::Path)),
            ("outputDir", Some(Class::Path)),
            ("src", Some(Class::Place)),
            ("dst", Some(Class::Place)),
            ("imageUrl", Some(Class::Url)),
            ("urls", Some(Class::Url)),
            ("host", Some(Class::Url)),
            ("cmd", Some(Class::Command)),
            ("shell_command", Some(Class::Command)),
            ("argv", Some(Class::Command)),
            ("zip_code", None),
            ("code", Some(Class::Command)),
            ("data_source", None),
            ("profile", None),
            ("content", None),
            ("path2", None),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(class(name), expected, "{name}");
        }
    }

    /// A pattern that is longer than the room for letters would be dead.
    #[test]
    fn every_name_is_known_also_in_the_plural_and_as_the_end_of_another_where_it_means_the_same() {
        use Class::{Command, Path, Place, Url};
        let ending: [(Class, &[&str]); 4] = [
            (Path, &["path", "file", "filename", "filepath", "dir", "directory", "folder"]),
            (Url, &["url", "endpoint", "host", "hostname"]),
            (Place, &["uri", "href"]),
            (Command, &["command", "cmd"]),
        ];
        let whole: [(Class, &[&str]); 4] = [
            (Path, &["pathname", "cwd", "workdir", "working_directory"]),
            (Url, &["webhook"]),
            (Place, &["dest", "destination", "dst", "target", "output", "source", "src", "link"]),
            (Command, &["argv", "bash", "code", "command_line", "executable", "program", "script"]),
        ];
        let each = |table: [(Class, &'static [&'static str]); 4]| {
            table.into_iter().flat_map(|(class, names)| names.iter().map(move |name| (*name, class)))
        };
        for (name, class) in each(ending).chain(each(whole)) {
            assert_eq!(self::class(name), Some(class), "{name}");
            assert_eq!(self::class(&format!("{name}s")), Some(class), "{name}");
        }
        for (name, class) in each(ending) {
            assert_eq!(self::class(&format!("my_{name}")), Some(class), "{name}");
        }
        for name in ["webhook", "dest", "target", "source", "link", "code", "script", "program", "cwd"] {
            assert_eq!(class(&format!("my_{name}")), None, "{name}");
        }
    }

    #[test]
    fn values_tell_what_they_are_under_any_name() {
        for (text, url, path) in [
            ("https://example.com/x", true, false),
            ("\thttp:example.com", true, false),
            ("gopher://x", true, false),
            ("file:///etc/passwd", true, true),
            ("HTTP://X", true, false),
            ("note: this", false, false),
            ("https://a.example is nice", false, false),
            ("mailto:a@b", false, false),
            ("/etc/passwd", false, true),
            ("~/.ssh/id_ed25519", false, true),
            ("..", false, true),
            ("a/../../b", false, true),
            ("a\\..\\b", false, true),
            ("C:\\Windows", false, true),
            ("\\\\server\\share", false, true),
            ("a/b", false, false),
            ("and/or", false, false),
            ("/* a comment */", false, false),
            ("what is this..?", false, false),
            ("", false, false),
        ] {
            assert_eq!((looks_like_url(text), looks_like_path(text)), (url, path), "{text}");
        }
    }

    #[test]
    fn words_are_divided_at_separators_and_humps() {
        for (name, expected) in [
            ("read_file", "read file"),
            ("readFile", "read File"),
            ("fs.read-all", "fs read all"),
            ("HTTPGet", "HTTPGet"),
            ("", ""),
        ] {
            assert_eq!(words(name).collect::<Vec<_>>().join(" "), expected);
        }
    }
}
