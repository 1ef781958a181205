//! Machine code: made once, run many times, freed in the end.
//!
//! In: what each function computes. Out: [`Code`], a list of functions. Invariants: pages are written,
//! then made executable, never both at once; a function touches nothing but the memory it is given.

use std::fmt;
use std::ops::Range;
use std::sync::{LazyLock, Mutex};

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind,
    UserFuncName, immediates::Offset32, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa, TargetFrontendConfig};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, default_libcall_names};

use crate::backend::kernels::Product;
use crate::backend::phase::Wanted;
use crate::graph::{Access, Graph, NodeId, Op, Read};

use super::called::{Number, Pointers};
use super::emit::{Emitter, Shape};
use super::held::tiled;
use super::layout::{Layout, layout};
use super::product::of_node;
use super::profile::Spent;
use super::vector::{PARTS, Vector, Work, choose};
use super::wide;
use crate::backend::float::MOST_ARGUMENTS;

/// What one function computes.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// A node that is held.
    Node(NodeId),
    /// A fused loop of the layout, by its number.
    Fused(usize),
    /// A root, added to the gradient from that place on.
    Sum(Read, usize),
}

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

/// How functions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// As Cranelift takes them.
    Clif,
    /// As the machine runs them.
    Asm,
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
    work: usize,
    seeds: usize,
    gradient: usize,
}

type Entry = unsafe extern "C" fn(*const Pointers<*mut u8>);

/// Functions in executable memory.
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

