//! Expressions: every one gets its axes and its sort.

use crate::op::{Scalar, scalar};
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, UnaryOp};

use super::super::errors;
use super::super::int::{Atom, Poly, Test, VarId};
use super::super::typed::{Expr, ExprKind, Extent, Reduction, Sort};
use super::declare::{Cx, known, number};

impl Cx<'_, '_> {
    /// Checks an expression; `want` is the shape its place asks for, where that is known.
    pub(super) fn expr(&mut self, tree: &ast::Expr, want: Option<&[Extent]>) -> Option<Expr> {
        let span = tree.span;
        match &tree.kind {
            ast::ExprKind::Number(value, text) => Some(self.literal(*value, text, span)),
            ast::ExprKind::Text(_) => {
                self.sink().push(errors::wrong_sort(span, "a number", "a string"));
                None
            }
            ast::ExprKind::Paren(inner) => self.expr(inner, want),
            ast::ExprKind::Pipe(left, stage) => self.pipe(left, stage, want, span),
            ast::ExprKind::If(test, yes, no) => self.choice(test, yes, no, want, span),
            ast::ExprKind::For(binders, body) => self.array(binders, body, span),
            ast::ExprKind::Binary(op, left, right) => self.binary(*op, left, right, span),
            ast::ExprKind::Unary(UnaryOp::Neg, inner) => self.negative(inner, span),
            ast::ExprKind::Unary(UnaryOp::Not, inner) => self.not(inner, span),
            ast::ExprKind::Reduce(fold, binders, body) => self.reduce(*fold, binders, body, span),
            ast::ExprKind::Prev(one) => self.reference(one, true, want, span),
            ast::ExprKind::Ref(one) => self.reference(one, false, want, span),
            ast::ExprKind::List(items) => self.list(items, span),
        }
    }

    fn literal(&mut self, value: f64, text: &str, span: Span) -> Expr {
        let whole = !text.contains(['.', 'e', 'E']) && value.abs() < 2f64.powi(53);
        if whole {
            let kind = ExprKind::Int(Poly::number(value as i64));
            Expr { kind, span, shape: Vec::new(), sort: Sort::Int }
        } else {
            number(value, span)
        }
    }

    fn pipe(
        &mut self,
        left: &ast::Expr,
        stage: &ast::Ref,
        want: Option<&[Extent]>,
        span: Span,
    ) -> Option<Expr> {
        // The instance of `part name = a -> b` is its last stage.
        let instance = std::mem::take(&mut self.instance);
        let left = self.expr(left, None)?;
        self.instance = instance;
        let [segment] = &stage.segments[..] else {
            let name = &stage.segments[0].name;
            self.sink().push(errors::not_callable(stage.span, &name.text));
            return None;
        };
        self.call(segment, Some(left), want, span)
    }

    // ---- choices ------------------------------------------------------------------------------

    fn choice(
        &mut self,
        test: &ast::Expr,
        yes: &ast::Expr,
        no: &ast::Expr,
        want: Option<&[Extent]>,
        span: Span,
    ) -> Option<Expr> {
        let condition = self.expr(test, None)?;
        if condition.sort != Sort::Bool || !condition.shape.is_empty() {
            let found = match (&condition.sort, condition.shape.is_empty()) {
                (Sort::Bool, _) => "an array of conditions",
                (_, true) => "a number",
                (_, false) => "an array of numbers",
            };
            let one = errors::wrong_sort(test.span, "one condition", found);
            let number = condition.sort != Sort::Bool && condition.shape.is_empty();
            let edits = if number { self.as_condition(test.span) } else { Vec::new() };
            self.sink().push(one.edits(edits));
            return None;
        }
        let fixed =
            if let ExprKind::Test(test) = &condition.kind { Some(test.clone()) } else { None };
        let (first, second) = self.branches(&fixed, yes, no, want);
        let (yes, no) = (first?, second?);
        let shape = self.joined_shape(&fixed, &yes, &no, span)?;
        if let (Some(test), ExprKind::Int(a), ExprKind::Int(b)) = (&fixed, &yes.kind, &no.kind)
            && !test.any(&|atom| matches!(atom, Atom::Var(_)))
        {
            let kind = ExprKind::Int(Poly::choose(test.clone(), a.clone(), b.clone()));
            return Some(Expr { kind, span, shape, sort: Sort::Int });
        }
        let sort = self.joined_sort(&yes, &no)?;
        let kind = ExprKind::If(Box::new(condition), Box::new(yes), Box::new(no));
        Some(Expr { kind, span, shape, sort })
    }

