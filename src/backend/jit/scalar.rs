//! Scalar functions as instructions.
//!
//! In: tuples of arguments. Out: a tuple of results, with the bits of the function's row. Invariant: a
//! function without instructions of its own is called, so that adding a row to the table touches
//! nothing here.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Signature, Value, types};

use crate::graph::{Access, Leaf, NodeId, Op, Rel};
use crate::op::{Scalar, scalar};

use super::apart::turns;
use super::called::{Apply, Number};
use super::emit::{Coord, Emitter, little};
use super::vector::through;
use crate::backend::float::MOST_ARGUMENTS;

impl<'a, 'g> Emitter<'a, 'g> {
    /// A value that is computed where it is read.
    pub(super) fn compute(&mut self, id: NodeId, point: &[Coord]) -> Vec<Value> {
        let graph = self.graph;
        let node = graph.node(id);
        match &node.op {
            Op::Leaf(Leaf::Const(bits)) => self.constant(bits.value()),
            Op::Leaf(Leaf::Axis(axis)) => self.place(point[usize::from(axis.0)]),
            Op::Map(function) => {
                let values = self.arguments(id, point);
                self.function(*function, &values)
            }
            Op::Leaf(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                panic!("internal error: jit: a value that is neither held nor a function")
            }
        }
    }

    /// A value that is not held, where a reader asks for it.
    pub(super) fn computed(
        &mut self,
        id: NodeId,
        access: &Access,
        reader: (&[u32], &[Coord]),
    ) -> Vec<Value> {
        if let Op::Map(function) = self.graph.node(id).op {
            let values = self.arguments_of(id, access, reader);
            return self.function(function, &values);
        }
        let point = self.point_of(access, reader.0, reader.1);
        self.compute(id, &point)
    }

    /// The arguments of a function where a reader asks for it. Where an axis of it goes round within a vector,
    /// they are read by way of it.
    pub(super) fn arguments_of(
        &mut self,
        id: NodeId,
        access: &Access,
        (sizes, point): (&[u32], &[Coord]),
    ) -> Vec<Vec<Value>> {
        let operands = match access.0.iter().any(|index| turns(index, point)) {
            true => through(self.graph, id, access),
            false => None,
        };
        let Some(operands) = operands else {
            let point = self.point_of(access, sizes, point);
            return self.arguments(id, &point);
        };
        operands
            .iter()
            .map(|(from, access)| self.read(*from, access, (sizes, point), &[]))
            .collect()
    }

    /// The arguments of a function at a point.
    pub(super) fn arguments(&mut self, id: NodeId, point: &[Coord]) -> Vec<Vec<Value>> {
        let graph = self.graph;
        let operands = graph.operands(id);
        let reader = (&graph.node(id).space.sizes[..], point);
        let values = operands[..graph.arity(id)].iter();
        values.map(|(from, operand)| self.read(*from, &operand.access, reader, &operands)).collect()
    }

    /// A coordinate as a number. No wide code makes one of a whole number yet: functions that do have narrow vectors.
    pub(super) fn place(&mut self, coord: Coord) -> Vec<Value> {
        let count = self.shape.count();
        let mut numbers = Vec::with_capacity(count);
        for number in 0..count {
            let add = coord.add + self.places_ahead(number) * coord.step;
            let at = Coord { add, ..coord };
            let at = self.coord(at);
            numbers.push(self.to.ins().fcvt_from_sint(self.float, at));
            if coord.step == 0 {
                return self.splat(numbers[0]);
            }
        }
        self.tuple(&numbers)
    }

    fn each(
        &mut self,
        args: &[Vec<Value>],
        mut f: impl FnMut(&mut Self, &[Value]) -> Value,
    ) -> Vec<Value> {
        let parts = (0..self.shape.parts).map(|part| {
            let args: Vec<Value> = args.iter().map(|arg| arg[part]).collect();
            f(self, &args)
        });
        parts.collect()
    }

