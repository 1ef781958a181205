//! Machine code with vectors of eight numbers, which Cranelift does not make.
//!
//! In: a function of Cranelift's, optimised by it. Out: its bytes, for x86-64 with AVX2 and FMA; nothing,
//! if it does what is not known here, so that it is made with narrower vectors. Invariant: every instruction does
//! to each number what Cranelift's does, so that the same function has the same bits. A load of one byte, which nobody
//! reads, only fetches.

mod early;
mod encode;
mod inst;
mod integer;
mod look;
mod select;

use std::fmt::Write;

use cranelift_codegen::ir::{Function, Opcode};
use regalloc2::{
    Algorithm, Block, Edit, InstOrEdit, MachineEnv, Output, PReg, PRegSet, RegallocOptions,
};

use crate::backend::kernels::Level;

/// Bytes of a slot for what registers do not hold.
const SLOT: usize = 8;
/// The most bytes of a function's own memory: a thread has some.
const MOST_FRAME: usize = 1 << 17;

/// Whether this machine has such vectors, and calls functions as this room does.
pub(super) fn can() -> bool {
    cfg!(all(target_arch = "x86_64", unix)) && Level::here() != Level::Plain
}

/// Whether a function may be made with such vectors, as far as can be seen before it is optimised: no
/// instruction here makes a whole number of a real one.
pub(super) fn knows(function: &Function) -> bool {
    let layout = &function.layout;
    let mut all = layout.blocks().flat_map(|block| layout.block_insts(block));
    all.all(|inst| function.dfg.insts[inst].opcode() != Opcode::FcvtToUintSat)
}

/// The registers that a function may change as it likes; `rbp`, which it puts back, holds where its memory ends.
fn machine() -> MachineEnv {
    let set = |numbers: &[usize], class| {
        let mut set = PRegSet::empty();
        numbers.iter().for_each(|number| set.add(PReg::new(*number, class)));
        set
    };
    let all: Vec<usize> = (0..16).collect();
    MachineEnv {
        preferred_regs_by_class: [
            set(&[0, 1, 2, 6, 7, 8, 9, 10, 11], inst::WHOLE),
            set(&all, inst::REAL),
            PRegSet::empty(),
        ],
        non_preferred_regs_by_class: [PRegSet::empty(); 3],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

/// A function with its registers, and how many bytes of memory it keeps.
fn allocated(function: &Function) -> Option<(inst::Body, Output, usize)> {
    let body = select::Select::body(function)?;
    let options = RegallocOptions {
        verbose_log: false,
        validate_ssa: cfg!(debug_assertions),
        algorithm: Algorithm::Ion,
    };
    let output = match regalloc2::run(&body, &machine(), &options) {
        Ok(output) => output,
        Err(error) => {
            // Narrower code is better than none.
            debug_assert!(false, "jit: no registers: {error:?}");
            return None;
        }
    };
    let frame = body.stack as usize + SLOT * output.num_spillslots;
    (frame <= MOST_FRAME).then_some((body, output, frame))
}

/// The bytes of a function, whose instructions are put in the order in which they will run.
pub(super) fn compile(function: &mut Function) -> Option<Vec<u8>> {
    early::early(function);
    let (body, output, frame) = allocated(function)?;
    Some(encode::encode(&body, &output, frame as i32))
}

/// The instructions of a function, for people: what each does, then its registers, the result first.
pub(super) fn listing(function: &Function) -> Option<String> {
    let (body, output, frame) = allocated(function)?;
    let mut text = match frame {
        0 => String::new(),
        some => format!("{some} bytes of its own\n"),
    };
    for block in 0..body.blocks.len() {
        let block = Block::new(block);
        let _ = writeln!(text, "block{}:", block.index());
        for one in output.block_insts_and_edits(&body, block) {
            let _ = match one {
                InstOrEdit::Inst(inst) => {
                    let registers = output.inst_allocs(inst).iter().map(ToString::to_string);
                    let registers: Vec<String> = registers.collect();
                    let inst = body.insts[inst.index()];
                    writeln!(text, "  {inst:?} {}", registers.join(", "))
                }
                InstOrEdit::Edit(Edit::Move { from, to }) => {
                    writeln!(text, "  Move {to}, {from}")
                }
            };
        }
    }
    Some(text)
}
