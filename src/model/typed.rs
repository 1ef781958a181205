//! Definitions checked once and generically: names resolved, every expression with its shape.
//!
//! Sizes are polynomials over the definition's own dims ([`Poly`]); nothing is bound to a number yet.
//! Every read names all indices from the outermost family inwards, so that `w` inside `head read[n: R]`
//! is stored as `w[n]`. Elaboration substitutes numbers and inlines calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::op::Scalar;
use crate::source::{FileId, Span};
use crate::syntax::ast;

use super::int::{DimId, FlagId, Poly, Test, VarId};
use super::needs::Needs;

/// A definition of the program: its position in [`Checked::defs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefId(pub u32);

/// A value of a definition: its position in [`Def::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// A part of a definition: its position in [`Def::parts`]; 0 is the body itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub u32);

/// Every definition that a spec can see, checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Definitions and models.
    pub defs: Vec<Arc<Def>>,
    /// The spec's own models, in order.
    pub models: Vec<DefId>,
    /// Definitions of std that the compiler itself calls, by module and name: losses, optimisers.
    pub library: BTreeMap<(String, String), DefId>,
    /// The spec's training blocks, in order.
    pub trains: Vec<ast::Train>,
    /// The trees of the modules that it uses, by file; std is among them.
    pub modules: BTreeMap<FileId, Arc<ast::File>>,
    /// Modules beside the spec, by name.
    pub beside: Vec<(String, FileId)>,
}

/// A checked `def` or `model`.
#[derive(Clone, Debug)]
pub struct Def {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its dims, lists of dims and whole-number parameters.
    pub dims: Vec<Dim>,
    /// Its truth-valued parameters.
    pub flags: Vec<Flag>,
    /// Its index variables.
    pub vars: Vec<VarInfo>,
    /// The signature, in order.
    pub params: Vec<Param>,
    /// Its body and the parts in it; 0 is the body.
    pub parts: Vec<Part>,
    /// Everything it names.
    pub values: Vec<Value>,
    /// Its result.
    pub result: ValueId,
    /// The result in the signature, and the domains that it is given there or in the body: ` : unit`.
    pub written: (Span, Vec<Span>),
    /// `require`s.
    pub requires: Vec<Require>,
    /// Whether it keeps state, owns params or emits, itself or through a call.
    pub owns: Owns,
    /// What each value needs of the caller.
    pub needs: Vec<Needs>,
}

/// What makes a call more than a function of its arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owns {
    /// It keeps state.
    pub state: bool,
    /// It owns parameters of its own (`param`, `emit .. from`).
    pub params: bool,
    /// It emits from the caller's controller.
    pub emits: bool,
}

/// A compile-time whole number.
#[derive(Clone, Debug)]
pub struct Dim {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// What kind it is.
    pub kind: DimKind,
    /// Its default, over the dims before it.
    pub default: Option<Vec<Poly>>,
}

/// Kinds of compile-time whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DimKind {
    /// Given in brackets.
    Explicit,
    /// Given in brackets, a list; the dim of its length.
    List(DimId),
    /// Inferred from the arguments, or, in a model, bound by the task.
    Implicit,
    /// An `int` parameter.
    Int,
}

/// A compile-time truth value.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Its name.
    pub name: String,
    /// Its default.
    pub default: Option<Test>,
}

/// An index variable.
#[derive(Clone, Debug)]
pub struct VarInfo {
    /// Its name.
    pub name: String,
    /// Where it is bound.
    pub span: Span,
    /// Its range.
    pub extent: Extent,
}

/// An axis: `low..low + size - 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first index.
    pub low: Poly,
    /// How many.
    pub size: Poly,
}

impl Extent {
    /// `0..size - 1`.
    #[must_use]
    pub fn of(size: Poly) -> Extent {
        Extent { low: Poly::number(0), size }
    }

    /// The last index.
    #[must_use]
    pub fn high(&self) -> Poly {
        self.low.plus(&self.size).add(-1)
    }
}

