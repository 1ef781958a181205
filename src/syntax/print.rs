//! TREE to TEXT: the canonical form of a file.
//!
//! In: a tree with its comments. Out: text in two-space indentation, at most [`WIDTH`] columns where
//! that is possible, `=` aligned in runs of equations. Invariants: formatting twice is formatting
//! once; every comment is kept; the text parses to the same tree, spans aside. A tree made by a
//! program, without comments and with empty spans, prints as well.

mod around;
mod flat;
mod layout;

use crate::source::Span;
use crate::syntax::ast::*;
use around::{Around, Place, around, has_comments};
use flat::{flat, flat_arg, flat_range, flat_ref, flat_slot_head};
use layout::{Item as Piece, Room, fill, last_column, lay, lay_arg, width};

/// Columns of a line.
const WIDTH: usize = 96;

/// One step of indentation.
const STEP: usize = 2;

/// A file in canonical form.
#[must_use]
pub fn format(file: &File) -> String {
    Printer { file }.print()
}

/// An expression on one line, in canonical form.
#[must_use]
pub fn format_expr(expr: &Expr) -> String {
    flat(expr)
}

/// The entries of a block: all of one kind.
#[derive(Clone, Copy)]
enum Entries<'a> {
    Stmts(&'a [Stmt]),
    Settings(&'a [Setting]),
}

/// One line or item of the top level.
enum Top<'a> {
    Version,
    Import(&'a Import),
    Item(&'a Item),
}

/// A file on its way to text.
struct Printer<'a> {
    file: &'a File,
}

impl Printer<'_> {
    fn print(&self) -> String {
        let file = self.file;
        let mut tops = vec![Top::Version];
        tops.extend(file.imports.iter().map(Top::Import));
        tops.extend(file.items.iter().map(Top::Item));
        let places: Vec<_> = tops.iter().map(|top| self.place(top)).collect();
        // Comments may stand before the version and after the last item.
        let (arounds, below) = around(file, &places, 0, u32::MAX);
        let mut out = String::new();
        // Whether the last thing was an item, and whether it took more than one line.
        let (mut after_item, mut wide) = (false, false);
        for (top, around) in tops.iter().zip(&arounds) {
            let (text, is_item) = match top {
                Top::Version => (format!("ntm {}", file.version), false),
                Top::Import(import) => (import_line(import), false),
                Top::Item(item) => (self.item(item), true),
            };
            let now_wide = text.contains('\n');
            let apart = is_item && (!after_item || wide || now_wide);
            self.add(&mut out, around, &text, 0, apart);
            (after_item, wide) = (is_item, now_wide);
        }
        comment_lines(&mut out, &below, 0);
        out
    }

    /// Where something of the top level stands.
    fn place(&self, top: &Top<'_>) -> Place {
        let simple = |span: Span| Place { begin: span.start, limit: span.end, end: span.end };
        match top {
            Top::Version => simple(self.file.version_span),
            Top::Import(import) => simple(import.span),
            Top::Item(Item::Def(def) | Item::Model(def)) => {
                let limit = match def.body {
                    Body::Expr(_) => def.span.end,
                    Body::Block(_) => def.result.span.end,
                };
                Place { begin: begin(&def.docs, def.span), limit, end: def.span.end }
            }
            Top::Item(Item::Train(train)) => {
                let limit = train_head_end(train);
                Place { begin: begin(&train.docs, train.span), limit, end: train.span.end }
            }
        }
    }

    /// Adds an entry with what stands around it.
    fn add(&self, out: &mut String, around: &Around<'_>, text: &str, indent: usize, apart: bool) {
        let mut apart = apart && !out.is_empty();
        for (blank, comment) in &around.above {
            let gap = std::mem::take(&mut apart) || (*blank && !out.is_empty());
            comment_line(out, gap, comment, indent);
        }
        if apart || (around.blank && !out.is_empty()) {
            out.push('\n');
        }
        out.push_str(text);
        if let Some(comment) = around.behind {
            out.push_str(&format!("  #{}", comment.text));
        }
        out.push('\n');
    }

    fn item(&self, item: &Item) -> String {
        match item {
            Item::Def(def) => self.def("def", def),
            Item::Model(def) => self.def("model", def),
            Item::Train(train) => {
                let name =
                    train.name.as_ref().map_or(String::new(), |one| format!("{}: ", one.text));
                let head = format!("train {name}{} on ", flat_ref(&train.model));
                let tasks: Vec<_> = train.tasks.iter().map(Piece::Expr).collect();
                let tasks = match train.tasks.as_slice() {
                    [task] if !train.curriculum => lay(task, Room::at(width(&head), 2)),
                    _ => format!("[{}]", fill(&tasks, width(&head) + 1, 3)),
                };
                let span = Span { start: train_head_end(train), ..train.span };
                let settings = Entries::Settings(&train.settings);
                docs(&train.docs, 0) + &self.block(format!("{head}{tasks}"), settings, span, 0)
            }
        }
    }

    fn def(&self, word: &str, def: &Def) -> String {
        let above = docs(&def.docs, 0);
        let result = flat_slot_head(&def.result);
        let tail = format!(") -> {result}");
        let head = head_of(word, def, width(&tail) + 2) + &tail;
        match &def.body {
            Body::Block(stmts) => {
                let span = Span { start: def.result.span.end, ..def.span };
                above + &self.block(head, Entries::Stmts(stmts), span, 0)
            }
            Body::Expr(expr) => {
                let one_line = format!("{head} = {}", flat(expr));
                if !head.contains('\n') && width(&one_line) <= WIDTH {
                    return above + &one_line;
                }
                let body = lay(expr, Room::at(STEP, 0));
                format!("{above}{head} =\n{:STEP$}{body}", "")
            }
        }
    }

    /// A block after its head: on one line if it holds one short entry, else one entry a line.
    fn block(&self, head: String, entries: Entries<'_>, span: Span, indent: usize) -> String {
        let commented = has_comments(self.file, span.start, span.end);
        if entries.len() == 0 && !commented {
            return format!("{head} {{}}");
        }
        let inner = self.entries(entries, span, indent + STEP);
        let single = entries.len() == 1 && !commented && entries.is_plain(0);
        if single && !head.contains('\n') {
            let text = inner.trim();
            let one_line = format!("{head} {{ {text} }}");
            if !text.contains('\n') && indent + width(&one_line) <= WIDTH {
                return one_line;
            }
        }
        format!("{head} {{\n{inner}{:indent$}}}", "")
    }

    /// The lines of a block.
    fn entries(&self, entries: Entries<'_>, span: Span, indent: usize) -> String {
        let places: Vec<_> = (0..entries.len()).map(|at| entries.place(at)).collect();
        let (arounds, below) = around(self.file, &places, span.start, span.end);
        let columns = entries.columns(&arounds, indent);
        let mut out = String::new();
        for (at, around) in arounds.iter().enumerate() {
            let text = match entries {
                Entries::Stmts(stmts) => self.stmt(&stmts[at], indent, columns[at]),
                Entries::Settings(settings) => setting(&settings[at], indent, columns[at]),
            };
            self.add(&mut out, around, &format!("{:indent$}{text}", ""), indent, false);
        }
        comment_lines(&mut out, &below, indent);
        out
    }

    /// A statement; an equation's `=` goes to `column`.
    fn stmt(&self, stmt: &Stmt, indent: usize, column: usize) -> String {
        match stmt {
            Stmt::State(above, kind, slots, _) => {
                let word = match kind {
                    StateKind::State => "state ",
                    StateKind::Memory => "memory ",
                    StateKind::Param => "param ",
                };
                docs(above, indent) + &slots_after(word, slots, indent)
            }
            Stmt::Emit(emit) => {
                let mut out = slots_after("emit ", &emit.slots, indent);
                if let Some(from) = &emit.from {
                    clause(&mut out, "from", indent, |room| lay(from, room), &flat(from));
                }
                through(&mut out, emit.through.as_ref(), indent);
                docs(&emit.docs, indent) + &out
            }
            Stmt::Controller(one) => {
                let head = format!("controller {} ", one.name.text);
                let at = indent + width(&head);
                let value = lay(&one.value, Room { first: at + 2, indent: at, rest: 0 });
                let mut out = format!("{head}= {value}");
                through(&mut out, one.through.as_ref(), indent);
                docs(&one.docs, indent) + &out
            }
            Stmt::Part(part) => docs(&part.docs, indent) + &self.part(part, indent),
            Stmt::Require(require) => {
                let text = require.text.as_ref();
                let text = text.map_or(String::new(), |text| format!(", \"{text}\""));
                let condition = lay(&require.condition, Room::at(indent + 8, width(&text)));
                format!("require {condition}{text}")
            }
            Stmt::Equation(one) => {
                let left = flat_ref(&one.left);
                let pad = column.saturating_sub(indent + width(&left));
                let room = Room { first: column + 2, indent: column, rest: 0 };
                let mut out = format!("{left}{:pad$}= {}", "", lay(&one.right, room));
                if let Some(other) = &one.elsewhere {
                    let flat = format!(" elsewhere {}", flat(other));
                    if !out.contains('\n') && indent + width(&out) + width(&flat) <= WIDTH {
                        out += &flat;
                    } else {
                        let other = lay(other, Room::at(column + 10, 0));
                        out += &format!("\n{:column$}elsewhere {other}", "");
                    }
                }
                docs(&one.docs, indent) + &out
            }
        }
    }

    fn part(&self, part: &Part, indent: usize) -> String {
        let word = if part.head { "head" } else { "part" };
        let family = part.family.as_ref().map_or(String::new(), |family| {
            let index =
                family.index.as_ref().map_or(String::new(), |one| format!("{}: ", one.text));
            format!("[{index}{}]", flat_range(&family.range))
        });
        let tied = part.tied.as_ref().map_or(String::new(), |tied| match &tied.when {
            Some(when) => format!(" tied if {}", flat(when)),
            None => " tied".to_owned(),
        });
        let head = format!("{word} {}{family}{tied}", part.name.text);
        match &part.body {
            Body::Block(stmts) => {
                let span = Span { start: part_head_end(part), ..part.span };
                self.block(head, Entries::Stmts(stmts), span, indent)
            }
            Body::Expr(expr) => {
                let at = indent + width(&head) + 1;
                let value = lay(expr, Room { first: at + 2, indent: at, rest: 0 });
                format!("{head} = {value}")
            }
        }
    }
}

