//! Cranelift's functions as instructions of the machine.
//!
//! In: an optimised [`Function`] whose vectors hold four or eight numbers. Out: a [`Body`]; nothing, if the
//! function does what there is no instruction for here. Invariants: loads are moved into the one instruction that
//! reads them only where nothing is written in between; values that only addresses are made of are not
//! computed.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not known here is left to Cranelift")]

use rustc_hash::{FxHashMap, FxHashSet};

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{self, Block, Function, InstructionData, Opcode, Type, Value, types};
use regalloc2::{Operand, VReg};

use super::inst::{Base, Blocks, Body, Inst, Lanes, Math, Mem, Mix, REAL, Source, WHOLE, argument};
use super::look::Address;
use crate::backend::jit::lanes::{HALVES, TURNS};

pub(super) struct Select<'f> {
    pub(super) function: &'f Function,
    /// How often each value is read.
    pub(super) uses: FxHashMap<Value, usize>,
    /// Loads that the one who reads them does.
    pub(super) folded: FxHashSet<Value>,
    /// What must be in a register.
    pub(super) needed: FxHashSet<Value>,
    registers: FxHashMap<Value, VReg>,
    blocks: FxHashMap<Block, regalloc2::Block>,
    constants: FxHashMap<(u64, bool), i32>,
    /// Where each slot of the function's own memory begins.
    slots: FxHashMap<ir::StackSlot, i64>,
    /// Constants read anew in this block, if it seldom runs.
    cold: Option<FxHashMap<Value, VReg>>,
    pub(super) body: Body,
}

/// The ways in which two vectors are mixed, by the bytes of the two that are taken.
const MIXES: [([u8; 16], Mix); 4] = [
    (TURNS[0], Mix::LowInTurn),
    (TURNS[1], Mix::HighInTurn),
    (HALVES[0], Mix::LowHalves),
    (HALVES[1], Mix::HighHalves),
];

fn lanes(ty: Type) -> Option<Lanes> {
    match (ty.lane_type(), ty.lane_count()) {
        // A truth value is all bits of a number.
        (types::F32 | types::I8, 1) => Some(Lanes::One),
        // Mixed as bytes, never reckoned with as such.
        (types::F32 | types::I32, 4) | (types::I8, 16) => Some(Lanes::Four),
        // Half of a vector of eight, seen as four numbers.
        (types::I128, 1) => Some(Lanes::Four),
        (types::F32 | types::I32, 8) | (types::I128, 2) => Some(Lanes::Eight),
        _ => None,
    }
}

/// How a comparison of floating-point numbers is told to the machine.
fn compare(how: FloatCC) -> Option<u8> {
    Some(match how {
        FloatCC::Equal => 0,
        FloatCC::LessThan => 1,
        FloatCC::LessThanOrEqual => 2,
        FloatCC::Unordered => 3,
        FloatCC::NotEqual => 4,
        FloatCC::Ordered => 7,
        FloatCC::GreaterThanOrEqual => 13,
        FloatCC::GreaterThan => 14,
        _ => return None,
    })
}

fn math(opcode: Opcode) -> Option<Math> {
    Some(match opcode {
        Opcode::Fadd => Math::Add,
        Opcode::Fsub => Math::Sub,
        Opcode::Fmul => Math::Mul,
        Opcode::Fdiv => Math::Div,
        Opcode::Band => Math::And,
        Opcode::Bor => Math::Or,
        Opcode::Bxor => Math::Xor,
        Opcode::Iadd => Math::AddWhole,
        _ => return None,
    })
}

impl<'f> Select<'f> {
    /// A function as instructions.
    pub(super) fn body(function: &'f Function) -> Option<Body> {
        let mut select = Select {
            function,
            uses: FxHashMap::default(),
            folded: FxHashSet::default(),
            needed: FxHashSet::default(),
            registers: FxHashMap::default(),
            blocks: FxHashMap::default(),
            constants: FxHashMap::default(),
            slots: FxHashMap::default(),
            cold: None,
            body: Body::default(),
        };
        select.count();
        select.fold();
        select.stack()?;
        select.need();
        select.number_blocks();
        for block in function.layout.blocks() {
            select.block(block)?;
        }
        select.link();
        Some(select.body)
    }

