//! Machine code: made once, run many times, freed in the end.
//!
//! In: what each function computes. Out: [`Code`], a list of functions, some followed by a kernel, and of calls of
//! kernels alone.
//! Invariants: pages are written, then made executable, never both at once; a function touches nothing but the
//! memory it is given.

use std::fmt;
use std::ops::Range;
use std::sync::{LazyLock, Mutex};

use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, default_libcall_names};

use crate::backend::kernels::Product;
use crate::backend::phase::Wanted;
use crate::graph::{Access, Graph, Read};

use super::call::Direct;
use super::called::{Number, Pointers};
use super::crew::Crew;
use super::forks::{Fork, Walk};
use super::layout::{Layout, layout};
use super::make::{Listing, Made, Maker, Object, Task, machine, signature};
use super::profile::Spent;
use super::whole::Tile;

/// The memory of a call; see [`Region`](super::layout::Region).
pub(super) struct Regions<'a, F> {
    /// Read only.
    pub(super) fixed: &'a [F],
    /// The frame of this step.
    pub(super) tape: &'a mut [F],
    /// The frame of the step before.
    pub(super) before: &'a [F],
    /// Overwritten.
    pub(super) work: &'a mut [F],
    /// Read only.
    pub(super) arriving: &'a [F],
    /// Written.
    pub(super) leaving: &'a mut [F],
    /// Sums over steps and samples.
    pub(super) gradient: &'a mut [F],
}

/// For what functions are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Samples that lie side by side.
    pub(super) samples: usize,
    /// Whether they compute what is the same for all samples.
    pub(super) writes_fixed: bool,
}

const SMALL: &str = "internal error: jit: not the memory that the plan asked for";

/// How much memory a function may touch, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    fixed: usize,
    tape: usize,
    before: usize,
    work: usize,
    seeds: usize,
    gradient: usize,
}

type Function = unsafe extern "C" fn(*const Pointers<*mut u8>);

/// Memory that two threads look at.
struct Everybody(Pointers<*mut u8>);

#[expect(unsafe_code, reason = "two threads run parts of a step on the same memory")]
// SAFETY: it is a list of addresses; what may be done there is argued where functions are entered.
unsafe impl Sync for Everybody {}

impl Everybody {
    /// As a whole: a closure that names the field would hold the addresses themselves.
    fn all(&self) -> &Pointers<*mut u8> {
        &self.0
    }
}

/// What is entered for a task.
enum Entry {
    Function(Function, Option<Tile>),
    Direct(Direct),
}

/// Functions in executable memory, and calls of kernels.
pub(super) struct Code {
    /// Keeps the code mapped; behind a lock, since a module may not be looked at by two threads.
    module: Option<Mutex<JITModule>>,
    entries: Vec<Entry>,
    /// Descriptions of products, at addresses that the code knows.
    #[expect(clippy::vec_box, reason = "the code holds the address of each")]
    products: Vec<Box<Product>>,
    sizes: Sizes,
    bytes: i64,
    writes_fixed: bool,
    /// The first function that adds to the gradient: no earlier one touches it.
    first_sum: usize,
    /// How long each function took; empty where nobody asked.
    spent: Vec<Spent>,
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Code({} functions)", self.entries.len())
    }
}

/// Tries to make a function, so that a machine without a compiler or without executable memory is told
/// of before work begins.
pub(super) fn probe() -> Result<(), String> {
    static PROBE: LazyLock<Result<(), String>> = LazyLock::new(|| {
        let mut builder = crate::graph::Builder::new();
        let node = builder.constant(0.0);
        let read = Read { node, access: Access::default(), sizes: Vec::new() };
        builder.root("start", read);
        let graph = builder.finish();
        let wanted = Wanted { forward: vec!["start".to_owned()], ..Wanted::default() };
        let group = Group { samples: 1, writes_fixed: true };
        let layout = layout(&graph, &wanted, true);
        Code::made::<f32>(&graph, &layout, &[Task::Node(node)], group, None).map(|_| ())
    });
    PROBE.clone()
}

impl Code {
    /// Compiles functions for groups of that many samples.
    pub(super) fn new<F: Number>(
        graph: &Graph,
        layout: &Layout,
        tasks: &[Task],
        group: Group,
    ) -> Code {
        match Code::made::<F>(graph, layout, tasks, group, None) {
            Ok((code, _)) => code,
            Err(error) => panic!("internal error: jit: {error}"),
        }
    }

    /// The text of each function.
    pub(super) fn listing<F: Number>(
        graph: &Graph,
        layout: &Layout,
        tasks: &[Task],
        group: Group,
        listing: Listing,
    ) -> Vec<String> {
        match Code::made::<F>(graph, layout, tasks, group, Some(listing)) {
            Ok((_, texts)) => texts,
            Err(error) => panic!("internal error: jit: {error}"),
        }
    }

