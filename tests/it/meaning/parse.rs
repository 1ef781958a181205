//! Expectations at the end of a spec, in comments that begin with `#>`:
//!
//! ```text
//! #> x = [[1, 2], [3, 4]] -> y = [[3, 4], [5, sqrt(6)]]
//! ```
//!
//! On the left what is given, on the right what must come out; lists of inputs and outputs have one
//! entry a time step. A line that ends in `,` or `->`, or inside brackets, goes on in the next.

/// One expectation.
#[derive(Debug, PartialEq)]
pub(crate) struct Expectation {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// Overrides: the text inside `[N = 3]` at the beginning, split at commas.
    pub(crate) sets: Vec<String>,
    /// What is given.
    pub(crate) given: Vec<(String, Value)>,
    /// What must come out.
    pub(crate) then: Vec<Claim>,
}

/// What must come out.
#[derive(Debug, PartialEq)]
pub(crate) enum Claim {
    /// A value over time, or another array, by name.
    Equal(String, Value),
    /// The spec is refused with this code.
    Refused(String),
}

/// A number, or a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    List(Vec<Value>),
}

impl Value {
    /// Every number, in order.
    pub(crate) fn flat(&self) -> Vec<f64> {
        match self {
            Value::Number(number) => vec![*number],
            Value::List(items) => items.iter().flat_map(Value::flat).collect(),
        }
    }

    /// How many entries a list has.
    pub(crate) fn steps(&self) -> Option<usize> {
        match self {
            Value::Number(_) => None,
            Value::List(items) => Some(items.len()),
        }
    }
}

/// The expectations of a file.
pub(crate) fn expectations(text: &str) -> Vec<Expectation> {
    let mut out = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let Some(line) = line.strip_prefix("#>").map(str::trim) else { continue };
        if open.is_none() && line.starts_with("show ") {
            continue;
        }
        let (start, whole) = match open.take() {
            Some((start, before)) => (start, format!("{before} {line}")),
            None => (at + 1, line.to_owned()),
        };
        let depth = whole.matches(['[', '(']).count() - whole.matches([']', ')']).count();
        if depth > 0 || whole.ends_with(',') || whole.ends_with("->") || !whole.contains("->") {
            open = Some((start, whole));
        } else {
            out.push(one(start, &whole));
        }
    }
    assert!(open.is_none(), "an expectation without its end: {open:?}");
    out
}

/// The stages a file wants shown: the words after `#> show`.
pub(crate) fn shown(text: &str) -> Option<Vec<String>> {
    let line = text.lines().find_map(|line| line.strip_prefix("#> show "))?;
    Some(line.split(',').map(|word| word.trim().to_owned()).collect())
}

fn one(line: usize, text: &str) -> Expectation {
    let (mut left, right) = text.rsplit_once("->").unwrap();
    let mut sets = Vec::new();
    if let Some(inside) = left.strip_prefix('[') {
        let (inside, rest) = inside.split_at(closing(inside));
        let rest = &rest[1..];
        sets = parts(inside).iter().map(|set| set.replace(" = ", "=")).collect();
        left = rest;
    }
    let pair = |part: &String| {
        let (name, value) = part.split_once('=').unwrap_or_else(|| panic!("line {line}: {part}"));
        (name.trim().to_owned(), value_of(value))
    };
    let given = parts(left).iter().map(pair).collect();
    let then = parts(right).into_iter().map(|part| match part.contains('=') {
        true => {
            let (name, value) = pair(&part);
            Claim::Equal(name, value)
        }
        false => Claim::Refused(part),
    });
    Expectation { line, sets, given, then: then.collect() }
}

/// Where the bracket closes that was open before the text.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    let closes = |letter: char| {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        depth == 0
    };
    text.find(closes).unwrap_or_else(|| panic!("never closed: {text}"))
}

/// A text cut at the commas outside brackets.
fn parts(text: &str) -> Vec<String> {
    let (mut depth, mut out) = (0, vec![String::new()]);
    for c in text.chars() {
        depth += i32::from(matches!(c, '[' | '(')) - i32::from(matches!(c, ']' | ')'));
        match (c, out.last_mut()) {
            (',', _) if depth == 0 => out.push(String::new()),
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    let trimmed = out.iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

/// A list, or arithmetic on numbers.
fn value_of(text: &str) -> Value {
    let text = text.trim();
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => Value::List(parts(inside).iter().map(|part| value_of(part)).collect()),
        None => {
            let text: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
            let mut reader = Reader { text, at: 0 };
            let number = reader.sum();
            assert!(reader.at == reader.text.len(), "not a number: {:?}", reader.text);
            Value::Number(number)
        }
    }
}

/// Reads arithmetic by recursive descent. It shares nothing with the compiler.
struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> char {
        self.text.get(self.at).copied().unwrap_or('\0')
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == c;
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, fits: fn(char) -> bool) -> String {
        let start = self.at;
        while fits(self.peek()) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    fn sum(&mut self) -> f64 {
        let mut sum = self.product();
        loop {
            if self.eat('+') {
                sum += self.product();
            } else if self.eat('-') {
                sum -= self.product();
            } else {
                return sum;
            }
        }
    }

    fn product(&mut self) -> f64 {
        let mut product = self.power();
        loop {
            if self.eat('*') {
                product *= self.power();
            } else if self.eat('/') {
                product /= self.power();
            } else {
                return product;
            }
        }
    }

    fn power(&mut self) -> f64 {
        if self.eat('-') {
            return -self.power();
        }
        let base = self.atom();
        if self.eat('^') { base.powf(self.power()) } else { base }
    }

    fn atom(&mut self) -> f64 {
        let name = self.word(|c| c.is_ascii_alphabetic());
        if name.is_empty() && !self.eat('(') {
            let digits = self.word(|c| c.is_ascii_digit() || c == '.');
            return digits.parse().unwrap_or_else(|_| panic!("not a number: {:?}", self.text));
        }
        if !name.is_empty() {
            assert!(self.eat('('), "{name} needs an argument");
        }
        let inside = self.sum();
        assert!(self.eat(')'), "an open parenthesis: {:?}", self.text);
        match name.as_str() {
            "" => inside,
            "exp" => inside.exp(),
            "log" => inside.ln(),
            "sqrt" => inside.sqrt(),
            "tanh" => inside.tanh(),
            "sigmoid" => 1.0 / (1.0 + (-inside).exp()),
            "softplus" => (1.0 + inside.exp()).ln(),
            name => panic!("no function {name}"),
        }
    }
}

#[test]
fn expectations_are_read_as_written() {
    let text = "ntm 1\n#> show model, step\n#> [N = 3, a = true] x = [[1, -2^2]],\n\
                #>   w = 2 * (1 + 3) / 4 -> y = [[sqrt(9)]], E0604\n";
    let numbers = |all: &[f64]| Value::List(all.iter().map(|one| Value::Number(*one)).collect());
    let wanted = Expectation {
        line: 3,
        sets: vec!["N=3".to_owned(), "a=true".to_owned()],
        given: vec![
            ("x".to_owned(), Value::List(vec![numbers(&[1.0, -4.0])])),
            ("w".to_owned(), Value::Number(2.0)),
        ],
        then: vec![
            Claim::Equal("y".to_owned(), Value::List(vec![numbers(&[3.0])])),
            Claim::Refused("E0604".to_owned()),
        ],
    };
    assert_eq!(expectations(text), [wanted]);
    assert_eq!(shown(text).unwrap(), ["model", "step"]);
}
