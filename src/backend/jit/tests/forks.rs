//! Which functions two threads run at once.
//!
//! In: graphs as text. Out: nothing; the walks through their functions are as they should be. Invariant: whatever the
//! graph, a function runs after all that it needs.

use crate::backend::jit::forks::{Fork, Walk};
use crate::backend::jit::layout::{Region, layout};
use crate::backend::jit::plan::Lists;
use crate::backend::jit::turn::arranged;
use crate::backend::phase::{Phase, Wanted};
use crate::graph::text::parse;

/// The walk through the forward sweep of a graph of which these roots are wanted.
fn walk(text: &str, roots: &[&str], worth: u64) -> Walk {
    let graph = parse(text).unwrap();
    let forward = roots.iter().map(|root| (*root).to_owned()).collect();
    let wanted = Wanted { forward, ..Wanted::default() };
    let turned = arranged(&graph);
    let layout = layout(&turned.graph, &wanted, true);
    let Lists { tasks, .. } = Lists::of(&turned, &layout, &wanted);
    let tasks = &tasks[Phase::Forward as usize];
    Walk::shared(&turned.graph, &layout, (tasks, 0..tasks.len()), worth)
}

/// Functions of two arrays, and of one.
const POWERS: &str = "
%x[i:4096] = input 0 -- x
%y[i:4096] = input 1 -- y
%p[i:4096] = pow(%x[i], %y[i]) -- p
%q[i:4096] = pow(%y[i], %x[i]) -- q
%r[i:4096] = exp(%x[i]) -- r
%s[i:4096] = exp(%y[i]) -- s
p[i:4096] = %p[i]
q[i:4096] = %q[i]
r[i:4096] = %r[i]
s[i:4096] = %s[i]
";

/// Two threads may write at once: nothing that is held, and no room for second arguments, shares a place with anything
/// else.
#[test]
fn places_of_values_do_not_overlap() {
    for (graph, second) in [(super::program(20, 36).step, 0), (parse(POWERS).unwrap(), 4096)] {
        let forward = graph.roots.iter().map(|(path, _)| path.0.clone()).collect();
        let wanted = Wanted { forward, ..Wanted::default() };
        let graph = arranged(&graph).graph;
        let layout = layout(&graph, &wanted, true);
        for region in [Region::Fixed, Region::Tape, Region::Work] {
            let held = graph
                .ids()
                .filter_map(|id| Some((layout.slot(id)?, graph.node(id).space.points() as usize)));
            let held = held.chain([(layout.second, second)]);
            let held = held.filter(|(slot, _)| slot.region == region);
            let mut places: Vec<(usize, usize)> =
                held.map(|(slot, len)| (slot.offset, slot.offset + len)).collect();
            places.sort_unstable();
            assert!(places.len() > 4 || region != Region::Work, "{places:?}");
            assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{places:?}");
        }
    }
}

/// Two layers beside each other, then what joins them.
const TWO: &str = "
%a[i:64, k:64] = param 0 -- a
%b[i:64, k:64] = param 1 -- b
%x[k:64] = input 0 -- x
%y[k:64] = input 1 -- y
%p[i:64] = sum[k:64] %a[i, k] * %x[k] -- p
%q[i:64] = tanh(%p[i]) -- q
%n[i:64] = sqrt(%x[i] * %x[i] + 1) -- n
%r[i:64] = sum[k:64] %b[i, k] * %y[k] -- r
%s[i:64] = exp(%r[i]) -- s
%t[i:64] = sum[k:64] %q[k] * %a[i, k] -- t
%u[i:64] = %q[i] * %s[i] * %n[i] -- u
t[i:64] = %t[i]
u[i:64] = %u[i]
n[i:64] = %n[i]
";

#[test]
fn products_that_do_not_need_each_other_are_run_at_once_with_what_follows_from_each() {
    let walk = walk(TWO, &["n", "t", "u"], 2048);
    // First what neither needs, then p and q beside r and s; t, as long as they are, ends the fork.
    assert_eq!(walk.order, [2, 0, 1, 3, 4, 5, 6], "{walk:?}");
    assert_eq!(walk.forks, [Fork { own: 1..3, other: 3..5 }]);
}

#[test]
fn what_is_not_worth_it_is_left_to_one_thread() {
    let walk = walk(TWO, &["n", "t", "u"], 4000);
    assert_eq!((walk.order, walk.forks), ((0..7).collect(), Vec::new()));
}

#[test]
fn functions_of_two_arrays_that_use_the_same_room_follow_each_other() {
    let walk = walk(POWERS, &["p", "q", "r", "s"], 1);
    // Otherwise p would be run beside q, and r beside s.
    assert_eq!(walk.order, [0, 1, 3, 2], "{walk:?}");
    assert_eq!(walk.forks, [Fork { own: 1..3, other: 3..4 }]);
}