    /// One where the mask holds, the other elsewhere.
    pub(super) fn choose(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        let part = self.to.func.dfg.value_type(yes);
        if part.lane_count() == 1 {
            return self.to.ins().select(mask, yes, no);
        }
        let mask = self.to.ins().bitcast(part, little(), mask);
        self.to.ins().bitselect(mask, yes, no)
    }

    /// A sum. What is not changed by it is left alone, and of a number turned round a difference is taken: the bits
    /// are the same.
    pub(super) fn sum_of(&mut self, left: Value, right: Value) -> Value {
        if self.starts(left) {
            return right;
        }
        let dfg = &self.to.func.dfg;
        let turned = dfg.value_def(right).inst().map(|inst| dfg.insts[inst]);
        match turned {
            Some(InstructionData::Unary { opcode: Opcode::Fneg, arg }) => {
                self.to.ins().fsub(left, arg)
            }
            Some(_) | None => self.to.ins().fadd(left, right),
        }
    }

    /// A product with a sum added, rounded once; a product alone where there is no sum yet, which has the same bits.
    pub(super) fn product_and(&mut self, left: Value, right: Value, sum: Value) -> Value {
        match self.starts(sum) {
            true => self.to.ins().fmul(left, right),
            false => self.to.ins().fma(left, right, sum),
        }
    }

    /// Whether a value is what a sum starts from: -0, for each number of a vector.
    fn starts(&self, value: Value) -> bool {
        self.constant_of(value).is_some_and(|number| number.to_bits() == (-0f64).to_bits())
    }

    /// The number that a value is known to be, or each number of a vector.
    fn constant_of(&self, value: Value) -> Option<f64> {
        let dfg = &self.to.func.dfg;
        let data = dfg.insts[dfg.value_def(value).inst()?];
        if let InstructionData::Unary { opcode: Opcode::Splat, arg } = data {
            return self.constant_of(arg);
        }
        if let InstructionData::UnaryIeee32 { imm, .. } = data {
            return Some(f32::from_bits(imm.bits()).into());
        }
        let InstructionData::UnaryIeee64 { imm, .. } = data else { return None };
        Some(f64::from_bits(imm.bits()))
    }

    fn truth(&mut self, mask: Value) -> Value {
        let (one, zero) = (self.constant(1.0)[0], self.constant(0.0)[0]);
        self.choose(mask, one, zero)
    }

    /// Whether a truth value holds.
    fn mask(&mut self, value: Value) -> Value {
        let zero = self.constant(0.0)[0];
        self.to.ins().fcmp(FloatCC::NotEqual, value, zero)
    }

    /// `left rel right`, number by number.
    pub(super) fn compare(&mut self, left: Value, rel: Rel, right: Value) -> Value {
        let code = match rel {
            Rel::Eq => FloatCC::Equal,
            Rel::Ne => FloatCC::NotEqual,
            Rel::Lt => FloatCC::LessThan,
            Rel::Ge => FloatCC::GreaterThanOrEqual,
        };
        self.to.ins().fcmp(code, left, right)
    }

    /// The one that wins, the first of equals; NaN in either gives NaN.
    fn extreme(&mut self, wins: FloatCC, left: Value, right: Value) -> Value {
        let first = self.to.ins().fcmp(wins, left, right);
        let nan = self.to.ins().fcmp(FloatCC::Unordered, left, left);
        let first = self.to.ins().bor(first, nan);
        self.choose(first, left, right)
    }

    /// The larger, as [`scalar::MAX`] has it.
    pub(super) fn larger(&mut self, left: Value, right: Value) -> Value {
        self.extreme(FloatCC::GreaterThanOrEqual, left, right)
    }

    /// The smaller, as [`scalar::MIN`] has it.
    pub(super) fn smaller(&mut self, left: Value, right: Value) -> Value {
        self.extreme(FloatCC::LessThanOrEqual, left, right)
    }