    /// Lays out the function's own memory.
    fn stack(&mut self) -> Option<()> {
        let used: FxHashSet<ir::StackSlot> =
            self.insts().filter_map(|inst| self.slot(inst)).map(|(slot, _)| slot).collect();
        let slots = self.function.sized_stack_slots.iter();
        for (slot, data) in slots.filter(|(slot, _)| used.contains(slot)) {
            let first = self.body.stack.next_multiple_of(32);
            self.slots.insert(slot, i64::from(first));
            self.body.stack = first + data.size;
        }
        self.body.stack = self.body.stack.next_multiple_of(32);
        (self.body.stack < 1 << 20).then_some(())
    }

    /// Every block, each followed by one for each way out of it that has two.
    fn number_blocks(&mut self) {
        let mut number = 0;
        for block in self.function.layout.blocks() {
            self.blocks.insert(block, regalloc2::Block::new(number));
            let last = self.function.layout.last_inst(block);
            let two = last.is_some_and(|inst| self.data(inst).opcode() == Opcode::Brif);
            number += if two { 3 } else { 1 };
        }
    }

    pub(super) fn register(&mut self, value: Value) -> VReg {
        let value = self.same(value);
        if let Some(register) = self.registers.get(&value) {
            return *register;
        }
        let real = lanes(self.ty(value)).is_some();
        let register = self.body.vreg(if real { REAL } else { WHOLE });
        self.registers.insert(value, register);
        register
    }

    pub(super) fn operand(&mut self, value: Value) -> Operand {
        let register = self.fresh(value).unwrap_or_else(|| self.register(value));
        Operand::reg_use(register)
    }

    /// A constant, read anew in a block that seldom runs: a register of its own would be taken from those that
    /// often do.
    fn fresh(&mut self, value: Value) -> Option<VReg> {
        let inst = self.made(value)?;
        let constant = match *self.data(inst) {
            InstructionData::UnaryConst { .. } | InstructionData::UnaryIeee32 { .. } => true,
            InstructionData::Unary { opcode: Opcode::Splat, arg } => self.known(arg),
            _ => false,
        };
        let lanes = lanes(self.ty(value)).filter(|_| constant)?;
        let cold = self.cold.as_mut()?;
        if let Some(register) = cold.get(&value) {
            return Some(*register);
        }
        let own = self.registers.remove(&value);
        let register = self.register(value);
        let made = self.real(inst, value, lanes);
        match own {
            Some(own) => self.registers.insert(value, own),
            None => self.registers.remove(&value),
        };
        made?;
        self.cold.as_mut()?.insert(value, register);
        Some(register)
    }

    /// A place in memory, and the registers that it takes.
    pub(super) fn memory(&mut self, value: Value, offset: i64) -> Option<(Mem, Vec<Operand>)> {
        let Address { base, index, offset } = self.address(value, offset);
        let own = self.own(base);
        let mut operands = Vec::new();
        if own.is_none() {
            operands.push(self.operand(base));
        }
        if let Some((index, _)) = index {
            operands.push(self.operand(index));
        }
        let index = index.map(|(_, by)| by);
        let offset = i32::try_from(offset + own.unwrap_or(0)).ok()?;
        let base = if own.is_some() { Base::Stack } else { Base::Register };
        Some((Mem { base, index, offset }, operands))
    }

    /// Where in the function's own memory an address lies.
    pub(super) fn own(&self, value: Value) -> Option<i64> {
        let (slot, offset) = self.slot(self.made(value)?)?;
        Some(self.slots.get(&slot)? + offset)
    }

    /// A slot of the function's own memory whose address is made, and how far behind its start.
    fn slot(&self, inst: ir::Inst) -> Option<(ir::StackSlot, i64)> {
        match *self.data(inst) {
            InstructionData::StackAddr { stack_slot, offset, .. } => {
                Some((stack_slot, offset.into()))
            }
            _ => None,
        }
    }

    /// Where a load reads.
    fn loads(&mut self, value: Value) -> Option<(Mem, Vec<Operand>)> {
        match *self.data(self.made(value)?) {
            InstructionData::Load { arg, offset, .. } => self.memory(arg, offset.into()),
            _ => None,
        }
    }