    fn made<F: Number>(
        graph: &Graph,
        layout: &Layout,
        tasks: &[Task],
        group: Group,
        listing: Option<Listing>,
    ) -> Result<(Code, Vec<String>), String> {
        let Group { samples, writes_fixed } = group;
        let ends = tasks.iter().map(|task| match task {
            Task::Node(_) | Task::Fused(_) => 0,
            Task::Sum(read, offset) => {
                offset + read.sizes.iter().map(|size| *size as usize).product::<usize>()
            }
        });
        let gradient = ends.max().unwrap_or(0);
        let sum = tasks.iter().position(|task| matches!(task, Task::Sum(..)));
        let first_sum = sum.unwrap_or(tasks.len());
        let sizes = Sizes {
            fixed: layout.fixed,
            tape: layout.tape * samples,
            // Whatever lies there is what a state was.
            before: if layout.carried.iter().any(Option::is_some) {
                layout.tape * samples
            } else {
                0
            },
            work: layout.work * samples,
            seeds: layout.seeds * samples,
            gradient,
        };
        let mut code = Code {
            module: None,
            entries: Vec::new(),
            products: Vec::new(),
            sizes,
            bytes: F::BYTES,
            writes_fixed,
            first_sum,
            spent: Vec::new(),
        };
        let maker = Maker { graph, layout, tasks, samples, bytes: F::BYTES, listing };
        let texts = if tasks.is_empty() { Vec::new() } else { code.fill::<F>(&maker)? };
        Ok((code, texts))
    }

    /// Makes the functions, and gives the text of each.
    fn fill<F: Number>(&mut self, maker: &Maker<'_>) -> Result<Vec<String>, String> {
        let said = |error: ModuleError| format!("{error:?}");
        let mut module = JITModule::new(JITBuilder::with_isa(machine()?, default_libcall_names()));
        let signature = signature(module.target_config().default_call_conv);
        let declare = |number: usize| {
            let name = format!("k{number}");
            module.declare_function(&name, Linkage::Local, &signature).map_err(said)
        };
        let ids: Vec<FuncId> = (0..maker.tasks.len()).map(declare).collect::<Result<_, _>>()?;
        let mut texts = Vec::new();
        let mut made = Vec::new();
        for (id, one) in ids.iter().zip(maker.all::<F>(&ids)?) {
            let fits = match one {
                Made::Function(Object { bytes, align, relocs, products, text }, tile) => {
                    module.define_function_bytes(*id, align, &bytes, &relocs).map_err(said)?;
                    self.products.extend(products);
                    texts.extend(text);
                    made.push((None, tile));
                    tile.is_none_or(|tile| tile.fits(self.writes_fixed))
                }
                Made::Direct(direct, text) => {
                    texts.extend(text);
                    let fits = direct.fits(self.writes_fixed);
                    made.push((Some(direct), None));
                    fits
                }
            };
            assert!(fits, "{SMALL}");
        }
        module.finalize_definitions().map_err(said)?;
        for (id, (direct, tile)) in ids.into_iter().zip(made) {
            self.entries.push(match direct {
                Some(direct) => Entry::Direct(direct),
                None => Entry::Function(function(module.get_finalized_function(id)), tile),
            });
        }
        self.module = Some(Mutex::new(module));
        Ok(texts)
    }

    /// Runs functions of one time step; where they fork, a crew does its part. They write every region but the fixed
    /// one.
    pub(super) fn run<F: Number>(
        &self,
        walk: &Walk,
        crew: Option<&mut Crew>,
        regions: &mut Regions<'_, F>,
    ) {
        let Sizes { fixed, tape, before, work, seeds, gradient } = self.sizes;
        let fit = regions.fixed.len() >= fixed
            && regions.tape.len() >= tape
            && regions.before.len() >= before
            && regions.work.len() >= work
            && regions.arriving.len() >= seeds
            && regions.leaving.len() >= seeds
            && (walk.list.end <= self.first_sum || regions.gradient.len() >= gradient);
        assert!(fit && F::BYTES == self.bytes && !self.writes_fixed, "{SMALL}");
        let memory = Pointers {
            fixed: regions.fixed.as_ptr().cast_mut().cast(),
            tape: regions.tape.as_mut_ptr().cast(),
            before: regions.before.as_ptr().cast_mut().cast(),
            work: regions.work.as_mut_ptr().cast(),
            arriving: regions.arriving.as_ptr().cast_mut().cast(),
            leaving: regions.leaving.as_mut_ptr().cast(),
            gradient: regions.gradient.as_mut_ptr().cast(),
        };
        match crew {
            Some(crew) => self.forked(walk, crew, &Everybody(memory)),
            None => self.enter(&walk.order, &memory),
        }
    }