    /// Both branches. Where one needs the shape of the value that is being defined, the other tells
    /// it; the equation as a whole is compared with it afterwards.
    fn branches(
        &mut self,
        fixed: &Option<Test>,
        yes: &ast::Expr,
        no: &ast::Expr,
        want: Option<&[Extent]>,
    ) -> (Option<Expr>, Option<Expr>) {
        let mut first = self.branch(fixed, true, yes, want);
        let first_needs = first.is_none() && self.tells_shape();
        let mut second = self.branch(fixed, false, no, want);
        let second_needs = second.is_none() && self.tells_shape();
        if first_needs && let Some(known) = &second {
            self.assume_shape(known.shape.clone());
            first = self.branch(fixed, true, yes, want);
        } else if second_needs && let Some(known) = &first {
            self.assume_shape(known.shape.clone());
            second = self.branch(fixed, false, no, want);
        } else if first_needs || second_needs {
            // Neither branch tells the shape: the circle stays.
            self.circle = self.stack.last().copied().into_iter().collect();
        }
        (first, second)
    }

    /// Whether a circle of shapes leads back to the value being defined; it is forgotten then.
    fn tells_shape(&mut self) -> bool {
        let mine = !self.circle.is_empty() && self.circle.first() == self.stack.last();
        if mine {
            self.circle.clear();
        }
        mine
    }

    /// Takes the shape of one branch for that of the value being defined.
    fn assume_shape(&mut self, rest: Vec<Extent>) {
        let Some(id) = self.stack.last().copied() else { return };
        let families = self.def.families(self.part);
        let own = self.scope.iter().map(|(_, var)| *var).filter(|var| !families.contains(var));
        let mut shape: Vec<Extent> = own.map(|var| self.def.var(var).extent.clone()).collect();
        shape.extend(rest);
        self.def.values[id.0 as usize].shape = shape;
        self.declared_shape(id);
    }

    /// One branch, with what its condition says among the facts.
    fn branch(
        &mut self,
        test: &Option<Test>,
        holds: bool,
        tree: &ast::Expr,
        want: Option<&[Extent]>,
    ) -> Option<Expr> {
        let before = self.facts.now();
        if let Some(test) = test {
            self.facts.assume(test, holds);
        }
        let branch = self.expr(tree, want);
        self.facts.back_to(before);
        branch
    }

    /// The shape of an `if`: branches agree, one is a single number, or the condition decides when the
    /// model is built.
    fn joined_shape(
        &mut self,
        test: &Option<Test>,
        yes: &Expr,
        no: &Expr,
        span: Span,
    ) -> Option<Vec<Extent>> {
        if yes.shape == no.shape || no.shape.is_empty() {
            return Some(yes.shape.clone());
        }
        if yes.shape.is_empty() {
            return Some(no.shape.clone());
        }
        if let Some(test) = test
            && yes.shape.len() == no.shape.len()
            && !self.on_equation_index(test)
        {
            let both = yes.shape.iter().zip(&no.shape);
            let pick = |a: &Poly, b: &Poly| Poly::choose(test.clone(), a.clone(), b.clone());
            return Some(
                both.map(|(a, b)| Extent {
                    low: pick(&a.low, &b.low),
                    size: pick(&a.size, &b.size),
                })
                .collect(),
            );
        }
        self.mismatch(span, yes, no);
        None
    }

    /// Whether a condition depends on an index that is not a family's.
    fn on_equation_index(&self, test: &Test) -> bool {
        let families = self.def.families(self.part);
        test.any(&|atom| matches!(atom, Atom::Var(var) if !families.contains(var)))
    }