    /// The place of a constant of 32 bits, alone or eight times.
    pub(super) fn pool(&mut self, bits: u32, many: bool) -> Mem {
        let pool = &mut self.body.pool;
        let offset = *self.constants.entry((u64::from(bits), many)).or_insert_with(|| {
            let offset = pool.len() as i32;
            for _ in 0..if many { 8 } else { 1 } {
                pool.extend(bits.to_le_bytes());
            }
            offset
        });
        Mem { base: Base::Pool, index: None, offset }
    }

    /// A source that may be a load which nobody else reads.
    fn source(&mut self, value: Value) -> Option<(Source, Vec<Operand>)> {
        if self.folded.contains(&value) {
            let (mem, operands) = self.loads(value)?;
            return Some((Source::Memory(mem), operands));
        }
        Some((Source::Register, vec![self.operand(value)]))
    }

    fn block(&mut self, block: Block) -> Option<()> {
        let start = self.body.insts.len();
        let first = block == self.function.layout.entry_block()?;
        let params = self.function.dfg.block_params(block);
        let registers: Vec<VReg> = params.iter().map(|value| self.register(*value)).collect();
        if first {
            let pointer = Operand::reg_fixed_def(*registers.first()?, argument());
            self.body.push(Inst::Argument, &[pointer]);
        }
        self.cold = self.function.layout.is_cold(block).then(FxHashMap::default);
        self.body.blocks.push(Blocks::default());
        let number = self.body.blocks.len() - 1;
        for inst in self.function.layout.block_insts(block) {
            self.inst(inst, number, start)?;
        }
        if !first {
            self.body.blocks[number].params = registers;
        }
        Some(())
    }

    /// The values given to a block.
    fn given(&mut self, call: ir::BlockCall) -> Option<(regalloc2::Block, Vec<VReg>)> {
        let lists = &self.function.dfg.value_lists;
        let args: Option<Vec<Value>> = call.args(lists).map(|arg| arg.as_value()).collect();
        let args = args?.into_iter().map(|value| self.register(value)).collect();
        Some((self.blocks[&call.block(lists)], args))
    }

    fn inst(&mut self, inst: ir::Inst, number: usize, start: usize) -> Option<()> {
        let dfg = &self.function.dfg;
        match *self.data(inst) {
            InstructionData::Jump { destination, .. } => {
                let (to, args) = self.given(destination)?;
                self.body.push(Inst::Jump, &[]);
                let end = self.body.insts.len();
                let own = &mut self.body.blocks[number];
                (own.insts, own.next, own.args) = (start..end, vec![to], args);
            }
            InstructionData::Brif { arg, blocks, .. } => {
                self.compared(arg)?;
                let end = self.body.insts.len();
                let ways = [1, 2].map(|way| regalloc2::Block::new(number + way));
                let own = &mut self.body.blocks[number];
                (own.insts, own.next) = (start..end, ways.to_vec());
                for call in blocks {
                    let (to, args) = self.given(call)?;
                    let start = self.body.insts.len();
                    self.body.push(Inst::Jump, &[]);
                    let insts = start..start + 1;
                    let next = vec![to];
                    self.body.blocks.push(Blocks { insts, next, args, ..Blocks::default() });
                }
            }
            InstructionData::MultiAry { opcode: Opcode::Return, .. } => {
                self.body.push(Inst::Return, &[]);
                let end = self.body.insts.len();
                self.body.blocks[number].insts = start..end;
            }
            InstructionData::Store { args, offset, .. } => {
                let lanes = lanes(self.ty(args[0]))?;
                let value = self.operand(args[0]);
                let (mem, operands) = self.memory(args[1], offset.into())?;
                self.body.push(Inst::Store(lanes, mem), &[&[value], &operands[..]].concat());
            }
            InstructionData::Load { arg, offset, .. } if self.fetches(inst) => {
                let (mem, operands) = self.memory(arg, offset.into())?;
                self.body.push(Inst::Fetch(mem), &operands);
            }
            _ => {
                let [value] = *dfg.inst_results(inst) else { return None };
                if self.needed.contains(&value) && self.same(value) == value {
                    self.value(inst, value)?;
                }
            }
        }
        Some(())
    }

