//! Instructions of the machine, before and after their registers are known.
//!
//! In: nothing. Out: [`Inst`], whose registers are told apart from it, in the order in which they are
//! listed, and [`Body`], blocks of them. Invariant: registers of a place in memory come last.

use regalloc2::{Block, InstRange, Operand, PReg, PRegSet, RegClass, VReg};

/// Numbers in a register that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    /// One.
    One,
    /// Four, in 128 bits.
    Four,
    /// Eight, in 256 bits.
    Eight,
}

/// What a place in memory is reckoned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// A register, listed.
    Register,
    /// The start of the function's own memory.
    Stack,
    /// The start of its constants.
    Pool,
}

/// A place in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mem {
    /// Where it is reckoned from.
    pub(super) base: Base,
    /// By how many bits a register, listed, is shifted before it is added.
    pub(super) index: Option<u8>,
    /// What is added last.
    pub(super) offset: i32,
}

/// The other source of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A register, listed.
    Register,
    /// A place in memory.
    Memory(Mem),
}

/// Arithmetic on two registers of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Sub,
    Mul,
    Div,
    And,
    Or,
    Xor,
    /// Of whole numbers of 32 bits.
    AddWhole,
    /// All bits set where whole numbers of 32 bits are equal.
    EqualWhole,
    /// All bits set where the first of two whole numbers of 32 bits is larger.
    LargerWhole,
}

/// Which numbers of two vectors of four become a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    /// The first two of each, in turn.
    LowInTurn,
    /// The last two of each, in turn.
    HighInTurn,
    /// The first two of either, one behind the other.
    LowHalves,
    /// The last two of either.
    HighHalves,
}

/// Conditions of whole numbers, by their number in an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum When {
    Below = 2,
    AboveEqual = 3,
    Equal = 4,
    NotEqual = 5,
    BelowEqual = 6,
    Above = 7,
    Less = 12,
    GreaterEqual = 13,
    LessEqual = 14,
    Greater = 15,
}

/// One instruction. In parentheses: its registers, the result first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inst {
    /// The argument of the function (d).
    Argument,
    /// A whole number (d).
    Whole(i64),
    /// An address (d, base, index).
    Address(Mem),
    /// The difference of whole numbers (d = a, a, b).
    Subtract,
    /// The negative of a whole number (d = a, a).
    Negate,
    /// The product of whole numbers (d = a, a, b).
    Multiply,
    /// A whole number shifted to the left (d = a, a).
    Shift(u8),
    /// A whole number without sign shifted to the right (d = a, a).
    ShiftRight(u8),
    /// The bits of a whole number that are set in a constant, its sign extended (d = a, a).
    Mask(i32),
    /// A whole number from memory (d, base, index).
    LoadWhole(Mem),
    /// One of two whole numbers, by how two compare: (d = no, no, yes, x, y).
    Select(When),
    /// Numbers from memory (d, base, index).
    Load(Lanes, Mem),
    /// One number from memory, everywhere (d, base, index).
    LoadEach(Lanes, Mem),
    /// Four numbers from memory, twice (d, base, index).
    LoadTwice(Mem),
    /// Fetches what lies at an address into the second cache, or nothing where there is no memory (base, index).
    Fetch(Mem),
    /// Numbers to memory (a, base, index).
    Store(Lanes, Mem),
    /// Four numbers, twice (d, a).
    Twice,
    /// The last four numbers from elsewhere (d, a, b).
    PutUpper,
    /// One number, everywhere (d, a).
    Each(Lanes),
    /// A whole number of 32 bits, everywhere (d, a).
    EachWhole(Lanes),
    /// Arithmetic (d, a, b or base, index).
    Math(Math, Lanes, Source),
    /// The square root (d, a or base, index).
    Root(Lanes, Source),
    /// The sum of a product, rounded once: `a * b + sum` (d = sum, sum, a, b or base, index).
    MulAdd(Lanes, Source),
    /// All bits set where two numbers compare so (d, a, b).
    Compare(Lanes, u8),
    /// One of two numbers, by the bits of a third (d, mask, yes, no).
    Choose(Lanes),
    /// One number of four (d, a).
    Lane(u8),
    /// The last four numbers of eight (d, a).
    UpperHalf,
    /// Two numbers of each of two vectors of four (d, a, b).
    Mix(Mix),
    /// Goes on in the only successor.
    Jump,
    /// Goes on in the first successor if two whole numbers compare so, else in the second (x, y).
    Branch(When),
    /// The same, with a whole number known beforehand (x).
    BranchAt(When, i32),
    /// Leaves the function.
    Return,
}

/// The class of whole numbers and addresses.
pub(super) const WHOLE: RegClass = RegClass::Int;
/// The class of floating-point numbers, alone or together.
pub(super) const REAL: RegClass = RegClass::Float;

/// A stretch of a list.
type Range = std::ops::Range<usize>;

/// One block.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    pub(super) insts: Range,
    pub(super) params: Vec<VReg>,
    pub(super) next: Vec<Block>,
    pub(super) before: Vec<Block>,
    /// What the last instruction gives to its only successor.
    pub(super) args: Vec<VReg>,
}

/// A function whose registers are not chosen yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) insts: Vec<Inst>,
    pub(super) operands: Vec<Operand>,
    /// The registers of each instruction.
    pub(super) of: Vec<Range>,
    pub(super) blocks: Vec<Blocks>,
    pub(super) vregs: usize,
    /// Bytes of memory of its own.
    pub(super) stack: u32,
    /// Constants.
    pub(super) pool: Vec<u8>,
}

impl Body {
    /// A new register.
    pub(super) fn vreg(&mut self, class: RegClass) -> VReg {
        self.vregs += 1;
        VReg::new(self.vregs - 1, class)
    }

    /// Appends an instruction to the last block.
    pub(super) fn push(&mut self, inst: Inst, operands: &[Operand]) {
        let start = self.operands.len();
        self.operands.extend_from_slice(operands);
        self.of.push(start..self.operands.len());
        self.insts.push(inst);
    }
}

/// The register of the argument.
pub(super) fn argument() -> PReg {
    PReg::new(7, WHOLE)
}

impl regalloc2::Function for Body {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        let Range { start, end } = self.blocks[block.index()].insts.clone();
        InstRange::new(regalloc2::Inst::new(start), regalloc2::Inst::new(end))
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.blocks[block.index()].next
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.blocks[block.index()].before
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.blocks[block.index()].params
    }

    fn is_ret(&self, inst: regalloc2::Inst) -> bool {
        matches!(self.insts[inst.index()], Inst::Return)
    }

    fn is_branch(&self, inst: regalloc2::Inst) -> bool {
        matches!(self.insts[inst.index()], Inst::Jump | Inst::Branch(_) | Inst::BranchAt(..))
    }

    fn branch_blockparams(&self, block: Block, _: regalloc2::Inst, _: usize) -> &[VReg] {
        &self.blocks[block.index()].args
    }

    fn inst_operands(&self, inst: regalloc2::Inst) -> &[Operand] {
        &self.operands[self.of[inst.index()].clone()]
    }

    fn inst_clobbers(&self, _: regalloc2::Inst) -> PRegSet {
        PRegSet::empty()
    }

    fn num_vregs(&self) -> usize {
        self.vregs
    }

    fn spillslot_size(&self, class: RegClass) -> usize {
        match class {
            RegClass::Int => 1,
            RegClass::Float | RegClass::Vector => 4,
        }
    }
}
