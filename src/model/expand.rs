//! The elaborated model as text.
//!
//! In: a flat model. Out: one `.ntm` model whose dims are numbers, whose calls, families, domains and
//! emissions are written out as params and equations. Invariant: what comes out checks, and elaborates
//! to a model with the same step up to names.

mod cat;
mod dot;
mod fold;
mod infer;
mod limit;
mod names;
mod term;
mod tree;

use std::collections::BTreeSet;

use self::infer::{Found, Shapes};
use self::names::{fresh, mangled};
use self::term::Scope;
pub(super) use self::term::mentions;
use self::tree::{call, expr, indexed, name, range, real, whole, word};
use super::flat::{
    Array, At, Axis, Cond, Draw, Fold, Linear, Model, Rel, Sort, Term, Value, Whole,
};
use crate::source::Span;
use crate::syntax::{self, ast};

/// The model as `.ntm`: pipes and calls written out as the flat equations they stand for.
#[must_use]
pub fn expand(model: &Model) -> String {
    let writer = Writer::new(model);
    let span = Span::default();
    let file = ast::File {
        version: 1,
        version_span: span,
        imports: Vec::new(),
        items: vec![ast::Item::Model(writer.model())],
        comments: Vec::new(),
        blanks: Vec::new(),
        span,
    };
    syntax::format(&file)
}

/// The names of a model's arrays.
struct Writer<'m> {
    model: &'m Model,
    inputs: Vec<String>,
    params: Vec<String>,
    states: Vec<String>,
    values: Vec<String>,
    result: String,
    used: BTreeSet<String>,
    shapes: Shapes,
}

