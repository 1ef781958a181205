//! The output of a model, its loss, and optimisers.

use std::sync::Arc;

use crate::diag::Edit;
use crate::source::Span;

use super::super::errors;
use super::super::flat::{self, Array, At, Axis, Fold, Term};
use super::super::show;
use super::super::typed::{DefId, Domain, ParamKind, ValueId, ValueKind};
use super::frames::{Arg, Frame, Outer, bare};
use super::{Engine, FrameId, Members, domain_of};
use crate::op::scalar::{LOG, MUL, SUB};

/// What is summed over time and minimised.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    /// Nothing.
    #[default]
    None,
    /// Half the sum of squares of the output.
    HalfSquares,
    /// The loss of std for the domain of the target, from the input `target`.
    Target {
        /// Whether an input `mask` multiplies the loss of a step.
        masked: bool,
    },
    /// The sum of values by path, each times an input `cotangent/<path>` of its shape.
    Cotangents(Vec<String>),
}

impl Engine<'_> {
    /// Builds the result, its squash and the loss.
    pub(super) fn output(&mut self, root: FrameId) {
        let def = Arc::clone(&self.frames[root.0].def);
        let result = def.result;
        let Array::Value(value) = self.value(root, result, &Members::new()) else { return };
        let declared = def.value(result).domain.clone();
        let task = self.setting.ports.clone();
        let wanted = task.as_ref().map_or(declared.clone(), |ports| domain_of(&ports.domain));
        let span = def.value(result).span;
        let (raw, output) = if declared == Domain::REAL {
            (value, self.squash_output(root, result, value, &wanted))
        } else {
            if let (true, Some(task)) = (declared != wanted, &task) {
                let (wanted, found) = (show::domain(&wanted), show::domain(&declared));
                let name = &def.value(result).name;
                let (wanted, found) = (format!("`{name}: {wanted}`"), format!("`{name}: {found}`"));
                let one = errors::output_does_not_fit(span, &wanted, &found, task.place);
                let written = def.written.1.iter().map(|place| Edit::new(*place, ""));
                self.sink.push(one.edits(written));
            }
            let needs_raw = matches!(self.setting.loss, Loss::Target { .. });
            (if needs_raw { self.raw_output(root, result, value) } else { value }, value)
        };
        self.model.output = output;
        if let Some(ports) = &task {
            let width = self.model.values[value as usize].axes.first().map_or(0, |axis| axis.size);
            if width != ports.output {
                let wanted = (ports.output, ports.place);
                let one = errors::port_size(def.written.0, "an output", wanted, width);
                let whole = def.written.0.start <= span.start && span.end <= def.written.0.end;
                self.sink.push(if whole { one } else { one.label(span, "and here") });
            }
        }
        match self.setting.loss.clone() {
            Loss::None => {}
            Loss::HalfSquares => self.half_squares(root, output),
            Loss::Target { masked } => self.target_loss(root, raw, &wanted, masked, span),
            Loss::Cotangents(paths) => self.cotangents(root, &paths, span),
        }
    }

    /// An output without a domain of its own takes that of the task.
    fn squash_output(&mut self, root: FrameId, result: ValueId, raw: u32, domain: &Domain) -> u32 {
        if *domain == Domain::REAL {
            return raw;
        }
        let def = Arc::clone(&self.frames[root.0].def);
        let shape = def.value(result).shape.clone();
        let cx = self.context(root, def.value(result).part, &Members::new());
        let own = self.axes(root, &shape, &Members::new());
        let right = self.squash_array(&cx, domain, &shape, &own, raw, &[]);
        let path = format!("{}.squashed", def.value(result).name);
        let (sort, span) = (flat::Sort::Real, def.value(result).span);
        self.push(flat::Value { path, axes: own, sort, right, span })
    }

    /// The output before its squash: kept from an emission, or the inverse of what is claimed.
    fn raw_output(&mut self, root: FrameId, result: ValueId, value: u32) -> u32 {
        let key = self.key(root, result, &Members::new());
        if let Some(raw) = self.raws.get(&key) {
            return *raw;
        }
        let one = self.model.values[value as usize].clone();
        let read = Term::Read(Array::Value(value), one.axes.iter().map(bare).collect());
        let log = Term::Map(LOG, vec![read.clone()]);
        let def = &self.frames[root.0].def;
        let right = match def.value(result).domain {
            Domain::Simplex => log,
            Domain::Real(Some(_), Some(_)) => {
                let rest = Term::Map(SUB, vec![Term::Real(1.0), read]);
                Term::Map(SUB, vec![log, Term::Map(LOG, vec![rest])])
            }
            Domain::Real(..) | Domain::Weighting | Domain::Sphere => return value,
        };
        let path = format!("{}.raw", one.path);
        self.push(flat::Value { path, right, ..one })
    }

    fn half_squares(&mut self, root: FrameId, output: u32) {
        let one = self.model.values[output as usize].clone();
        let over = self.fresh_axes(&one.axes);
        let read = Term::Read(Array::Value(output), over.iter().map(bare).collect());
        let square = Term::Map(MUL, vec![read.clone(), read]);
        let sum = sum_over(over, square);
        let right = Term::Map(MUL, vec![Term::Real(0.5), sum]);
        self.set_loss(root, right, one.span);
    }

    fn fresh_axes(&mut self, axes: &[Axis]) -> Vec<Axis> {
        axes.iter().map(|axis| Axis { var: self.fresh(), ..axis.clone() }).collect()
    }

    /// The last value of a model. Where the spec has a `loss` of its own, ours stands inside that name,
    /// where nothing else can stand.
    fn set_loss(&mut self, root: FrameId, right: Term, span: Span) {
        let taken = self.frames[root.0].def.values.iter().any(|value| value.name == "loss");
        let path = if taken { "loss.total" } else { "loss" }.to_owned();
        let (axes, sort) = (Vec::new(), flat::Sort::Real);
        let loss = self.push(flat::Value { path, axes, sort, right, span });
        self.model.loss = Some(loss);
    }

    /// The loss of std whose `target` has this domain, times the mask.
    fn target_loss(&mut self, root: FrameId, raw: u32, domain: &Domain, masked: bool, span: Span) {
        let found = self.checked.library.iter().find(|((module, _), id)| {
            let def = self.checked.def(**id);
            module == "std.loss"
                && def.values.iter().any(|value| {
                    value.name == "target"
                        && value.domain == *domain
                        && matches!(value.kind, ValueKind::Argument)
                })
        });
        let Some((_, id)) = found else {
            self.sink.push(errors::no_loss(span, &show::domain(domain)));
            return;
        };
        let id = *id;
        let axes = self.model.values[raw as usize].axes.clone();
        let target = self.input("target", &axes);
        let args = [("y", Arg::Array(Array::Value(raw), Vec::new())), ("target", target)];
        let sizes: Vec<i64> = axes.iter().map(|axis| i64::from(axis.size)).collect();
        let frame = self.library_frame(id, "loss", &args, &sizes, Vec::new());
        let result = self.frames[frame.0].def.result;
        let value = self.value(frame, result, &Members::new());
        let mut right = Term::Read(value, Vec::new());
        if masked && let Arg::Array(mask, _) = self.input("mask", &[]) {
            right = Term::Map(MUL, vec![Term::Read(mask, Vec::new()), right]);
        }
        self.set_loss(root, right, span);
    }

    fn input(&mut self, name: &str, axes: &[Axis]) -> Arg {
        let axes = self.fresh_axes(axes);
        let at = self.model.inputs.len() as u32;
        let (path, sort) = (name.to_owned(), flat::Sort::Real);
        self.model.inputs.push(flat::Input { path, axes, sort });
        self.claims.inputs.push(Domain::REAL);
        Arg::Array(Array::Input(at), Vec::new())
    }

    /// A definition of std called by the compiler: arguments by name, all dims of the given sizes.
    fn library_frame(
        &mut self,
        id: DefId,
        path: &str,
        args: &[(&str, Arg)],
        sizes: &[i64],
        outer: Vec<Outer>,
    ) -> FrameId {
        let def = Arc::clone(&self.checked.defs[id.0 as usize]);
        let mut frame = Frame::new(Arc::clone(&def), path.to_owned());
        if !path.is_empty() {
            frame.path = format!("{path}.{}", def.name);
            frame.param_path.clone_from(&frame.path);
        }
        frame.outer = outer;
        for value in def.values.iter().filter(|value| matches!(value.kind, ValueKind::Argument)) {
            for (extent, size) in value.shape.iter().zip(sizes) {
                if let Some(dim) = extent.size.as_dim() {
                    frame.dims[dim.0 as usize] = vec![*size];
                }
            }
        }
        for (name, arg) in args {
            if let Some(at) = def.params.iter().position(|param| param.name == *name) {
                frame.args[at] = Some(arg.clone());
            }
        }
        self.enter(frame)
    }

    /// The sum of named values times inputs of their shapes.
    fn cotangents(&mut self, root: FrameId, paths: &[String], span: Span) {
        self.visible(root);
        self.next_values();
        let mut sum: Option<Term> = None;
        for path in paths {
            let output = self.model.output;
            let is_output = path == "y"
                || *path == self.frames[root.0].def.value(self.frames[root.0].def.result).name;
            let found = self.model.values.iter().rposition(|value| value.path == *path);
            let value = if is_output { Some(output) } else { found.map(|at| at as u32) };
            let Some(value) = value else {
                let names: Vec<&str> =
                    self.model.values.iter().map(|value| value.path.as_str()).collect();
                let near = crate::diag::nearest(path, names);
                let one = errors::unknown_path(span, path, near);
                self.sink.push(one);
                continue;
            };
            let axes = self.model.values[value as usize].axes.clone();
            let Arg::Array(input, _) = self.input(&format!("cotangent/{path}"), &axes) else {
                continue;
            };
            let over = self.fresh_axes(&axes);
            let at: Vec<At> = over.iter().map(bare).collect();
            let product = Term::Map(
                MUL,
                vec![Term::Read(input, at.clone()), Term::Read(Array::Value(value), at)],
            );
            let term = sum_over(over, product);
            sum = Some(match sum {
                None => term,
                Some(sum) => Term::Map(crate::op::scalar::ADD, vec![sum, term]),
            });
        }
        self.set_loss(root, sum.unwrap_or(Term::Real(0.0)), span);
    }

    /// An optimiser of std, once for each of `size` parameters.
    pub(super) fn optimiser(&mut self, id: DefId, args: &[(String, f64, Span)], size: u32) {
        let def = Arc::clone(&self.checked.defs[id.0 as usize]);
        self.model.name.clone_from(&def.name);
        let axis = Axis { var: self.fresh(), name: "p".to_owned(), dim: "P".to_owned(), size };
        let mut all: Vec<(&str, Arg)> = Vec::new();
        for (name, axes) in [("value", 1), ("gradient", 1), ("rate", 0)] {
            let over = if axes == 1 { vec![axis.clone()] } else { Vec::new() };
            if let Arg::Array(input, _) = self.input(name, &over) {
                all.push((name, Arg::Array(input, over.iter().map(bare).collect())));
            }
        }
        for (name, value, span) in args {
            let settable = |param: &&super::super::typed::Param| {
                param.name == *name && matches!(param.kind, ParamKind::Plain(_, Some(_)))
            };
            if def.params.iter().any(|param| settable(&param)) {
                all.push((name, Arg::Number(*value)));
            } else {
                let set = |kind: &ParamKind| matches!(kind, ParamKind::Plain(_, Some(_)));
                let names = def.params.iter().filter(|param| set(&param.kind));
                let names: Vec<&str> = names.map(|param| param.name.as_str()).collect();
                let near = crate::diag::nearest(name, names.iter().copied());
                let near = near.map(|near| (near, false));
                // The span is that of the argument, which begins with its name.
                let span = Span { end: span.start + name.len() as u32, ..*span };
                let one = errors::unknown_argument(span, &def.name, name, near, &names);
                self.sink.push(one);
            }
        }
        let outer = vec![Outer { axis, tied: false }];
        let frame = self.library_frame(id, "", &all, &[], outer);
        let result = self.frames[frame.0].def.result;
        if let Array::Value(value) = self.value(frame, result, &Members::new()) {
            self.model.output = value;
        }
        self.next_values();
    }
}

fn sum_over(over: Vec<Axis>, body: Term) -> Term {
    if over.is_empty() {
        return body;
    }
    Term::Fold { fold: Fold::Sum, over, when: Vec::new(), body: Box::new(body) }
}
