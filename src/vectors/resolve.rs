//! From a map and a file to arrays: the cases, their sizes, and a linear form for every array.
//!
//! In: a [`Map`] and a [`File`]. Out: one [`Case`] a group of tensors. Nothing here knows the program;
//! [`super::place`] fits the forms to its arrays.

use std::collections::{BTreeMap, BTreeSet};

use super::arith::Scope;
use super::error::Error;
use super::file::File;
use super::form::Form;
use super::map::{Expr, Item, Map};
use super::value::Value;

/// What is summed up as the loss of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// Half of the sum of squares of the output as the user sees it.
    HalfSquares,
    /// The loss of the output's domain, for the input `target`.
    Domain {
        /// Whether there is an input `mask`.
        mask: bool,
    },
    /// The sum of results times inputs `cotangent/<path>`, for these paths.
    Cotangents(Vec<String>),
}

/// What the compiler has to know before it can make the program of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Bindings {
    /// Dims and compile-time parameters by name.
    pub sizes: BTreeMap<String, Value>,
    /// The loss.
    pub loss: LossKind,
    /// Paths of values that must stay visible as `value/<path>`.
    pub traces: Vec<String>,
    /// Whether gradients are needed.
    pub gradients: bool,
}

/// An array of the program, as a map names it, and what it is made of.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its name, for example `param/read[0].w`.
    pub name: String,
    /// Its entries.
    pub form: Form,
}

/// A group of tensors that is run by itself.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: empty, or the prefix of its tensors.
    pub prefix: String,
    /// What to compile.
    pub bindings: Bindings,
    /// Arrays, in the order of the map.
    pub arrays: Vec<Bound>,
    /// Number of time steps.
    pub steps: usize,
    /// Number of samples.
    pub batch: usize,
    /// Gradients to compare: the tensor that feeds given arrays, and the tensor of its gradient.
    pub gradients: Vec<(String, String)>,
}

impl Case {
    /// The same, to be run without comparing: these traces, the results that cotangents are given
    /// for, and gradients if asked for.
    #[must_use]
    pub fn to_run(mut self, traces: &[String], gradients: bool) -> Case {
        self.arrays.retain(|array| is_given(&array.name));
        self.gradients.clear();
        self.bindings.traces = traces.to_vec();
        if let LossKind::Cotangents(paths) = &self.bindings.loss {
            self.bindings.traces.extend(paths.iter().cloned());
        }
        self.bindings.gradients = gradients;
        self
    }
}

/// All cases of a file; a tensor that no case uses is an error.
pub fn resolve(map: &Map, file: &File) -> Result<Vec<Case>, Error> {
    let mut used = BTreeSet::new();
    let mut cases = Vec::new();
    for (prefix, number) in prefixes(map, file)? {
        cases.push(one(map, file, &prefix, number, &mut used)?);
    }
    leftovers(map, file, &used)?;
    Ok(cases)
}

/// Prefixes of the cases with their numbers, in ascending order.
fn prefixes(map: &Map, file: &File) -> Result<Vec<(String, i64)>, Error> {
    let Some(pattern) = &map.cases else { return Ok(vec![(String::new(), 0)]) };
    let Some((before, after)) = pattern.split_once("{case}") else {
        return Err(Error::data(pattern.as_str(), "the pattern of the cases lacks `{case}`"));
    };
    let mut found = BTreeSet::new();
    for name in file.slots.keys() {
        let number = name.strip_prefix(before).and_then(|rest| rest.split_once(after));
        found.extend(number.and_then(|(number, _)| number.parse::<i64>().ok()));
    }
    if found.is_empty() {
        return Err(Error::data(pattern.as_str(), "no tensor of such a case").of_file(&file.name));
    }
    Ok(found.into_iter().map(|case| (format!("{before}{case}{after}"), case)).collect())
}

/// The arrays that are given to a program; all others are compared.
#[must_use]
pub(super) fn is_given(name: &str) -> bool {
    matches!(name, "x" | "target" | "mask")
        || ["x/", "cotangent/", "param/", "init/"].iter().any(|kind| name.starts_with(kind))
}

