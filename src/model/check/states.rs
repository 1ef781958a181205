//! States that were declared wrongly: without the word, or under another name than their equation.
//!
//! One mistake gives one message: what follows from it is not told.

use crate::syntax::ast;

use super::super::errors;
use super::super::typed::{PartId, Value, ValueId, ValueKind};
use super::declare::{Cx, Named, Pending};
use super::repairs::words;

impl Cx<'_, '_> {
    /// Tells of a declaration without its word, `s[N] = 0`, beside the equation of the value; false
    /// where two equations are no such pair.
    pub(super) fn without_word(&mut self, id: ValueId, tree: &ast::Equation, part: PartId) -> bool {
        let Some(Pending::Equation(first, at)) = self.pending.get(&id) else { return false };
        let declares = (self.declares(first, tree, *at), self.declares(tree, first, part));
        let (declaration, equation) = match declares {
            (true, false) => (first.left.span, tree.left.span),
            (false, true) => (tree.left.span, first.left.span),
            (true, true) | (false, false) => return false,
        };
        let name = self.def.value(id).name.clone();
        self.sink().push(errors::declared_without_word(declaration, &name, equation));
        self.broken.push(id);
        true
    }

    /// Whether an equation looks like the declaration of what another one defines: it has sizes on its
    /// left, or is one number where the other looks back.
    fn declares(&self, tree: &ast::Equation, other: &ast::Equation, part: PartId) -> bool {
        let [segment] = &tree.left.segments[..] else { return false };
        let around: Vec<PartId> = self.def.around(part).collect();
        let is_dim = |word: &str| {
            let named = around.iter().find_map(|p| self.names[p.0 as usize].get(word));
            matches!(named, Some(Named::Dim(_))) || word.starts_with(|c: char| c.is_ascii_digit())
        };
        match &segment.brackets {
            Some(sizes) => sizes.iter().all(|size| words(self.text(size.span)).all(is_dim)),
            None => {
                let back: Vec<&str> = words(self.text(other.right.span)).collect();
                let number = matches!(tree.right.kind, ast::ExprKind::Number(..));
                number && back.windows(2).any(|two| two == ["prev", segment.name.text.as_str()])
            }
        }
    }

    /// A state without an equation whose name is nearly this one.
    pub(super) fn misspelt_state(&self, name: &str) -> Option<ValueId> {
        let lone: Vec<(&str, ValueId)> = (0..self.def.values.len())
            .map(|at| ValueId(at as u32))
            .filter(|id| matches!(self.def.value(*id).kind, ValueKind::State(..)))
            .filter(|id| !self.pending.contains_key(id) && !self.broken.contains(id))
            .map(|id| (self.def.value(id).name.as_str(), id))
            .collect();
        let near = crate::diag::nearest(name, lone.iter().map(|(name, _)| *name))?;
        lone.iter().find(|(name, _)| *name == near).map(|(_, id)| *id)
    }

    /// The computed value whose name a state without an equation was meant to have.
    pub(super) fn meant_state(&self, state: ValueId) -> Option<&Value> {
        let computed =
            |value: &&Value| matches!(value.kind, ValueKind::Computed(_)) && !value.name.is_empty();
        self.def
            .values
            .iter()
            .filter(computed)
            .find(|value| self.misspelt_state(&value.name) == Some(state))
    }
}

/// Whether a block declares a name other than by an equation.
pub(super) fn declares(block: &[ast::Stmt], name: &str) -> bool {
    let has = |slots: &[ast::Slot]| slots.iter().any(|slot| slot.name.text == name);
    block.iter().any(|stmt| match stmt {
        ast::Stmt::State(_, _, slots, _) => has(slots),
        ast::Stmt::Emit(emit) => has(&emit.slots),
        ast::Stmt::Controller(one) => one.name.text == name,
        ast::Stmt::Part(_) | ast::Stmt::Require(_) | ast::Stmt::Equation(_) => false,
    })
}

/// Whether a block has an equation for a name.
pub(super) fn defines(block: &[ast::Stmt], name: &str) -> bool {
    block.iter().any(|stmt| match stmt {
        ast::Stmt::Equation(one) => one.left.segments[0].name.text == name,
        ast::Stmt::State(..)
        | ast::Stmt::Emit(_)
        | ast::Stmt::Controller(_)
        | ast::Stmt::Part(_)
        | ast::Stmt::Require(_) => false,
    })
}
