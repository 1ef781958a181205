//! Whole numbers: positions, addresses, and the comparisons that branches and masks are made of.
//!
//! In: an instruction of Cranelift's. Out: those of the machine; nothing, if it is not known here. Invariant: a
//! comparison is made where it is looked at, so that nothing changes the flags in between.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not known here is left to Cranelift")]

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstructionData, Opcode, Value, types};
use regalloc2::Operand;

use super::inst::{Base, Inst, Lanes, Math, Mem, REAL, Source, When};
use super::select::Select;

/// A comparison of two values.
struct IntCompare {
    x: Value,
    y: Value,
    when: When,
}

fn when(compare: IntCC) -> When {
    match compare {
        IntCC::Equal => When::Equal,
        IntCC::NotEqual => When::NotEqual,
        IntCC::SignedLessThan => When::Less,
        IntCC::SignedGreaterThanOrEqual => When::GreaterEqual,
        IntCC::SignedGreaterThan => When::Greater,
        IntCC::SignedLessThanOrEqual => When::LessEqual,
        IntCC::UnsignedLessThan => When::Below,
        IntCC::UnsignedGreaterThanOrEqual => When::AboveEqual,
        IntCC::UnsignedGreaterThan => When::Above,
        IntCC::UnsignedLessThanOrEqual => When::BelowEqual,
    }
}

impl Select<'_> {
    /// A branch by a comparison.
    pub(super) fn compared(&mut self, value: Value) -> Option<()> {
        let InstructionData::IntCompare { args, cond, .. } = *self.data(self.made(value)?) else {
            return None;
        };
        if self.ty(args[0]) != types::I64 {
            return None;
        }
        let first = self.operand(args[0]);
        match self.short(args[1]) {
            Some(number) => self.body.push(Inst::BranchAt(when(cond), number), &[first]),
            None => {
                let second = self.operand(args[1]);
                self.body.push(Inst::Branch(when(cond)), &[first, second]);
            }
        }
        Some(())
    }

    pub(super) fn whole(&mut self, inst: ir::Inst, value: Value) -> Option<()> {
        let result = self.register(value);
        let def = Operand::reg_def(result);
        let args = self.function.dfg.inst_args(inst);
        match *self.data(inst) {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                self.body.push(Inst::Whole(imm.bits()), &[def]);
            }
            InstructionData::Load { arg, offset, .. } => {
                let (mem, operands) = self.memory(arg, offset.into())?;
                self.body.push(Inst::LoadWhole(mem), &[&[def], &operands[..]].concat());
            }
            InstructionData::Binary { opcode, .. } => {
                self.two(opcode, [args[0], args[1]], value)?
            }
            InstructionData::Unary { opcode: Opcode::Ineg, arg } => {
                let operands = [Operand::reg_reuse_def(result, 1), self.operand(arg)];
                self.body.push(Inst::Negate, &operands);
            }
            InstructionData::Ternary { opcode: Opcode::Select, args } => {
                let IntCompare { x, y, when } = self.comparison(args[0])?;
                let [yes, no] = [args[1], args[2]].map(|arg| self.operand(arg));
                let def = Operand::reg_reuse_def(result, 1);
                let [x, y] = [x, y].map(|arg| self.operand(arg));
                self.body.push(Inst::Select(when), &[def, no, yes, x, y]);
            }
            _ => return None,
        }
        Some(())
    }

    /// A whole number made of two.
    fn two(&mut self, opcode: Opcode, args: [Value; 2], value: Value) -> Option<()> {
        let result = self.register(value);
        let def = Operand::reg_def(result);
        match opcode {
            Opcode::Iadd => {
                let (rest, offset) = self.moved(value, 0);
                let (base, offset, index) = match i32::try_from(offset) {
                    Ok(offset) if rest != value => (rest, offset, None),
                    _ => (args[0], 0, Some(args[1])),
                };
                let mut operands = vec![def, self.operand(base)];
                if let Some(index) = index {
                    operands.push(self.operand(index));
                }
                let mem = Mem { base: Base::Register, index: index.map(|_| 0), offset };
                self.body.push(Inst::Address(mem), &operands);
            }
            Opcode::Isub | Opcode::Imul => {
                let inst = if opcode == Opcode::Isub { Inst::Subtract } else { Inst::Multiply };
                let def = Operand::reg_reuse_def(result, 1);
                let operands = [def, self.operand(args[0]), self.operand(args[1])];
                self.body.push(inst, &operands);
            }
            Opcode::Ishl | Opcode::Ushr => {
                let by = u8::try_from(self.constant(args[1])?).ok().filter(|by| *by < 64)?;
                let operands = [Operand::reg_reuse_def(result, 1), self.operand(args[0])];
                let left = opcode == Opcode::Ishl;
                let inst = if left { Inst::Shift(by) } else { Inst::ShiftRight(by) };
                self.body.push(inst, &operands);
            }
            Opcode::Band => {
                let mask = self.short(args[1])?;
                let operands = [Operand::reg_reuse_def(result, 1), self.operand(args[0])];
                self.body.push(Inst::Mask(mask), &operands);
            }
            Opcode::Smin | Opcode::Smax | Opcode::Umin => {
                let when = match opcode {
                    Opcode::Smin => When::Less,
                    Opcode::Smax => When::Greater,
                    _ => When::Below,
                };
                let [first, second] = [args[0], args[1]].map(|arg| self.operand(arg));
                let def = Operand::reg_reuse_def(result, 1);
                // The second, or the first if it compares so.
                self.body.push(Inst::Select(when), &[def, second, first, first, second]);
            }
            _ => return None,
        }
        Some(())
    }

    /// A comparison of two values in registers.
    fn comparison(&self, value: Value) -> Option<IntCompare> {
        let InstructionData::IntCompare { args, cond, .. } = *self.data(self.made(value)?) else {
            return None;
        };
        let held = args.iter().all(|arg| self.needed.contains(&self.same(*arg)))
            && self.ty(args[0]) == types::I64;
        held.then_some(IntCompare { x: args[0], y: args[1], when: when(cond) })
    }

    /// A comparison of whole numbers, for each of a vector.
    pub(super) fn compare_whole(
        &mut self,
        cond: IntCC,
        args: [Value; 2],
        (value, lanes): (Value, Lanes),
    ) -> Option<()> {
        if lanes == Lanes::One {
            return None;
        }
        let (math, swap, turn) = match cond {
            IntCC::Equal => (Math::EqualWhole, false, false),
            IntCC::NotEqual => (Math::EqualWhole, false, true),
            IntCC::SignedGreaterThan => (Math::LargerWhole, false, false),
            IntCC::SignedLessThan => (Math::LargerWhole, true, false),
            IntCC::SignedGreaterThanOrEqual => (Math::LargerWhole, true, true),
            IntCC::SignedLessThanOrEqual => (Math::LargerWhole, false, true),
            _ => return None,
        };
        let [a, b] = if swap { [args[1], args[0]] } else { args };
        let [a, b] = [a, b].map(|arg| self.operand(arg));
        let result = self.register(value);
        let found = if turn { self.body.vreg(REAL) } else { result };
        let def = Operand::reg_def(found);
        self.body.push(Inst::Math(math, lanes, Source::Register), &[def, a, b]);
        if turn {
            let mem = self.pool(u32::MAX, true);
            let operands = [Operand::reg_def(result), Operand::reg_use(found)];
            self.body.push(Inst::Math(Math::Xor, lanes, Source::Memory(mem)), &operands);
        }
        Some(())
    }
}
