//! What is learned and no gradient can reach (W0902), or what nothing depends on at all (W0901 for
//! emissions of std, which only a built model shows).

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Place, resolve};
use super::{Built, Spec, errors};
use crate::diag::Diagnostics;
use crate::grad::open_ports;
use crate::graph::{Graph, Leaf, NodeId, Op, Program};
use crate::source::Span;

/// The parameters and states that a result depends on in some way.
#[derive(Default)]
struct Reached {
    params: BTreeSet<u32>,
    states: BTreeSet<u32>,
}

/// Which operands of a node count.
type Ports = fn(&Graph, NodeId) -> Vec<usize>;

fn every_port(graph: &Graph, id: NodeId) -> Vec<usize> {
    (0..graph.operands(id).len()).collect()
}

impl Reached {
    /// Walks back from the loss, or from the output where there is none, through all steps.
    fn of(program: &Program, ports: Ports) -> Reached {
        let mut reached = Reached::default();
        let target = if program.step.root("loss").is_some() { "loss" } else { "y" };
        let mut open = vec![target.to_owned()];
        let mut seen = vec![false; program.step.len()];
        while let Some(root) = open.pop() {
            for state in reached.walk(&program.step, &root, &mut seen, ports) {
                open.push(format!("next/{}", program.states[state as usize].path));
            }
        }
        let mut seen = vec![false; program.init.len()];
        for state in reached.states.clone() {
            let root = format!("start/{}", program.states[state as usize].path);
            reached.walk(&program.init, &root, &mut seen, ports);
        }
        reached
    }

    /// Walks back from a root; the states that are found for the first time.
    fn walk(&mut self, graph: &Graph, root: &str, seen: &mut [bool], ports: Ports) -> Vec<u32> {
        let mut open: Vec<NodeId> = graph.root(root).map(|read| read.node).into_iter().collect();
        let mut fresh = Vec::new();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            if let Op::Leaf(Leaf::Param(param)) = &graph.node(id).op {
                self.params.insert(*param);
            }
            if let Op::Leaf(Leaf::Prev(state)) = &graph.node(id).op
                && self.states.insert(*state)
            {
                fresh.push(*state);
            }
            let operands = graph.operands(id);
            open.extend(ports(graph, id).into_iter().map(|port| operands[port].0));
        }
        fresh
    }
}

/// Notes on every learned array that gets no gradient.
pub(super) fn unreached(spec: Spec<'_>, built: Built<'_>, sink: &mut Diagnostics) {
    let (read, taught) =
        (Reached::of(built.program, every_port), Reached::of(built.program, open_ports));
    let mut idle: BTreeMap<(Span, bool), BTreeSet<&str>> = BTreeMap::new();
    for (at, param) in built.model.params.iter().enumerate() {
        let at = at as u32;
        if taught.params.contains(&at) {
            continue;
        }
        let name = ["weight", "bias", "start"].iter().find_map(|end| param.path.strip_suffix(end));
        let name = name.and_then(|name| name.strip_suffix('.')).unwrap_or(&param.path);
        let Some(place) = resolve(spec.checked, built.def, name) else { continue };
        let Some(span) = place.blamed(spec.sources) else { continue };
        let is_read = read.params.contains(&at);
        // What a definition never reads is noted where it is written.
        if is_read || !is_written(spec, &place) {
            idle.entry((span, is_read)).or_default().insert(name);
        }
    }
    for ((span, is_read), names) in idle {
        let names: Vec<&str> = names.into_iter().collect();
        sink.push(match is_read {
            true => errors::no_gradient(span, &names),
            false => errors::unread_in_call(span, &names),
        });
    }
}

/// Whether the user declared the value.
fn is_written(spec: Spec<'_>, place: &Place) -> bool {
    place.own(spec.checked, spec.sources).is_some()
}