    /// Runs functions by two threads.
    fn forked(&self, Walk { order, forks, .. }: &Walk, crew: &mut Crew, memory: &Everybody) {
        let mut next = 0;
        for Fork { own, other } in forks {
            self.enter(&order[next..own.start], &memory.0);
            let [own, part] = [own, other].map(|part| &order[part.clone()]);
            crew.both(|| self.enter(own, memory.all()), || self.enter(part, memory.all()));
            next = other.end;
        }
        self.enter(&order[next..], &memory.0);
    }

    /// Runs functions of values that are the same for all steps and samples, in order.
    pub(super) fn run_fixed<F: Number>(&self, list: Range<usize>, fixed: &mut [F]) {
        let fit = fixed.len() >= self.sizes.fixed && F::BYTES == self.bytes;
        assert!(fit && self.writes_fixed, "{SMALL}");
        let mut memory = Pointers::each(|_| std::ptr::null_mut());
        memory.fixed = fixed.as_mut_ptr().cast();
        self.enter(&list.collect::<Vec<_>>(), &memory);
    }

    /// From now on takes the time of each function.
    pub(super) fn measure(&mut self) {
        self.spent = self.entries.iter().map(|_| Spent::default()).collect();
    }

    /// What was spent on each function since [`Code::measure`].
    pub(super) fn spent(&self) -> &[Spent] {
        &self.spent
    }

    fn enter(&self, list: &[usize], memory: &Pointers<*mut u8>) {
        if self.spent.is_empty() {
            return self.call(list, memory);
        }
        for at in list {
            self.spent[*at].on(|| self.call(&[*at], memory));
        }
    }

    fn call(&self, list: &[usize], memory: &Pointers<*mut u8>) {
        for at in list {
            let entry = &self.entries[*at];
            #[expect(
                unsafe_code,
                reason = "the one place where machine code is entered, and kernels by its side"
            )]
            // SAFETY: the functions touch only the regions they are given, inside the sizes that the
            // callers assert: every position comes from an access that `graph::verify` has proved to
            // lie inside its operand, in the program or in the `block` of its optimiser, gathered ones are cut to the
            // size of their axis, and the slots of the layout lie inside the sizes. Kernels of products are given
            // strides composed of such accesses, of sums without conditions, whose result lies in a slot that no
            // factor shares; functions of whole arrays are given whole slots, and for second arguments room that the
            // layout keeps for the longest. Under a mask only that is read which `vector::choose` has found to lie
            // inside its operand whatever the condition says; `fuse` asks the same of every member of a loop, a roll
            // is read inside its axis or inside a copy as long as the range of its number, and copies are made of
            // positions inside their slots alone. Graphs are arranged anew by exchanging axes and by joining arrays,
            // so that what was proved of an access holds of its image. Functions of `wide` keep to a frame of their
            // own below the stack pointer and to registers that a caller saves, but for `rbp`, which they put back.
            // `products` keeps the descriptions where the code looks for them. Functions that write the fixed region,
            // and no others, are entered by `run_fixed`, which holds it alone: their operands are fixed too, so that
            // they look at no other region, and none is there. Direct calls touch slots of the same layout, and so do
            // those that follow a function, whose arguments it has just written. Two
            // threads are in here at once for the parts of a fork alone, of which neither needs what the other makes:
            // a function writes slots that no other writes, but for `Layout::second`, whose users `forks` puts in
            // order, and an adjoint that is written where it has arrived is read by nobody else. Loads of `ahead` may
            // lead outside: only functions of `wide` are given them, which fetch instead of loading, and one that
            // `wide` cannot make is begun anew without them. `module` keeps the code mapped as long as `self` lives.
            unsafe {
                match entry {
                    Entry::Function(function, tile) => {
                        function(memory);
                        if let Some(tile) = tile {
                            tile.run(memory);
                        }
                    }
                    Entry::Direct(direct) => direct.run(memory),
                }
            }
        }
    }
}

/// A function just made.
fn function(address: *const u8) -> Function {
    #[expect(unsafe_code, reason = "machine code just made for exactly this signature")]
    // SAFETY: the function was declared with `signature`, which is that of `Function`.
    unsafe {
        std::mem::transmute::<*const u8, Function>(address)
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(Ok(module)) = self.module.take().map(Mutex::into_inner) {
            #[expect(unsafe_code, reason = "gives the code memory back")]
            // SAFETY: the entries die with `self`, and no call is running: `run` borrows `self`.
            unsafe {
                module.free_memory();
            }
        }
    }
}
