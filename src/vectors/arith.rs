//! The arithmetic of maps: short texts such as `config.heads[j] == 'r'` or `2 * S + 1`.
//!
//! In: a text and a [`Scope`]. Out: a [`Value`]. Only the branch taken of an `if`, and of `and` and
//! `or`, is computed, so that a map may ask for what is there only sometimes.

use super::file::File;
use super::value::Value;

/// What names stand for.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    /// The file whose shapes can be asked for.
    pub(super) file: &'a File,
    /// What goes before every tensor name: the case.
    pub(super) prefix: String,
    /// Names with their values; the last of a name counts.
    pub(super) names: Vec<(String, Value)>,
}

impl Scope<'_> {
    /// The same with one more name.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut scope = self.clone();
        scope.names.push((name.to_owned(), value));
        scope
    }

    /// Computes a text.
    pub(super) fn eval(&self, text: &str) -> Result<Value, String> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens, at: 0, depth: 0, looping: false };
        let tree = parser.expr().map_err(|why| format!("{why} in `{text}`"))?;
        match parser.peek() {
            None => self.value(&tree).map_err(|why| format!("{why} in `{text}`")),
            Some(token) => Err(format!("unexpected `{token}` in `{text}`")),
        }
    }

    /// Fills in the `{..}` of a name pattern.
    pub(super) fn fill(&self, pattern: &str) -> Result<String, String> {
        let mut name = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, behind)) = after.split_once('}') else {
                return Err(format!("`{{` without `}}` in `{pattern}`"));
            };
            name += before;
            name += &self.eval(inside)?.to_string();
            rest = behind;
        }
        Ok(name + rest)
    }

    fn value(&self, tree: &Tree) -> Result<Value, String> {
        match tree {
            Tree::Value(value) => Ok(value.clone()),
            Tree::Name(name) => {
                let found = self.names.iter().rev().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| format!("no name `{name}`"))
            }
            Tree::Field(of, key) => field(&self.value(of)?, key),
            Tree::Index(of, at) => index(&self.value(of)?, &self.value(at)?),
            Tree::List(items) => Ok(Value::List(
                items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?,
            )),
            Tree::If(when, yes, no) => {
                self.value(if self.value(when)?.truth()? { yes } else { no })
            }
            Tree::For(name, list, body) => {
                let items = self.value(list)?.items()?;
                let each = items.into_iter().map(|item| self.with(name, item).value(body));
                Ok(Value::List(each.collect::<Result<_, _>>()?))
            }
            Tree::Not(of) => Ok(Value::Truth(!self.value(of)?.truth()?)),
            Tree::Binary(op, left, right) => self.binary(op, left, right),
            Tree::Call(name, arguments) => {
                let values: Vec<Value> =
                    arguments.iter().map(|one| self.value(one)).collect::<Result<_, _>>()?;
                self.call(name, &values)
            }
        }
    }

    fn binary(&self, op: &str, left: &Tree, right: &Tree) -> Result<Value, String> {
        let left = self.value(left)?;
        match (op, &left) {
            ("and", Value::Truth(false)) | ("or", Value::Truth(true)) => return Ok(left),
            ("and" | "or", _) => {
                left.truth()?;
                return Ok(Value::Truth(self.value(right)?.truth()?));
            }
            _ => {}
        }
        let right = self.value(right)?;
        match (op, &left, &right) {
            ("==", _, _) => Ok(Value::Truth(left.same(&right))),
            ("!=", _, _) => Ok(Value::Truth(!left.same(&right))),
            ("..", _, _) => Value::range(left.int()?, right.int()?, 1),
            ("+", Value::List(a), Value::List(b)) => Ok(Value::List([&a[..], b].concat())),
            ("+", Value::Text(a), _) => Ok(Value::Text(format!("{a}{right}"))),
            (_, Value::Int(a), Value::Int(b)) => whole(op, *a, *b),
            _ => real(op, left.number()?, right.number()?),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let size = |count: usize| Ok(Value::Int(count as i64));
        match (name, arguments) {
            ("len", [of]) => size(of.items()?.len()),
            ("count", [of, item]) => size(of.items()?.iter().filter(|one| one.same(item)).count()),
            ("positions", [of, item]) => {
                let found = of.items()?.into_iter().enumerate().filter(|(_, one)| one.same(item));
                Ok(Value::List(found.map(|(at, _)| Value::Int(at as i64)).collect()))
            }
            ("sum", [of]) => {
                let items: Vec<i64> =
                    of.items()?.iter().map(Value::int).collect::<Result<_, _>>()?;
                let sum = items.iter().try_fold(0i64, |sum, item| sum.checked_add(*item));
                sum.map(Value::Int).ok_or_else(|| "the sum is too large".to_owned())
            }
            ("every", [from, to, by]) => Value::range(from.int()?, to.int()?, by.int()?),
            ("get", [Value::Record(fields), Value::Text(key), other]) => {
                Ok(fields.get(key).unwrap_or(other).clone())
            }
            ("exists", [Value::Text(tensor)]) => {
                Ok(Value::Truth(self.file.slots.contains_key(&format!("{}{tensor}", self.prefix))))
            }
            ("shape", [Value::Text(tensor)]) => {
                let slot = self.file.slot(&format!("{}{tensor}", self.prefix));
                let shape = &slot.map_err(|error| error.to_string())?.shape;
                Ok(Value::List(shape.iter().map(|size| Value::Int(*size as i64)).collect()))
            }
            _ => Err(format!("no function `{name}` of these {} arguments", arguments.len())),
        }
    }
}

