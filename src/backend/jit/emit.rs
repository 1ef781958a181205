//! Loops, positions, loads and stores, as Cranelift instructions.
//!
//! In: points whose coordinates are values of the function being made. Out: instructions. A value at
//! a point is a tuple of vectors: the samples of a group, at one place or at neighbours, or neighbours along one axis.
//! Invariants: every position is that of a verified access, and a gathered one is cut to the size of
//! its axis.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    BlockArg, Endianness, InstBuilder, MemFlagsData, StackSlot, Type, Value, immediates::Offset32,
    types,
};
use cranelift_frontend::FunctionBuilder;

use crate::backend::domain;
use crate::backend::kernels::{Product, Run};
use crate::graph::{Access, Affine, Graph, Index, NodeId, Operand};

use super::apart::Stand;
use super::called::Pointers;
use super::clear::Clear;
use super::layout::{Layout, Slot};
use super::rings::Ring;
use super::still::Row;

/// How a value lies in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Numbers in a vector; 1 for plain numbers.
    pub(super) width: usize,
    /// Vectors in a tuple.
    pub(super) parts: usize,
    /// Whether the numbers of a tuple belong to all samples of a group, at one place after the other; otherwise they
    /// are neighbours along an axis.
    pub(super) samples: bool,
}

impl Shape {
    /// Numbers in a tuple.
    pub(super) fn count(self) -> usize {
        self.width * self.parts
    }

    /// The same numbers in half as many vectors, if they come in pairs.
    pub(super) fn widened(self) -> Shape {
        match self.parts {
            parts if self.width > 1 && parts % 2 == 0 => {
                Shape { width: 2 * self.width, parts: parts / 2, ..self }
            }
            _ => self,
        }
    }
}

/// A coordinate: `base + add`, growing by `step` from one place of a tuple to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coord {
    pub(super) base: Option<Value>,
    pub(super) add: i64,
    pub(super) step: i64,
}

impl Coord {
    /// A number known beforehand.
    pub(super) fn constant(add: i64) -> Coord {
        Coord { base: None, add, step: 0 }
    }
}

/// A position in a value: one for all numbers of a tuple (plus its step), and a part for each.
pub(super) struct Position {
    common: Coord,
    each: Option<Vec<Value>>,
}

/// Makes one function.
pub(super) struct Emitter<'a, 'g> {
    pub(super) to: FunctionBuilder<'a>,
    pub(super) graph: &'g Graph,
    pub(super) layout: &'g Layout,
    /// `F32` or `F64`.
    pub(super) float: Type,
    pub(super) shape: Shape,
    /// Samples that lie side by side in memory.
    pub(super) samples: usize,
    /// Addresses of the memory of a call.
    pub(super) regions: Pointers<Value>,
    /// Descriptions of the products that are called.
    #[expect(clippy::vec_box, reason = "the code holds the address of each")]
    pub(super) products: &'a mut Vec<Box<Product>>,
    /// What computes them.
    pub(super) run: Run,
    /// Room for the arguments of a call.
    pub(super) scratch: StackSlot,
    /// Which numbers of a tuple count, where not all do; others are written as 0.
    pub(super) mask: Option<Vec<Value>>,
    /// Whether positions are cut to the sizes of their axes: below a condition on values, which is
    /// only looked at after what it guards is read.
    pub(super) careful: bool,
    /// Values of a fused loop at the points where it stands.
    pub(super) known: Vec<(NodeId, Vec<Coord>, Vec<Value>)>,
    /// Where a fused loop of a lone sample stands, and what it reads of other places beforehand.
    pub(super) stand: Option<Stand>,
    /// Arrays that are read round their ends, copied beforehand.
    pub(super) rings: Vec<Ring>,
    /// An axis of the join that is being made, and a place of it that all numbers of its strip are like.
    pub(super) known_arm: Option<(usize, i64)>,
    /// What the step of a fused loop that is being made is clear of.
    pub(super) clear: Option<Clear>,
    /// Flags of what is loaded.
    pub(super) loads: MemFlagsData,
    /// The row that a fused loop goes through.
    pub(super) row: Option<Row>,
    /// Whether vectors may hold eight numbers.
    pub(super) wide: bool,
}

/// The body of a loop or a guard: takes and gives the values carried.
pub(super) type Body<'b, 'a, 'g> =
    &'b mut dyn FnMut(&mut Emitter<'a, 'g>, &mut Vec<Coord>, Vec<Value>) -> Vec<Value>;

