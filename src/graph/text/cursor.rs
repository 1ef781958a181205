//! Sentences inside a line: indices, conditions, expressions.
//!
//! In: words, the names of the axes in scope, the nodes above. Out: small trees over *global* axes,
//! those of the line. Invariant: a fault carries the column of the word it is about.

use std::collections::BTreeMap;

use super::tokens::Token;
use crate::graph::{Affine, Axis, Bits, NodeId, Port, Rel};
use crate::op::{Scalar, scalar};

/// A column and a sentence.
pub(super) type Fault = (usize, String);

/// A place along one axis of an operand.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Affine(Affine),
    Digit { of: Affine, step: u32, radix: u32 },
    Value(Reading),
    Port(Port),
}

/// A node at places.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) node: NodeId,
    pub(super) places: Vec<Place>,
}

/// `left rel right`.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) left: Place,
    pub(super) rel: Rel,
    pub(super) right: Affine,
}

/// A right side, or part of one.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Read(Reading),
    Real(Bits),
    Truth(bool),
    Apply(Scalar, Vec<Expr>),
    /// `self`, the value before, in a recurrence.
    Before,
}

/// Numbers in the text stay below this, so that sums of them do not overflow.
const LARGEST: i64 = 1 << 32;

/// How deep parentheses may go, and how many functions one line may apply.
const DEEPEST: usize = 64;
const MOST_APPLIED: usize = 512;