fn field(of: &Value, key: &str) -> Result<Value, String> {
    match of {
        Value::Record(fields) => {
            fields.get(key).cloned().ok_or_else(|| format!("no entry `{key}` in {of}"))
        }
        Value::Int(_) | Value::Real(_) | Value::Truth(_) | Value::Text(_) | Value::List(_) => {
            Err(format!("{of} has no entries by name"))
        }
    }
}

fn index(of: &Value, at: &Value) -> Result<Value, String> {
    if let (Value::Record(_), Value::Text(key)) = (of, at) {
        return field(of, key);
    }
    let items = of.items()?;
    // A list of positions picks several.
    if let Value::List(picks) = at {
        let picks: Result<_, _> = picks.iter().map(|pick| index(of, pick)).collect();
        return Ok(Value::List(picks?));
    }
    let missing = || format!("no item {at} in {of}");
    items.get(at.size()?).cloned().ok_or_else(missing)
}

fn whole(op: &str, a: i64, b: i64) -> Result<Value, String> {
    let number = match op {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div_euclid(b),
        "%" => a.checked_rem_euclid(b),
        "<" => return Ok(Value::Truth(a < b)),
        "<=" => return Ok(Value::Truth(a <= b)),
        ">" => return Ok(Value::Truth(a > b)),
        ">=" => return Ok(Value::Truth(a >= b)),
        _ => return Err(format!("no operator `{op}` between numbers")),
    };
    number.map(Value::Int).ok_or_else(|| format!("{a} {op} {b} is no whole number of ours"))
}

fn real(op: &str, a: f64, b: f64) -> Result<Value, String> {
    Ok(match op {
        "+" => Value::Real(a + b),
        "-" => Value::Real(a - b),
        "*" => Value::Real(a * b),
        "/" => Value::Real(a / b),
        "<" => Value::Truth(a < b),
        "<=" => Value::Truth(a <= b),
        ">" => Value::Truth(a > b),
        ">=" => Value::Truth(a >= b),
        _ => return Err(format!("no operator `{op}` between real numbers")),
    })
}

/// A parsed text.
#[derive(Clone, Debug)]
enum Tree {
    Value(Value),
    Name(String),
    Field(Box<Tree>, String),
    Index(Box<Tree>, Box<Tree>),
    List(Vec<Tree>),
    If(Box<Tree>, Box<Tree>, Box<Tree>),
    For(String, Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    Binary(String, Box<Tree>, Box<Tree>),
    Call(String, Vec<Tree>),
}

/// Splits a text; a text constant keeps its opening quote as a mark.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let start = at;
        let first = letters[at];
        let next = letters.get(at + 1).copied();
        let run = |from: usize, keep: &dyn Fn(char) -> bool| {
            from + letters[from..].iter().take_while(|one| keep(**one)).count()
        };
        if first.is_whitespace() {
            at += 1;
            continue;
        } else if first == '\'' {
            at = run(at + 1, &|one| one != '\'');
            if at == letters.len() {
                return Err(format!("a text without its end in `{text}`"));
            }
            tokens.push(letters[start..at].iter().collect());
            at += 1;
            continue;
        } else if first.is_ascii_digit() {
            at = number(&letters, at);
        } else if first.is_alphabetic() || first == '_' {
            at = run(at, &|one| one.is_alphanumeric() || one == '_');
        } else if matches!((first, next), ('=' | '!' | '<' | '>', Some('=')) | ('.', Some('.'))) {
            at += 2;
        } else {
            at += 1;
        }
        tokens.push(letters[start..at].iter().collect());
    }
    Ok(tokens)
}

