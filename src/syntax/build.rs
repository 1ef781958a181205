//! PAIRS to TREE: files, items, statements.
//!
//! In: what pest made of a text that the grammar accepts. Out: the tree. The grammar promises the
//! shape of the pairs, so a missing one is our bug. Three mistakes the grammar lets through are
//! reported here: reserved words, numbers too large to hold, and versions from the future.

#![expect(clippy::wildcard_enum_match_arm, reason = "the rules are those of the grammar")]

mod expr;

use pest::iterators::{Pair, Pairs};

use crate::diag::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::ast::*;
use crate::syntax::errors;
use crate::syntax::grammar::Rule;
use crate::syntax::lex::{RESERVED, Token};

/// One pair of the grammar.
type Node<'i> = Pair<'i, Rule>;

/// Builds tree from pairs whose text begins at byte `base` of the file.
pub(super) struct Builder<'t> {
    file: FileId,
    base: usize,
    tokens: &'t [Token],
    /// What was wrong nevertheless.
    pub(super) found: Vec<Diagnostic>,
}

/// The pairs inside a pair, read one after another.
struct Inner<'i>(std::iter::Peekable<Pairs<'i, Rule>>);

impl<'i> Inner<'i> {
    /// The next one, whatever it is.
    fn any(&mut self) -> Node<'i> {
        self.0.next().expect("the grammar puts a pair here")
    }

    /// The next one if it is a `rule`.
    fn maybe(&mut self, rule: Rule) -> Option<Node<'i>> {
        self.0.next_if(|pair| pair.as_rule() == rule)
    }

    /// The next one, which is a `rule`, after any signs that only mark places.
    fn the(&mut self, rule: Rule) -> Node<'i> {
        let pair = self.any();
        assert!(pair.as_rule() == rule, "the grammar puts {rule:?}, not {pair:?}, here");
        pair
    }

    /// All that follow as long as they are `rule`s.
    fn many(&mut self, rule: Rule) -> Vec<Node<'i>> {
        std::iter::from_fn(|| self.maybe(rule)).collect()
    }

    /// What stands after `=`, if there is one.
    fn after_is(&mut self) -> Option<Node<'i>> {
        self.maybe(Rule::is).map(|_| self.any())
    }
}