fn one(
    map: &Map,
    file: &File,
    prefix: &str,
    case: i64,
    used: &mut BTreeSet<String>,
) -> Result<Case, Error> {
    let mut scope = Scope { file, prefix: prefix.to_owned(), names: Vec::new() };
    let meta = file.meta();
    if let Value::Record(fields) = &meta
        && let Some(config) = fields.get("config")
    {
        scope.names.push(("config".to_owned(), config.clone()));
    }
    scope.names.push(("meta".to_owned(), meta));
    scope.names.push(("case".to_owned(), Value::Int(case)));
    let eval = |scope: &Scope<'_>, at: &str, text: &str| {
        scope.eval(text).map_err(|why| Error::data(at, why))
    };
    for (name, text) in &map.names {
        let value = eval(&scope, name, text)?;
        scope.names.push((name.clone(), value));
    }
    let mut sizes = BTreeMap::new();
    for (name, text) in &map.sizes {
        sizes.insert(name.clone(), eval(&scope, name, text)?);
    }
    let mut maker = Maker { used, fed: BTreeSet::new(), arrays: Vec::new() };
    maker.items(&map.arrays, &scope)?;
    let Maker { fed, arrays, .. } = maker;
    let count = |text: &Option<String>, axis: usize, name: &str| {
        let size = match text {
            Some(text) => scope.eval(text).and_then(|size| size.size()),
            None => extent(&arrays, axis),
        };
        size.map_err(|why| Error::data(name, why))
    };
    let steps = count(&map.steps, 0, "steps")?;
    let batch = count(&map.batch, 1, "batch")?;
    let gradients = gradients(map, &scope, &fed, used)?;
    let bindings = Bindings {
        sizes,
        loss: loss(&arrays),
        traces: traces(&arrays),
        gradients: !gradients.is_empty()
            || arrays.iter().any(|array| array.name.starts_with("grad/")),
    };
    Ok(Case { prefix: prefix.to_owned(), bindings, arrays, steps, batch, gradients })
}

/// T or B, from the first input.
fn extent(arrays: &[Bound], axis: usize) -> Result<usize, String> {
    let input = arrays.iter().find(|array| array.name == "x" || array.name.starts_with("x/"));
    let Some(input) = input else { return Err("there is no `x` to count by".to_owned()) };
    let size = input.form.shape().get(axis).copied();
    size.ok_or_else(|| format!("`{}` has only the shape {:?}", input.name, input.form.shape()))
}

fn loss(arrays: &[Bound]) -> LossKind {
    let has = |name: &str| arrays.iter().any(|array| array.name == name);
    let cotangents: Vec<String> = arrays
        .iter()
        .filter_map(|array| array.name.strip_prefix("cotangent/").map(str::to_owned))
        .collect();
    if !cotangents.is_empty() {
        LossKind::Cotangents(cotangents)
    } else if has("target") {
        LossKind::Domain { mask: has("mask") }
    } else {
        LossKind::HalfSquares
    }
}

fn traces(arrays: &[Bound]) -> Vec<String> {
    let path = |name: &str| {
        name.strip_prefix("trace/").or_else(|| name.strip_prefix("y/")).map(str::to_owned)
    };
    arrays.iter().filter_map(|array| path(&array.name)).collect()
}

/// Pairs of tensors and their gradients, for the tensors that feed given arrays.
fn gradients(
    map: &Map,
    scope: &Scope<'_>,
    fed: &BTreeSet<String>,
    used: &mut BTreeSet<String>,
) -> Result<Vec<(String, String)>, Error> {
    let plain =
        || vec![("w/".to_owned(), "grad/".to_owned()), ("x".to_owned(), "grad/x".to_owned())];
    let rules = map.gradients.clone().unwrap_or_else(plain);
    let left_out: Vec<String> = match &map.left_out {
        None => Vec::new(),
        Some(text) => {
            let items = scope.eval(text).and_then(|list| list.items());
            let items = items.map_err(|why| Error::data("left_out", why))?;
            items.iter().map(Value::to_string).collect()
        }
    };
    let mut pairs = Vec::new();
    for tensor in fed {
        let Some(name) = tensor.strip_prefix(&scope.prefix) else { continue };
        let rule = rules.iter().find(|(from, _)| name.starts_with(from.as_str()));
        let Some((from, to)) = rule else { continue };
        let rest = &name[from.len()..];
        let gradient = format!("{}{to}{rest}", scope.prefix);
        if scope.file.slots.contains_key(&gradient) {
            used.insert(gradient.clone());
            if !left_out.iter().any(|out| out == rest) {
                pairs.push((tensor.clone(), gradient));
            }
        }
    }
    Ok(pairs)
}