    fn joined_sort(&mut self, yes: &Expr, no: &Expr) -> Option<Sort> {
        let joined = yes.sort.join(&no.sort);
        if joined.is_none() {
            let one = errors::wrong_sort(no.span, "two of a kind", "a number and a condition");
            self.sink().push(one);
        }
        // One entry or another: together they are no permutation.
        let entry = Expr { sort: joined?, ..yes.clone() };
        Some(super::whole::sort_of_entries(&entry, None))
    }

    pub(super) fn mismatch(&mut self, span: Span, left: &Expr, right: &Expr) {
        let (a, b) = (self.shown(&left.shape), self.shown(&right.shape));
        let one = errors::shapes_differ(span, (left.span, &a), (right.span, &b));
        let mut edits = self.name_axes();
        if edits.is_empty() {
            edits = self.entries_here(left, right);
        }
        self.sink().push(one.edits(edits));
    }

    // ---- operators ----------------------------------------------------------------------------

    fn negative(&mut self, inner: &ast::Expr, span: Span) -> Option<Expr> {
        let inner = self.expr(inner, None)?;
        if let ExprKind::Int(poly) = &inner.kind {
            let kind = ExprKind::Int(poly.times(&Poly::number(-1)));
            return Some(Expr { kind, span, shape: Vec::new(), sort: Sort::Int });
        }
        if let ExprKind::Real(value) = inner.kind {
            return Some(number(-value, span));
        }
        self.map(scalar::NEG, vec![inner], span)
    }

    fn not(&mut self, inner: &ast::Expr, span: Span) -> Option<Expr> {
        let inner = self.expr(inner, None)?;
        if let ExprKind::Test(test) = inner.kind {
            return Some(known(test.opposite(), span));
        }
        self.map(scalar::NOT, vec![inner], span)
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let (left, right) = (self.expr(left, None), self.expr(right, None));
        let (left, right) = (left?, right?);
        if let (ExprKind::Int(a), ExprKind::Int(b)) = (&left.kind, &right.kind)
            && (!op.compares() || self.facts.are_places(a, b))
            && let Some(result) = whole(op, a, b, span)
        {
            return Some(result);
        }
        if let (ExprKind::Test(a), ExprKind::Test(b)) = (&left.kind, &right.kind) {
            if op == BinaryOp::And {
                return Some(known(a.clone().and(b.clone()), span));
            }
            if op == BinaryOp::Or {
                return Some(known(a.clone().or(b.clone()), span));
            }
        }
        let two = vec![left, right];
        let flipped = |two: Vec<Expr>| two.into_iter().rev().collect();
        match op {
            BinaryOp::Add => self.map(scalar::ADD, two, span),
            BinaryOp::Sub => self.map(scalar::SUB, two, span),
            BinaryOp::Mul => self.map(scalar::MUL, two, span),
            BinaryOp::Div => self.map(scalar::DIV, two, span),
            BinaryOp::Pow => self.map(scalar::POW, two, span),
            BinaryOp::Lt => self.map(scalar::LT, two, span),
            BinaryOp::Le => self.map(scalar::LE, two, span),
            BinaryOp::Gt => self.map(scalar::LT, flipped(two), span),
            BinaryOp::Ge => self.map(scalar::LE, flipped(two), span),
            BinaryOp::Eq => self.map(scalar::EQ, two, span),
            BinaryOp::Ne => {
                let equal = self.map(scalar::EQ, two, span)?;
                self.map(scalar::NOT, vec![equal], span)
            }
            BinaryOp::And => self.map(scalar::AND, two, span),
            BinaryOp::Or => self.map(scalar::OR, two, span),
            BinaryOp::Mod => self.remainder(two, span),
        }
    }