/// The machine this runs on.
fn machine() -> Result<OwnedTargetIsa, String> {
    static MACHINE: LazyLock<Result<OwnedTargetIsa, String>> = LazyLock::new(look);
    MACHINE.clone()
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

fn look() -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let set = [
        ("opt_level", "speed"),
        ("use_colocated_libcalls", "false"),
        ("is_pic", "false"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ];
    for (name, value) in set {
        flags.set(name, value).map_err(|error| error.to_string())?;
    }
    let isa = cranelift_native::builder().map_err(str::to_owned)?;
    isa.finish(settings::Flags::new(flags)).map_err(|error: CodegenError| error.to_string())
}

/// How the values of a group of samples lie in registers.
fn shape(samples: usize, bytes: i64) -> Shape {
    let width = (16 / bytes) as usize;
    if samples.is_multiple_of(width) {
        Shape { width, parts: samples / width, samples: true }
    } else {
        Shape { width: 1, parts: samples, samples: true }
    }
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
        let mut texts = Vec::new();
        if !tasks.is_empty() {
            let mut look =
                |context: &Context| texts.extend(listing.map(|listing| shown(context, listing)));
            code.fill::<F>((graph, layout), tasks, (samples, listing), &mut look)?;
        }
        Ok((code, texts))
    }

    /// Makes the functions; `look` sees each as soon as it is made.
    fn fill<F: Number>(
        &mut self,
        (graph, layout): (&Graph, &Layout),
        tasks: &[Task],
        (samples, listing): (usize, Option<Listing>),
        look: &mut dyn FnMut(&Context),
    ) -> Result<(), String> {
        let said = |error: ModuleError| format!("{error:?}");
        let mut module = JITModule::new(JITBuilder::with_isa(machine()?, default_libcall_names()));
        let config = module.target_config();
        let mut context = module.make_context();
        let mut room = FunctionBuilderContext::new();
        let mut made: Vec<FuncId> = Vec::new();
        for (number, task) in tasks.iter().enumerate() {
            let name = format!("k{number}");
            let signature = signature(config.default_call_conv);
            let id = module.declare_function(&name, Linkage::Local, &signature).map_err(said)?;
            let wide = self.bytes == 4 && wide::can() && !calls(graph, layout, task);
            for wide in [true, false].into_iter().filter(|one| wide || !one) {
                context.func.signature = signature.clone();
                context.func.name = UserFuncName::user(0, number as u32);
                let described = self.products.len();
                let body = &mut context.func;
                self.body::<F>(body, &mut room, (graph, layout), task, (samples, config, wide));
                context.set_disasm(listing == Some(Listing::Asm));
                if !wide {
                    define(&mut module, id, &mut context)?;
                } else if let Some(bytes) = widely(&mut context)? {
                    module.define_function_bytes(id, 16, &bytes, &[]).map_err(said)?;
                } else {
                    self.products.truncate(described);
                    module.clear_context(&mut context);
                    continue;
                }
                look(&context);
                module.clear_context(&mut context);
                break;
            }
            made.push(id);
        }
        module.finalize_definitions().map_err(said)?;
        for id in made {
            let address = module.get_finalized_function(id);
            #[expect(unsafe_code, reason = "machine code just made for exactly this signature")]
            // SAFETY: the function was declared with `signature`, which is that of `Entry`.
            let entry = unsafe { std::mem::transmute::<*const u8, Entry>(address) };
            self.entries.push(entry);
        }
        self.module = Some(Mutex::new(module));
        Ok(())
    }

    fn body<F: Number>(
        &mut self,
        function: &mut Function,
        room: &mut FunctionBuilderContext,
        (graph, layout): (&Graph, &Layout),
        task: &Task,
        (samples, config, wide): (usize, TargetFrontendConfig, bool),
    ) {
        let float = if self.bytes == 4 { types::F32 } else { types::F64 };
        let shape = shape(samples, self.bytes);
        let shape = if wide { shape.widened() } else { shape };
        let width = (16 / self.bytes) as usize;
        let mut to = FunctionBuilder::new(function, room);
        let entry = to.create_block();
        to.append_block_params_for_function_params(entry);
        to.switch_to_block(entry);
        let memory = to.block_params(entry)[0];
        let regions = Pointers::each(|number| {
            let at = Offset32::new(number * types::I64.bytes() as i32);
            to.ins().load(types::I64, MemFlagsData::trusted(), memory, at)
        });
        let numbers = shape.count().max(width * PARTS) as i64;
        let scratch = to.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            (numbers * self.bytes * MOST_ARGUMENTS as i64) as u32,
            4,
        ));
        let vector = if samples == 1 { along(graph, layout, task, (width, wide)) } else { None };
        let mut emitter = Emitter {
            to,
            graph,
            layout,
            float,
            shape,
            samples,
            regions,
            products: &mut self.products,
            run: F::PRODUCT,
            scratch,
            mask: None,
            careful: false,
            known: Vec::new(),
            stand: None,
            clear: None,
            wide,
        };
        match task {
            Task::Node(id) => emitter.node(*id, vector),
            Task::Fused(number) => emitter.fused(&layout.fused[*number], width),
            Task::Sum(read, offset) => emitter.sum(read, *offset, vector),
        }
        emitter.to.ins().return_(&[]);
        emitter.to.seal_all_blocks();
        emitter.to.finalize(config);
    }

    /// Runs functions of one time step, in order. They write every region but the fixed one.
    pub(super) fn run<F: Number>(&self, list: Range<usize>, regions: &mut Regions<'_, F>) {
        let Sizes { fixed, tape, work, seeds, gradient } = self.sizes;
        let fit = regions.fixed.len() >= fixed
            && regions.tape.len() >= tape
            && regions.before.len() >= tape
            && regions.work.len() >= work
            && regions.arriving.len() >= seeds
            && regions.leaving.len() >= seeds
            && (list.end <= self.first_sum || regions.gradient.len() >= gradient);
        assert!(fit && F::BYTES == self.bytes && !self.writes_fixed, "{SMALL}");
        self.enter(
            list,
            &Pointers {
                fixed: regions.fixed.as_ptr().cast_mut().cast(),
                tape: regions.tape.as_mut_ptr().cast(),
                before: regions.before.as_ptr().cast_mut().cast(),
                work: regions.work.as_mut_ptr().cast(),
                arriving: regions.arriving.as_ptr().cast_mut().cast(),
                leaving: regions.leaving.as_mut_ptr().cast(),
                gradient: regions.gradient.as_mut_ptr().cast(),
            },
        );
    }

    /// Runs functions of values that are the same for all steps and samples, in order.
    pub(super) fn run_fixed<F: Number>(&self, list: Range<usize>, fixed: &mut [F]) {
        let fit = fixed.len() >= self.sizes.fixed && F::BYTES == self.bytes;
        assert!(fit && self.writes_fixed, "{SMALL}");
        let mut memory = Pointers::each(|_| std::ptr::null_mut());
        memory.fixed = fixed.as_mut_ptr().cast();
        self.enter(list, &memory);
    }

    /// From now on takes the time of each function.
    pub(super) fn measure(&mut self) {
        self.spent = self.entries.iter().map(|_| Spent::default()).collect();
    }

    /// What was spent on each function since [`Code::measure`].
    pub(super) fn spent(&self) -> &[Spent] {
        &self.spent
    }

    fn enter(&self, list: Range<usize>, memory: &Pointers<*mut u8>) {
        if self.spent.is_empty() {
            return self.call(list, memory);
        }
        for at in list {
            self.spent[at].on(|| self.call(at..at + 1, memory));
        }
    }

    fn call(&self, list: Range<usize>, memory: &Pointers<*mut u8>) {
        for entry in &self.entries[list] {
            #[expect(unsafe_code, reason = "the one place where machine code is entered")]
            // SAFETY: the functions touch only the regions they are given, inside the sizes that the
            // callers assert: every position comes from an access that `graph::verify` has proved to
            // lie inside its operand, gathered ones are cut to the size of their axis, and the slots
            // of the layout lie inside the sizes. Kernels of products are given strides composed of such
            // accesses, of sums without conditions, whose result lies in a slot that no factor shares; functions
            // of whole arrays are given whole slots, and for second arguments room that the layout keeps for
            // the longest. Under a mask only that is read which `vector::choose` has found to lie inside
            // its operand whatever the condition says; `fuse` asks the same of every member of a loop, a roll is
            // read inside its axis, and copies are made of positions inside their slots alone. Functions of
            // `wide` keep to a frame of their own below the stack pointer and to registers that a caller saves. `products` keeps the descriptions where the code
            // looks for them. Functions that write the fixed region, and no others,
            // are entered by `run_fixed`, which holds it alone. `module` keeps the code mapped as long
            // as `self` lives.
            unsafe {
                entry(memory);
            }
        }
    }
}