    /// An instruction that makes a value.
    fn value(&mut self, inst: ir::Inst, value: Value) -> Option<()> {
        let ty = self.ty(value);
        match ty {
            types::I64 => self.whole(inst, value),
            _ => self.real(inst, value, lanes(ty)?),
        }
    }

    fn real(&mut self, inst: ir::Inst, value: Value, lanes: Lanes) -> Option<()> {
        let def = Operand::reg_def(self.register(value));
        let args = self.function.dfg.inst_args(inst);
        let known = match self.ty(value) {
            types::I8X16 => matches!(self.data(inst), InstructionData::Shuffle { .. }),
            types::I128 => {
                let loaded = matches!(self.data(inst), InstructionData::Load { .. });
                loaded || self.half(value) == Some(1)
            }
            _ => true,
        };
        if !known {
            return None;
        }
        match *self.data(inst) {
            InstructionData::Load { arg, offset, .. }
                if matches!(self.ty(value).lane_type(), types::F32 | types::I128) =>
            {
                if !self.folded.contains(&value) {
                    let (mem, operands) = self.memory(arg, offset.into())?;
                    self.body.push(Inst::Load(lanes, mem), &[&[def], &operands[..]].concat());
                }
            }
            InstructionData::UnaryIeee32 { imm, .. } => {
                let mem = self.pool(imm.bits(), false);
                self.body.push(Inst::Load(Lanes::One, mem), &[def]);
            }
            InstructionData::UnaryConst { constant_handle, .. } => {
                let bytes = self.function.dfg.constants.get(constant_handle).as_slice();
                let offset = self.body.pool.len() as i32;
                self.body.pool.extend(bytes);
                let mem = Mem { base: Base::Pool, index: None, offset };
                self.body.push(Inst::Load(lanes, mem), &[def]);
            }
            InstructionData::Unary { opcode, arg } => self.unary(opcode, arg, (def, lanes))?,
            InstructionData::BinaryImm8 { opcode: Opcode::Extractlane, arg, imm } => {
                let inst = match self.ty(arg) {
                    types::F32X4 => Inst::Lane(imm),
                    // The lower half is the register itself.
                    types::I128X2 => Inst::UpperHalf,
                    _ => return None,
                };
                let arg = self.operand(arg);
                self.body.push(inst, &[def, arg]);
            }
            InstructionData::TernaryImm8 { opcode: Opcode::Insertlane, args, imm: 1 }
                if self.ty(value) == types::I128X2 =>
            {
                let [a, b] = args.map(|arg| self.operand(arg));
                self.body.push(Inst::PutUpper, &[def, a, b]);
            }
            InstructionData::Shuffle { args, imm, .. } => {
                let bytes = self.function.dfg.immediates.get(imm)?.as_slice();
                let mix = MIXES.into_iter().find(|mix| mix.0[..] == *bytes)?.1;
                let [a, b] = args.map(|arg| self.operand(arg));
                self.body.push(Inst::Mix(mix), &[def, a, b]);
            }
            InstructionData::Binary { opcode, .. } => {
                let math = math(opcode)?;
                // Where either may be read from memory, that one comes last.
                let swap = matches!(math, Math::Add | Math::Mul)
                    && self.folded.contains(&args[0])
                    && !self.folded.contains(&args[1]);
                let [a, b] = if swap { [args[1], args[0]] } else { [args[0], args[1]] };
                let a = self.operand(a);
                let (source, operands) = self.source(b)?;
                self.body
                    .push(Inst::Math(math, lanes, source), &[&[def, a], &operands[..]].concat());
            }
            InstructionData::Ternary { opcode, args } => {
                self.ternary(opcode, args, (value, lanes))?
            }
            InstructionData::FloatCompare { args, cond, .. } => {
                let operands = [def, self.operand(args[0]), self.operand(args[1])];
                self.body.push(Inst::Compare(lanes, compare(cond)?), &operands);
            }
            InstructionData::IntCompare { args, cond, .. } => {
                self.compare_whole(cond, args, (value, lanes))?;
            }
            _ => return None,
        }
        Some(())
    }

