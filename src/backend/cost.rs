//! What a program costs on paper, whatever runs it.
//!
//! In: a program. Out: how much arithmetic it does and what its backward sweep reads. Every addition,
//! multiplication, comparison and function counts as one, at each point where it is done. Invariant:
//! the graphs alone decide; a backend that computes a value twice does not change it.

use crate::graph::{Cond, Graph, Index, NodeId, Op, Program, Rel, Space};

use super::bytes::points;
use super::phase::{Phase, Wanted, kept, phases, wanted_of, wanted_of_init, wanted_of_step};

/// What a program costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Arithmetic of one time step of one sequence.
    pub step: u64,
    /// Arithmetic of a run besides: what depends on parameters alone, first states and the update.
    pub once: u64,
    /// Numbers of the forward sweep that the backward sweep reads, a time step and sequence.
    pub kept: u64,
}

impl Cost {
    /// Of a program that runs forward or, with gradients, also backward and through its update.
    #[must_use]
    pub fn of(program: &Program, gradients: bool) -> Cost {
        let wanted = wanted_of_step(program, &["y".to_owned()], gradients);
        let mut cost = of_graph(&program.step, &wanted);
        let init = of_graph(&program.init, &wanted_of_init(program));
        let mut once = init.step.saturating_add(init.once);
        if let Some(update) = program.update.as_ref().filter(|_| gradients) {
            let update = of_graph(&update.graph, &wanted_of(update));
            once = once.saturating_add(update.step).saturating_add(update.once);
        }
        cost.once = cost.once.saturating_add(once);
        cost
    }

    /// Arithmetic of a batch of that many sequences of that many steps.
    #[must_use]
    pub fn arithmetic(&self, steps: u64, batch: u64) -> u64 {
        self.step.saturating_mul(steps).saturating_mul(batch).saturating_add(self.once)
    }
}

fn of_graph(graph: &Graph, wanted: &Wanted) -> Cost {
    let reads = |id: NodeId| -> Vec<NodeId> {
        graph.operands(id).into_iter().map(|(from, _)| from).collect()
    };
    let phases = phases(graph, wanted, &reads);
    let kept = kept(graph, wanted, &phases, &reads);
    let mut cost = Cost::default();
    for id in graph.ids() {
        let (at, node) = (id.0 as usize, graph.node(id));
        let work = arithmetic(graph, id);
        match phases[at] {
            None => {}
            Some(Phase::Constant | Phase::Params) => cost.once = cost.once.saturating_add(work),
            Some(phase @ (Phase::Forward | Phase::Backward)) => {
                cost.step = cost.step.saturating_add(work);
                if kept[at] && phase == Phase::Forward {
                    cost.kept = cost.kept.saturating_add(places(&node.space));
                }
            }
        }
    }
    // Sums over steps take each share up.
    for read in wanted.sums.keys().filter_map(|name| graph.root(name)) {
        let sizes = read.sizes.clone();
        cost.step = cost.step.saturating_add(places(&Space { sizes, when: Vec::new() }));
    }
    cost
}

/// Arithmetic of one node.
fn arithmetic(graph: &Graph, id: NodeId) -> u64 {
    let node = graph.node(id);
    let points = places(&node.space);
    match &node.op {
        Op::Leaf(_) | Op::Join => 0,
        Op::Map(_) => points,
        Op::Reduce { over, when, .. } => {
            let sizes: Vec<u32> = node.space.sizes.iter().chain(over).copied().collect();
            let when = node.space.when.iter().chain(when).cloned().collect();
            places(&Space { sizes, when })
        }
        // A product and a sum at each point.
        Op::Recur { .. } => points.saturating_mul(2),
        // Sorting compares each of n values with about log n others.
        Op::Opaque { along, .. } => graph.operands(id).first().map_or(0, |(from, _)| {
            let space = &graph.node(*from).space;
            let line = space.sizes.get(usize::from(along.0)).copied().unwrap_or(1);
            let deep = u64::from(line.max(1).next_power_of_two().ilog2());
            places(space).saturating_mul(deep)
        }),
    }
}

/// Points of a space, less those that its equalities leave out: each picks one place along an axis.
fn places(space: &Space) -> u64 {
    let mut sizes = space.sizes.clone();
    for Cond { left, right, .. } in space.when.iter().filter(|cond| cond.rel == Rel::Eq) {
        let of_left = match left {
            Index::Affine(of) | Index::Digit { of, .. } => &of.terms[..],
            Index::Value(_) => &[],
        };
        let axes = of_left.iter().chain(&right.terms).map(|(axis, _)| usize::from(axis.0));
        if let Some(axis) = axes.filter(|axis| *axis < sizes.len()).max_by_key(|axis| sizes[*axis])
        {
            sizes[axis] = sizes[axis].min(1);
        }
    }
    points(&sizes)
}

#[cfg(test)]
mod tests {
    use crate::compile::{Choices, Spec};
    use crate::model::library::StdOnly;
    use crate::source::Source;

    use super::Cost;

    fn cost(body: &str, sizes: &str) -> [Cost; 2] {
        let text = format!(
            "ntm 1\nmodel m(x[X]) -> y[Y] {{\n{body}\n}}\ntrain m on random({sizes}, steps = 5) \
             {{ optimizer = sgd(lr = 1, momentum = 0.5) steps = 1 }}\n"
        );
        let mut spec = Spec::read(Source::new("m.ntm", &text), &StdOnly).expect("right");
        let program = spec.training(&Choices::default()).expect("right").program;
        [false, true].map(|gradients| Cost::of(&program, gradients))
    }

    #[test]
    fn a_matrix_product_is_counted_forward_and_twice_backward() {
        let [forward, both] = cost("emit y[Y] from x", "inputs = 30, outputs = 20");
        // A product and a sum for each weight, and 20 biases; then the loss of a handful an output.
        let product = 2 * 30 * 20;
        assert!((product..product + 200).contains(&forward.step), "{forward:?}");
        // The input has a gradient, too, for those who ask.
        assert!((3 * product..3 * product + 2000).contains(&both.step), "{both:?}");
        assert_eq!(forward.arithmetic(5, 2), 10 * forward.step + forward.once);
        // The update does something for each of 620 parameters.
        assert!(both.once >= 3 * 620 && both.once < 8 * 620, "{both:?}");
        assert_eq!(forward.kept, 0);
        // The input, the output less the target and the mask.
        assert!((30..=30 + 3 * 20 + 1).contains(&both.kept), "{both:?}");
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let most = Cost { step: u64::MAX, once: 1, kept: 0 };
        assert_eq!(most.arithmetic(3, 3), u64::MAX);
    }
}