/// The first byte of something with documentation.
fn begin(docs: &[Doc], span: Span) -> u32 {
    docs.first().map_or(span.start, |doc| doc.span.start)
}

/// Where the head of a training block ends.
fn train_head_end(train: &Train) -> u32 {
    train.tasks.last().map_or(train.model.span.end, |task| task.span.end)
}

/// Where the head of a part ends, as far as the tree knows.
fn part_head_end(part: &Part) -> u32 {
    let family = part.family.as_ref().map(|family| family.range.span.end);
    part.tied.as_ref().map(|tied| tied.span.end).or(family).unwrap_or(part.name.span.end)
}

/// Documentation lines, the indentation after each so that the statement can follow.
fn docs(docs: &[Doc], indent: usize) -> String {
    let line = |doc: &Doc| {
        let blank = if doc.text.is_empty() { "" } else { " " };
        format!("##{blank}{}\n{:indent$}", doc.text, "")
    };
    docs.iter().map(line).collect()
}

fn comment_line(out: &mut String, gap: bool, comment: &Comment, indent: usize) {
    let gap = if gap { "\n" } else { "" };
    out.push_str(&format!("{gap}{:indent$}#{}\n", "", comment.text));
}

/// The comments below the last entry.
fn comment_lines(out: &mut String, comments: &[(bool, &Comment)], indent: usize) {
    for (blank, comment) in comments {
        let gap = *blank && !out.is_empty();
        comment_line(out, gap, comment, indent);
    }
}