    fn unary(&mut self, opcode: Opcode, arg: Value, (def, lanes): (Operand, Lanes)) -> Option<()> {
        match opcode {
            Opcode::Splat if self.ty(arg) == types::F32 => {
                if self.folded.contains(&arg) {
                    let (mem, operands) = self.loads(arg)?;
                    self.body.push(Inst::LoadEach(lanes, mem), &[&[def], &operands[..]].concat());
                } else if let Some(inst) = self.made(arg)
                    && let InstructionData::UnaryIeee32 { imm, .. } = *self.data(inst)
                {
                    let mem = self.pool(imm.bits(), false);
                    self.body.push(Inst::LoadEach(lanes, mem), &[def]);
                } else {
                    let arg = self.operand(arg);
                    self.body.push(Inst::Each(lanes), &[def, arg]);
                }
            }
            Opcode::Splat if self.ty(arg) == types::I128 => {
                if self.folded.contains(&arg) {
                    let (mem, operands) = self.loads(arg)?;
                    self.body.push(Inst::LoadTwice(mem), &[&[def], &operands[..]].concat());
                } else {
                    let arg = self.operand(arg);
                    self.body.push(Inst::Twice, &[def, arg]);
                }
            }
            Opcode::Splat if self.ty(arg) == types::I32 => {
                if let Some(bits) = self.constant(arg) {
                    let mem = self.pool(bits as u32, false);
                    self.body.push(Inst::LoadEach(lanes, mem), &[def]);
                } else {
                    let arg = self.operand(arg);
                    self.body.push(Inst::EachWhole(lanes), &[def, arg]);
                }
            }
            Opcode::Fneg | Opcode::Fabs | Opcode::Bnot => {
                let (math, bits) = match opcode {
                    Opcode::Fneg => (Math::Xor, 1 << 31),
                    Opcode::Fabs => (Math::And, i32::MAX as u32),
                    _ => (Math::Xor, u32::MAX),
                };
                let mem = self.pool(bits, true);
                // All of a register is changed, even where one number counts.
                let lanes = if lanes == Lanes::One { Lanes::Four } else { lanes };
                let arg = self.operand(arg);
                self.body.push(Inst::Math(math, lanes, Source::Memory(mem)), &[def, arg]);
            }
            Opcode::Sqrt => {
                let (source, operands) = self.source(arg)?;
                self.body.push(Inst::Root(lanes, source), &[&[def], &operands[..]].concat());
            }
            _ => return None,
        }
        Some(())
    }

    fn ternary(
        &mut self,
        opcode: Opcode,
        args: [Value; 3],
        (value, lanes): (Value, Lanes),
    ) -> Option<()> {
        let result = self.register(value);
        match opcode {
            Opcode::Fma => {
                let swap = self.folded.contains(&args[0]) && !self.folded.contains(&args[1]);
                let [a, b] = if swap { [args[1], args[0]] } else { [args[0], args[1]] };
                let (a, sum) = (self.operand(a), self.operand(args[2]));
                let def = Operand::reg_reuse_def(result, 1);
                let (source, operands) = self.source(b)?;
                let all = [&[def, sum, a], &operands[..]].concat();
                self.body.push(Inst::MulAdd(lanes, source), &all);
            }
            Opcode::Bitselect => {
                let def = Operand::reg_def(result);
                let [mask, yes, no] = args.map(|arg| self.operand(arg));
                self.body.push(Inst::Choose(lanes), &[def, mask, yes, no]);
            }
            Opcode::Select => {
                let def = Operand::reg_def(result);
                let [mask, yes, no] = args.map(|arg| self.operand(arg));
                self.body.push(Inst::Choose(Lanes::Four), &[def, mask, yes, no]);
            }
            _ => return None,
        }
        Some(())
    }

    /// Tells every block where it is come from.
    fn link(&mut self) {
        for number in 0..self.body.blocks.len() {
            for to in self.body.blocks[number].next.clone() {
                self.body.blocks[to.index()].before.push(regalloc2::Block::new(number));
            }
        }
    }
}
