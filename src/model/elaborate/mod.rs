//! CHECKED to MODEL: dims become numbers, calls are inlined, families become axes or members.
//!
//! In: a checked model, the sizes it is built with, and what the loss is. Out: a flat [`Model`]. Values
//! are built when something reads them, so operands come before users and nothing unused is built.
//! Invariant: every value of a frame has the frame's outer axes, then those of the families around it,
//! then its own; a reader gives one index for each.

mod circle;
mod claims;
mod conditions;
mod emit;
mod frames;
mod given;
mod output;
mod passed;
mod read;
mod scatter;
mod stage;
mod start;
mod term;

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, nearest};
use crate::source::Span;

use super::claim::Claims;
use super::flat::{self, At, Axis, Linear, Model, Term, Var};
use super::int::VarId;
use super::typed::{Checked, DefId, DimKind, Domain, ParamKind, PartId, ValueId, ValueKind};
use super::{command_errors, errors};

pub(super) use frames::vars_in;
pub use output::Loss;

use frames::{Arg, Frame};

/// A value given from outside for a dim, a number or a switch of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A number; whole where a dim is meant.
    Number(f64),
    /// A switch.
    Truth(bool),
    /// A list of numbers; whole where dims are meant.
    List(Vec<f64>),
}

/// Where a value is given from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is given for.
    pub name: Span,
    /// The value.
    pub value: Span,
}

impl Place {
    /// The name, the value and what stands between them.
    fn whole(self) -> Span {
        self.name.to(self.value)
    }
}

impl From<Span> for Place {
    /// A place at which no name stands.
    fn from(span: Span) -> Place {
        Place { name: span, value: span }
    }
}

/// What a task's ports bind.
#[derive(Clone, Debug, PartialEq)]
pub struct Ports {
    /// Width of the input.
    pub input: u32,
    /// Width of the output.
    pub output: u32,
    /// Domain of the target: `real`, `unit` or `simplex`.
    pub domain: String,
    /// Where the task is called.
    pub place: Span,
}

/// How a model is built.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Dims, numbers and switches by name, and numbers for emissions by path, each with the place that
    /// gives it.
    pub given: BTreeMap<String, (Given, Place)>,
    /// What the task binds.
    pub ports: Option<Ports>,
    /// The loss.
    pub loss: Loss,
    /// Whether every equation of the model and its parts is built, read or not.
    pub everything: bool,
    /// Whether what is built is a definition without a caller: what it would emit from a controller, or
    /// be given, is an input.
    pub alone: bool,
}

/// The most values a model may have.
const MOST_VALUES: usize = 1_000_000;
/// The most members of families that are built one by one.
const MOST_MEMBERS: i64 = 4_096;
/// The deepest chain of values that need each other within one step.
pub(super) const DEEPEST: usize = 5_000;
/// How many definitions may call one another: names of values grow by each.
const MOST_CALLS: usize = 200;
/// The most elements of one array; far below the largest number in an index of the graph.
const MOST_ELEMENTS: i64 = 1 << 28;

/// Builds a model; `None` when something is wrong with it at these sizes.
pub fn elaborate(
    checked: &Checked,
    def: DefId,
    setting: &Setting,
    sink: &mut Diagnostics,
) -> Option<Model> {
    elaborate_with_claims(checked, def, setting, sink).map(|(model, _)| model)
}

/// The same with everything that is claimed of the model.
pub fn elaborate_with_claims(
    checked: &Checked,
    def: DefId,
    setting: &Setting,
    sink: &mut Diagnostics,
) -> Option<(Model, Claims)> {
    let before = std::mem::take(sink);
    let mut engine = Engine::new(checked, setting, sink);
    engine.build(def);
    let Engine { model, claims, .. } = engine;
    let right = !sink.has_errors();
    let mine = std::mem::replace(sink, before);
    sink.extend(mine);
    right.then_some((model, claims))
}

/// Builds an optimiser of std as a model over a vector of P parameters.
pub fn elaborate_optimiser(
    checked: &Checked,
    name: (&str, Span),
    args: &[(String, f64, Span)],
    size: u32,
    sink: &mut Diagnostics,
) -> Option<Model> {
    let module = |(module, _): &&(String, String)| module == "std.optim";
    let known: Vec<&str> =
        checked.library.keys().filter(module).map(|(_, name)| name.as_str()).collect();
    let Some(def) = checked.library.get(&("std.optim".to_owned(), name.0.to_owned())) else {
        let near = nearest(name.0, known.iter().copied());
        // The span is that of the call, which begins with its name.
        let span = Span { end: name.1.start + name.0.len() as u32, ..name.1 };
        sink.push(errors::unknown_optimiser(span, name.0, &known.join(", "), near));
        return None;
    };
    let setting = Setting::default();
    let before = std::mem::take(sink);
    let mut engine = Engine::new(checked, &setting, sink);
    engine.optimiser(*def, args, size);
    let Engine { model, .. } = engine;
    let right = !sink.has_errors();
    let mine = std::mem::replace(sink, before);
    sink.extend(mine);
    right.then_some(model)
}