/// A place in the words of a line.
pub(super) struct Cursor<'a> {
    words: &'a [(Token, usize)],
    at: usize,
    end: usize,
    depth: usize,
    applied: usize,
    ids: &'a BTreeMap<String, NodeId>,
    /// Names of the axes in scope, by position.
    pub(super) axes: Vec<String>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(
        words: &'a [(Token, usize)],
        end: usize,
        ids: &'a BTreeMap<String, NodeId>,
    ) -> Cursor<'a> {
        Cursor { words, at: 0, end, depth: 0, applied: 0, ids, axes: Vec::new() }
    }

    // ---- words -----------------------------------------------------------------------------

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.words.get(self.at).map(|(token, _)| token)
    }

    pub(super) fn after(&self) -> Option<&'a Token> {
        self.words.get(self.at + 1).map(|(token, _)| token)
    }

    pub(super) fn column(&self) -> usize {
        self.words.get(self.at).map_or(self.end, |(_, column)| *column)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    pub(super) fn place_in_line(&self) -> usize {
        self.at
    }

    pub(super) fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err((self.column(), message.into()))
    }

    fn expected<T>(&self, what: &str) -> Result<T, Fault> {
        match self.peek() {
            Some(token) => self.fault(format!("expected {what}, found {token}")),
            None => self.fault(format!("expected {what}, found the end of the line")),
        }
    }

    pub(super) fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(found)) if *found == mark)
    }

    pub(super) fn mark(&mut self, mark: &str) -> bool {
        let found = self.is_mark(mark);
        self.at += usize::from(found);
        found
    }

    pub(super) fn require(&mut self, mark: &str) -> Result<(), Fault> {
        if self.mark(mark) { Ok(()) } else { self.expected(&format!("`{mark}`")) }
    }

    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn name(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            Some(Token::Node(_) | Token::Number(_) | Token::Mark(_)) | None => {
                self.expected("a name")
            }
        }
    }

    fn whole(&mut self) -> Result<i64, Fault> {
        if let Some(Token::Number(text)) = self.peek()
            && let Ok(number) = text.parse::<i64>()
            && number < LARGEST
        {
            self.at += 1;
            return Ok(number);
        }
        self.expected("a whole number")
    }

    pub(super) fn count(&mut self) -> Result<u32, Fault> {
        let column = self.column();
        u32::try_from(self.whole()?).map_err(|_| (column, "this number is too large".to_owned()))
    }

    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.at >= self.words.len() { Ok(()) } else { self.expected("the end of the line") }
    }

    // ---- axes, indices, conditions ---------------------------------------------------------

    /// `i:8, j:4`, up to `]` or `|`. The names enter the scope.
    pub(super) fn declared(&mut self) -> Result<Vec<u32>, Fault> {
        let mut sizes = Vec::new();
        while !self.is_mark("]") && !self.is_mark("|") {
            if !sizes.is_empty() {
                self.require(",")?;
            }
            let column = self.column();
            let name = self.name()?;
            if self.axes.contains(&name) {
                return Err((column, format!("the axis `{name}` is declared twice")));
            }
            if self.axes.len() >= 100 {
                return Err((column, "there are too many axes".to_owned()));
            }
            self.require(":")?;
            sizes.push(self.count()?);
            self.axes.push(name);
        }
        Ok(sizes)
    }

    /// The axis of that name.
    pub(super) fn axis(&mut self) -> Result<Axis, Fault> {
        let column = self.column();
        let name = self.name()?;
        match self.axes.iter().position(|axis| *axis == name) {
            Some(at) => Ok(Axis(at as u8)),
            None => Err((column, format!("no axis `{name}` is in scope"))),
        }
    }

    fn factor(&mut self) -> Result<Affine, Fault> {
        if self.mark("(") {
            self.deeper()?;
            let inner = self.affine()?;
            self.depth -= 1;
            self.require(")")?;
            return Ok(inner);
        }
        match self.peek() {
            Some(Token::Number(_)) => Ok(Affine::constant(self.whole()?)),
            Some(Token::Name(_)) => Ok(Affine::axis(self.axis()?)),
            Some(Token::Node(_) | Token::Mark(_)) | None => self.expected("an axis or a number"),
        }
    }

    /// A product of which one side is a number.
    fn term(&mut self) -> Result<Affine, Fault> {
        let negative = self.mark("-");
        let mut term = self.factor()?;
        while self.mark("*") {
            let column = self.column();
            let other = self.factor()?;
            term = match (term.as_constant(), other.as_constant()) {
                (Some(by), _) => self.scaled(&other, by, column)?,
                (None, Some(by)) => self.scaled(&term, by, column)?,
                (None, None) => return Err((column, "an index is no product of axes".to_owned())),
            };
        }
        Ok(if negative { term.times(-1) } else { term })
    }

    fn scaled(&self, affine: &Affine, by: i64, column: usize) -> Result<Affine, Fault> {
        let fits = |number: i64| number.checked_mul(by).is_some_and(|n| n.abs() < LARGEST);
        let whole = fits(affine.offset) && affine.terms.iter().all(|(_, own)| fits(*own));
        if whole {
            Ok(affine.times(by))
        } else {
            Err((column, "a number in an index is too large".to_owned()))
        }
    }

    pub(super) fn affine(&mut self) -> Result<Affine, Fault> {
        let first = self.term()?;
        self.more(first)
    }

    fn more(&mut self, mut sum: Affine) -> Result<Affine, Fault> {
        loop {
            let column = self.column();
            let sign = match (self.mark("+"), self.is_mark("-")) {
                (true, _) => 1,
                (false, true) => {
                    self.at += 1;
                    -1
                }
                (false, false) => return Ok(sum),
            };
            sum = sum.plus(&self.term()?.times(sign));
            let fits = |number: i64| number.abs() < LARGEST;
            if !fits(sum.offset) || !sum.terms.iter().all(|(_, by)| fits(*by)) {
                return Err((column, "a number in an index is too large".to_owned()));
            }
        }
    }

    fn place(&mut self) -> Result<Place, Fault> {
        if self.mark("@") {
            return Ok(Place::Port(self.port()?));
        }
        if matches!(self.peek(), Some(Token::Node(_))) {
            self.deeper()?;
            let reading = self.reading()?;
            self.depth -= 1;
            return Ok(Place::Value(reading));
        }
        let first = self.term()?;
        let step = if self.keyword("div") { self.count()? } else { 1 };
        if self.keyword("mod") {
            return Ok(Place::Digit { of: first, step, radix: self.count()? });
        }
        if step != 1 {
            return self.expected("`mod`, since `div` alone has no largest value");
        }
        self.more(first).map(Place::Affine)
    }

    pub(super) fn port(&mut self) -> Result<Port, Fault> {
        let column = self.column();
        u8::try_from(self.count()?).map(Port).map_err(|_| (column, "no such port".to_owned()))
    }

    /// Conditions, separated by commas.
    pub(super) fn conditions(&mut self) -> Result<Vec<Condition>, Fault> {
        let mut list = vec![self.condition()?];
        while self.mark(",") {
            list.push(self.condition()?);
        }
        Ok(list)
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let left = self.place()?;
        let marks = [("==", Rel::Eq, 0), ("!=", Rel::Ne, 0), ("<", Rel::Lt, 0), (">=", Rel::Ge, 0)];
        // `<=` and `>` are the relations there are, with the right side moved by one.
        let moved = [("<=", Rel::Lt, 1), (">", Rel::Ge, 1)];
        let found = marks.into_iter().chain(moved).find(|(mark, ..)| self.is_mark(mark));
        let Some((_, rel, by)) = found else { return self.expected("a relation") };
        self.at += 1;
        let right = self.affine()?.plus(&Affine::constant(by));
        Ok(Condition { left, rel, right })
    }

    /// Conditions after `|`, if there are any, and the closing bracket.
    pub(super) fn closed(&mut self) -> Result<Vec<Condition>, Fault> {
        let list = if self.mark("|") { self.conditions()? } else { Vec::new() };
        self.require("]")?;
        Ok(list)
    }

    // ---- expressions -----------------------------------------------------------------------

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST { self.fault("this nests too deeply") } else { Ok(()) }
    }

    fn apply(&mut self, scalar: Scalar, operands: Vec<Expr>) -> Result<Expr, Fault> {
        self.applied += 1;
        if self.applied > MOST_APPLIED {
            return self.fault("this line is too long");
        }
        Ok(Expr::Apply(scalar, operands))
    }

    pub(super) fn expr(&mut self) -> Result<Expr, Fault> {
        let mut left = self.conjunction()?;
        while self.keyword("or") {
            let right = self.conjunction()?;
            left = self.apply(scalar::OR, vec![left, right])?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, Fault> {
        let mut left = self.negation()?;
        while self.keyword("and") {
            let right = self.negation()?;
            left = self.apply(scalar::AND, vec![left, right])?;
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, Fault> {
        if !self.keyword("not") {
            return self.comparison();
        }
        self.deeper()?;
        let inner = self.negation()?;
        self.depth -= 1;
        self.apply(scalar::NOT, vec![inner])
    }

    fn comparison(&mut self) -> Result<Expr, Fault> {
        let left = self.sum()?;
        for (mark, scalar) in [("<", scalar::LT), ("<=", scalar::LE), ("==", scalar::EQ)] {
            if self.mark(mark) {
                let right = self.sum()?;
                return self.apply(scalar, vec![left, right]);
            }
        }
        for (mark, scalar) in [(">", scalar::LT), (">=", scalar::LE)] {
            if self.mark(mark) {
                let right = self.sum()?;
                return self.apply(scalar, vec![right, left]);
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, Fault> {
        let mut left = self.product()?;
        loop {
            let scalar = match (self.is_mark("+"), self.is_mark("-")) {
                (true, _) => scalar::ADD,
                (false, true) => scalar::SUB,
                (false, false) => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = self.apply(scalar, vec![left, right])?;
        }
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let mut left = self.sign()?;
        loop {
            let scalar = match (self.is_mark("*"), self.is_mark("/")) {
                (true, _) => scalar::MUL,
                (false, true) => scalar::DIV,
                (false, false) => return Ok(left),
            };
            self.at += 1;
            let right = self.sign()?;
            left = self.apply(scalar, vec![left, right])?;
        }
    }

    fn sign(&mut self) -> Result<Expr, Fault> {
        if !self.mark("-") {
            return self.power();
        }
        if let Some(bits) = self.literal() {
            return Ok(Expr::Real(Bits::of(-bits.value())));
        }
        self.deeper()?;
        let inner = self.sign()?;
        self.depth -= 1;
        self.apply(scalar::NEG, vec![inner])
    }

    fn power(&mut self) -> Result<Expr, Fault> {
        let left = self.atom()?;
        if !self.mark("^") {
            return Ok(left);
        }
        self.deeper()?;
        let right = self.sign()?;
        self.depth -= 1;
        self.apply(scalar::POW, vec![left, right])
    }

    /// A number without sign, `inf` or a NaN.
    fn literal(&mut self) -> Option<Bits> {
        let bits: Bits = match self.peek()? {
            Token::Number(text) => text.parse().ok()?,
            Token::Name(name) if name == "inf" || name == "nan" || name.starts_with("nan_") => {
                name.parse().ok()?
            }
            Token::Name(_) | Token::Node(_) | Token::Mark(_) => return None,
        };
        self.at += 1;
        Some(bits)
    }

    /// A literal with its sign.
    pub(super) fn signed(&mut self) -> Result<Bits, Fault> {
        let negative = self.mark("-");
        match self.literal() {
            Some(bits) if negative => Ok(Bits::of(-bits.value())),
            Some(bits) => Ok(bits),
            None => self.expected("a number"),
        }
    }

    fn atom(&mut self) -> Result<Expr, Fault> {
        if let Some(bits) = self.literal() {
            return Ok(Expr::Real(bits));
        }
        if self.mark("(") {
            self.deeper()?;
            let inner = self.expr()?;
            self.depth -= 1;
            self.require(")")?;
            return Ok(inner);
        }
        match self.peek() {
            Some(Token::Node(_)) => Ok(Expr::Read(self.reading()?)),
            Some(Token::Name(name)) => self.named(name),
            Some(Token::Number(_) | Token::Mark(_)) | None => self.expected("a value"),
        }
    }

    fn named(&mut self, name: &str) -> Result<Expr, Fault> {
        match name {
            "true" | "false" | "self" => {
                self.at += 1;
                Ok(if name == "self" { Expr::Before } else { Expr::Truth(name == "true") })
            }
            _ => self.call(name),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expr, Fault> {
        let column = self.column();
        let Some(scalar) = Scalar::named(name) else {
            return self.fault(format!("no function `{name}`"));
        };
        self.at += 1;
        self.require("(")?;
        self.deeper()?;
        let mut operands = Vec::new();
        while !self.mark(")") {
            if !operands.is_empty() {
                self.require(",")?;
            }
            operands.push(self.expr()?);
        }
        self.depth -= 1;
        let arity = scalar.row().takes.len();
        if operands.len() != arity {
            return Err((
                column,
                format!("`{name}` takes {arity} operands, not {}", operands.len()),
            ));
        }
        self.apply(scalar, operands)
    }

    /// `%w[i, j - 1]`.
    pub(super) fn reading(&mut self) -> Result<Reading, Fault> {
        let Some(Token::Node(id)) = self.peek() else { return self.expected("a node") };
        let Some(node) = self.ids.get(id) else {
            return self.fault(format!("no line above defines `%{id}`"));
        };
        self.at += 1;
        let mut places = Vec::new();
        if self.mark("[") {
            while !self.mark("]") {
                if !places.is_empty() {
                    self.require(",")?;
                }
                places.push(self.place()?);
            }
        }
        Ok(Reading { node: *node, places })
    }
}