/// The text of a function just made.
fn shown(context: &Context, listing: Listing) -> String {
    match listing {
        Listing::Clif => context.func.display().to_string(),
        Listing::Asm => {
            let text = context.compiled_code().and_then(|code| code.vcode.clone());
            text.or_else(|| wide::listing(&context.func)).unwrap_or_default()
        }
    }
}

/// The axis along which a lone sample's numbers share vectors.
fn along(
    graph: &Graph,
    layout: &Layout,
    task: &Task,
    (width, wide): (usize, bool),
) -> Option<Vector> {
    let work = match task {
        Task::Node(id) => Work::Node(*id),
        Task::Fused(_) => return None,
        Task::Sum(read, _) => Work::Sum(read),
    };
    let vector = choose(graph, layout, work, width)?;
    Some(match wide {
        true => Vector { shape: vector.shape.widened(), ..vector },
        false => vector,
    })
}

/// Whether a function calls others, which need no wide vectors.
fn calls(graph: &Graph, layout: &Layout, task: &Task) -> bool {
    let Task::Node(id) = task else { return false };
    let product = of_node(graph, &|id| layout.strides(graph, id), *id).is_some();
    product
        || tiled(graph, *id, layout.tiles).is_some()
        || matches!(graph.node(*id).op, Op::Opaque { .. })
}

/// The bytes of a function with wide vectors, if they can be made.
fn widely(context: &mut Context) -> Result<Option<Vec<u8>>, String> {
    let told = |error| format!("{error:?}");
    context.optimize(&*machine()?, &mut ControlPlane::default()).map_err(told)?;
    Ok(wide::compile(&mut context.func))
}

fn define(module: &mut JITModule, id: FuncId, context: &mut Context) -> Result<(), String> {
    module
        .define_function(id, context)
        .map_err(|error| format!("{error:?}\n{}", context.func.display()))
}

/// The signature of [`Entry`], as the machine calls C functions.
fn signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.push(AbiParam::new(types::I64));
    signature
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
