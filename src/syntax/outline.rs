//! TREE to SKETCH: every node of a tree, indented, without places.
//!
//! In: a tree. Out: one line a statement; expressions in prefix form, `(+ a (* b c))`, so that
//! grouping can be read off. Invariant: two trees have the same sketch if and only if they are equal,
//! places, comments and blank lines aside.

use crate::syntax::ast::*;

/// A file as an indented sketch.
#[must_use]
pub fn outline(file: &File) -> String {
    let mut out = Outline { text: String::new(), depth: 0 };
    out.line(&format!("ntm {}", file.version));
    for import in &file.imports {
        let names = import.names.as_ref().map_or(String::new(), |names| {
            let names: Vec<_> = names.iter().map(|name| name.text.as_str()).collect();
            format!(" ({})", names.join(" "))
        });
        out.line(&format!("use {}{names}", import.module.text));
    }
    for item in &file.items {
        match item {
            Item::Def(def) => out.def("def", def),
            Item::Model(def) => out.def("model", def),
            Item::Train(train) => out.train(train),
        }
    }
    out.text
}

/// The sketch so far.
struct Outline {
    text: String,
    depth: usize,
}

impl Outline {
    fn line(&mut self, text: &str) {
        let indent = self.depth * 2;
        self.text += &format!("{:indent$}{text}\n", "");
    }

    fn docs(&mut self, docs: &[Doc]) {
        for doc in docs {
            self.line(&format!("doc {:?}", doc.text));
        }
    }

    fn nested(&mut self, body: impl FnOnce(&mut Outline)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
    }

    fn def(&mut self, word: &str, def: &Def) {
        self.docs(&def.docs);
        self.line(&format!("{word} {}", def.name.text));
        self.nested(|out| {
            for one in &def.generics {
                let list = one.list.as_ref().map_or(String::new(), |l| format!("[{}]", l.text));
                let default =
                    one.default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
                out.line(&format!("dim {}{list}{default}", one.name.text));
            }
            for one in &def.params {
                let role = match one.role {
                    Role::Plain => "",
                    Role::Emit => " emit",
                    Role::Param => " param",
                    Role::State => " state",
                };
                out.line(&format!("argument{role} {}", slot(&one.slot)));
            }
            out.line(&format!("result {}", slot(&def.result)));
            out.body(&def.body);
        });
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Expr(one) => self.line(&format!("is {}", expr(one))),
            Body::Block(stmts) => {
                self.line("block");
                self.nested(|out| stmts.iter().for_each(|stmt| out.stmt(stmt)));
            }
        }
    }

    fn train(&mut self, train: &Train) {
        self.docs(&train.docs);
        let name = train.name.as_ref().map_or("", |name| name.text.as_str());
        self.line(format!("train {name}").trim_end());
        self.nested(|out| {
            out.line(&format!("model {}", reference(&train.model)));
            let word = if train.curriculum { "lesson" } else { "task" };
            for task in &train.tasks {
                out.line(&format!("{word} {}", expr(task)));
            }
            if train.curriculum && train.tasks.is_empty() {
                out.line("no lessons");
            }
            for one in &train.settings {
                out.docs(&one.docs);
                out.line(&format!("set {} = {}", one.name.text, arg(&one.value)));
            }
        });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::State(docs, kind, slots, _) => {
                self.docs(docs);
                let word = match kind {
                    StateKind::State => "state",
                    StateKind::Memory => "memory",
                    StateKind::Param => "param",
                };
                self.line(&format!("{word} {}", list(slots, slot, ", ")));
            }
            Stmt::Emit(one) => {
                self.docs(&one.docs);
                let from =
                    one.from.as_ref().map_or(String::new(), |e| format!(" from {}", expr(e)));
                let slots = list(&one.slots, slot, ", ");
                self.line(&format!("emit {slots}{from}{}", through(one.through.as_ref())));
            }
            Stmt::Controller(one) => {
                self.docs(&one.docs);
                let (value, through) = (expr(&one.value), through(one.through.as_ref()));
                self.line(&format!("controller {} = {value}{through}", one.name.text));
            }
            Stmt::Part(one) => {
                self.docs(&one.docs);
                let word = if one.head { "head" } else { "part" };
                let family = one.family.as_ref().map_or(String::new(), |family| {
                    let index = family.index.as_ref().map_or("", |index| index.text.as_str());
                    let mark = if family.index.is_some() { ": " } else { "" };
                    format!("[{index}{mark}{}]", range(&family.range))
                });
                let tied = one.tied.as_ref().map_or(String::new(), |tied| match &tied.when {
                    Some(when) => format!(" tied if {}", expr(when)),
                    None => " tied".to_owned(),
                });
                self.line(&format!("{word} {}{family}{tied}", one.name.text));
                self.nested(|out| out.body(&one.body));
            }
            Stmt::Require(one) => {
                let text = one.text.as_ref().map_or(String::new(), |text| format!(" {text:?}"));
                self.line(&format!("require {}{text}", expr(&one.condition)));
            }
            Stmt::Equation(one) => {
                self.docs(&one.docs);
                let other = one.elsewhere.as_ref();
                let other = other.map_or(String::new(), |e| format!(" elsewhere {}", expr(e)));
                self.line(&format!("{} = {}{other}", reference(&one.left), expr(&one.right)));
            }
        }
    }
}

