//! What must be computed, and what an instruction takes in itself.
//!
//! In: a function of Cranelift's. Out: which loads their readers do, which values must be in registers, and what
//! addresses are made of. Invariant: a load is left to its reader only where nothing is written in between.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not known here is left to Cranelift")]

use rustc_hash::FxHashMap;

use cranelift_codegen::ir::{self, InstructionData, Opcode, Type, Value, ValueDef, types};

use super::select::Select;

/// What makes an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) base: Value,
    pub(super) index: Option<(Value, u8)>,
    pub(super) offset: i64,
}

impl<'f> Select<'f> {
    pub(super) fn data(&self, inst: ir::Inst) -> &'f InstructionData {
        &self.function.dfg.insts[inst]
    }

    pub(super) fn ty(&self, value: Value) -> Type {
        self.function.dfg.value_type(value)
    }

    /// The instruction that makes a value.
    pub(super) fn made(&self, value: Value) -> Option<ir::Inst> {
        match self.function.dfg.value_def(value) {
            ValueDef::Result(inst, _) => Some(inst),
            ValueDef::Param(..) | ValueDef::Union(..) => None,
        }
    }

    /// What a value is made by, and from.
    pub(super) fn by(&self, value: Value) -> Option<(Opcode, &'f [Value])> {
        let inst = self.made(value)?;
        Some((self.data(inst).opcode(), self.function.dfg.inst_args(inst)))
    }

    pub(super) fn constant(&self, value: Value) -> Option<i64> {
        match self.data(self.made(value)?) {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    pub(super) fn insts(&self) -> impl Iterator<Item = ir::Inst> + use<'f> {
        let layout = &self.function.layout;
        layout.blocks().flat_map(|block| layout.block_insts(block))
    }

    pub(super) fn count(&mut self) {
        for inst in self.insts() {
            for value in self.function.dfg.inst_values(inst) {
                *self.uses.entry(value).or_default() += 1;
            }
        }
    }

    /// A value that takes the place of another: the lower half of a register is the register.
    pub(super) fn same(&self, value: Value) -> Value {
        match self.by(value) {
            Some((Opcode::Bitcast | Opcode::Ireduce, args)) => self.same(args[0]),
            Some((Opcode::Extractlane, args)) if self.half(value) == Some(0) => self.same(args[0]),
            _ => value,
        }
    }

    /// Which half of a vector of eight numbers a value is.
    pub(super) fn half(&self, value: Value) -> Option<u8> {
        match *self.data(self.made(value)?) {
            InstructionData::BinaryImm8 { opcode: Opcode::Extractlane, arg, imm }
                if self.ty(arg) == types::I128X2 =>
            {
                Some(imm)
            }
            _ => None,
        }
    }

    /// Whether an instruction is a load of which only is wanted that memory comes near.
    pub(super) fn fetches(&self, inst: ir::Inst) -> bool {
        let result = self.function.dfg.inst_results(inst).first();
        let data = self.data(inst);
        data.opcode() == Opcode::Load && result.is_some_and(|value| self.ty(*value) == types::I8)
    }

    /// Finds loads that their only reader can do.
    pub(super) fn fold(&mut self) {
        let layout = &self.function.layout;
        for block in layout.blocks() {
            let mut loaded: FxHashMap<Value, usize> = FxHashMap::default();
            let mut written = 0;
            for inst in layout.block_insts(block) {
                let opcode = self.data(inst).opcode();
                let args = self.function.dfg.inst_args(inst);
                let reader = match opcode {
                    Opcode::Fadd | Opcode::Fmul => {
                        let first = args.iter().rev().find(|arg| loaded.contains_key(arg));
                        first.copied()
                    }
                    Opcode::Fsub | Opcode::Fdiv => args.get(1).copied(),
                    Opcode::Fma => {
                        args[..2].iter().rev().find(|arg| loaded.contains_key(arg)).copied()
                    }
                    Opcode::Splat | Opcode::Sqrt => Some(args[0]),
                    _ => None,
                };
                if let Some(value) = reader
                    && loaded.get(&value) == Some(&written)
                {
                    self.folded.insert(value);
                }
                match opcode {
                    Opcode::Load => {
                        let value = self.function.dfg.first_result(inst);
                        let real = matches!(self.ty(value).lane_type(), types::F32 | types::I128);
                        if self.uses.get(&value) == Some(&1) && real {
                            loaded.insert(value, written);
                        }
                    }
                    Opcode::Store => written += 1,
                    _ => {}
                }
            }
        }
    }

    /// The parts of an address.
    pub(super) fn address(&self, value: Value, offset: i64) -> Address {
        let (base, offset) = self.moved(value, offset);
        let Some((Opcode::Iadd, args)) = self.by(base) else {
            return Address { base, index: None, offset };
        };
        let shifted = |value: Value| -> Option<(Value, u8)> {
            let (Opcode::Ishl, args) = self.by(value)? else { return None };
            let by = self.constant(args[1])?;
            (0..=3).contains(&by).then_some((args[0], by as u8))
        };
        let (base, (index, by)) = match (shifted(args[1]), shifted(args[0])) {
            (Some(index), _) => (args[0], index),
            (None, Some(index)) => (args[1], index),
            (None, None) => (args[0], (args[1], 0)),
        };
        let (base, offset) = self.moved(base, offset);
        let (index, more) = self.moved(index, 0);
        Address { base, index: Some((index, by)), offset: offset + (more << by) }
    }

    /// A sum with a constant, taken apart.
    pub(super) fn moved(&self, mut value: Value, mut offset: i64) -> (Value, i64) {
        while let Some((Opcode::Iadd, args)) = self.by(value) {
            let (rest, more) = match (self.constant(args[0]), self.constant(args[1])) {
                (_, Some(more)) => (args[0], more),
                (Some(more), None) => (args[1], more),
                (None, None) => break,
            };
            if i32::try_from(offset + more).is_err() {
                break;
            }
            (value, offset) = (rest, offset + more);
        }
        (value, offset)
    }

    /// Marks what must be in a register, from the last instruction back.
    pub(super) fn need(&mut self) {
        let all: Vec<ir::Inst> = self.insts().collect();
        for inst in all.into_iter().rev() {
            let dfg = &self.function.dfg;
            let results = dfg.inst_results(inst);
            let own = match self.data(inst).opcode() {
                Opcode::Store | Opcode::Jump | Opcode::Brif | Opcode::Return => true,
                Opcode::Load if self.fetches(inst) => true,
                _ => results
                    .iter()
                    .any(|value| self.needed.contains(value) || self.folded.contains(value)),
            };
            if own {
                for value in dfg.inst_values(inst).collect::<Vec<_>>() {
                    self.mark(inst, value);
                }
            }
        }
    }

    fn mark(&mut self, inst: ir::Inst, value: Value) {
        let value = self.same(value);
        match *self.data(inst) {
            InstructionData::Load { arg, offset, .. } => self.mark_address(arg, offset.into()),
            InstructionData::Store { args, offset, .. } if value == args[1] => {
                self.mark_address(args[1], offset.into());
            }
            InstructionData::Brif { arg, .. } if value == arg => self.mark_compared(value, true),
            InstructionData::Ternary { opcode: Opcode::Select, args }
                if value == args[0] && self.ty(args[1]) == types::I64 =>
            {
                self.mark_compared(value, false);
            }
            InstructionData::Binary {
                opcode: Opcode::Ishl | Opcode::Ushr | Opcode::Band,
                args,
            } if value == args[1]
                && self.ty(args[0]) == types::I64
                && self.short(value).is_some() => {}
            InstructionData::Binary { opcode: Opcode::Iadd, .. }
                if self.ty(value) == types::I64 =>
            {
                let sum = self.function.dfg.first_result(inst);
                let (rest, _) = self.moved(sum, 0);
                self.needed.insert(if rest == sum { value } else { rest });
            }
            InstructionData::Unary { opcode: Opcode::Splat, .. } if self.known(value) => {}
            _ => {
                if !self.folded.contains(&value) {
                    self.needed.insert(value);
                }
            }
        }
    }

    /// Whether a value is a constant that is read from memory where it is spread.
    pub(super) fn known(&self, value: Value) -> bool {
        matches!(self.by(value), Some((Opcode::F32const | Opcode::Iconst, _)))
    }

    fn mark_address(&mut self, value: Value, offset: i64) {
        let address = self.address(value, offset);
        if self.own(address.base).is_none() {
            self.needed.insert(address.base);
        }
        if let Some((index, _)) = address.index {
            self.needed.insert(index);
        }
    }

    /// What a comparison reads; it is made where it is looked at, if `short` with a constant in it.
    fn mark_compared(&mut self, value: Value, short: bool) {
        match self.by(value) {
            Some((Opcode::Icmp, args)) => {
                self.needed.insert(self.same(args[0]));
                if !short || self.short(args[1]).is_none() {
                    self.needed.insert(self.same(args[1]));
                }
            }
            _ => {
                self.needed.insert(value);
            }
        }
    }

    /// A constant that fits an instruction.
    pub(super) fn short(&self, value: Value) -> Option<i32> {
        i32::try_from(self.constant(value)?).ok()
    }
}
