//! Arithmetic where its last argument is made.
//!
//! In: an optimised function. Out: the same instructions in another order inside each block. Cranelift computes
//! what writes nothing as late as it can; sums of a part of a row that is written out would wait for its end, and
//! all that was loaded for them would need registers until then. Invariant: what loads and stores keeps its
//! order, and every value is made before it is read.

use rustc_hash::FxHashMap;

use cranelift_codegen::ir::{Function, Inst, Opcode};

/// Moves arithmetic up to where it can first be done.
pub(super) fn early(function: &mut Function) {
    let blocks: Vec<_> = function.layout.blocks().collect();
    for block in blocks {
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        let mut places: FxHashMap<Inst, usize> = FxHashMap::default();
        for (at, inst) in insts.iter().enumerate() {
            let args = function.dfg.inst_args(*inst);
            let made = args.iter().filter_map(|arg| function.dfg.value_def(*arg).inst());
            let last = made.filter_map(|inst| places.get(&inst)).max();
            let place = match last {
                Some(last) if moves(function.dfg.insts[*inst].opcode()) => *last,
                Some(_) | None => at,
            };
            places.insert(*inst, place);
        }
        let mut sorted = insts.clone();
        sorted.sort_by_key(|inst| places[inst]);
        if sorted == insts {
            continue;
        }
        for inst in sorted {
            function.layout.remove_inst(inst);
            function.layout.append_inst(inst, block);
        }
    }
}

/// Whether an instruction does arithmetic on numbers and nothing else.
fn moves(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::Fadd | Opcode::Fsub | Opcode::Fmul | Opcode::Fdiv | Opcode::Fma | Opcode::Fneg
    )
}