fn import_line(import: &Import) -> String {
    let head = format!("use {}", import.module.text);
    match &import.names {
        None => head,
        Some(names) => {
            let names: Vec<_> = names.iter().map(Piece::Name).collect();
            format!("{head} ({})", fill(&names, width(&head) + 2, 1))
        }
    }
}

/// A definition up to its last parameter, with `rest` columns left free behind it.
fn head_of(word: &str, def: &Def, rest: usize) -> String {
    let mut head = format!("{word} {}", def.name.text);
    if !def.generics.is_empty() {
        let generics: Vec<_> = def.generics.iter().map(Piece::Generic).collect();
        head += &format!("[{}]", fill(&generics, width(&head) + 1, 2));
    }
    let params: Vec<_> = def.params.iter().map(Piece::Param).collect();
    let column = last_column(&head, 0) + 1;
    let one_line = fill(&params, 0, 0);
    let fits = !one_line.contains('\n') && column + width(&one_line) + rest <= WIDTH;
    // Parameters far to the right would have no room.
    if fits || column <= WIDTH / 2 {
        return format!("{head}({}", fill(&params, column, rest));
    }
    let indent = 2 * STEP;
    format!("{head}\n{:indent$}({}", "", fill(&params, indent + 1, rest))
}

/// A word and slots, filled under each other.
fn slots_after(word: &str, slots: &[Slot], indent: usize) -> String {
    let slots: Vec<_> = slots.iter().map(Piece::Slot).collect();
    format!("{word}{}", fill(&slots, indent + word.len(), 0))
}