/// What kind of values an expression has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Real numbers.
    Real,
    /// Whole numbers known when the model is built (they may contain index variables).
    Int,
    /// Truth values.
    Bool,
    /// Whole numbers `0..below` computed at run time.
    Index {
        /// One more than the largest.
        below: Poly,
        /// Whether every number occurs exactly once along the last axis.
        permutation: bool,
    },
}

/// Which values are possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Any number, perhaps between two ends.
    Real(Option<f64>, Option<f64>),
    /// Not negative, sums to 1 along the last axis.
    Simplex,
    /// Not negative, sums to at most 1 along the last axis.
    Weighting,
    /// Norm 1.
    Sphere,
}

impl Domain {
    /// Any real number.
    pub const REAL: Domain = Domain::Real(None, None);
}

/// One entry of a signature.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// What it is.
    pub kind: ParamKind,
}

/// Kinds of signature entries.
#[derive(Clone, Debug)]
pub enum ParamKind {
    /// An array, with a default where it may be left out.
    Plain(ValueId, Option<Expr>),
    /// Emitted unless given.
    Emit(ValueId),
    /// Learned unless given.
    Param(ValueId),
    /// A state, whose start may be given.
    State(ValueId),
    /// A whole number.
    Int(DimId),
    /// A truth value.
    Flag(FlagId),
}

/// The body of a definition or a part in it.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name; empty for the body.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// The part around it.
    pub parent: Option<PartId>,
    /// The index of its members and their range.
    pub family: Option<VarId>,
    /// When its members share their parameters: a condition on dims and flags.
    pub tied: Test,
    /// Whether its members are built one by one: they look at siblings, pass a state along, or differ
    /// in shape. Otherwise the family is an axis.
    pub in_order: bool,
    /// For `part name = call`: the value that holds the call's result.
    pub instance: Option<ValueId>,
    /// The controller declared in it.
    pub controller: Option<Controller>,
}

/// A `controller` statement.
#[derive(Clone, Debug)]
pub struct Controller {
    /// Its output.
    pub value: ValueId,
    /// The stage that emissions from it pass.
    pub through: Option<Stage>,
}

/// A named array.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Where it is declared or defined.
    pub span: Span,
    /// The part it belongs to.
    pub part: PartId,
    /// Its own axes, without those of the families around it.
    pub shape: Vec<Extent>,
    /// What it holds.
    pub sort: Sort,
    /// What its values are made to be, or claimed to be.
    pub domain: Domain,
    /// The map into the domain, where another than the usual one is wanted.
    pub via: Option<Stage>,
    /// What it is.
    pub kind: ValueKind,
}

/// Kinds of values.
#[derive(Clone, Debug)]
pub enum ValueKind {
    /// An argument of the definition.
    Argument,
    /// A learned array with the way it starts.
    Param(Start),
    /// Carried from step to step: its start, and the equation of its next value.
    State(Start, Option<Equation>),
    /// An affine map of a vector.
    Emission(Emission),
    /// Defined by an equation.
    Computed(Equation),
}

/// How a state or param starts.
#[derive(Clone, Debug)]
pub enum Start {
    /// Not written: drawn by the default rule (params only).
    Default,
    /// An expression of the value's shape, or a number that fills it.
    Value(Box<Expr>),
}

/// `emit`.
#[derive(Clone, Debug)]
pub struct Emission {
    /// The start in natural units: the bias is its inverse.
    pub start: Option<Box<Expr>>,
    /// The vector it is emitted from; `None`: the nearest controller.
    pub from: Option<Box<Expr>>,
    /// The stage between the affine map and the squash.
    pub through: Option<Stage>,
}

/// A stage: a scalar function of the table with all arguments but the first.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The function.
    pub function: Pointwise,
    /// Its arguments after the first; none for a definition, whose call has them.
    pub args: Vec<Expr>,
}

/// A function of each number.
#[derive(Clone, Debug)]
pub enum Pointwise {
    /// One of the table.
    Scalar(Scalar),
    /// A definition that takes one number and gives one; the call's first argument stands for it.
    Def(Box<Call>),
}

