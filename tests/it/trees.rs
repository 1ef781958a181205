//! Random trees: shapes the parser may give, and shapes only a program would make.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use ntmc::source::Span;
use ntmc::syntax::ast::*;

fn span() -> Span {
    Span::default()
}

fn name() -> impl Strategy<Value = Name> {
    let words =
        ["a", "b", "M", "w", "phi", "x1", "a_rather_long_name", "β", "header", "in_", "sum"];
    prop::sample::select(words.to_vec())
        .prop_map(|word| Name { text: word.to_owned(), span: span() })
}

/// A name that no bracket turns into a reduction.
fn value_name() -> impl Strategy<Value = Name> {
    name().prop_map(|name| match name.text.as_str() {
        "sum" => Name { text: "summed".to_owned(), ..name },
        _ => name,
    })
}

fn number() -> impl Strategy<Value = ExprKind> {
    let spellings = ["0", "1", "2.5", "1e-6", "50_000", "3E+2"];
    prop::sample::select(spellings.to_vec()).prop_map(|spelling| {
        ExprKind::Number(spelling.replace('_', "").parse().unwrap(), spelling.to_owned())
    })
}

fn of_kind(kind: ExprKind) -> Expr {
    Expr { kind, span: span() }
}

fn arithmetic() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    prop::sample::select(vec![Add, Sub, Mul, Div, Mod, Pow, Lt, Le, Gt, Ge, Eq, Ne, And, Or])
}

fn comparison() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    prop::sample::select(vec![Lt, Le, Gt, Ge, Eq, Ne])
}