/// `through stage` at the end of a statement.
fn through(out: &mut String, stage: Option<&Ref>, indent: usize) {
    if let Some(stage) = stage {
        let expr = Expr { kind: ExprKind::Ref(stage.clone()), span: stage.span };
        clause(out, "through", indent, |room| lay(&expr, room), &flat(&expr));
    }
}

/// A word and what follows it, on the same line if it fits, else on the next.
fn clause(
    out: &mut String,
    word: &str,
    indent: usize,
    lay: impl Fn(Room) -> String,
    one_line: &str,
) {
    let column = last_column(out, indent);
    if column + 2 + word.len() + width(one_line) <= WIDTH {
        out.push_str(&format!(" {word} {one_line}"));
        return;
    }
    let indent = indent + STEP;
    let text = lay(Room::at(indent + word.len() + 1, 0));
    out.push_str(&format!("\n{:indent$}{word} {text}", ""));
}

/// A setting whose `=` goes to `column`.
fn setting(setting: &Setting, indent: usize, column: usize) -> String {
    let name = &setting.name.text;
    let pad = column.saturating_sub(indent + width(name));
    let value = lay_arg(&setting.value, Room { first: column + 2, indent: column, rest: 0 });
    format!("{}{name}{:pad$}= {value}", docs(&setting.docs, indent), "")
}

