//! Bytes of instructions, for x86-64 with AVX2 and FMA.
//!
//! In: a [`Body`] and the registers chosen for it. Out: machine code and its constants. Invariant: encodings
//! are those of Intel's manual, volume 2; addresses are relative, so that the code runs anywhere.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each half leaves the other to another function"
)]

use regalloc2::{Allocation, Block, Edit, InstOrEdit, Output, RegClass};

use crate::backend::jit::aligned::{LINE, PAGE};

use super::inst::{Base, Body, Inst, Lanes, Math, Mem, Mix, Source, When};

/// The stack pointer.
const STACK: u8 = 4;
/// Bytes of a slot for what registers do not hold.
const SLOT: i32 = super::SLOT as i32;

/// Where a source lies: a register, or memory with its registers.
#[derive(Clone, Copy)]
enum Place {
    Register(u8),
    Memory { base: Option<u8>, index: Option<(u8, u8)>, offset: i32 },
}

/// Which prefix an instruction has.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Prefix {
    None = 0,
    X66 = 1,
    XF3 = 2,
}

/// Which table an instruction is in.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Map {
    X0F = 1,
    X0F38 = 2,
    X0F3A = 3,
}

/// A distance to be filled in.
enum Fix {
    Block(Block),
    /// An offset in the constants, and the bytes of the instruction behind the distance.
    Pool(i32, usize),
}

struct Writer<'a> {
    body: &'a Body,
    bytes: Vec<u8>,
    starts: Vec<usize>,
    fixes: Vec<(usize, Fix)>,
    frame: i32,
}

/// Machine code for a body that keeps so many bytes of memory.
pub(super) fn encode(body: &Body, output: &Output, frame: i32) -> Vec<u8> {
    let mut writer =
        Writer { body, bytes: Vec::new(), starts: Vec::new(), fixes: Vec::new(), frame };
    writer.enter();
    for block in 0..body.blocks.len() {
        writer.starts.push(writer.bytes.len());
        // Whoever leads there goes on to where it leads.
        if idle(body, output, Block::new(block)).is_some() {
            continue;
        }
        for one in output.block_insts_and_edits(body, Block::new(block)) {
            match one {
                InstOrEdit::Inst(inst) => {
                    let at = output.inst_allocs(inst);
                    writer.inst(body.insts[inst.index()], at, Block::new(block), output);
                }
                InstOrEdit::Edit(Edit::Move { from, to }) => writer.moved(*from, *to),
            }
        }
    }
    writer.finish()
}

/// Whether a block does nothing but go on.
fn idle(body: &Body, output: &Output, block: Block) -> Option<Block> {
    let one = &body.blocks[block.index()];
    let mut all = output.block_insts_and_edits(body, block);
    let first = all.next();
    let jump = matches!(first, Some(InstOrEdit::Inst(inst)) if matches!(body.insts[inst.index()], Inst::Jump));
    (jump && all.next().is_none()).then(|| one.next[0])
}

fn register(at: Allocation) -> u8 {
    match at.as_reg() {
        Some(register) => register.hw_enc() as u8,
        None => panic!("internal error: jit: a register in memory"),
    }
}