/// Everything of the file must be used or ignored on purpose.
fn leftovers(map: &Map, file: &File, used: &BTreeSet<String>) -> Result<(), Error> {
    let ignored = |name: &str| map.ignore.iter().any(|pattern| fits(pattern, name));
    let left: Vec<&str> = file
        .slots
        .keys()
        .filter(|name| !used.contains(*name) && !ignored(name))
        .map(String::as_str)
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let why = format!("the map leaves over {}; use it or list it under `ignore`", left.join(", "));
    Err(Error::data("", why).of_file(&file.name))
}

/// Whether a name has the form of a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
        }),
    }
}

/// Walks the statements of a map.
struct Maker<'u> {
    used: &'u mut BTreeSet<String>,
    /// Tensors that given arrays are made of.
    fed: BTreeSet<String>,
    arrays: Vec<Bound>,
}

impl Maker<'_> {
    fn items(&mut self, items: &[Item], scope: &Scope<'_>) -> Result<(), Error> {
        items.iter().try_for_each(|item| self.item(item, scope))
    }

    fn item(&mut self, item: &Item, scope: &Scope<'_>) -> Result<(), Error> {
        let eval = |text: &str| scope.eval(text).map_err(|why| Error::data(text, why));
        match item {
            Item::Bind(pattern, expr) => {
                let name = scope.fill(pattern).map_err(|why| Error::data(pattern.as_str(), why))?;
                let form = self.form(expr, scope, is_given(&name)).map_err(|e| e.at(&name))?;
                self.push(name, form)
            }
            Item::Blocks(axis, expr, blocks) => {
                let first = blocks.iter().find(|block| !block.to.is_empty());
                let at = first.map(|block| block.to.as_str()).unwrap_or_default();
                let given = is_given(at);
                let form = self.form(expr, scope, given).map_err(|error| error.at(at))?;
                self.blocks(*axis, &form, blocks, scope)
            }
            Item::For(name, list, items) => {
                let list = eval(list)?.items().map_err(|why| Error::data(list.as_str(), why))?;
                list.into_iter().try_for_each(|one| self.items(items, &scope.with(name, one)))
            }
            Item::If(when, items) => {
                let holds = eval(when)?.truth().map_err(|why| Error::data(when.as_str(), why))?;
                if holds { self.items(items, scope) } else { Ok(()) }
            }
            Item::Let(name, text, items) => self.items(items, &scope.with(name, eval(text)?)),
            Item::Unused(pattern) => {
                self.form(&Expr::File(pattern.clone()), scope, true).map_err(|e| e.at(pattern))?;
                Ok(())
            }
        }
    }

    fn blocks(
        &mut self,
        axis: usize,
        form: &Form,
        blocks: &[super::map::Block],
        scope: &Scope<'_>,
    ) -> Result<(), Error> {
        let mut at = 0;
        for block in blocks {
            let wrong = |why: String| Error::data(block.to.as_str(), why);
            let size = scope.eval(&block.size).and_then(|size| size.size()).map_err(wrong)?;
            // Before memory is taken for what cannot be there.
            if form.shape().get(axis).is_none_or(|all| size > all.saturating_sub(at)) {
                let shape = form.shape();
                let why = format!("a block of {size} at {at} goes past axis {axis} of {shape:?}");
                return Err(wrong(why));
            }
            let order: Vec<usize> = match &block.order {
                None => (0..size).collect(),
                Some(list) => scope.eval(list).and_then(|l| l.positions()).map_err(wrong)?,
            };
            if let Some(outside) = order.iter().find(|one| **one >= size) {
                return Err(wrong(format!("position {outside} is outside a block of {size}")));
            }
            if size > 0 && !block.to.is_empty() {
                let name = scope.fill(&block.to).map_err(wrong)?;
                let positions: Vec<usize> = order.iter().map(|one| at + one).collect();
                let plus = block.plus.as_deref().unwrap_or("0");
                let plus = scope.eval(plus).and_then(|plus| plus.number()).map_err(wrong)?;
                self.push(name, form.take(axis, &positions).map_err(wrong)?.plus(plus))?;
            }
            at += size;
        }
        let found = form.shape().get(axis).copied();
        if found != Some(at) {
            let first = blocks.first().map(|block| block.to.as_str()).unwrap_or_default();
            let why =
                format!("blocks of {at} in all do not fill axis {axis} of {:?}", form.shape());
            return Err(Error::data(first, why));
        }
        Ok(())
    }

    fn push(&mut self, name: String, form: Form) -> Result<(), Error> {
        if self.arrays.iter().any(|array| array.name == name) {
            return Err(Error::data(name, "bound twice"));
        }
        self.arrays.push(Bound { name, form });
        Ok(())
    }

    fn form(&mut self, expr: &Expr, scope: &Scope<'_>, given: bool) -> Result<Form, Error> {
        let fail = |why: String| Error::data("", why);
        match expr {
            Expr::File(pattern) => {
                let name = scope.prefix.clone() + &scope.fill(pattern).map_err(fail)?;
                let slot = scope.file.slot(&name)?;
                self.used.insert(name.clone());
                if given {
                    self.fed.insert(name);
                }
                Form::tensor(slot).map_err(fail)
            }
            Expr::Fill(shape, constant) => {
                let constant = scope.eval(constant).and_then(|one| one.number()).map_err(fail)?;
                Form::constant(&sizes(shape, scope).map_err(fail)?, constant).map_err(fail)
            }
            Expr::Take(axis, list, of) => {
                let positions = scope.eval(list).and_then(|list| list.positions()).map_err(fail)?;
                self.form(of, scope, given)?.take(*axis, &positions).map_err(fail)
            }
            Expr::Permute(order, of) => self.form(of, scope, given)?.permute(order).map_err(fail),
            Expr::Transpose(of) => Ok(self.form(of, scope, given)?.transpose()),
            Expr::Shape(shape, of) => {
                let shape = sizes(shape, scope).map_err(fail)?;
                self.form(of, scope, given)?.reshape(&shape).map_err(fail)
            }
            Expr::Join(axis, parts) => {
                Form::join(*axis, &self.forms(parts, scope, given)?).map_err(fail)
            }
            Expr::Stack(axis, parts) => {
                Form::stack(*axis, &self.forms(parts, scope, given)?).map_err(fail)
            }
            Expr::Interleave(axis, parts) => {
                Form::interleave(*axis, &self.forms(parts, scope, given)?).map_err(fail)
            }
            Expr::Sum(parts) => Form::sum(&self.forms(parts, scope, given)?).map_err(fail),
            Expr::JoinFor(name, list, axis, of) => {
                Form::join(*axis, &self.each(name, list, of, scope, given)?).map_err(fail)
            }
            Expr::StackFor(name, list, axis, of) => {
                Form::stack(*axis, &self.each(name, list, of, scope, given)?).map_err(fail)
            }
            Expr::Repeat(axis, times, of) => {
                let times = scope.eval(times).and_then(|times| times.size()).map_err(fail)?;
                self.form(of, scope, given)?.repeat(*axis, times).map_err(fail)
            }
            Expr::Plus(constant, of) => {
                let constant = scope.eval(constant).and_then(|one| one.number()).map_err(fail)?;
                Ok(self.form(of, scope, given)?.plus(constant))
            }
            Expr::Times(factor, of) => {
                let factor = scope.eval(factor).and_then(|one| one.number()).map_err(fail)?;
                Ok(self.form(of, scope, given)?.times(factor))
            }
            Expr::If(when, yes, no) => {
                let holds = scope.eval(when).and_then(|when| when.truth()).map_err(fail)?;
                self.form(if holds { yes } else { no }, scope, given)
            }
        }
    }

    fn forms(&mut self, of: &[Expr], scope: &Scope<'_>, given: bool) -> Result<Vec<Form>, Error> {
        of.iter().map(|part| self.form(part, scope, given)).collect()
    }

    /// One form for every item of a list.
    fn each(
        &mut self,
        name: &str,
        list: &str,
        of: &Expr,
        scope: &Scope<'_>,
        given: bool,
    ) -> Result<Vec<Form>, Error> {
        let list = scope.eval(list).and_then(|list| list.items());
        let list = list.map_err(|why| Error::data("", why))?;
        list.into_iter().map(|one| self.form(of, &scope.with(name, one), given)).collect()
    }
}

fn sizes(texts: &[String], scope: &Scope<'_>) -> Result<Vec<usize>, String> {
    texts.iter().map(|text| scope.eval(text)?.size()).collect()
}