impl Entries<'_> {
    fn len(self) -> usize {
        match self {
            Entries::Stmts(stmts) => stmts.len(),
            Entries::Settings(settings) => settings.len(),
        }
    }

    /// Whether an entry may share its line with the braces.
    fn is_plain(self, at: usize) -> bool {
        match self {
            Entries::Settings(settings) => settings[at].docs.is_empty(),
            Entries::Stmts(stmts) => match &stmts[at] {
                Stmt::State(docs, ..) => docs.is_empty(),
                Stmt::Emit(one) => one.docs.is_empty(),
                Stmt::Controller(one) => one.docs.is_empty(),
                Stmt::Part(one) => one.docs.is_empty() && matches!(one.body, Body::Expr(_)),
                Stmt::Require(_) => true,
                Stmt::Equation(one) => one.docs.is_empty(),
            },
        }
    }

    /// Where an entry stands.
    fn place(self, at: usize) -> Place {
        let (docs, span): (&[Doc], Span) = match self {
            Entries::Settings(settings) => (&settings[at].docs, settings[at].span),
            Entries::Stmts(stmts) => match &stmts[at] {
                Stmt::State(docs, _, _, span) => (docs, *span),
                Stmt::Emit(one) => (&one.docs, one.span),
                Stmt::Controller(one) => (&one.docs, one.span),
                Stmt::Part(one) => (&one.docs, one.span),
                Stmt::Require(one) => (&[], one.span),
                Stmt::Equation(one) => (&one.docs, one.span),
            },
        };
        let limit = match self {
            Entries::Stmts(stmts) => match &stmts[at] {
                Stmt::Part(part) if matches!(part.body, Body::Block(_)) => part_head_end(part),
                Stmt::State(..)
                | Stmt::Emit(_)
                | Stmt::Controller(_)
                | Stmt::Part(_)
                | Stmt::Require(_)
                | Stmt::Equation(_) => span.end,
            },
            Entries::Settings(_) => span.end,
        };
        Place { begin: begin(docs, span), limit, end: span.end }
    }

    /// The left and right side of an entry that is aligned, and whether documentation is above it.
    fn sides(self, at: usize) -> Option<(String, String, bool)> {
        match self {
            Entries::Settings(settings) => {
                let one = &settings[at];
                Some((one.name.text.clone(), flat_arg(&one.value), !one.docs.is_empty()))
            }
            Entries::Stmts(stmts) => match &stmts[at] {
                Stmt::Equation(one) => {
                    let other = one.elsewhere.as_ref();
                    let other = other.map_or(String::new(), |e| format!(" elsewhere {}", flat(e)));
                    let right = format!("{}{other}", flat(&one.right));
                    Some((flat_ref(&one.left), right, !one.docs.is_empty()))
                }
                Stmt::State(..)
                | Stmt::Emit(_)
                | Stmt::Controller(_)
                | Stmt::Part(_)
                | Stmt::Require(_) => None,
            },
        }
    }

    /// The column of `=` in each entry: the same within a run of one-line neighbours. A line that
    /// alignment would make too long breaks, and so leaves its run, until nothing changes.
    fn columns(self, arounds: &[Around<'_>], indent: usize) -> Vec<usize> {
        let sides: Vec<_> = (0..self.len()).map(|at| self.sides(at)).collect();
        let left = |at: usize| sides[at].as_ref().map_or(0, |(left, ..)| indent + width(left) + 1);
        let right = |at: usize| sides[at].as_ref().map_or(0, |(_, right, _)| 2 + width(right));
        let alone: Vec<bool> =
            (0..self.len()).map(|at| sides[at].is_none() || left(at) + right(at) > WIDTH).collect();
        let joins = |at: usize| {
            let documented = sides[at].as_ref().is_some_and(|(.., docs)| *docs);
            !alone[at] && !alone[at - 1] && !documented && !arounds[at].interrupts()
        };
        let mut columns: Vec<usize> = (0..self.len()).map(left).collect();
        let mut at = 0;
        while at < self.len() {
            let end = (at + 1..self.len()).find(|end| !joins(*end)).unwrap_or(self.len());
            // The column of what is left of the run from each entry on.
            let mut from: Vec<usize> = (at..end).map(left).collect();
            (1..from.len()).rev().for_each(|k| from[k - 1] = from[k - 1].max(from[k]));
            let mut start = at;
            for k in at..end {
                // What stands before one that leaves only moves to the left, so it stays.
                if !alone[k] && from[start - at] + right(k) > WIDTH {
                    let column = (start..k).map(left).max().unwrap_or(0);
                    columns[start..k].fill(column);
                    start = k + 1;
                }
            }
            if start < end {
                columns[start..end].fill(from[start - at]);
            }
            at = end;
        }
        columns
    }
}