    /// A scalar function lifted over arrays of one shape; single numbers join anything.
    pub(super) fn map(&mut self, scalar: Scalar, args: Vec<Expr>, span: Span) -> Option<Expr> {
        let row = scalar.row();
        for (arg, takes) in args.iter().zip(row.takes) {
            let fits = match takes {
                scalar::Sort::Bool => arg.sort == Sort::Bool,
                scalar::Sort::Real => arg.sort != Sort::Bool,
            };
            if !fits {
                let (wanted, found) = match takes {
                    scalar::Sort::Bool => ("a condition", "a number"),
                    scalar::Sort::Real => ("a number", "a condition"),
                };
                let edits = match takes {
                    scalar::Sort::Bool => self.as_condition(arg.span),
                    scalar::Sort::Real => self.as_number(arg.span),
                };
                self.sink().push(errors::wrong_sort(arg.span, wanted, found).edits(edits));
                return None;
            }
        }
        let mut shaped: Option<&Expr> = None;
        for arg in args.iter().filter(|arg| !arg.shape.is_empty()) {
            match shaped {
                None => shaped = Some(arg),
                Some(first) if first.shape == arg.shape => {}
                Some(first) => {
                    let (first, arg) = (first.clone(), arg.clone());
                    self.mismatch(span, &first, &arg);
                    return None;
                }
            }
        }
        let shape = shaped.map(|one| one.shape.clone()).unwrap_or_default();
        let sort = match row.gives {
            scalar::Sort::Real => super::whole::numeric(scalar, &args),
            scalar::Sort::Bool => Sort::Bool,
        };
        Some(Expr { kind: ExprKind::Map(scalar, args), span, shape, sort })
    }

    // ---- binders ------------------------------------------------------------------------------

    /// Enters the variables of a `for` or reduction; the caller restores scope and facts.
    fn bind(
        &mut self,
        binders: &[ast::Binder],
        body: &ast::Expr,
    ) -> Option<Vec<(VarId, Option<Test>)>> {
        let mut bound = Vec::new();
        for (at, binder) in binders.iter().enumerate() {
            self.refuse_value(&binder.name)?;
            let name = &binder.name.text;
            let rest: Vec<&ast::Expr> = binders[at + 1..]
                .iter()
                .filter_map(|later| match &later.range {
                    Some(ast::BinderRange::Compare(_, limit)) => Some(limit),
                    Some(ast::BinderRange::In(_)) | None => None,
                })
                .chain(std::iter::once(body))
                .collect();
            let (extent, seen, limit) = match &binder.range {
                Some(ast::BinderRange::In(range)) => {
                    let extent = self.extent(range)?;
                    let told = super::super::show::extent(&self.def, &extent);
                    (extent, (range.span, told), None)
                }
                None => {
                    let Some((extent, seen)) = self.infer(name, &rest) else {
                        return self.unseen(binder.span, name);
                    };
                    (extent, seen, None)
                }
                Some(ast::BinderRange::Compare(op, limit)) => {
                    let bound = self.poly(limit)?;
                    let found = self.infer(name, &rest).or_else(|| self.range_of(&bound));
                    let Some((extent, seen)) = found else {
                        return self.unseen(binder.span, name);
                    };
                    (extent, seen, Some((*op, bound)))
                }
            };
            let var = self.add_var(name.clone(), binder.name.span, extent);
            self.seen.insert(var, seen);
            self.scope.push((name.clone(), var));
            let test = match limit {
                Some((_, bound)) if !self.facts.are_places(&Poly::var(var), &bound) => {
                    self.sink().push(errors::bound_is_no_place(binder.span));
                    return None;
                }
                limit => limit.map(|(op, bound)| compare(op, Poly::var(var), bound)),
            };
            if let Some(test) = &test {
                self.facts.assume(test, true);
            }
            bound.push((var, test));
        }
        Some(bound)
    }

    /// The range of a bare variable, for `sum[m < j]` where `m` stands alone nowhere.
    fn range_of(&self, bound: &Poly) -> Option<(Extent, (Span, String))> {
        let var = bound.as_var()?;
        let told = self.seen.get(&var).cloned()?;
        Some((self.def.var(var).extent.clone(), told))
    }

    fn reduce(
        &mut self,
        fold: Reduction,
        binders: &[ast::Binder],
        body: &ast::Expr,
        span: Span,
    ) -> Option<Expr> {
        let (depth, facts) = (self.scope.len(), self.facts.now());
        let bound = self.bind(binders, body);
        let inner = bound.as_ref().and_then(|_| self.expr(body, None));
        self.scope.truncate(depth);
        self.facts.back_to(facts);
        let (over, body) = (bound?, inner?);
        if body.sort == Sort::Bool {
            let edits = self.as_number(body.span);
            let one = errors::wrong_sort(body.span, "a number", "a condition");
            self.sink().push(one.edits(edits));
            return None;
        }
        if let Some(poly) = self.static_sum(fold, &over, &body) {
            let kind = ExprKind::Int(poly);
            return Some(Expr { kind, span, shape: Vec::new(), sort: Sort::Int });
        }
        let shape = body.shape.clone();
        let whole = fold != Reduction::Mean && body.sort.is_whole();
        let sort = if whole { Sort::Int } else { Sort::Real };
        let kind = ExprKind::Reduce { fold, over, body: Box::new(body) };
        Some(Expr { kind, span, shape, sort })
    }

