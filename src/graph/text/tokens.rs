//! Words of one line of text.
//!
//! In: a line. Out: words with their columns, and the origin after `--`. Invariant: a word never
//! crosses a line.

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `%w.1'`, without the sign.
    Node(String),
    /// An axis, a function, a keyword.
    Name(String),
    /// A number as it is written.
    Number(String),
    /// Punctuation.
    Mark(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Node(id) => write!(out, "`%{id}`"),
            Token::Name(text) | Token::Number(text) => write!(out, "`{text}`"),
            Token::Mark(text) => write!(out, "`{text}`"),
        }
    }
}

/// Longest first, so that `<=` is not `<`.
const MARKS: &[&str] = &[
    "==", "!=", "<=", ">=", "[", "]", "(", ")", "{", "}", "|", ",", ":", ";", "=", "<", ">", "+",
    "-", "*", "/", "^", "@",
];

/// The words of a line with their columns (from 1), and what follows `--` with its column.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) words: Vec<(Token, usize)>,
    pub(super) origin: Option<String>,
    /// The column one past the last word.
    pub(super) end: usize,
}

/// Cuts a line into words; `first` is the column of its first character.
pub(super) fn words(line: &str, first: usize) -> Result<Words, (usize, String)> {
    let mut words = Words { end: first, ..Words::default() };
    let mut rest = line;
    let mut column = first;
    loop {
        let blank = rest.len() - rest.trim_start().len();
        column += rest[..blank].chars().count();
        rest = &rest[blank..];
        if let Some(origin) = rest.strip_prefix("--") {
            words.origin = Some(origin.trim().to_owned());
            return Ok(words);
        }
        if rest.is_empty() {
            return Ok(words);
        }
        let Some((token, length)) = word(rest) else {
            let found = rest.chars().next().unwrap_or(' ');
            return Err((column, format!("`{found}` has no meaning here")));
        };
        words.words.push((token, column));
        // Words are ASCII, so that bytes are characters.
        column += length;
        words.end = column;
        rest = &rest[length..];
    }
}

fn word(rest: &str) -> Option<(Token, usize)> {
    let run = |text: &str, inside: fn(char) -> bool| {
        text.find(|c: char| !inside(c)).unwrap_or(text.len())
    };
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '\'';
    let in_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '\'' || c == '.';
    let first = rest.chars().next()?;
    if first == '%' {
        let length = run(&rest[1..], in_id);
        return (length > 0).then(|| (Token::Node(rest[1..=length].to_owned()), length + 1));
    }
    if first.is_ascii_digit() {
        let length = number_length(rest);
        return Some((Token::Number(rest[..length].to_owned()), length));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = run(rest, in_name);
        return Some((Token::Name(rest[..length].to_owned()), length));
    }
    let mark = MARKS.iter().find(|mark| rest.starts_with(**mark))?;
    Some((Token::Mark(mark), mark.len()))
}

/// `12`, `0.5`, `1e-8`, `1.5e300`.
fn number_length(rest: &str) -> usize {
    let digits = |from: usize| {
        rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |length| from + length)
    };
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let last = digits(end + 1 + sign);
        if last > end + 1 + sign {
            end = last;
        }
    }
    end
}