/// The pairs inside `pair`.
fn inside(pair: Node<'_>) -> Inner<'_> {
    Inner(pair.into_inner().peekable())
}

impl Builder<'_> {
    /// A builder for text that begins at byte `base` of `file`, which has these tokens.
    pub(super) fn new(file: FileId, base: usize, tokens: &[Token]) -> Builder<'_> {
        Builder { file, base, tokens, found: Vec::new() }
    }

    /// Where a pair stands. Pest lets a rule that ends in something optional run over the blanks and
    /// comments behind it, so the end is that of the last token inside.
    fn span(&self, pair: &Node<'_>) -> Span {
        let span = pair.as_span();
        let (start, end) = (self.base + span.start(), self.base + span.end());
        let last = self.tokens.partition_point(|token| token.end <= end);
        let end = self.tokens[..last].last().map_or(end, |token| token.end.max(start));
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    /// A file.
    pub(super) fn file(&mut self, pair: Node<'_>) -> File {
        let mut inner = inside(pair.clone());
        let (version, version_span) = self.version(&inner.the(Rule::version));
        let imports = inner.many(Rule::import).into_iter().map(|one| self.import(one)).collect();
        let items = inner.many(Rule::item).into_iter().map(|one| self.item(one)).collect();
        let span = self.span(&pair);
        File {
            version,
            version_span,
            imports,
            items,
            comments: Vec::new(),
            blanks: Vec::new(),
            span,
        }
    }

    /// `ntm 1`.
    fn version(&mut self, pair: &Node<'_>) -> (u32, Span) {
        let span = self.span(pair);
        let number = pair.clone().into_inner().last().expect("a version has a number");
        let at = self.span(&number);
        let version = number.as_str().parse().unwrap_or(u32::MAX);
        if version > errors::NEWEST || version == 0 {
            self.found.push(errors::newer_version(at, number.as_str()));
        }
        (version, span)
    }

    /// `use module (names)`.
    pub(super) fn import(&mut self, pair: Node<'_>) -> Import {
        let span = self.span(&pair);
        let mut inner = inside(pair);
        inner.the(Rule::USE);
        let module = inner.the(Rule::module);
        let module = Name { text: module.as_str().to_owned(), span: self.span(&module) };
        let mut names = Vec::new();
        while let Some(pair) = inner.maybe(Rule::name) {
            names.push(self.name(&pair));
            inner.maybe(Rule::comma);
        }
        Import { module, names: (!names.is_empty()).then_some(names), span }
    }

    /// A word.
    fn name(&mut self, pair: &Node<'_>) -> Name {
        let (text, span) = (pair.as_str(), self.span(pair));
        if RESERVED.contains(&text) {
            self.found.push(errors::reserved(span, text));
        }
        Name { text: text.to_owned(), span }
    }

    /// The `##` lines at the front.
    fn docs(&self, inner: &mut Inner<'_>) -> Docs {
        let line = |pair: Node<'_>| {
            let text = pair.as_str().trim_end();
            let mut span = self.span(&pair);
            span.end = span.start + text.len() as u32;
            let text = text.trim_start_matches("##");
            Doc { text: text.strip_prefix(' ').unwrap_or(text).to_owned(), span }
        };
        inner.many(Rule::doc).into_iter().map(line).collect()
    }

    /// A definition, a model or a training block.
    pub(super) fn item(&mut self, pair: Node<'_>) -> Item {
        let mut inner = inside(pair);
        let docs = self.docs(&mut inner);
        let body = inner.any();
        match body.as_rule() {
            Rule::def => Item::Def(self.def(docs, body)),
            Rule::model => Item::Model(self.def(docs, body)),
            Rule::train => Item::Train(self.train(docs, body)),
            rule => unreachable!("{rule:?} is no item"),
        }
    }

    fn def(&mut self, docs: Docs, pair: Node<'_>) -> Def {
        let span = self.span(&pair);
        let mut inner = inside(pair);
        inner.any();
        let name = self.name(&inner.the(Rule::name));
        let generics = inner.maybe(Rule::generics).map(|pair| inside(pair).many(Rule::generic));
        let generics = generics.unwrap_or_default().into_iter().map(|one| self.generic(one));
        let generics = generics.collect();
        let params = inside(inner.the(Rule::params)).many(Rule::param);
        let params = params.into_iter().map(|one| self.param(one)).collect();
        let result = self.slot(inner.the(Rule::result));
        Def { docs, name, generics, params, result, body: self.body(&mut inner), span }
    }

    /// `= expr` or a block, the last of `inner`.
    fn body(&mut self, inner: &mut Inner<'_>) -> Body {
        match inner.after_is() {
            Some(pair) => Body::Expr(self.expr(pair)),
            None => {
                let block = inside(inner.the(Rule::block)).many(Rule::stmt);
                Body::Block(block.into_iter().map(|one| self.stmt(one)).collect())
            }
        }
    }

    fn generic(&mut self, pair: Node<'_>) -> Generic {
        let mut inner = inside(pair);
        let name = self.name(&inner.the(Rule::name));
        let list = inner.maybe(Rule::length).map(|pair| self.name(&inside(pair).any()));
        Generic { name, list, default: inner.after_is().map(|pair| self.expr(pair)) }
    }

    fn param(&mut self, pair: Node<'_>) -> Param {
        let mut inner = inside(pair);
        let first = inner.any();
        let role = match first.as_rule() {
            Rule::EMIT => Role::Emit,
            Rule::PARAM => Role::Param,
            Rule::STATE => Role::State,
            _ => return Param { role: Role::Plain, slot: self.slot(first) },
        };
        Param { role, slot: self.slot(inner.the(Rule::slot)) }
    }

    fn slot(&mut self, pair: Node<'_>) -> Slot {
        let mut span = self.span(&pair);
        let mut inner = inside(pair);
        let name = self.name(&inner.the(Rule::name));
        span.start = name.span.start;
        let shape = inner.maybe(Rule::shape).map(|pair| inside(pair).many(Rule::range));
        let shape = shape.unwrap_or_default().into_iter().map(|one| self.range(one)).collect();
        let of = inner.maybe(Rule::of).map(|pair| self.of(pair));
        Slot { name, shape, of, value: inner.after_is().map(|pair| self.expr(pair)), span }
    }

    fn range(&mut self, pair: Node<'_>) -> Range {
        let span = self.span(&pair);
        let mut ends = inside(pair).many(Rule::sum_).into_iter().map(|one| self.expr(one));
        let start = ends.next().expect("a range has a start");
        Range { start, end: ends.next(), span }
    }

    fn of(&mut self, pair: Node<'_>) -> Of {
        let mut span = self.span(&pair);
        let mut inner = inside(pair);
        let name = self.name(&inner.the(Rule::name));
        span.start = name.span.start;
        let bounds = inner.maybe(Rule::bounds).map(|pair| self.bounds(pair));
        let via = inner.maybe(Rule::VIA).map(|_| self.name(&inner.any()));
        Of { name, bounds, via, span }
    }

    fn bounds(&mut self, pair: Node<'_>) -> Bounds {
        let mut inner = inside(pair);
        let low = inner.maybe(Rule::sum_).map(|pair| self.expr(pair));
        let open = inner.maybe(Rule::dots).is_some();
        let high = inner.maybe(Rule::sum_).map(|pair| self.expr(pair));
        match low {
            Some(one) if !open => Bounds::One(one),
            low => Bounds::Between(low, high),
        }
    }

    fn train(&mut self, docs: Docs, pair: Node<'_>) -> Train {
        let span = self.span(&pair);
        let mut inner = inside(pair);
        inner.the(Rule::TRAIN);
        let name = inner.maybe(Rule::label).map(|pair| self.name(&inside(pair).any()));
        let model = self.reference(inner.the(Rule::ref_));
        inner.the(Rule::ON);
        let task = inner.any();
        let curriculum = task.as_rule() == Rule::curriculum;
        let tasks = if curriculum {
            inside(task).many(Rule::expr).into_iter().map(|one| self.expr(one)).collect()
        } else {
            let (span, task) = (self.span(&task), self.reference(task));
            vec![Expr { kind: ExprKind::Ref(task), span }]
        };
        inner.the(Rule::open);
        let settings = inner.many(Rule::setting);
        let settings = settings.into_iter().map(|one| self.setting(one)).collect();
        Train { docs, name, model, tasks, curriculum, settings, span }
    }

    /// `name = value`.
    pub(super) fn setting(&mut self, pair: Node<'_>) -> Setting {
        let mut span = self.span(&pair);
        let mut inner = inside(pair);
        let docs = self.docs(&mut inner);
        let name = self.name(&inner.the(Rule::name));
        span.start = name.span.start;
        inner.the(Rule::is);
        Setting { docs, name, value: self.arg(inner.any()), span }
    }

    /// A statement of a block.
    pub(super) fn stmt(&mut self, pair: Node<'_>) -> Stmt {
        let mut inner = inside(pair);
        let docs = self.docs(&mut inner);
        let body = inner.any();
        let span = self.span(&body);
        let rule = body.as_rule();
        let mut inner = inside(body);
        match rule {
            Rule::state => {
                let kind = match inner.any().as_rule() {
                    Rule::STATE => StateKind::State,
                    Rule::MEMORY => StateKind::Memory,
                    _ => StateKind::Param,
                };
                Stmt::State(docs, kind, self.slots(&mut inner), span)
            }
            Rule::emits => {
                inner.any();
                let slots = self.slots(&mut inner);
                let from = inner.maybe(Rule::from).map(|pair| self.worded(pair));
                let through = inner.maybe(Rule::through).map(|pair| self.through(pair));
                Stmt::Emit(Emit { docs, slots, from, through, span })
            }
            Rule::controller => {
                inner.any();
                let name = self.name(&inner.the(Rule::name));
                inner.the(Rule::is);
                let value = self.expr(inner.any());
                let through = inner.maybe(Rule::through).map(|pair| self.through(pair));
                Stmt::Controller(Controller { docs, name, value, through, span })
            }
            Rule::part => Stmt::Part(self.part(docs, &mut inner, span)),
            Rule::require => {
                inner.any();
                let condition = self.expr(inner.any());
                let text = inner.maybe(Rule::string).map(|pair| text(&pair));
                Stmt::Require(Require { condition, text, span })
            }
            Rule::equation => {
                let left = self.reference(inner.the(Rule::ref_));
                inner.the(Rule::is);
                let right = self.expr(inner.any());
                let elsewhere = inner.maybe(Rule::elsewhere).map(|pair| self.worded(pair));
                Stmt::Equation(Equation { docs, left, right, elsewhere, span })
            }
            rule => unreachable!("{rule:?} is no statement"),
        }
    }

    fn slots(&mut self, inner: &mut Inner<'_>) -> Vec<Slot> {
        inner.many(Rule::slot).into_iter().map(|one| self.slot(one)).collect()
    }

    /// The expression after a word.
    fn worded(&mut self, pair: Node<'_>) -> Expr {
        let last = pair.into_inner().last().expect("an expression follows the word");
        self.expr(last)
    }

    fn through(&mut self, pair: Node<'_>) -> Ref {
        let last = pair.into_inner().last().expect("a stage follows `through`");
        self.reference(last)
    }

    fn tied(&mut self, pair: Node<'_>) -> Tied {
        let span = self.span(&pair);
        let when = pair.into_inner().find(|pair| pair.as_rule() == Rule::expr);
        Tied { when: when.map(|when| self.expr(when)), span }
    }

    fn part(&mut self, docs: Docs, inner: &mut Inner<'_>, span: Span) -> Part {
        let head = inner.any().as_rule() == Rule::HEAD;
        let name = self.name(&inner.the(Rule::name));
        let family = inner.maybe(Rule::family).map(|pair| {
            let mut inner = inside(pair);
            let index = inner.maybe(Rule::label).map(|pair| self.name(&inside(pair).any()));
            Family { index, range: self.range(inner.the(Rule::range)) }
        });
        let tied = inner.maybe(Rule::tied).map(|pair| self.tied(pair));
        Part { docs, head, name, family, tied, body: self.body(inner), span }
    }
}

/// The text between the quotes.
fn text(pair: &Node<'_>) -> String {
    pair.as_str().trim_matches('"').to_owned()
}
