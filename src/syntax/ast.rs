//! The tree of a `.ntm` file: what was written, with spans, nothing resolved.
//!
//! Which of index, dim or argument a bracket means is decided by `model`, not here.

use serde::Serialize;

use crate::source::Span;

/// A word with its place. Two names are equal when their texts are.
#[derive(Clone, Debug, Serialize)]
pub struct Name {
    /// The word.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.text == other.text
    }
}

/// A `##` line, without the marker and one following space.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doc {
    /// The text of the line.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A `#` comment, without the marker; kept beside the tree for the formatter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comment {
    /// The text after `#`, as written, without trailing blanks.
    pub text: String,
    /// Whether it is the first thing on its line.
    pub own_line: bool,
    /// Where it stands.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct File {
    /// The number after `ntm`.
    pub version: u32,
    /// `ntm 1`.
    pub version_span: Span,
    /// `use` lines.
    pub imports: Vec<Import>,
    /// Definitions, models and training blocks in the author's order.
    pub items: Vec<Item>,
    /// Every `#` comment in source order.
    pub comments: Vec<Comment>,
    /// Every run of blank lines in source order; kept beside the tree for the formatter.
    pub blanks: Vec<Span>,
    /// The whole text.
    pub span: Span,
}

/// `use std.address (cosine)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Import {
    /// `std.address`, as one dotted word.
    pub module: Name,
    /// The names in parentheses; `None` brings all of them.
    pub names: Option<Vec<Name>>,
    /// The whole line.
    pub span: Span,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Item {
    /// `def`.
    Def(Def),
    /// `model`: the same shape as a definition.
    Model(Def),
    /// `train`.
    Train(Train),
}

/// `def name[generics](params) -> result = expr`, or with a block. A model has a block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Def {
    /// Documentation above it.
    pub docs: Vec<Doc>,
    /// Its name.
    pub name: Name,
    /// Names in brackets.
    pub generics: Vec<Generic>,
    /// Names in parentheses.
    pub params: Vec<Param>,
    /// After `->`; never has a value.
    pub result: Slot,
    /// What it computes.
    pub body: Body,
    /// The whole item, documentation excluded.
    pub span: Span,
}

/// The right-hand side of a definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Body {
    /// `= expr`.
    Expr(Expr),
    /// `{ statements }`.
    Block(Vec<Stmt>),
}

/// `N`, `N = 128`, or a list of dims `H[L] = [7, 4]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Generic {
    /// The dim.
    pub name: Name,
    /// The length of a list of dims.
    pub list: Option<Name>,
    /// Default.
    pub default: Option<Expr>,
}

/// The word before a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Role {
    /// None.
    Plain,
    /// `emit`.
    Emit,
    /// `param`.
    Param,
    /// `state`.
    State,
}

/// One parameter of a signature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Param {
    /// The word before it.
    pub role: Role,
    /// Name, shape, domain and default or start.
    pub slot: Slot,
}

/// `x[N, W]: unit = 0.5`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// Name.
    pub name: Name,
    /// The axes; empty for a scalar.
    pub shape: Vec<Range>,
    /// The domain or sort after `:`.
    pub of: Option<Of>,
    /// The expression after `=`.
    pub value: Option<Expr>,
    /// The whole slot.
    pub span: Span,
}

/// An axis `N` (0 to N - 1) or `a..b` (both ends included).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The size, or the lower end.
    pub start: Expr,
    /// The upper end.
    pub end: Option<Expr>,
    /// The whole range.
    pub span: Span,
}

/// `: real(1..) via oneplus_exp`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Of {
    /// The domain or sort.
    pub name: Name,
    /// What stands in parentheses.
    pub bounds: Option<Bounds>,
    /// Another map into the same range.
    pub via: Option<Name>,
    /// The whole annotation without the colon.
    pub span: Span,
}

/// `(low..high)` with either end open, or `(n)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Bounds {
    /// `low..high`.
    Between(Option<Expr>, Option<Expr>),
    /// One expression, as in `index(N)`.
    One(Expr),
}

/// A statement of a block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Stmt {
    /// `state`, `memory` or `param` with one or more slots.
    State(Docs, StateKind, Vec<Slot>, Span),
    /// `emit slots from expr through stage`.
    Emit(Emit),
    /// `controller name = expr through stage`.
    Controller(Controller),
    /// `head` or `part`.
    Part(Part),
    /// `require condition, "text"`.
    Require(Require),
    /// `left = right elsewhere other`.
    Equation(Equation),
}

/// Documentation lines above a statement.
pub type Docs = Vec<Doc>;

/// Which word declares a carried or learned value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StateKind {
    /// `state`.
    State,
    /// `memory`, the same as `state`.
    Memory,
    /// `param`.
    Param,
}

/// `emit`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Emit {
    /// Documentation.
    pub docs: Docs,
    /// What is emitted.
    pub slots: Vec<Slot>,
    /// From which vector; `None`: the enclosing controller.
    pub from: Option<Expr>,
    /// A stage between the affine map and the squash.
    pub through: Option<Ref>,
    /// The whole statement.
    pub span: Span,
}

/// `controller`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Controller {
    /// Documentation.
    pub docs: Docs,
    /// The name of its output.
    pub name: Name,
    /// What it computes.
    pub value: Expr,
    /// A stage that every emission taken from it passes before its squash.
    pub through: Option<Ref>,
    /// The whole statement.
    pub span: Span,
}