fn arg(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Arg> {
    let parts =
        (option::weighted(0.2, name()), inner.clone(), option::weighted(0.1, inner.clone()));
    (parts, option::weighted(0.1, inner)).prop_map(|((name, value, to), default)| Arg {
        name,
        value,
        to,
        default,
        span: span(),
    })
}

fn reference(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Ref> {
    let brackets = option::weighted(0.4, vec(arg(inner.clone()), 1..3)).boxed();
    let call = option::weighted(0.3, (vec(arg(inner.clone()), 0..4), brackets.clone()));
    let segment = (value_name(), brackets, call).prop_map(|(name, brackets, call)| {
        let (args, after) = call.map_or((None, None), |(args, after)| (Some(args), after));
        Segment { name, brackets, args, after }
    });
    vec(segment, 1..3).prop_map(|segments| Ref { segments, span: span() })
}

fn range(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Range> {
    (inner.clone(), option::weighted(0.3, inner)).prop_map(|(start, end)| Range {
        start,
        end,
        span: span(),
    })
}

fn binders(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Vec<Binder>> {
    let limit = prop_oneof![
        range(inner.clone()).prop_map(BinderRange::In),
        (comparison(), inner).prop_map(|(op, limit)| BinderRange::Compare(op, limit)),
    ];
    let binder = (name(), option::weighted(0.4, limit)).prop_map(|(name, range)| Binder {
        name,
        range,
        span: span(),
    });
    vec(binder, 1..3)
}

/// Any expression, with or without the parentheses it needs.
pub(crate) fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        number(),
        Just(ExprKind::Text("some text # no comment".to_owned())),
        value_name().prop_map(|name| {
            let segment = Segment { name, brackets: None, args: None, after: None };
            ExprKind::Ref(Ref { segments: vec![segment], span: span() })
        }),
    ];
    let leaf = leaf.prop_map(of_kind);
    leaf.prop_recursive(5, 40, 4, |inner| {
        use Reduction::*;
        let inner = inner.boxed();
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let unary = prop::sample::select(vec![UnaryOp::Neg, UnaryOp::Not]);
        let reduction = prop::sample::select(vec![Sum, Prod, Max, Min, Mean]);
        let kind = prop_oneof![
            4 => (arithmetic(), boxed.clone(), boxed.clone())
                .prop_map(|(op, left, right)| ExprKind::Binary(op, left, right)),
            1 => (unary, boxed.clone()).prop_map(|(op, one)| ExprKind::Unary(op, one)),
            1 => (boxed.clone(), reference(inner.clone()))
                .prop_map(|(left, stage)| ExprKind::Pipe(left, stage)),
            1 => (boxed.clone(), boxed.clone(), boxed.clone())
                .prop_map(|(c, yes, no)| ExprKind::If(c, yes, no)),
            1 => (binders(inner.clone()), boxed.clone())
                .prop_map(|(binders, body)| ExprKind::For(binders, body)),
            2 => (reduction, binders(inner.clone()), boxed.clone())
                .prop_map(|(which, binders, body)| ExprKind::Reduce(which, binders, body)),
            1 => reference(inner.clone()).prop_map(ExprKind::Prev),
            3 => reference(inner.clone()).prop_map(ExprKind::Ref),
            1 => boxed.prop_map(ExprKind::Paren),
            1 => vec(arg(inner), 0..4).prop_map(ExprKind::List),
        ];
        kind.prop_map(of_kind)
    })
    .boxed()
}

fn docs() -> impl Strategy<Value = Docs> {
    let texts = ["", "A line.", "  indented", "# and a mark"];
    let doc = prop::sample::select(texts.to_vec())
        .prop_map(|text| Doc { text: text.to_owned(), span: span() });
    prop_oneof![3 => Just(Vec::new()), 1 => vec(doc, 1..3)]
}

fn slot() -> impl Strategy<Value = Slot> {
    let bounds = prop_oneof![
        expr().prop_map(Bounds::One),
        (option::of(expr()), option::of(expr())).prop_map(|(low, high)| Bounds::Between(low, high)),
    ];
    let of = (name(), option::weighted(0.5, bounds), option::weighted(0.2, name()))
        .prop_map(|(name, bounds, via)| Of { name, bounds, via, span: span() });
    let shape = vec(range(expr()), 0..3);
    (value_name(), shape, option::weighted(0.4, of), option::weighted(0.4, expr()))
        .prop_map(|(name, shape, of, value)| Slot { name, shape, of, value, span: span() })
}

fn stmt() -> BoxedStrategy<Stmt> {
    let kind = prop::sample::select(vec![StateKind::State, StateKind::Memory, StateKind::Param]);
    let through = || option::weighted(0.2, reference(expr()));
    let text = option::of(Just("a text".to_owned()));
    let simple = prop_oneof![
        1 => (docs(), kind, vec(slot(), 1..4))
            .prop_map(|(docs, kind, slots)| Stmt::State(docs, kind, slots, span())),
        1 => (docs(), vec(slot(), 1..4), option::of(expr()), through()).prop_map(
            |(docs, slots, from, through)| {
                Stmt::Emit(Emit { docs, slots, from, through, span: span() })
            }
        ),
        1 => (docs(), name(), expr(), through()).prop_map(|(docs, name, value, through)| {
            Stmt::Controller(Controller { docs, name, value, through, span: span() })
        }),
        1 => (expr(), text).prop_map(|(condition, text)| {
            Stmt::Require(Require { condition, text, span: span() })
        }),
        5 => (docs(), reference(expr()), expr(), option::weighted(0.2, expr())).prop_map(
            |(docs, left, right, elsewhere)| {
                Stmt::Equation(Equation { docs, left, right, elsewhere, span: span() })
            }
        ),
    ];
    simple
        .prop_recursive(2, 8, 3, |inner| {
            let family = (option::of(name()), range(expr()))
                .prop_map(|(index, range)| Family { index, range });
            let body = prop_oneof![
                3 => vec(inner, 0..4).prop_map(Body::Block),
                1 => expr().prop_map(Body::Expr),
            ];
            let tied = option::of(option::of(expr()).prop_map(|when| Tied { when, span: span() }));
            let head = (docs(), any::<bool>(), name(), option::of(family), tied);
            (head, body).prop_map(|((docs, head, name, family, tied), body)| {
                Stmt::Part(Part { docs, head, name, family, tied, body, span: span() })
            })
        })
        .boxed()
}

fn def(with_expr: bool) -> impl Strategy<Value = Def> {
    let role = prop::sample::select(vec![Role::Plain, Role::Emit, Role::Param, Role::State]);
    let param = (role, slot()).prop_map(|(role, slot)| Param { role, slot });
    let generic = (name(), option::weighted(0.2, name()), option::of(expr()))
        .prop_map(|(name, list, default)| Generic { name, list, default });
    let block = vec(stmt(), 0..5).prop_map(Body::Block);
    let body = if with_expr {
        prop_oneof![expr().prop_map(Body::Expr), block].boxed()
    } else {
        block.boxed()
    };
    let result = slot().prop_map(|slot| Slot { value: None, ..slot });
    let head = (docs(), name(), vec(generic, 0..3), vec(param, 0..4), result);
    (head, body).prop_map(|((docs, name, generics, params, result), body)| Def {
        docs,
        name,
        generics,
        params,
        result,
        body,
        span: span(),
    })
}

fn train() -> impl Strategy<Value = Train> {
    let setting = (docs(), value_name(), arg(expr())).prop_map(|(docs, name, value)| Setting {
        docs,
        name,
        value,
        span: span(),
    });
    let one = reference(expr()).prop_map(|task| (vec![of_kind(ExprKind::Ref(task))], false));
    let tasks = prop_oneof![one, vec(expr(), 0..3).prop_map(|tasks| (tasks, true))];
    let head = (docs(), option::of(name()), reference(expr()), tasks);
    (head, vec(setting, 0..4)).prop_map(|((docs, name, model, (tasks, curriculum)), settings)| {
        Train { docs, name, model, tasks, curriculum, settings, span: span() }
    })
}

/// A whole file without comments.
pub(crate) fn file() -> impl Strategy<Value = File> {
    let item = prop_oneof![
        def(true).prop_map(Item::Def),
        def(false).prop_map(Item::Model),
        train().prop_map(Item::Train),
    ];
    let module = prop::sample::select(vec!["std.nn", "mine"])
        .prop_map(|module| Name { text: module.to_owned(), span: span() });
    let import = (module, option::of(vec(name(), 1..3))).prop_map(|(module, names)| Import {
        module,
        names,
        span: span(),
    });
    (vec(import, 0..3), vec(item, 0..4)).prop_map(|(imports, items)| File {
        version: 1,
        version_span: span(),
        imports,
        items,
        comments: Vec::new(),
        blanks: Vec::new(),
        span: span(),
    })
}