impl Writer<'_> {
    /// Takes memory of its own, if there is any: at the start of a line of the cache, so that no vector that registers
    /// do not hold lies in two; and page by page, or it might begin beyond the page that guards the end of the stack.
    fn enter(&mut self) {
        if self.frame == 0 {
            return;
        }
        // push rbp; mov rbp, rsp
        self.bytes.extend([0x55, 0x48, 0x89, 0xe5]);
        let (mut rest, line, page) = (self.frame, LINE as i32, PAGE as i32);
        while rest > page - line {
            self.below(page);
            // test [rsp], rsp
            self.bytes.extend([0x48, 0x85, 0x24, 0x24]);
            rest -= page;
        }
        if rest > 0 {
            self.below(rest);
        }
        // and rsp, -64
        self.bytes.extend([0x48, 0x83, 0xe4, -line as u8]);
    }

    fn below(&mut self, by: i32) {
        // sub rsp, imm32
        self.bytes.extend([0x48, 0x81, 0xec]);
        self.bytes.extend(by.to_le_bytes());
    }

    fn leave(&mut self) {
        if self.frame > 0 {
            // mov rsp, rbp; pop rbp
            self.bytes.extend([0x48, 0x89, 0xec, 0x5d]);
        }
        // vzeroupper; ret
        self.bytes.extend([0xc5, 0xf8, 0x77, 0xc3]);
    }

    fn finish(mut self) -> Vec<u8> {
        let pool = self.bytes.len();
        for (at, fix) in &self.fixes {
            let (target, behind) = match fix {
                Fix::Block(block) => (self.starts[block.index()] as i64, 0),
                Fix::Pool(offset, behind) => (pool as i64 + i64::from(*offset), *behind),
            };
            let distance = target - (*at + 4 + behind) as i64;
            self.bytes[*at..*at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        self.bytes.extend(&self.body.pool);
        self.bytes
    }

    fn slot(&self, at: Allocation) -> Option<Place> {
        let slot = at.as_stack()?.index() as i32 * SLOT + self.body.stack as i32;
        Some(Place::Memory { base: Some(STACK), index: None, offset: slot })
    }

    /// Between registers, and registers and their slots.
    fn moved(&mut self, from: Allocation, to: Allocation) {
        if from == to {
            return;
        }
        let whole =
            [from, to].iter().any(|at| at.as_reg().is_some_and(|r| r.class() == RegClass::Int));
        let (register_at, place, store) = match (self.slot(from), self.slot(to)) {
            (None, None) => (register(to), Place::Register(register(from)), false),
            (Some(place), None) => (register(to), place, false),
            (None, Some(place)) => (register(from), place, true),
            (Some(_), Some(_)) => panic!("internal error: jit: a move from memory to memory"),
        };
        if whole {
            self.whole(if store { &[0x89] } else { &[0x8b] }, register_at, place, 0);
        } else {
            let opcode = if store { 0x11 } else { 0x10 };
            let vex = (Prefix::None, Map::X0F, opcode);
            self.vex(vex, Lanes::Eight, (register_at, 0), place, None);
        }
    }

    /// An instruction on whole numbers of 64 bits.
    fn whole(&mut self, opcode: &[u8], reg: u8, place: Place, behind: usize) {
        let (x, b) = extended(place);
        self.bytes.push(0x48 | (reg >> 3) << 2 | x << 1 | b);
        self.bytes.extend(opcode);
        self.place(reg, place, behind);
    }

    /// The bytes that tell a register and a place.
    fn place(&mut self, reg: u8, place: Place, behind: usize) {
        let reg = (reg & 7) << 3;
        match place {
            Place::Register(other) => self.bytes.push(0xc0 | reg | (other & 7)),
            Place::Memory { base: None, offset, .. } => {
                self.bytes.push(5 | reg);
                self.fixes.push((self.bytes.len(), Fix::Pool(offset, behind)));
                self.bytes.extend([0; 4]);
            }
            Place::Memory { base: Some(base), index, offset } => {
                let near = i8::try_from(offset).ok();
                let mode = if near.is_some() { 0x40 } else { 0x80 };
                if index.is_none() && base & 7 != STACK {
                    self.bytes.push(mode | reg | (base & 7));
                } else {
                    let (index, shift) = index.unwrap_or((STACK, 0));
                    self.bytes.push(mode | reg | 4);
                    self.bytes.push(shift << 6 | (index & 7) << 3 | (base & 7));
                }
                match near {
                    Some(near) => self.bytes.push(near as u8),
                    None => self.bytes.extend(offset.to_le_bytes()),
                }
            }
        }
    }

    /// An instruction with three registers, the second of which is not always used.
    fn vex(
        &mut self,
        (prefix, map, opcode): (Prefix, Map, u8),
        lanes: Lanes,
        (reg, other): (u8, u8),
        place: Place,
        last: Option<u8>,
    ) {
        let (x, b) = extended(place);
        let long = u8::from(lanes == Lanes::Eight) << 2;
        self.bytes.push(0xc4);
        self.bytes.push((reg >> 3 ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map as u8);
        self.bytes.push((other ^ 15) << 3 | long | prefix as u8);
        self.bytes.push(opcode);
        self.place(reg, place, usize::from(last.is_some()));
        self.bytes.extend(last);
    }

    /// A place in memory, its registers from a list.
    fn memory(mem: Mem, at: &[Allocation]) -> Place {
        let mut at = at.iter().copied().map(register);
        let mut next = || at.next().unwrap_or(0);
        let base = match mem.base {
            Base::Register => Some(next()),
            Base::Stack => Some(STACK),
            Base::Pool => None,
        };
        let index = mem.index.map(|shift| (next(), shift));
        Place::Memory { base, index, offset: mem.offset }
    }

    fn source(source: Source, at: &[Allocation]) -> Place {
        match source {
            Source::Register => Place::Register(register(at[0])),
            Source::Memory(mem) => Self::memory(mem, at),
        }
    }

    fn inst(&mut self, inst: Inst, at: &[Allocation], block: Block, output: &Output) {
        let reg = |number: usize| register(at[number]);
        match inst {
            Inst::Argument => {}
            Inst::Whole(value) => self.number(reg(0), value),
            Inst::Address(mem) => self.whole(&[0x8d], reg(0), Self::memory(mem, &at[1..]), 0),
            Inst::Subtract => self.whole(&[0x2b], reg(0), Place::Register(reg(2)), 0),
            Inst::Multiply => self.whole(&[0x0f, 0xaf], reg(0), Place::Register(reg(2)), 0),
            Inst::Negate => self.whole(&[0xf7], 3, Place::Register(reg(0)), 0),
            Inst::Shift(by) => {
                self.whole(&[0xc1], 4, Place::Register(reg(0)), 1);
                self.bytes.push(by);
            }
            Inst::ShiftRight(by) => {
                self.whole(&[0xc1], 5, Place::Register(reg(0)), 1);
                self.bytes.push(by);
            }
            Inst::Mask(mask) => {
                self.whole(&[0x81], 4, Place::Register(reg(0)), 4);
                self.bytes.extend(mask.to_le_bytes());
            }
            Inst::LoadWhole(mem) => self.whole(&[0x8b], reg(0), Self::memory(mem, &at[1..]), 0),
            Inst::Fetch(mem) => self.whole(&[0x0f, 0x18], 2, Self::memory(mem, at), 0),
            Inst::Select(when) => {
                self.whole(&[0x3b], reg(3), Place::Register(reg(4)), 0);
                self.whole(&[0x0f, 0x40 | when as u8], reg(0), Place::Register(reg(2)), 0);
            }
            Inst::Jump => self.jump(block, output),
            Inst::Branch(when) => {
                self.whole(&[0x3b], reg(0), Place::Register(reg(1)), 0);
                self.branch(when, block, output);
            }
            Inst::BranchAt(when, number) => {
                self.whole(&[0x81], 7, Place::Register(reg(0)), 4);
                self.bytes.extend(number.to_le_bytes());
                self.branch(when, block, output);
            }
            Inst::Return => self.leave(),
            other => self.real(other, at),
        }
    }

    /// Instructions on floating-point numbers.
    fn real(&mut self, inst: Inst, at: &[Allocation]) {
        use Map::{X0F, X0F3A, X0F38};
        use Prefix::X66;
        let reg = |number: usize| register(at[number]);
        let register_of = |number: usize| Place::Register(reg(number));
        match inst {
            Inst::Load(lanes, mem) => {
                let vex = (scalar(lanes), X0F, 0x10);
                self.vex(vex, lanes, (reg(0), 0), Self::memory(mem, &at[1..]), None);
            }
            Inst::Store(lanes, mem) => {
                let vex = (scalar(lanes), X0F, 0x11);
                self.vex(vex, lanes, (reg(0), 0), Self::memory(mem, &at[1..]), None);
            }
            Inst::LoadEach(lanes, mem) => {
                let place = Self::memory(mem, &at[1..]);
                self.vex((X66, X0F38, 0x18), lanes, (reg(0), 0), place, None);
            }
            Inst::LoadTwice(mem) => {
                let place = Self::memory(mem, &at[1..]);
                self.vex((X66, X0F38, 0x1a), Lanes::Eight, (reg(0), 0), place, None);
            }
            Inst::Twice => {
                let vex = (X66, X0F3A, 0x18);
                self.vex(vex, Lanes::Eight, (reg(0), reg(1)), register_of(1), Some(1));
            }
            Inst::PutUpper => {
                let vex = (X66, X0F3A, 0x18);
                self.vex(vex, Lanes::Eight, (reg(0), reg(1)), register_of(2), Some(1));
            }
            Inst::Each(lanes) => {
                let place = Place::Register(reg(1));
                self.vex((X66, X0F38, 0x18), lanes, (reg(0), 0), place, None);
            }
            Inst::EachWhole(lanes) => {
                let from = Place::Register(reg(1));
                self.vex((X66, X0F, 0x6e), Lanes::Four, (reg(0), 0), from, None);
                let own = Place::Register(reg(0));
                self.vex((X66, X0F38, 0x58), lanes, (reg(0), 0), own, None);
            }
            Inst::Lane(0) => {
                self.vex((Prefix::None, X0F, 0x28), Lanes::Four, (reg(0), 0), register_of(1), None);
            }
            Inst::Lane(lane) => {
                let vex = (X66, X0F3A, 0x04);
                self.vex(vex, Lanes::Four, (reg(0), 0), register_of(1), Some(lane));
            }
            Inst::UpperHalf => {
                let vex = (X66, X0F3A, 0x19);
                self.vex(vex, Lanes::Eight, (reg(1), 0), register_of(0), Some(1));
            }
            Inst::Mix(mix) => {
                let (prefix, opcode) = match mix {
                    Mix::LowInTurn => (Prefix::None, 0x14),
                    Mix::HighInTurn => (Prefix::None, 0x15),
                    Mix::LowHalves => (X66, 0x14),
                    Mix::HighHalves => (X66, 0x15),
                };
                let vex = (prefix, X0F, opcode);
                self.vex(vex, Lanes::Four, (reg(0), reg(1)), register_of(2), None);
            }
            Inst::Math(math, lanes, source) => {
                let place = Self::source(source, &at[2..]);
                self.vex(code(math, lanes), lanes, (reg(0), reg(1)), place, None);
            }
            Inst::Root(lanes, source) => {
                let place = Self::source(source, &at[1..]);
                // The scalar form takes the rest of the register from elsewhere.
                let other = if lanes == Lanes::One { reg(0) } else { 0 };
                self.vex((scalar(lanes), X0F, 0x51), lanes, (reg(0), other), place, None);
            }
            Inst::MulAdd(lanes, source) => {
                let place = Self::source(source, &at[3..]);
                let opcode = if lanes == Lanes::One { 0xb9 } else { 0xb8 };
                self.vex((X66, X0F38, opcode), lanes, (reg(0), reg(2)), place, None);
            }
            Inst::Compare(lanes, how) => {
                let vex = (scalar(lanes), X0F, 0xc2);
                self.vex(vex, lanes, (reg(0), reg(1)), Place::Register(reg(2)), Some(how));
            }
            Inst::Choose(lanes) => {
                let (mask, yes) = (reg(1) << 4, Place::Register(reg(2)));
                self.vex((X66, X0F3A, 0x4a), lanes, (reg(0), reg(3)), yes, Some(mask));
            }
            other => panic!("internal error: jit: no bytes for {other:?}"),
        }
    }

    fn number(&mut self, reg: u8, value: i64) {
        if let Ok(value) = i32::try_from(value) {
            self.whole(&[0xc7], 0, Place::Register(reg), 4);
            self.bytes.extend(value.to_le_bytes());
        } else {
            self.bytes.extend([0x48 | reg >> 3, 0xb8 | (reg & 7)]);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    /// Where a successor goes on, behind blocks that do nothing.
    fn goal(&self, block: Block, output: &Output) -> Block {
        let mut goal = block;
        // No more steps than blocks: a circle of jumps would never end, and is none of ours.
        for _ in 0..self.body.blocks.len() {
            match idle(self.body, output, goal) {
                Some(next) => goal = next,
                None => break,
            }
        }
        goal
    }

    fn jump(&mut self, block: Block, output: &Output) {
        let next = self.body.blocks[block.index()].next[0];
        self.go(&[0xe9], next, block, output);
    }

    /// A jump, unless what follows is where it leads.
    fn go(&mut self, opcode: &[u8], to: Block, block: Block, output: &Output) {
        let goal = self.goal(to, output);
        let follows = (block.index() + 1..=goal.index()).all(|between| {
            between == goal.index() || idle(self.body, output, Block::new(between)).is_some()
        });
        if opcode == [0xe9] && goal.index() > block.index() && follows {
            return;
        }
        self.bytes.extend(opcode);
        self.fixes.push((self.bytes.len(), Fix::Block(goal)));
        self.bytes.extend([0; 4]);
    }

    fn branch(&mut self, when: When, block: Block, output: &Output) {
        let next = self.body.blocks[block.index()].next.clone();
        self.go(&[0x0f, 0x80 | when as u8], next[0], block, output);
        self.go(&[0xe9], next[1], block, output);
    }
}

/// The upper bits of the registers of a place.
fn extended(place: Place) -> (u8, u8) {
    match place {
        Place::Register(register) => (0, register >> 3),
        Place::Memory { base, index, .. } => {
            (index.map_or(0, |(index, _)| index >> 3), base.map_or(0, |base| base >> 3))
        }
    }
}

/// The prefix of an instruction that comes for one number and for many.
fn scalar(lanes: Lanes) -> Prefix {
    if lanes == Lanes::One { Prefix::XF3 } else { Prefix::None }
}

fn code(math: Math, lanes: Lanes) -> (Prefix, Map, u8) {
    let (prefix, opcode) = match math {
        Math::Add => (scalar(lanes), 0x58),
        Math::Mul => (scalar(lanes), 0x59),
        Math::Sub => (scalar(lanes), 0x5c),
        Math::Div => (scalar(lanes), 0x5e),
        Math::And => (Prefix::None, 0x54),
        Math::Or => (Prefix::None, 0x56),
        Math::Xor => (Prefix::None, 0x57),
        Math::AddWhole => (Prefix::X66, 0xfe),
        Math::EqualWhole => (Prefix::X66, 0x76),
        Math::LargerWhole => (Prefix::X66, 0x66),
    };
    (prefix, Map::X0F, opcode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use regalloc2::PReg;

    fn writer(body: &Body, frame: i32) -> Writer<'_> {
        Writer { body, bytes: Vec::new(), starts: Vec::new(), fixes: Vec::new(), frame }
    }

    /// Nothing else would tell that it lies elsewhere, but for the time it takes.
    #[test]
    fn memory_of_its_own_begins_with_a_line_of_the_cache_and_is_given_back() {
        let body = Body::default();
        let bytes = |frame: i32| {
            let mut writer = writer(&body, frame);
            writer.enter();
            let entered = writer.bytes.len();
            writer.leave();
            (writer.bytes[..entered].to_vec(), writer.bytes[entered..].to_vec())
        };
        // push rbp; mov rbp, rsp; sub rsp, 288; and rsp, -64
        let entered = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec, 0x20, 1, 0, 0, 0x48, 0x83, 0xe4];
        // mov rsp, rbp; pop rbp; vzeroupper; ret
        let left = [0x48, 0x89, 0xec, 0x5d, 0xc5, 0xf8, 0x77, 0xc3];
        assert_eq!(bytes(288), ([&entered[..], &[0xc0]].concat(), left.to_vec()));
        assert_eq!(bytes(0), (Vec::new(), left[4..].to_vec()));
        // Every page but the last is touched on the way.
        let touches = |frame| {
            bytes(frame).0.windows(4).filter(|code| **code == [0x48, 0x85, 0x24, 0x24]).count()
        };
        assert_eq!([4032, 4033, 4096, 8128, 8129, 1 << 17].map(touches), [0, 1, 1, 1, 2, 32]);
    }

    #[test]
    fn halves_are_taken_from_whatever_registers() {
        let bytes = |registers: [usize; 2]| {
            let (body, output) = (Body::default(), Output::default());
            let mut writer = writer(&body, 0);
            let at = registers.map(|at| Allocation::reg(PReg::new(at, RegClass::Float)));
            writer.inst(Inst::UpperHalf, &at, Block::new(0), &output);
            writer.bytes
        };
        // vextractf128 xmm1, ymm2, 1; xmm9, ymm10
        assert_eq!(bytes([1, 2]), [0xc4, 0xe3, 0x7d, 0x19, 0xd1, 1]);
        assert_eq!(bytes([9, 10]), [0xc4, 0x43, 0x7d, 0x19, 0xd1, 1]);
    }

    #[test]
    fn four_numbers_are_put_into_either_half() {
        let bytes = |inst: Inst, registers: &[(usize, RegClass)]| {
            let (body, output) = (Body::default(), Output::default());
            let mut writer = writer(&body, 0);
            let at = registers.iter().map(|(at, class)| Allocation::reg(PReg::new(*at, *class)));
            writer.inst(inst, &at.collect::<Vec<_>>(), Block::new(0), &output);
            writer.bytes
        };
        let [real, whole] = [RegClass::Float, RegClass::Int].map(|class| move |at| (at, class));
        let load = Inst::LoadTwice(Mem { base: Base::Register, index: None, offset: 64 });
        // vbroadcastf128 ymm1, [rdi + 64]
        assert_eq!(bytes(load, &[real(1), whole(7)]), [0xc4, 0xe2, 0x7d, 0x1a, 0x4f, 0x40]);
        // vinsertf128 ymm1, ymm2, xmm2, 1; ymm9, ymm2, xmm11, 1
        assert_eq!(bytes(Inst::Twice, &[real(1), real(2)]), [0xc4, 0xe3, 0x6d, 0x18, 0xca, 1]);
        let put = bytes(Inst::PutUpper, &[real(9), real(2), real(11)]);
        assert_eq!(put, [0xc4, 0x43, 0x6d, 0x18, 0xcb, 1]);
    }

    /// Nothing else would tell that another address is fetched.
    #[test]
    fn what_is_fetched_lies_where_it_is_asked_for() {
        let bytes = |index: Option<u8>, offset: i32, registers: &[usize]| {
            let (body, output) = (Body::default(), Output::default());
            let mut writer = writer(&body, 0);
            let at = registers.iter().map(|at| Allocation::reg(PReg::new(*at, RegClass::Int)));
            let inst = Inst::Fetch(Mem { base: Base::Register, index, offset });
            writer.inst(inst, &at.collect::<Vec<_>>(), Block::new(0), &output);
            writer.bytes
        };
        // prefetcht1 [r9 + 4 r10 + 4096]; [rdi + 64]; [r12 - 8]
        assert_eq!(bytes(Some(2), 4096, &[9, 10]), [0x4b, 0x0f, 0x18, 0x94, 0x91, 0, 0x10, 0, 0]);
        assert_eq!(bytes(None, 64, &[7]), [0x48, 0x0f, 0x18, 0x57, 0x40]);
        assert_eq!(bytes(None, -8, &[12]), [0x49, 0x0f, 0x18, 0x54, 0x24, 0xf8]);
    }
}
