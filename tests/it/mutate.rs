//! Mistakes at random, word by word: changed bytes rarely get past the parser, moved words often do.
//!
//! In: a text, other texts to copy from, a source of chance. Out: a text close to the first. Used by
//! the tests here and by the fuzz targets of `fuzz/`.

/// A small generator of pseudo-random numbers (splitmix64): the same seed, the same mistakes.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> Option<&'a T> {
        all.get(self.below(all.len())).copied()
    }
}

/// Words that mean something somewhere.
pub(crate) const WORDS: &[&str] = &[
    "use",
    "def",
    "model",
    "train",
    "on",
    "head",
    "part",
    "controller",
    "memory",
    "state",
    "param",
    "emit",
    "from",
    "through",
    "tied",
    "prev",
    "for",
    "in",
    "if",
    "then",
    "else",
    "elsewhere",
    "and",
    "or",
    "not",
    "mod",
    "via",
    "require",
    "sum",
    "prod",
    "max",
    "min",
    "mean",
    "softmax",
    "argsort",
    "rank",
    "top",
    "norm",
    "cat",
    "stop",
    "exp",
    "log",
    "sqrt",
    "tanh",
    "relu",
    "abs",
    "clip",
    "zeros",
    "one_hot",
    "uniform",
    "learned",
    "normal",
    "real",
    "unit",
    "signed",
    "positive",
    "simplex",
    "weighting",
    "sphere",
    "index",
    "int",
    "bool",
    "true",
    "false",
    "lstm",
    "content",
    "copy",
    "std.nn",
    "std.address",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "=",
    "->",
    ",",
    ":",
    "..",
    ".",
    "+",
    "-",
    "*",
    "/",
    "^",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    ";",
    ":=",
    "##",
    "#",
    "\"",
    "\n",
    " ",
    "i",
    "x",
    "N",
];

/// Numbers at which something changes.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "7",
    "0.5",
    "1e-6",
    "1e308",
    "1e-308",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "18446744073709551616",
    "1_000",
    "1e400",
];

/// A text with one to four mistakes.
pub(crate) fn mutate(text: &str, others: &[String], chance: &mut Chance) -> String {
    let mut text = text.to_owned();
    for _ in 0..=chance.below(4) {
        text = once(&text, others, chance);
    }
    text
}

fn once(text: &str, others: &[String], chance: &mut Chance) -> String {
    let words = words(text);
    let at = chance.below(words.len() + 1);
    let end = (at + 1 + chance.below(4)).min(words.len());
    let at = at.min(end);
    let joined = |parts: &[&[&str]]| parts.concat().concat();
    let (before, here, after) = (&words[..at], &words[at..end], &words[end..]);
    match chance.below(10) {
        0 => joined(&[before, after]),
        1 => joined(&[before, here, here, after]),
        2 => joined(&[before, &[chance.pick(WORDS).unwrap_or(""), " "], here, after]),
        3 => joined(&[before, &[chance.pick(WORDS).unwrap_or("")], after]),
        // Another word of the same text, which is often a name in scope.
        4 | 5 => {
            let alike =
                |word: &&str| kind(word) == here.first().map_or(Kind::Name, |one| kind(one));
            let same: Vec<&str> = words.iter().copied().filter(alike).collect();
            let rest = if here.is_empty() { here } else { &here[1..] };
            joined(&[before, &[chance.pick(&same).unwrap_or("x")], rest, after])
        }
        6 => {
            let places: Vec<usize> =
                (0..words.len()).filter(|at| kind(words[*at]) == Kind::Number).collect();
            let mut words = words.clone();
            if let Some(place) = places.get(chance.below(places.len())) {
                words[*place] = chance.pick(NUMBERS).unwrap_or("0");
            }
            words.concat()
        }
        7 => {
            let other = chance.below(words.len());
            let mut words = words.clone();
            if at < words.len() {
                words.swap(at, other);
            }
            words.concat()
        }
        // A line, or a run of words, of another text.
        8 => {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let place = chance.below(lines.len() + 1);
            let from: &str = others.get(chance.below(others.len())).map_or(text, String::as_str);
            let source: Vec<&str> = from.split_inclusive('\n').collect();
            let line = chance.pick(&source).unwrap_or("\n");
            joined(&[&lines[..place], &[line], &lines[place..]])
        }
        _ => {
            let from: &str = others.get(chance.below(others.len())).map_or(text, String::as_str);
            let source = self::words(from);
            let start = chance.below(source.len());
            let stop = (start + 1 + chance.below(12)).min(source.len());
            joined(&[before, &source[start.min(stop)..stop], after])
        }
    }
}

/// What a word is to a mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Number,
    Blank,
    Sign,
}

fn kind(word: &str) -> Kind {
    match word.chars().next() {
        Some(c) if c.is_alphabetic() || c == '_' => Kind::Name,
        Some(c) if c.is_ascii_digit() => Kind::Number,
        Some(c) if c.is_whitespace() => Kind::Blank,
        Some(_) | None => Kind::Sign,
    }
}

/// A text cut into words, numbers, blanks and signs; joined they are the text.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let length = match kind(rest) {
            Kind::Name | Kind::Number => rest.find(|c| !letter(c)).unwrap_or(rest.len()),
            Kind::Blank => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            Kind::Sign if rest.starts_with("->") || rest.starts_with("..") => 2,
            Kind::Sign => first.len_utf8(),
        };
        let (word, more) = rest.split_at(length);
        out.push(word);
        rest = more;
    }
    out
}