/// The right-hand side of an equation.
#[derive(Clone, Debug)]
pub struct Equation {
    /// The part whose block it stands in; for a passed state another than the state's own.
    pub part: PartId,
    /// Indices on the left, outermost first; fewer than axes, or one permuted.
    pub left: Left,
    /// The value.
    pub right: Expr,
    /// The whole statement.
    pub span: Span,
}

/// The indices of a left-hand side.
#[derive(Clone, Debug)]
pub enum Left {
    /// Distinct variables for the leading axes.
    Bare(Vec<VarId>),
    /// `a[phi[j]]`: variables for the leading axes, then a permutation applied to the last variable.
    Permuted(Vec<VarId>, Expr, VarId),
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
    /// Its axes.
    pub shape: Vec<Extent>,
    /// What it holds.
    pub sort: Sort,
}

/// Kinds of checked expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number.
    Real(f64),
    /// A whole number known when the model is built.
    Int(Poly),
    /// A truth value known when the model is built (it may contain index variables).
    Test(Test),
    /// Entries of a value: indices for the families around it, then for leading axes of its own.
    Read {
        /// The value.
        value: ValueId,
        /// A value inside a named instance, by the path of names from there on.
        inner: Vec<ValueId>,
        /// Whether one step ago.
        prev: bool,
        /// The part in which the read stands; what a passed state means depends on it.
        part: PartId,
        /// The indices.
        at: Vec<Expr>,
    },
    /// Entries of a computed array.
    Index(Box<Expr>, Vec<Expr>),
    /// `base[i else default]`: where the index of the given axis lies inside, the first, else the
    /// second.
    Inside(Test, Box<Expr>, Box<Expr>),
    /// A scalar function, lifted over arrays of one shape; scalars join.
    Map(Scalar, Vec<Expr>),
    /// Decided where it can be, else selected at run time; branches of scalars join arrays.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A reduction; `mean` divides by the number of points.
    Reduce {
        /// How.
        fold: Reduction,
        /// Variables with the condition each must meet besides its range.
        over: Vec<(VarId, Option<Test>)>,
        /// What is combined.
        body: Box<Expr>,
    },
    /// An array built entry by entry.
    For(Vec<VarId>, Box<Expr>),
    /// A list of expressions of one shape; a new first axis.
    List(Vec<Expr>),
    /// Flattened and joined.
    Cat(Vec<Expr>),
    /// A function of a whole array.
    Whole(Whole, Box<Expr>),
    /// The squash of a domain.
    Squash(Domain, Box<Expr>),
    /// A value repeated over axes.
    Fill(Box<Expr>, Vec<Extent>),
    /// 1 at one position of the last axis.
    OneHot(Poly, Vec<Extent>),
    /// `learned` as a start: the anonymous param of the state.
    Learned(Domain),
    /// Drawn when the model is built: normal with this deviation, or uniform between two numbers.
    Draw(Box<Expr>, Option<Box<Expr>>),
    /// A call of a definition.
    Call(Box<Call>),
}

pub use crate::syntax::ast::Reduction;

/// Functions of a whole array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whole {
    /// `softmax`.
    Softmax,
    /// `norm`.
    Norm,
    /// `argsort`.
    Argsort,
    /// `rank`.
    Rank,
    /// `top[k]`.
    Top(Poly),
}

/// A call: every dim and argument of the definition.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub def: DefId,
    /// The value of each dim (one entry) or list of dims, in the caller's terms.
    pub dims: Vec<Vec<Poly>>,
    /// The value of each flag.
    pub flags: Vec<Test>,
    /// The argument for each entry of the signature; `None`: emitted, owned, default or not an array.
    /// Shared, since calls in calls are passed on as a whole.
    pub args: Vec<Option<Arc<Expr>>>,
    /// The segment of paths that names the instance, for example `content` or `ahead.sharp`.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The part it stands in.
    pub part: PartId,
}

/// `require`.
#[derive(Clone, Debug)]
pub struct Require {
    /// The part it stands in.
    pub part: PartId,
    /// What must hold.
    pub condition: Test,
    /// The author's message.
    pub text: Option<String>,
    /// Where it stands.
    pub span: Span,
}