fn list<T>(all: &[T], one: impl Fn(&T) -> String, between: &str) -> String {
    all.iter().map(one).collect::<Vec<_>>().join(between)
}

fn through(stage: Option<&Ref>) -> String {
    stage.map_or(String::new(), |stage| format!(" through {}", reference(stage)))
}

fn slot(slot: &Slot) -> String {
    let mut out = slot.name.text.clone();
    if !slot.shape.is_empty() {
        out += &format!("[{}]", list(&slot.shape, range, ", "));
    }
    if let Some(of) = &slot.of {
        let side = |one: &Option<Expr>| one.as_ref().map_or(String::new(), expr);
        let bounds = match &of.bounds {
            None => String::new(),
            Some(Bounds::One(one)) => format!("({})", expr(one)),
            Some(Bounds::Between(low, high)) => format!("({}..{})", side(low), side(high)),
        };
        let via = of.via.as_ref().map_or(String::new(), |via| format!(" via {}", via.text));
        out += &format!(": {}{bounds}{via}", of.name.text);
    }
    if let Some(value) = &slot.value {
        out += &format!(" = {}", expr(value));
    }
    out
}

fn range(range: &Range) -> String {
    let end = range.end.as_ref().map_or(String::new(), |end| format!("..{}", expr(end)));
    format!("{}{end}", expr(&range.start))
}

fn binder(binder: &Binder) -> String {
    match &binder.range {
        None => binder.name.text.clone(),
        Some(BinderRange::In(limits)) => format!("{} in {}", binder.name.text, range(limits)),
        Some(BinderRange::Compare(op, limit)) => {
            format!("{} {} {}", binder.name.text, op.sign(), expr(limit))
        }
    }
}

fn reference(name: &Ref) -> String {
    list(&name.segments, segment, ".")
}

fn segment(segment: &Segment) -> String {
    let args = |args: &Option<Vec<Arg>>, open: &str, close: &str| {
        let some = args.as_ref().map(|args| format!("{open}{}{close}", list(args, arg, ", ")));
        some.unwrap_or_default()
    };
    let brackets = args(&segment.brackets, "[", "]");
    let call = args(&segment.args, "(", ")");
    format!("{}{brackets}{call}{}", segment.name.text, args(&segment.after, "[", "]"))
}

fn arg(arg: &Arg) -> String {
    let name = arg.name.as_ref().map_or(String::new(), |name| format!("{} = ", name.text));
    let to = arg.to.as_ref().map_or(String::new(), |to| format!("..{}", expr(to)));
    let default = arg.default.as_ref().map_or(String::new(), |one| format!(" else {}", expr(one)));
    format!("{name}{}{to}{default}", expr(&arg.value))
}

fn expr(one: &Expr) -> String {
    match &one.kind {
        ExprKind::Number(_, spelling) => spelling.clone(),
        ExprKind::Text(text) => format!("\"{text}\""),
        ExprKind::Pipe(left, stage) => format!("(-> {} {})", expr(left), reference(stage)),
        ExprKind::If(condition, yes, no) => {
            format!("(if {} {} {})", expr(condition), expr(yes), expr(no))
        }
        ExprKind::For(binders, body) => {
            format!("(for {}: {})", list(binders, binder, ", "), expr(body))
        }
        ExprKind::Binary(op, left, right) => {
            format!("({} {} {})", op.sign(), expr(left), expr(right))
        }
        ExprKind::Unary(UnaryOp::Neg, inner) => format!("(- {})", expr(inner)),
        ExprKind::Unary(UnaryOp::Not, inner) => format!("(not {})", expr(inner)),
        ExprKind::Reduce(which, binders, body) => {
            let word = match which {
                Reduction::Sum => "sum",
                Reduction::Prod => "prod",
                Reduction::Max => "max",
                Reduction::Min => "min",
                Reduction::Mean => "mean",
            };
            format!("({word}[{}] {})", list(binders, binder, ", "), expr(body))
        }
        ExprKind::Prev(name) => format!("(prev {})", reference(name)),
        ExprKind::Ref(name) => reference(name),
        ExprKind::Paren(inner) => format!("(paren {})", expr(inner)),
        ExprKind::List(items) => format!("[{}]", list(items, arg, ", ")),
    }
}