/// The end of the number that starts at `at`; the dots of `0..4` are no part of it.
fn number(letters: &[char], at: usize) -> usize {
    let digits = |from: usize| {
        from + letters[from.min(letters.len())..].iter().take_while(|c| c.is_ascii_digit()).count()
    };
    let mut end = digits(at);
    if letters.get(end) == Some(&'.') && letters.get(end + 1).is_some_and(char::is_ascii_digit) {
        end = digits(end + 1);
    }
    if matches!(letters.get(end), Some('e' | 'E')) {
        let sign = usize::from(matches!(letters.get(end + 1), Some('-' | '+')));
        let after = digits(end + 1 + sign);
        if after > end + 1 + sign {
            end = after;
        }
    }
    end
}

/// Binary operators, loosest first.
const LEVELS: [&[&str]; 6] = [
    &["or"],
    &["and"],
    &["==", "!=", "<", "<=", ">", ">="],
    &[".."],
    &["+", "-"],
    &["*", "/", "%"],
];

/// How deep brackets may nest.
const DEEPEST: usize = 40;

struct Parser {
    tokens: Vec<String>,
    at: usize,
    depth: usize,
    /// Whether this is inside a `for`: one in another could take for ever.
    looping: bool,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("`{token}` expected")) }
    }

    fn expr(&mut self) -> Result<Tree, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("nested too deeply".to_owned());
        }
        let tree = if self.take("if") {
            let when = self.expr()?;
            self.expect("then")?;
            let yes = self.expr()?;
            self.expect("else")?;
            Tree::If(Box::new(when), Box::new(yes), Box::new(self.expr()?))
        } else if self.take("for") {
            self.each()?
        } else {
            self.level(0)?
        };
        self.depth -= 1;
        Ok(tree)
    }

    /// The rest of `for name in list: body`.
    fn each(&mut self) -> Result<Tree, String> {
        if std::mem::replace(&mut self.looping, true) {
            return Err("a `for` inside a `for`".to_owned());
        }
        let name = self.peek().ok_or("a name expected after `for`")?.to_owned();
        self.at += 1;
        self.expect("in")?;
        let list = self.expr()?;
        self.expect(":")?;
        let body = self.expr()?;
        self.looping = false;
        Ok(Tree::For(name, Box::new(list), Box::new(body)))
    }

    fn level(&mut self, level: usize) -> Result<Tree, String> {
        let Some(ops) = LEVELS.get(level) else { return self.prefix() };
        let mut tree = self.level(level + 1)?;
        while let Some(op) = self.peek().filter(|token| ops.contains(token)).map(str::to_owned) {
            self.at += 1;
            tree = Tree::Binary(op, Box::new(tree), Box::new(self.level(level + 1)?));
        }
        Ok(tree)
    }

    fn prefix(&mut self) -> Result<Tree, String> {
        let mut signs = Vec::new();
        while let Some(sign @ ("not" | "-")) = self.peek() {
            signs.push(sign == "not");
            self.at += 1;
        }
        let tree = self.postfix()?;
        Ok(signs.into_iter().rev().fold(tree, |tree, is_not| {
            let zero = || Box::new(Tree::Value(Value::Int(0)));
            match is_not {
                true => Tree::Not(Box::new(tree)),
                false => Tree::Binary("-".to_owned(), zero(), Box::new(tree)),
            }
        }))
    }

    fn postfix(&mut self) -> Result<Tree, String> {
        let mut tree = self.atom()?;
        loop {
            if self.take(".") {
                let key = self.peek().ok_or("a name expected after `.`")?.to_owned();
                self.at += 1;
                tree = Tree::Field(Box::new(tree), key);
            } else if self.take("[") {
                tree = Tree::Index(Box::new(tree), Box::new(self.expr()?));
                self.expect("]")?;
            } else {
                return Ok(tree);
            }
        }
    }

    fn atom(&mut self) -> Result<Tree, String> {
        let token = self.peek().ok_or("something expected at the end")?.to_owned();
        self.at += 1;
        let first = token.chars().next().unwrap_or(' ');
        if let Some(text) = token.strip_prefix('\'') {
            return Ok(Tree::Value(Value::Text(text.to_owned())));
        }
        if first.is_ascii_digit() {
            let int = token.parse().map(Value::Int);
            let number = int.or_else(|_| token.parse().map(Value::Real));
            return number.map(Tree::Value).map_err(|_| format!("`{token}` is no number"));
        }
        match token.as_str() {
            "(" => {
                let tree = self.expr()?;
                self.expect(")")?;
                Ok(tree)
            }
            "[" => Ok(Tree::List(self.list("]")?)),
            "true" | "false" => Ok(Tree::Value(Value::Truth(token == "true"))),
            _ if !(first.is_alphabetic() || first == '_') => Err(format!("unexpected `{token}`")),
            _ if self.take("(") => Ok(Tree::Call(token, self.list(")")?)),
            _ => Ok(Tree::Name(token)),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Tree>, String> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.expr()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn eval(text: &str) -> Result<String, String> {
        let tensor = ndarray::ArrayD::zeros(ndarray::IxDyn(&[3, 5]));
        let mut file = File::of("f", &BTreeMap::from([("c/w".to_owned(), tensor)]));
        let config = r#"{"heads": "rwrw", "sizes": [7, 4], "clip": 0.8, "mode": "lstm", "S": 2}"#;
        file.metadata.insert("config".to_owned(), config.to_owned());
        let names = vec![
            ("meta".to_owned(), file.meta()),
            ("config".to_owned(), field(&file.meta(), "config").unwrap()),
            ("j".to_owned(), Value::Int(1)),
        ];
        Scope { file: &file, prefix: "c/".to_owned(), names }.eval(text).map(|v| v.to_string())
    }

    #[test]
    fn texts_mean_what_they_say() {
        for (text, value) in [
            ("1 + 2 * 3 - -4", "11"),
            ("config.mode == 'lstm' and not false", "true"),
            ("count(config.heads, 'r')", "2"),
            ("positions(config.heads, 'w')[j]", "3"),
            ("len(config.sizes) + config.sizes[1]", "6"),
            ("sum(config.sizes[0..j])", "7"),
            ("config.S + 1 .. 2 * config.S + 1", "[3, 4]"),
            ("(config.S+1..2*config.S+1) + (0..config.S+1)", "[3, 4, 0, 1, 2]"),
            ("if exists('v') then shape('v') else shape('w')[1]", "5"),
            ("get(config, 'none', 1.5e-1) < 0.2", "true"),
            ("every(0, 7, 3)", "[0, 3, 6]"),
            ("'a' + j", "a1"),
            ("config['clip']", "0.8"),
            ("7 / 2 + 7 % 4", "6"),
            ("2 == 2.0 or nonsense", "true"),
            ("for p in positions(config.heads, 'w'): p - j", "[0, 2]"),
            ("sum((for j in 0..3: j * j)) + j", "6"),
        ] {
            assert_eq!(eval(text).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn mistakes_say_where() {
        let deep = "(".repeat(100);
        for (text, part) in [
            ("nothing", "no name `nothing`"),
            ("config.none", "no entry `none`"),
            ("1 +", "something expected"),
            ("1 2", "unexpected `2`"),
            ("shape('v')", "no such tensor"),
            ("'open", "without its end"),
            ("9223372036854775807 + 1", "no whole number"),
            ("1 / 0", "no whole number"),
            ("0..99999999999", "no list"),
            (deep.as_str(), "too deeply"),
            ("[1][2]", "no item 2"),
            ("for p 0..3: p", "`in` expected"),
            ("for p in 0..3", "`:` expected"),
            ("for p in 0..3: (for q in 0..3: p)", "inside a `for`"),
            ("for p in 3: p", ""),
        ] {
            let why = eval(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