/// The learning rate an optimiser starts from: its argument `lr`, or the default in std.
pub fn learning_rate(checked: &Checked, name: &str, args: &[(String, f64, Span)]) -> Option<f64> {
    if let Some((_, value, _)) = args.iter().find(|(name, ..)| name == "lr") {
        return Some(*value);
    }
    let def = checked.library.get(&("std.optim".to_owned(), name.to_owned()))?;
    let param = checked.def(*def).params.iter().find(|param| param.name == "lr")?;
    let ParamKind::Plain(_, Some(default)) = &param.kind else { return None };
    super::check::constant_of(default)
}

/// A frame: its position in `Engine::frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FrameId(usize);

/// Which members of families built in order: their index variables with numbers.
type Members = BTreeMap<VarId, i64>;

/// One build of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    frame: FrameId,
    value: ValueId,
    members: Members,
    start: bool,
}

/// Where an expression is evaluated.
#[derive(Clone, Debug)]
struct Cx {
    frame: FrameId,
    /// What index variables of the definition stand for, in the definition's own counting.
    env: BTreeMap<VarId, At>,
    /// The index for each outer axis of the frame.
    outer: Vec<At>,
}

struct Engine<'a> {
    checked: &'a Checked,
    setting: &'a Setting,
    sink: &'a mut Diagnostics,
    model: Model,
    frames: Vec<Frame>,
    /// Frames of calls, by caller, part, name and members.
    calls: BTreeMap<(FrameId, PartId, String, Members, bool), FrameId>,
    built: BTreeMap<Key, u32>,
    /// Emissions before their squash.
    raws: BTreeMap<Key, u32>,
    states: BTreeMap<Key, u32>,
    sources: BTreeMap<(FrameId, Span, Members), u32>,
    params: BTreeMap<String, u32>,
    /// Members that update states which families pass along, by the part of the update.
    updates: BTreeMap<(FrameId, PartId), std::sync::Arc<passed::Updates>>,
    running: Vec<(Key, String, Span)>,
    /// Where each of them stands there.
    places: BTreeMap<Key, usize>,
    /// Whether values that need each other were found.
    cyclic: bool,
    /// States whose next value is still to be built.
    waiting: Vec<Key>,
    used: Vec<String>,
    /// Every emission so far, and overrides with those they name.
    emitted: std::collections::BTreeSet<String>,
    named: given::Named,
    next_var: u32,
    /// Whether starts are being evaluated, and the state or param they belong to.
    starting: Option<Starting>,
    members: i64,
    claims: Claims,
    /// Arguments with a domain that were read.
    asked: Vec<(FrameId, ValueId)>,
}

/// The state or param whose start is evaluated.
#[derive(Clone, Debug)]
struct Starting {
    path: String,
    axes: Vec<Axis>,
    /// How many of the axes are the value's own, the last ones.
    own: usize,
    span: Span,
}