/// Flags of every access but those of `ahead`: inside the memory of a run, aligned to one number.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The order of bytes where a vector is seen as another.
pub(super) fn little() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// Bytes of a number.
    pub(super) fn bytes(&self) -> i64 {
        i64::from(self.float.bytes())
    }

    /// The type of one part of a tuple.
    pub(super) fn part(&self) -> Type {
        match self.shape.width {
            1 => self.float,
            width => self.float.by(width as u32).unwrap_or(self.float),
        }
    }

    pub(super) fn int(&mut self, value: i64) -> Value {
        self.to.ins().iconst(types::I64, value)
    }

    /// The value of a coordinate.
    pub(super) fn coord(&mut self, coord: Coord) -> Value {
        match coord.base {
            None => self.int(coord.add),
            Some(base) if coord.add == 0 => base,
            Some(base) => self.to.ins().iadd_imm_s(base, coord.add),
        }
    }

    pub(super) fn times(&mut self, coord: Coord, by: i64) -> Coord {
        let base = match coord.base {
            None => None,
            Some(_) if by == 0 => None,
            Some(base) if by == 1 => Some(base),
            Some(base) => Some(self.to.ins().imul_imm_s(base, by)),
        };
        Coord { base, add: coord.add * by, step: coord.step * by }
    }

    pub(super) fn plus(&mut self, left: Coord, right: Coord) -> Coord {
        let base = match (left.base, right.base) {
            (Some(left), Some(right)) => Some(self.to.ins().iadd(left, right)),
            (base, None) | (None, base) => base,
        };
        Coord { base, add: left.add + right.add, step: left.step + right.step }
    }

    /// An affine function of a point.
    pub(super) fn affine(&mut self, affine: &Affine, point: &[Coord]) -> Coord {
        let mut sum = Coord::constant(affine.offset);
        for (axis, factor) in &affine.terms {
            let term = self.times(point[usize::from(axis.0)], *factor);
            sum = self.plus(sum, term);
        }
        sum
    }

    /// An index that depends on no data; `sizes` are those of the point's axes.
    pub(super) fn index(&mut self, index: &Index, sizes: &[u32], point: &[Coord]) -> Coord {
        match index {
            Index::Affine(affine) => self.affine(affine, point),
            Index::Digit { of, step, radix } => {
                let number = self.affine(of, point);
                self.digit(number, of.range(sizes), i64::from(*step), i64::from(*radix))
            }
            Index::Value(_) => panic!("internal error: jit: a gather where none can be"),
        }
    }

    /// `(number div step) mod radix`, of a number that lies in a range.
    pub(super) fn digit(
        &mut self,
        number: Coord,
        range: (i64, i64),
        step: i64,
        radix: i64,
    ) -> Coord {
        if number.base.is_none() {
            return Coord::constant(number.add.div_euclid(step).rem_euclid(radix));
        }
        let (low, high) = range;
        let value = self.coord(number);
        if step == 1 && low >= -radix && high < 2 * radix {
            let mut value = value;
            if low < 0 {
                let up = self.to.ins().iadd_imm_s(value, radix);
                let below = self.to.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0);
                value = self.to.ins().select(below, up, value);
            }
            if high >= radix {
                let down = self.to.ins().iadd_imm_s(value, -radix);
                let above = self.to.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, value, radix);
                value = self.to.ins().select(above, down, value);
            }
            return Coord { base: Some(value), add: 0, step: 0 };
        }
        // Moved by whole turns, so that the number is not negative.
        let turn = step * radix;
        let turns = if low < 0 { (-low).div_euclid(turn) + 1 } else { 0 };
        let (step, radix) = (self.int(step), self.int(radix));
        let value = self.to.ins().iadd_imm_s(value, turns * turn);
        let value = self.to.ins().udiv(value, step);
        let value = self.to.ins().urem(value, radix);
        Coord { base: Some(value), add: 0, step: 0 }
    }

    /// The point of an operand, where no index is gathered.
    pub(super) fn point_of(
        &mut self,
        access: &Access,
        sizes: &[u32],
        point: &[Coord],
    ) -> Vec<Coord> {
        access.0.iter().map(|index| self.index(index, sizes, point)).collect()
    }

    /// Where an operand is read, in its row-major order.
    fn position(
        &mut self,
        access: &Access,
        of: &[u32],
        reader: (&[u32], &[Coord]),
        operands: &[(NodeId, &Operand)],
    ) -> Position {
        let (sizes, point) = reader;
        let mut common = Coord::constant(0);
        let mut each: Option<Vec<Value>> = None;
        for ((index, by), size) in access.0.iter().zip(row_major(of)).zip(of) {
            let Index::Value(port) = index else {
                let at = self.index(index, sizes, point);
                let at = if self.careful { self.inside(at, i64::from(*size)) } else { at };
                let at = self.times(at, by);
                common = self.plus(common, at);
                continue;
            };
            let operand = operands.iter().find(|(_, operand)| operand.port == *port);
            let Some((from, operand)) = operand else {
                panic!("internal error: jit: no operand at port {}", port.0)
            };
            let values = self.read(*from, &operand.access, reader, operands);
            let numbers = self.numbers(&values);
            let positions = numbers.into_iter().map(|number| {
                let whole = self.to.ins().fcvt_to_uint_sat(types::I64, number);
                // Inputs may hold any number; never read outside. `read` loads nothing from
                // an axis without places.
                let last = self.int((i64::from(*size) - 1).max(0));
                let whole = self.to.ins().umin(whole, last);
                self.to.ins().imul_imm_s(whole, by)
            });
            let positions: Vec<Value> = positions.collect();
            each = Some(match each {
                None => positions,
                Some(before) => before
                    .into_iter()
                    .zip(positions)
                    .map(|(before, more)| self.to.ins().iadd(before, more))
                    .collect(),
            });
        }
        Position { common, each }
    }

    /// A coordinate cut to an axis.
    fn inside(&mut self, at: Coord, size: i64) -> Coord {
        let last = (size - 1).max(0);
        if at.base.is_none() {
            return Coord::constant(at.add.clamp(0, last));
        }
        let value = self.coord(at);
        let (zero, last) = (self.int(0), self.int(last));
        let value = self.to.ins().smax(value, zero);
        let value = self.to.ins().smin(value, last);
        Coord { base: Some(value), add: 0, step: 0 }
    }

    /// The address of the function's own memory.
    pub(super) fn room(&mut self) -> Value {
        self.to.ins().stack_addr(types::I64, self.scratch, 0)
    }

    /// The numbers of a tuple, one by one.
    pub(super) fn numbers(&mut self, parts: &[Value]) -> Vec<Value> {
        let width = self.shape.width;
        if width == 1 {
            return parts.to_vec();
        }
        let mut all = Vec::with_capacity(parts.len() * width);
        if self.wide {
            let (room, bytes) = (self.room(), self.bytes());
            self.store(room, 0, parts);
            for number in 0..parts.len() * width {
                let offset = (number as i64 * bytes) as i32;
                all.push(self.to.ins().load(self.float, flags(), room, offset));
            }
            return all;
        }
        for part in parts {
            for lane in 0..width {
                all.push(self.to.ins().extractlane(*part, lane as u8));
            }
        }
        all
    }

    /// A tuple of numbers.
    pub(super) fn tuple(&mut self, numbers: &[Value]) -> Vec<Value> {
        let (width, part) = (self.shape.width, self.part());
        if width == 1 {
            return numbers.to_vec();
        }
        if self.wide {
            let (room, bytes) = (self.room(), self.bytes());
            for (at, number) in numbers.iter().enumerate() {
                self.to.ins().store(flags(), *number, room, (at as i64 * bytes) as i32);
            }
            return self.load_step(room, 0, 1);
        }
        let parts = numbers.chunks(width).map(|numbers| {
            let first = self.to.ins().scalar_to_vector(part, numbers[0]);
            let rest = numbers.iter().enumerate().skip(1);
            rest.fold(first, |vector, (lane, number)| {
                self.to.ins().insertlane(vector, *number, lane as u8)
            })
        });
        parts.collect()
    }

    /// A tuple of one number.
    pub(super) fn splat(&mut self, number: Value) -> Vec<Value> {
        let part = self.part();
        let vector = match self.shape.width {
            1 => number,
            _ => self.to.ins().splat(part, number),
        };
        vec![vector; self.shape.parts]
    }

    /// A tuple of a constant.
    pub(super) fn constant(&mut self, value: f64) -> Vec<Value> {
        let number = if self.float == types::F32 {
            self.to.ins().f32const(value as f32)
        } else {
            self.to.ins().f64const(value)
        };
        self.splat(number)
    }

    /// An operand at a point of its reader.
    pub(super) fn read(
        &mut self,
        from: NodeId,
        access: &Access,
        reader: (&[u32], &[Coord]),
        operands: &[(NodeId, &Operand)],
    ) -> Vec<Value> {
        if let Some(values) = self.known(from, access, reader) {
            return values;
        }
        let Some(slot) = self.layout.slot(from) else {
            return self.computed(from, access, reader);
        };
        let sizes = &self.graph.node(from).space.sizes;
        if sizes.contains(&0) {
            // Only a number that is no position can lead here.
            return self.constant(0.0);
        }
        if let Some(values) = self.copied(slot, sizes, access, reader) {
            return values;
        }
        if let Some(values) = self.round(slot, sizes, access, reader) {
            return values;
        }
        if let Some(values) = self.rolled(slot, sizes, access, reader) {
            return values;
        }
        let position = self.position(access, sizes, reader, operands);
        if position.each.is_none() {
            self.ask_ahead(from, slot, position.common);
        }
        self.load_still(slot, position, (access, reader.1))
    }

    /// The address of the first number of a slot, and by how many numbers neighbours of a value are
    /// apart in it.
    pub(super) fn base(&self, slot: Slot) -> (Value, i64) {
        let base = self.regions.of(slot.region);
        (base, slot.beside(self.samples) as i64)
    }

    /// The address of a position in a slot: a value and an offset.
    pub(super) fn address(&mut self, slot: Slot, at: Coord) -> (Value, i32) {
        let (base, apart) = self.base(slot);
        let by = apart * self.bytes();
        let at = self.times(at, by);
        let first = slot.offset as i64 * by;
        self.sum_address(base, at, first)
    }

    pub(super) fn sum_address(&mut self, base: Value, at: Coord, first: i64) -> (Value, i32) {
        let base = match at.base {
            None => base,
            Some(at) => self.to.ins().iadd(base, at),
        };
        let offset = first + at.add;
        match i32::try_from(offset) {
            // Room for the numbers of a tuple behind it.
            Ok(offset) if offset < i32::MAX / 2 => (base, offset),
            Ok(_) | Err(_) => (self.to.ins().iadd_imm_s(base, offset), 0),
        }
    }

    pub(super) fn load(&mut self, slot: Slot, position: Position) -> Vec<Value> {
        let Position { common, each } = position;
        if self.several() {
            assert!(each.is_none(), "internal error: jit: a gather in a fused loop");
            return self.load_several(slot, common);
        }
        let step = match (self.shape.samples, slot.per_sample()) {
            (true, true) => 1,
            (true, false) => 0,
            (false, _) => common.step,
        };
        let (base, offset) = self.address(slot, common);
        let bytes = self.bytes();
        let Some(each) = each else { return self.load_step(base, offset, step) };
        let (_, apart) = self.base(slot);
        let numbers = each.into_iter().enumerate().map(|(number, at)| {
            let at = self.to.ins().imul_imm_s(at, apart * bytes);
            let address = self.to.ins().iadd(base, at);
            let own = number as i64 * step * bytes;
            self.to.ins().load(self.float, flags(), address, offset + own as i32)
        });
        let numbers: Vec<Value> = numbers.collect();
        self.tuple(&numbers)
    }

    /// Numbers that lie `step` apart; [`vector::choose`](super::vector::choose) keeps their distance
    /// small.
    pub(super) fn load_step(&mut self, base: Value, offset: i32, step: i64) -> Vec<Value> {
        let (bytes, part) = (self.bytes(), self.part());
        let Shape { width, parts, .. } = self.shape;
        let ahead = |number: usize| offset + (number as i64 * step * bytes) as i32;
        match step {
            0 => {
                let number = self.to.ins().load(self.float, self.loads, base, offset);
                self.splat(number)
            }
            1 => (0..parts)
                .map(|at| ahead(at * width))
                .map(|at| self.to.ins().load(part, self.loads, base, Offset32::new(at)))
                .collect(),
            _ => {
                let numbers = (0..width * parts)
                    .map(|at| self.to.ins().load(self.float, flags(), base, ahead(at)));
                let numbers: Vec<Value> = numbers.collect();
                self.tuple(&numbers)
            }
        }
    }

    /// Writes a tuple whose numbers lie side by side.
    pub(super) fn store(&mut self, base: Value, offset: i32, parts: &[Value]) {
        let by = self.shape.width as i64 * self.bytes();
        for (at, part) in parts.iter().enumerate() {
            let offset = offset + (at as i64 * by) as i32;
            self.to.ins().store(flags(), *part, base, offset);
        }
    }

    /// Where a value lives that is held.
    pub(super) fn slot(&self, id: NodeId) -> Slot {
        match self.layout.slot(id) {
            Some(slot) => slot,
            None => panic!("internal error: jit: a value without a place"),
        }
    }

    /// The value of a node at a point, from memory.
    pub(super) fn load_at(&mut self, id: NodeId, point: &[Coord]) -> Vec<Value> {
        let access = Access::identity(point.len());
        let sizes = &self.graph.node(id).space.sizes;
        let position = self.position(&access, sizes, (sizes, point), &[]);
        self.load(self.slot(id), position)
    }

    /// Writes the value of a node at a point.
    pub(super) fn store_at(&mut self, id: NodeId, point: &[Coord], parts: &[Value]) {
        self.store_in(self.slot(id), id, point, parts);
    }

    /// Writes a value at a point of a node's space into a slot.
    pub(super) fn store_in(&mut self, slot: Slot, id: NodeId, point: &[Coord], parts: &[Value]) {
        let access = Access::identity(point.len());
        let sizes = &self.graph.node(id).space.sizes;
        let position = self.position(&access, sizes, (sizes, point), &[]);
        self.ask_ahead(id, slot, position.common);
        let (base, offset) = self.address(slot, position.common);
        let Some(mask) = self.mask.clone() else { return self.store(base, offset, parts) };
        let zero = self.constant(0.0);
        let parts: Vec<Value> = (mask.into_iter().zip(parts).zip(zero))
            .map(|((mask, part), zero)| self.choose(mask, *part, zero))
            .collect();
        self.store(base, offset, &parts);
    }

    /// A loop over `from..to`; the body sees the coordinate as the axis it belongs to.
    pub(super) fn repeat(
        &mut self,
        axis: usize,
        range: (i64, i64, i64),
        point: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        let (from, to, by) = range;
        let step = i64::from(by > 1);
        if from >= to {
            return carried;
        }
        if from + by >= to {
            point[axis] = Coord { base: None, add: from, step };
            return body(self, point, carried);
        }
        let (head, exit) = (self.to.create_block(), self.to.create_block());
        let at = self.to.append_block_param(head, types::I64);
        let types: Vec<Type> =
            carried.iter().map(|value| self.to.func.dfg.value_type(*value)).collect();
        let inside: Vec<Value> =
            types.iter().map(|ty| self.to.append_block_param(head, *ty)).collect();
        let after: Vec<Value> =
            types.iter().map(|ty| self.to.append_block_param(exit, *ty)).collect();
        let first = self.int(from);
        self.to.ins().jump(head, &args(&[&[first], &carried[..]].concat()));
        self.to.switch_to_block(head);
        point[axis] = Coord { base: Some(at), add: 0, step };
        let results = body(self, point, inside);
        let next = self.to.ins().iadd_imm_s(at, by);
        let more = self.to.ins().icmp_imm_s(IntCC::SignedLessThan, next, to);
        let again = args(&[&[next], &results[..]].concat());
        self.to.ins().brif(more, head, &again, exit, &args(&results));
        self.to.switch_to_block(exit);
        after
    }

    /// Loops over some axes, the last innermost.
    pub(super) fn nest(
        &mut self,
        axes: &[(usize, u32)],
        point: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        let Some(((axis, size), rest)) = axes.split_first() else {
            return body(self, point, carried);
        };
        let range = (0, i64::from(*size), 1);
        self.repeat(*axis, range, point, carried, &mut |emitter, point, carried| {
            emitter.nest(rest, point, carried, body)
        })
    }
}

/// Values as arguments of a block.
pub(super) fn args(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|value| BlockArg::Value(*value)).collect()
}

/// How far apart neighbours along each axis lie.
pub(super) fn row_major(sizes: &[u32]) -> Vec<i64> {
    domain::row_major(sizes).into_iter().map(|stride| stride as i64).collect()
}