    /// `sum[l in L] H[l]`: a sum over a list of dims is a whole number.
    fn static_sum(
        &self,
        fold: Reduction,
        over: &[(VarId, Option<Test>)],
        body: &Expr,
    ) -> Option<Poly> {
        let ([(var, None)], Reduction::Sum, ExprKind::Int(inner)) = (over, fold, &body.kind) else {
            return None;
        };
        let listed = inner.any(&|atom| matches!(atom, Atom::Item(..)));
        let count = self.def.var(*var).extent.size.clone();
        listed.then(|| Poly::sum(*var, count, inner))
    }

    fn array(&mut self, binders: &[ast::Binder], body: &ast::Expr, span: Span) -> Option<Expr> {
        let (depth, facts) = (self.scope.len(), self.facts.now());
        let bound = self.bind(binders, body);
        let inner = bound.as_ref().and_then(|_| self.expr(body, None));
        self.scope.truncate(depth);
        self.facts.back_to(facts);
        let (over, body) = (bound?, inner?);
        let vars: Vec<VarId> = over.iter().map(|(var, _)| *var).collect();
        let mut shape: Vec<Extent> =
            vars.iter().map(|var| self.def.var(*var).extent.clone()).collect();
        shape.extend(body.shape.clone());
        let sort = super::whole::sort_of_entries(&body, vars.last().copied());
        Some(Expr { kind: ExprKind::For(vars, Box::new(body)), span, shape, sort })
    }

    fn list(&mut self, items: &[ast::Arg], span: Span) -> Option<Expr> {
        let mut all: Vec<Expr> = Vec::new();
        for item in items {
            let one = self.expr(&item.value, None)?;
            if let Some(first) = all.first()
                && first.shape != one.shape
            {
                let first = first.clone();
                self.mismatch(span, &first, &one);
                return None;
            }
            all.push(one);
        }
        let Some(first) = all.first() else {
            self.sink().push(errors::wrong_sort(span, "at least one entry", "an empty list"));
            return None;
        };
        let mut shape = vec![Extent::of(Poly::number(all.len() as i64))];
        shape.extend(first.shape.clone());
        let sort = self.common_sort(&all)?;
        Some(Expr { kind: ExprKind::List(all), span, shape, sort })
    }
}

/// Arithmetic and comparisons of whole numbers; division gives a real.
fn whole(op: BinaryOp, a: &Poly, b: &Poly, span: Span) -> Option<Expr> {
    let poly = match op {
        BinaryOp::Add => a.plus(b),
        BinaryOp::Sub => a.minus(b),
        BinaryOp::Mul => a.times(b),
        BinaryOp::Mod => a.clone().modulo(b.clone()),
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
            return Some(known(compare(op, a.clone(), b.clone()), span));
        }
        BinaryOp::Div | BinaryOp::Pow | BinaryOp::And | BinaryOp::Or => return None,
    };
    Some(Expr { kind: ExprKind::Int(poly), span, shape: Vec::new(), sort: Sort::Int })
}

/// A comparison as a test; operators that compare nothing give `true`.
fn compare(op: BinaryOp, a: Poly, b: Poly) -> Test {
    match op {
        BinaryOp::Lt => Test::less(a, b),
        BinaryOp::Le => Test::less(b, a).opposite(),
        BinaryOp::Gt => Test::less(b, a),
        BinaryOp::Ge => Test::less(a, b).opposite(),
        BinaryOp::Eq => Test::equal(a, b),
        BinaryOp::Ne => Test::equal(a, b).opposite(),
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Mod
        | BinaryOp::Pow
        | BinaryOp::And
        | BinaryOp::Or => Test::Known(true),
    }
}