impl Checked {
    /// One definition.
    #[must_use]
    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id.0 as usize]
    }
}

impl Def {
    /// One value.
    #[must_use]
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// The call that a named instance stands for.
    #[must_use]
    pub fn call_of(&self, instance: ValueId) -> Option<&Call> {
        let ValueKind::Computed(equation) = &self.value(instance).kind else { return None };
        let ExprKind::Call(call) = &equation.right.kind else { return None };
        Some(call)
    }

    /// One part.
    #[must_use]
    pub fn part(&self, id: PartId) -> &Part {
        &self.parts[id.0 as usize]
    }

    /// One variable.
    #[must_use]
    pub fn var(&self, id: VarId) -> &VarInfo {
        &self.vars[id.0 as usize]
    }

    /// The part and those around it, innermost first.
    pub fn around(&self, part: PartId) -> impl Iterator<Item = PartId> {
        std::iter::successors(Some(part), |part| self.part(*part).parent)
    }

    /// The families around a part (its own included), outermost first, as their index variables.
    #[must_use]
    pub fn families(&self, part: PartId) -> Vec<VarId> {
        let mut vars: Vec<VarId> =
            self.around(part).filter_map(|part| self.part(part).family).collect();
        vars.reverse();
        vars
    }

    /// A polynomial as people write it.
    #[must_use]
    pub fn show(&self, poly: &Poly) -> String {
        super::show::poly(self, poly)
    }
}

impl Expr {
    /// The expressions right inside this one, in the order of the text.
    #[must_use]
    pub fn parts(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Real(_)
            | ExprKind::Int(_)
            | ExprKind::Test(_)
            | ExprKind::OneHot(..)
            | ExprKind::Learned(_) => Vec::new(),
            ExprKind::Read { at, .. } => at.iter().collect(),
            ExprKind::Index(base, at) => std::iter::once(&**base).chain(at).collect(),
            ExprKind::Inside(_, base, default) => vec![base, default],
            ExprKind::Map(_, all) | ExprKind::List(all) | ExprKind::Cat(all) => {
                all.iter().collect()
            }
            ExprKind::If(test, yes, no) => vec![test, yes, no],
            ExprKind::Reduce { body, .. }
            | ExprKind::For(_, body)
            | ExprKind::Whole(_, body)
            | ExprKind::Squash(_, body)
            | ExprKind::Fill(body, _) => vec![body],
            ExprKind::Draw(low, high) => std::iter::once(&**low).chain(high.as_deref()).collect(),
            ExprKind::Call(call) => call.args.iter().flatten().map(Arc::as_ref).collect(),
        }
    }

    /// This expression and every one inside it, outer ones first.
    pub fn each<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        visit(self);
        self.parts().into_iter().for_each(|one| one.each(visit));
    }
}

impl Value {
    /// The outermost expressions that say what the value is.
    #[must_use]
    pub fn written(&self) -> Vec<&Expr> {
        let mut all: Vec<&Expr> = Vec::new();
        let (mut start, mut next) = (None, None);
        match &self.kind {
            ValueKind::Argument => {}
            ValueKind::Param(one) => start = Some(one),
            ValueKind::State(one, equation) => (start, next) = (Some(one), equation.as_ref()),
            ValueKind::Emission(emission) => {
                all.extend(emission.start.iter().chain(&emission.from).map(|one| &**one));
                all.extend(emission.through.iter().flat_map(|stage| &stage.args));
            }
            ValueKind::Computed(equation) => next = Some(equation),
        }
        if let Some(Start::Value(start)) = start {
            all.push(start);
        }
        if let Some(equation) = next {
            if let Left::Permuted(_, order, _) = &equation.left {
                all.push(order);
            }
            all.push(&equation.right);
        }
        all.extend(self.via.iter().flat_map(|stage| &stage.args));
        all
    }

    /// Every expression that says what the value is, with those inside them, outer ones first.
    pub fn each<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        self.written().into_iter().for_each(|one| one.each(visit));
    }
}