impl<'m> Writer<'m> {
    fn new(model: &'m Model) -> Writer<'m> {
        let mut used = BTreeSet::new();
        let mut shapes = Shapes::new();
        let mut named = |path: &str, axes: &[Axis]| {
            let name = mangled(path, &mut used);
            shapes.insert(name.clone(), axes.iter().map(|axis| axis.size).collect());
            name
        };
        let inputs = model.inputs.iter().map(|one| named(&one.path, &one.axes)).collect();
        let states: Vec<String> =
            model.states.iter().map(|one| named(&one.path, &one.axes)).collect();
        let value = |(at, one): (usize, &Value)| {
            // The equation of a state defines its next value.
            let state = model.states.iter().position(|state| state.next as usize == at);
            state.map_or_else(|| named(&one.path, &one.axes), |state| states[state].clone())
        };
        let values: Vec<String> = model.values.iter().enumerate().map(value).collect();
        let params = model.params.iter().map(|one| named(&one.path, &one.axes)).collect();
        let output = &values[model.output as usize];
        let result = if states.contains(output) {
            fresh(&format!("{output}_out"), &mut used)
        } else {
            output.clone()
        };
        Writer { model, inputs, params, states, values, result, used, shapes }
    }

    /// The name of an array.
    fn name(&self, array: Array) -> &str {
        match array {
            Array::Input(at) => &self.inputs[at as usize],
            Array::Param(at) => &self.params[at as usize],
            Array::Prev(at) => &self.states[at as usize],
            Array::Value(at) => &self.values[at as usize],
        }
    }

    fn model(&self) -> ast::Def {
        let model = self.model;
        let output = &model.values[model.output as usize];
        let mut used = self.used.clone();
        let inputs = model.inputs.iter().zip(&self.inputs);
        let mut body: Vec<ast::Stmt> = Vec::new();
        for (param, name) in model.params.iter().zip(&self.params) {
            let start = self.draw(&param.axes, &param.start);
            let slot = slot(name, &param.axes, Sort::Real, Some(start));
            body.push(ast::Stmt::State(Vec::new(), ast::StateKind::Param, vec![slot], span()));
        }
        for (state, name) in model.states.iter().zip(&self.states) {
            let start = match &state.draw {
                Some(draw) => self.draw(&state.axes, draw),
                None => self.start(&state.axes, &state.start, state.sort),
            };
            let slot = slot(name, &state.axes, state.sort, Some(start));
            body.push(ast::Stmt::State(Vec::new(), ast::StateKind::State, vec![slot], span()));
        }
        body.extend((0..model.values.len()).map(|at| self.equation(at)));
        body.extend(self.copies());
        ast::Def {
            docs: Vec::new(),
            name: name(&mangled(&model.name, &mut used)),
            generics: Vec::new(),
            params: inputs
                .map(|(input, name)| ast::Param {
                    role: ast::Role::Plain,
                    slot: slot(name, &input.axes, input.sort, None),
                })
                .collect(),
            result: slot(&self.result, &output.axes, output.sort, None),
            body: ast::Body::Block(body),
            span: span(),
        }
    }

    /// Equations that only rename: the output where it is a state, and states that share a next value.
    fn copies(&self) -> Vec<ast::Stmt> {
        let mut all = Vec::new();
        let mut copy = |to: &str, from: &str| {
            all.push(equation(indexed(to, Vec::new()), word(from)));
        };
        for (state, name) in self.model.states.iter().zip(&self.states) {
            let next = &self.values[state.next as usize];
            if next != name {
                copy(name, next);
            }
        }
        let output = &self.values[self.model.output as usize];
        if *output != self.result {
            copy(&self.result, output);
        }
        all
    }

    // ---- starts -------------------------------------------------------------------------------

    fn draw(&self, axes: &[Axis], draw: &Draw) -> ast::Expr {
        match draw {
            Draw::Normal(deviation) => {
                call("normal", Vec::new(), vec![real(*deviation)], Vec::new())
            }
            Draw::Uniform(low, high) => {
                let ends = ast::Arg { to: Some(real(*high)), ..tree::arg(real(*low)) };
                let mut found = indexed("uniform", Vec::new());
                found.segments[0].args = Some(vec![ends]);
                expr(ast::ExprKind::Ref(found))
            }
            Draw::Fixed(term) => self.start(axes, term, Sort::Real),
        }
    }

    /// A start: one number for all entries, or an array.
    fn start(&self, axes: &[Axis], term: &Term, sort: Sort) -> ast::Expr {
        let mut scope = Scope::new(self, true);
        scope.whole = is_whole(sort);
        if axes.iter().any(|axis| mentions(term, axis.var)) {
            return scope.array(axes, term);
        }
        scope.term(term)
    }

    // ---- equations ----------------------------------------------------------------------------

    fn equation(&self, at: usize) -> ast::Stmt {
        let value = &self.model.values[at];
        if let Some(permuted) = self.permuted(at, value) {
            return permuted;
        }
        let name = &self.values[at];
        let mut scope = Scope::new(self, false);
        scope.whole = is_whole(value.sort);
        let (rows, right) = scope.rows(&value.axes, &value.right);
        let lead = &value.axes[..value.axes.len() - rows];
        let declared = *name == self.result || self.states.contains(name);
        let names: Vec<String> = lead.iter().map(|axis| scope.enter(axis)).collect();
        let seen = lead
            .iter()
            .zip(&names)
            .all(|(axis, name)| scope.inferred(name, &[&right]) == Found::Size(axis.size));
        if declared || seen {
            let indices = names.iter().map(|name| word(name)).collect();
            return equation(indexed(name, indices), right);
        }
        let right = scope.over(lead, right);
        equation(indexed(name, Vec::new()), right)
    }

    /// `a[phi[j]] = ...`, where that is what a sum over the entries with `phi[j] == i` says.
    fn permuted(&self, at: usize, value: &Value) -> Option<ast::Stmt> {
        let Term::Fold { fold: Fold::Sum, over, when, body } = &value.right else { return None };
        let ([axis], [Cond { left: At::Value(place), rel: Rel::Eq, right }]) =
            (&over[..], &when[..])
        else {
            return None;
        };
        let var = right.as_var()?;
        let last = value.axes.iter().position(|axis| axis.var == var)?;
        let (lead, rest) = (&value.axes[..last], &value.axes[last + 1..]);
        let fits = value.axes[last].size == axis.size
            && self.is_permutation(place)
            && goes_through(place, axis)
            && !mentions(body, var)
            && !mentions(place, var);
        if !fits {
            return None;
        }
        let mut scope = Scope::new(self, false);
        scope.whole = is_whole(value.sort);
        let names: Vec<String> = lead.iter().map(|axis| scope.enter(axis)).collect();
        let index = scope.enter(axis);
        let order = scope.term(place);
        let right = scope.array(rest, body);
        let name = &self.values[at];
        let declared = *name == self.result || self.states.contains(name);
        let seen = lead
            .iter()
            .zip(&names)
            .all(|(axis, name)| scope.inferred(name, &[&right]) == Found::Size(axis.size))
            && scope.inferred(&index, &[&order, &right]) == Found::Size(axis.size);
        if !declared && !seen {
            return None;
        }
        let indices = names.iter().map(|name| word(name)).chain([order]).collect();
        Some(equation(indexed(name, indices), right))
    }

    fn is_permutation(&self, place: &Term) -> bool {
        if let Term::Read(Array::Value(at), _) = place {
            let sort = self.model.values[*at as usize].sort;
            return matches!(sort, Sort::Index { permutation: true, .. });
        }
        matches!(place, Term::Whole { function: Whole::Argsort | Whole::Rank, .. })
    }
}

fn is_whole(sort: Sort) -> bool {
    match sort {
        Sort::Int | Sort::Index { .. } => true,
        Sort::Real | Sort::Bool => false,
    }
}

/// Whether a place is an entry of one row of an array, one after the other as a variable counts.
fn goes_through(place: &Term, axis: &Axis) -> bool {
    let (Term::Read(_, at) | Term::Whole { at, .. }) = place else { return false };
    let Some((last, row)) = at.split_last() else { return false };
    let row = Term::Read(Array::Value(0), row.to_vec());
    *last == At::Linear(Linear::var(axis.var)) && !mentions(&row, axis.var)
}

fn span() -> Span {
    Span::default()
}

fn equation(left: ast::Ref, right: ast::Expr) -> ast::Stmt {
    let docs = Vec::new();
    ast::Stmt::Equation(ast::Equation { docs, left, right, elsewhere: None, span: span() })
}

fn slot(text: &str, axes: &[Axis], sort: Sort, value: Option<ast::Expr>) -> ast::Slot {
    let of = |word: &str, bounds| ast::Of { name: name(word), bounds, via: None, span: span() };
    let of = match sort {
        Sort::Real => None,
        Sort::Bool => Some(of("bool", None)),
        Sort::Int => Some(of("int", None)),
        Sort::Index { below, .. } => {
            Some(of("index", Some(ast::Bounds::One(whole(i64::from(below))))))
        }
    };
    let shape = axes.iter().map(|axis| range(axis.size)).collect();
    ast::Slot { name: name(text), shape, of, value, span: span() }
}

/// Which value reads which, for Graphviz.
#[must_use]
pub fn dot(model: &Model) -> String {
    dot::dot(model)
}