impl<'a> Engine<'a> {
    fn new(checked: &'a Checked, setting: &'a Setting, sink: &'a mut Diagnostics) -> Engine<'a> {
        Engine {
            checked,
            setting,
            sink,
            model: Model::default(),
            frames: Vec::new(),
            calls: BTreeMap::new(),
            built: BTreeMap::new(),
            raws: BTreeMap::new(),
            states: BTreeMap::new(),
            sources: BTreeMap::new(),
            params: BTreeMap::new(),
            updates: BTreeMap::new(),
            running: Vec::new(),
            places: BTreeMap::new(),
            cyclic: false,
            waiting: Vec::new(),
            used: Vec::new(),
            emitted: std::collections::BTreeSet::new(),
            named: given::Named::new(),
            next_var: 0,
            starting: None,
            members: 0,
            claims: Claims::default(),
            asked: Vec::new(),
        }
    }

    fn build(&mut self, id: DefId) {
        let def = std::sync::Arc::clone(&self.checked.defs[id.0 as usize]);
        self.model.name.clone_from(&def.name);
        let Some(root) = self.root(id) else { return };
        for (at, dim) in def.dims.iter().enumerate() {
            if let [value] = self.frames[root.0].dims[at][..] {
                self.model.sizes.push((dim.name.clone(), value));
            }
        }
        self.output(root);
        self.visible(root);
        self.next_values();
        self.unused_settings(root);
        self.claim_arguments();
    }

    /// Equations and states of the model's own body; with `everything`, of its parts too.
    fn visible(&mut self, root: FrameId) {
        let def = std::sync::Arc::clone(&self.frames[root.0].def);
        for (at, value) in def.values.iter().enumerate() {
            let wanted = matches!(value.kind, ValueKind::State(..) | ValueKind::Computed(_));
            if !wanted || (value.part != PartId(0) && !self.setting.everything) {
                continue;
            }
            for members in self.all_members(root, value.part) {
                let id = ValueId(at as u32);
                if matches!(value.kind, ValueKind::State(..)) {
                    self.state(root, id, &members);
                } else {
                    self.value(root, id, &members);
                }
            }
        }
    }

    /// Builds the next value of every state that is read.
    fn next_values(&mut self) {
        while let Some(key) = self.waiting.pop() {
            let next = self.final_value(key.frame, key.value, &key.members);
            if let Some(state) = self.states.get(&key) {
                self.model.states[*state as usize].next = next;
            }
        }
    }

    // ---- the root -----------------------------------------------------------------------------

    /// The frame of the model itself: dims from settings, task and defaults; inputs.
    fn root(&mut self, id: DefId) -> Option<FrameId> {
        let def = std::sync::Arc::clone(&self.checked.defs[id.0 as usize]);
        let mut frame = Frame::new(std::sync::Arc::clone(&def), String::new());
        self.bind_ports(&def, &mut frame)?;
        for (at, dim) in def.dims.iter().enumerate() {
            if let Some((given, place)) = self.given(&dim.name) {
                frame.dims[at] = self.whole_numbers(&dim.name, dim.kind, &given, place)?;
                if place.name != def.span {
                    frame.sets[at] = vec![place.whole()];
                }
                if let DimKind::List(length) = dim.kind {
                    let count = frame.dims[at].len() as i64;
                    frame.dims[length.0 as usize] = vec![count];
                }
            } else if frame.dims[at].is_empty() {
                let Some(default) = &dim.default else { continue };
                let values: Vec<i64> =
                    default.iter().filter_map(|poly| frame.number(poly)).collect();
                if let DimKind::List(length) = dim.kind {
                    frame.dims[length.0 as usize] = vec![values.len() as i64];
                }
                frame.dims[at] = values;
            }
        }
        self.lengths(&def, &frame)?;
        let mut unknown = false;
        for (at, dim) in def.dims.iter().enumerate() {
            if frame.dims[at].is_empty() && !matches!(dim.kind, DimKind::List(_)) {
                self.sink.push(errors::size_unknown(dim.span, &dim.name));
                unknown = true;
            }
            let positive = !matches!(dim.kind, DimKind::Int);
            if let Some(bad) = frame.dims[at].iter().find(|value| positive && **value < 1) {
                let span = frame.sets[at].first().copied().unwrap_or(dim.span);
                self.sink.push(errors::size_not_positive(span, &dim.name, *bad));
                unknown = true;
            }
        }
        if unknown {
            return None;
        }
        for (at, flag) in def.flags.iter().enumerate() {
            let given = self.given(&flag.name);
            frame.flags[at] = match given {
                Some((Given::Truth(value), _)) => value,
                Some((_, place)) => {
                    self.sink.push(command_errors::set_wrong_kind(
                        place,
                        &flag.name,
                        "true or false",
                    ));
                    return None;
                }
                None => flag.default.as_ref().and_then(|test| frame.known(test)).unwrap_or(false),
            };
        }
        let root = self.enter(frame);
        self.requirements(root, None);
        self.inputs(root);
        (!self.sink.has_errors()).then_some(root)
    }

    /// The length of a list is what the list has; it cannot be set to another number.
    fn lengths(&mut self, def: &super::typed::Def, frame: &Frame) -> Option<()> {
        for (list, dim) in frame.dims.iter().zip(&def.dims) {
            let DimKind::List(length) = dim.kind else { continue };
            let length = &def.dims[length.0 as usize].name;
            let Some((Given::Number(wanted), place)) = self.given(length) else { continue };
            if wanted != list.len() as f64 {
                let one = command_errors::length_of_a_list(place, length, &dim.name, list);
                self.sink.push(one);
                return None;
            }
        }
        Some(())
    }

    fn given(&mut self, name: &str) -> Option<(Given, Place)> {
        let found = self.setting.given.get(name).cloned();
        if found.is_some() {
            self.used.push(name.to_owned());
        }
        found
    }

    fn whole_numbers(
        &mut self,
        name: &str,
        kind: DimKind,
        given: &Given,
        place: Place,
    ) -> Option<Vec<i64>> {
        let whole = |value: f64| value.fract() == 0.0 && value.abs() <= MOST_ELEMENTS as f64;
        match (given, kind) {
            (Given::List(all), DimKind::List(_)) if all.iter().all(|one| whole(*one)) => {
                Some(all.iter().map(|one| *one as i64).collect())
            }
            (Given::Number(value), DimKind::List(_)) if whole(*value) => Some(vec![*value as i64]),
            (Given::Number(value), _) if whole(*value) => Some(vec![*value as i64]),
            (Given::Number(value), _) if value.fract() == 0.0 => {
                self.sink.push(errors::too_large(
                    place.value,
                    &format!("`{name}`"),
                    &value.to_string(),
                ));
                None
            }
            _ => {
                self.sink.push(command_errors::set_wrong_kind(
                    place,
                    name,
                    "a dim, a whole number",
                ));
                None
            }
        }
    }

    /// A task binds the width of the one input and of the output.
    fn bind_ports(&mut self, def: &super::typed::Def, frame: &mut Frame) -> Option<()> {
        let Some(ports) = &self.setting.ports else { return Some(()) };
        let inputs: Vec<ValueId> = def
            .params
            .iter()
            .filter_map(|param| {
                let ParamKind::Plain(value, None) = param.kind else { return None };
                Some(value)
            })
            .collect();
        let ([input], [_]) = (&inputs[..], &def.value(def.result).shape[..]) else {
            self.sink.push(errors::task_inputs(def.span, &def.name));
            return None;
        };
        let pairs = [(*input, ports.input), (def.result, ports.output)];
        for (value, width) in pairs {
            let dim = def.value(value).shape.first().and_then(|axis| axis.size.as_dim());
            if let Some(dim) = dim
                && def.dims[dim.0 as usize].kind == DimKind::Implicit
            {
                frame.dims[dim.0 as usize] = vec![i64::from(width)];
            }
        }
        Some(())
    }

    fn inputs(&mut self, root: FrameId) {
        let def = std::sync::Arc::clone(&self.frames[root.0].def);
        for (at, param) in def.params.iter().enumerate() {
            let (id, default) = match &param.kind {
                ParamKind::Plain(id, default) => (id, default),
                ParamKind::Emit(id) if self.setting.alone => (id, &None),
                ParamKind::Emit(_)
                | ParamKind::Param(_)
                | ParamKind::State(_)
                | ParamKind::Int(_)
                | ParamKind::Flag(_) => continue,
            };
            let arg = match (self.given(&param.name), default) {
                (Some((Given::Number(value), _)), Some(_)) => Arg::Number(value),
                (Some((_, place)), _) => {
                    self.sink.push(command_errors::set_wrong_kind(place, &param.name, "a number"));
                    continue;
                }
                (None, Some(_)) => continue,
                (None, None) => {
                    let value = def.value(*id);
                    let axes = self.axes(root, &value.shape, &Members::new());
                    let sort = self.sort(root, &value.sort);
                    let input = self.model.inputs.len() as u32;
                    let path = param.name.clone();
                    self.model.inputs.push(flat::Input { path, axes, sort });
                    self.claims.inputs.push(value.domain.clone());
                    Arg::Array(flat::Array::Input(input), Vec::new())
                }
            };
            self.frames[root.0].args[at] = Some(arg);
        }
        if let Some(ports) = self.setting.ports.clone() {
            let size = |axes: &[Axis]| axes.first().map_or(1, |axis| axis.size);
            let width = self.model.inputs.first().map_or(0, |input| size(&input.axes));
            if width != ports.input {
                let plain =
                    |param: &&super::typed::Param| matches!(param.kind, ParamKind::Plain(_, None));
                let input = def.params.iter().find(plain);
                let span = input.map_or(def.span, |param| param.span);
                let wanted = (ports.input, ports.place);
                let one = errors::port_size(span, "an input", wanted, width);
                let sets = input.map_or(Vec::new(), |input| self.sets_of_shape(root, input));
                self.sink.push(sets.into_iter().fold(one, |one, set| one.label(set, "set here")));
            }
        }
    }

    // ---- small things -------------------------------------------------------------------------

    fn fresh(&mut self) -> Var {
        self.next_var += 1;
        Var(self.next_var - 1)
    }

    /// Adds an equation to the step, or to the first states.
    fn push(&mut self, value: flat::Value) -> u32 {
        let starting = self.starting.is_some();
        let list = if starting { &mut self.model.start_values } else { &mut self.model.values };
        if list.len() >= MOST_VALUES {
            let one = errors::too_large(value.span, "the model", "more than a million values");
            self.sink.push(one);
            return 0;
        }
        list.push(value);
        list.len() as u32 - 1
    }

    fn error(&mut self, one: crate::diag::Diagnostic) -> Term {
        self.sink.push(one);
        Term::Real(0.0)
    }
}

/// `at` moved by a number.
fn shifted(at: At, by: i64) -> At {
    match at {
        At::Linear(linear) => At::Linear(linear.plus(&Linear::constant(by))),
        At::Digit { .. } | At::Value(_) => at,
    }
}

/// The domain a task names.
fn domain_of(name: &str) -> Domain {
    super::check::domain_named(name).unwrap_or(Domain::REAL)
}