/// Members that share their parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tied {
    /// The condition after `if`; none means always.
    pub when: Option<Expr>,
    /// The whole clause.
    pub span: Span,
}

/// `head` or `part`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Documentation.
    pub docs: Docs,
    /// Whether the word was `head`.
    pub head: bool,
    /// Name.
    pub name: Name,
    /// `[R]`, `[l: L]`, `[a..b]`.
    pub family: Option<Family>,
    /// `tied`, `tied if shared`: whether all members share their parameters.
    pub tied: Option<Tied>,
    /// A block, or a named instance `= call`.
    pub body: Body,
    /// The whole statement.
    pub span: Span,
}

/// The bracket of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// The name of the member's number.
    pub index: Option<Name>,
    /// Its range.
    pub range: Range,
}

/// `require`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Require {
    /// What must hold.
    pub condition: Expr,
    /// The author's message.
    pub text: Option<String>,
    /// The whole statement.
    pub span: Span,
}

/// An equation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equation {
    /// Documentation.
    pub docs: Docs,
    /// What is defined.
    pub left: Ref,
    /// Its value.
    pub right: Expr,
    /// The value of entries that the left side does not name.
    pub elsewhere: Option<Expr>,
    /// The whole statement.
    pub span: Span,
}

/// `train name: model on task { settings }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Train {
    /// Documentation.
    pub docs: Docs,
    /// The block's name.
    pub name: Option<Name>,
    /// The model, perhaps with dims and arguments: `tape[N = 32]`.
    pub model: Ref,
    /// One task, or a curriculum.
    pub tasks: Vec<Expr>,
    /// Whether the tasks stood in brackets.
    pub curriculum: bool,
    /// Settings.
    pub settings: Vec<Setting>,
    /// The whole item.
    pub span: Span,
}

/// `lr = 1e-4`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Documentation.
    pub docs: Docs,
    /// Name.
    pub name: Name,
    /// Value.
    pub value: Arg,
    /// The whole setting.
    pub span: Span,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ExprKind {
    /// A number: its value and its spelling.
    Number(f64, String),
    /// A string.
    Text(String),
    /// `left -> stage`.
    Pipe(Box<Expr>, Ref),
    /// `if a then b else c`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `for i, j in R: e`.
    For(Vec<Binder>, Box<Expr>),
    /// `a + b`, `a and b`, `a <= b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `-a`, `not a`.
    Unary(UnaryOp, Box<Expr>),
    /// `sum[i] e`.
    Reduce(Reduction, Vec<Binder>, Box<Expr>),
    /// `prev x`.
    Prev(Ref),
    /// Names, indexing, dims and calls.
    Ref(Ref),
    /// `(e)`: kept, so that printing does not change the tree.
    Paren(Box<Expr>),
    /// `[a, b, c]`.
    List(Vec<Arg>),
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the operator it is named after")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
}

impl BinaryOp {
    /// Whether it compares two numbers.
    #[must_use]
    pub fn compares(self) -> bool {
        match self {
            BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge
            | BinaryOp::Eq
            | BinaryOp::Ne => true,
            BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::And
            | BinaryOp::Or => false,
        }
    }

    /// How it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "mod",
            BinaryOp::Pow => "^",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
        }
    }
}

/// Operators before an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UnaryOp {
    /// `-`.
    Neg,
    /// `not`.
    Not,
}

/// The words of domains.
pub const DOMAINS: &[&str] = &[
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
];

/// The words of reductions.
pub const REDUCTIONS: &[&str] = &["sum", "prod", "max", "min", "mean"];

/// Reductions written with brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the word it is named after")]
pub enum Reduction {
    Sum,
    Prod,
    Max,
    Min,
    Mean,
}

/// `i`, `m in K`, `k in -range..range`, `m < j`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binder {
    /// The index.
    pub name: Name,
    /// Its explicit range or limit.
    pub range: Option<BinderRange>,
    /// The whole binder.
    pub span: Span,
}

/// What stands after the index of a binder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum BinderRange {
    /// `in range`.
    In(Range),
    /// `< e`, `<= e`, `> e`, `>= e`, `== e`, `!= e`.
    Compare(BinaryOp, Expr),
}

/// `read[r].w[i]`, `linear[H](x)`, `rank(u)[i]`: segments joined by dots.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ref {
    /// At least one.
    pub segments: Vec<Segment>,
    /// The whole reference.
    pub span: Span,
}

/// One segment of a reference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// Its name.
    pub name: Name,
    /// Brackets after the name: indices, or the dims of a call.
    pub brackets: Option<Vec<Arg>>,
    /// The arguments of a call.
    pub args: Option<Vec<Arg>>,
    /// Brackets after the arguments: indices of the result.
    pub after: Option<Vec<Arg>>,
}

/// What may stand in brackets or parentheses: `beta = 1`, `i`, `a..b`, `i - 1 else 0`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arg {
    /// The name before `=`.
    pub name: Option<Name>,
    /// The value, or the lower end of a range.
    pub value: Expr,
    /// The upper end of a range.
    pub to: Option<Expr>,
    /// The default after `else`.
    pub default: Option<Expr>,
    /// The whole argument.
    pub span: Span,
}