    /// A function of the table.
    fn function(&mut self, function: Scalar, args: &[Vec<Value>]) -> Vec<Value> {
        match function {
            scalar::ADD => self.each(args, |e, a| e.sum_of(a[0], a[1])),
            scalar::SUB => self.each(args, |e, a| e.to.ins().fsub(a[0], a[1])),
            scalar::MUL => self.each(args, |e, a| e.to.ins().fmul(a[0], a[1])),
            scalar::DIV => self.each(args, |e, a| e.to.ins().fdiv(a[0], a[1])),
            scalar::NEG => self.each(args, |e, a| e.to.ins().fneg(a[0])),
            scalar::SQRT => self.each(args, |e, a| e.to.ins().sqrt(a[0])),
            scalar::FLOOR => self.each(args, |e, a| e.to.ins().floor(a[0])),
            scalar::ABS => self.each(args, |e, a| e.to.ins().fabs(a[0])),
            scalar::STOP | scalar::CLIP_GRADIENT => args[0].clone(),
            scalar::MAX => self.each(args, |e, a| e.larger(a[0], a[1])),
            scalar::MIN => self.each(args, |e, a| e.smaller(a[0], a[1])),
            scalar::RELU => self.each(args, |e, a| {
                let zero = e.constant(0.0)[0];
                e.larger(zero, a[0])
            }),
            scalar::CLIP => self.each(args, |e, a| {
                let raised = e.larger(a[0], a[1]);
                e.smaller(raised, a[2])
            }),
            scalar::SELECT => self.each(args, |e, a| {
                let mask = e.mask(a[0]);
                e.choose(mask, a[1], a[2])
            }),
            scalar::LT => self.truths(args, FloatCC::LessThan),
            scalar::LE => self.truths(args, FloatCC::LessThanOrEqual),
            scalar::EQ => self.truths(args, FloatCC::Equal),
            scalar::AND => self.each(args, |e, a| {
                let (left, right) = (e.mask(a[0]), e.mask(a[1]));
                let both = e.to.ins().band(left, right);
                e.truth(both)
            }),
            scalar::OR => self.each(args, |e, a| {
                let (left, right) = (e.mask(a[0]), e.mask(a[1]));
                let either = e.to.ins().bor(left, right);
                e.truth(either)
            }),
            scalar::NOT => self.each(args, |e, a| {
                let zero = e.constant(0.0)[0];
                let is = e.to.ins().fcmp(FloatCC::Equal, a[0], zero);
                e.truth(is)
            }),
            other => self.call(other, args),
        }
    }

    fn truths(&mut self, args: &[Vec<Value>], code: FloatCC) -> Vec<Value> {
        self.each(args, |e, a| {
            let mask = e.to.ins().fcmp(code, a[0], a[1]);
            e.truth(mask)
        })
    }

    /// A function without instructions of its own.
    fn call(&mut self, function: Scalar, args: &[Vec<Value>]) -> Vec<Value> {
        assert!(args.len() <= MOST_ARGUMENTS, "internal error: jit: a function of many arguments");
        let scratch = self.room();
        let each = self.shape.count() as i64 * self.bytes();
        for (number, arg) in args.iter().enumerate() {
            self.store(scratch, (number as i64 * each) as i32, arg);
        }
        let address = if self.float == types::F32 { f32::APPLY } else { f64::APPLY };
        let row = self.int(i64::from(function.0));
        let count = self.int(self.shape.count() as i64);
        self.call_address(address as Apply as usize, &[row, scratch, count]);
        self.load_step(scratch, 0, 1)
    }

    /// A call of a function of ours; every argument is a whole number of 64 bits.
    pub(super) fn call_address(&mut self, address: usize, args: &[Value]) {
        let mut signature = Signature::new(self.to.func.signature.call_conv);
        for _ in args {
            signature.params.push(cranelift_codegen::ir::AbiParam::new(types::I64));
        }
        let signature = self.to.import_signature(signature);
        let address = self.int(address as i64);
        self.to.ins().call_indirect(signature, address, args);
    }
}
