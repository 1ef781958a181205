//! Tasks made into bytes, or into calls of kernels, by several threads.
//!
//! In: what each task computes. Out: what each is [`Made`], in order. Invariant: what a function's bytes
//! are depends on no other function, so that who makes it does not matter.

use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind,
    UserFuncName, immediates::Offset32, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa, TargetFrontendConfig};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, CompileError, Context};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, ModuleReloc};

use crate::backend::float::MOST_ARGUMENTS;
use crate::backend::kernels::Product;
use crate::graph::{Graph, NodeId, Op, Read};

use super::call::{Direct, call};
use super::called::{Number, Pointers};
use super::emit::{Emitter, Shape, flags};
use super::layout::Layout;
use super::vector::{PARTS, Vector, Work, choose};
use super::whole::{Tile, tile_of};
use super::wide;

/// Fewer functions are made before a second thread has begun.
const FEW: usize = 16;
/// The most threads that make functions.
const MOST_THREADS: usize = 4;
/// Bytes of the stack of each: values that are computed where they are read are made one inside the other.
const STACK: usize = 8 << 20;

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

/// How functions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// As Cranelift takes them.
    Clif,
    /// As the machine runs them.
    Asm,
}

/// What functions are made from.
pub(super) struct Maker<'a> {
    pub(super) graph: &'a Graph,
    pub(super) layout: &'a Layout,
    /// What each computes.
    pub(super) tasks: &'a [Task],
    /// Samples that lie side by side.
    pub(super) samples: usize,
    /// Bytes of a number.
    pub(super) bytes: i64,
    /// Whether their text is wanted.
    pub(super) listing: Option<Listing>,
}

/// What a task has become.
pub(super) enum Made {
    /// Machine code, and what follows it.
    Function(Object, Option<Tile>),
    /// A call of a kernel.
    Direct(Direct, Option<String>),
}

/// A function, made.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) align: u64,
    pub(super) relocs: Vec<ModuleReloc>,
    /// Descriptions of the products that it calls, at addresses that it knows.
    #[expect(clippy::vec_box, reason = "the code holds the address of each")]
    pub(super) products: Vec<Box<Product>>,
    pub(super) text: Option<String>,
}

/// What a thread makes functions in.
struct Rooms {
    context: Context,
    builder: FunctionBuilderContext,
    machine: OwnedTargetIsa,
}

/// The machine this runs on.
pub(super) fn machine() -> Result<OwnedTargetIsa, String> {
    static MACHINE: LazyLock<Result<OwnedTargetIsa, String>> = LazyLock::new(look);
    MACHINE.clone()
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

/// The signature of a function, as the machine calls C functions: it takes the address of its memory.
pub(super) fn signature(convention: CallConv) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.push(AbiParam::new(types::I64));
    signature
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

impl Maker<'_> {
    /// All tasks; each that is a function will be known by its number there.
    pub(super) fn all<F: Number>(&self, ids: &[FuncId]) -> Result<Vec<Made>, String> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Made)>, String> {
            let (context, builder) = (Context::new(), FunctionBuilderContext::new());
            let mut rooms = Rooms { context, builder, machine: machine()? };
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(id) = ids.get(at) else { return Ok(own) };
                own.push((at, self.one::<F>(at, *id, &mut rooms)?));
            }
        };
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = if ids.len() < FEW { 1 } else { cores.min(MOST_THREADS) };
        let mut all = scope(|scope| {
            // A thread that cannot be had is done without.
            let spawn = |_| Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..threads).filter_map(spawn).collect();
            let mut all = work();
            for other in others {
                let more = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                all = all.and_then(|mut all| {
                    all.extend(more?);
                    Ok(all)
                });
            }
            all
        })?;
        all.sort_unstable_by_key(|(at, _)| *at);
        Ok(all.into_iter().map(|(_, made)| made).collect())
    }

    /// One task: a call of a kernel, if it is no more.
    fn one<F: Number>(&self, number: usize, id: FuncId, rooms: &mut Rooms) -> Result<Made, String> {
        let Maker { graph, layout, samples, .. } = *self;
        let call = match self.tasks[number] {
            Task::Node(id) => call(graph, layout, samples, id),
            Task::Fused(_) | Task::Sum(..) => None,
        };
        let calls = call.is_some() || self.calls(number);
        if let Some(direct) = call.and_then(|call| call.direct(F::PRODUCT, self.bytes as usize)) {
            let text = self.listing.map(|_| direct.told());
            return Ok(Made::Direct(direct, text));
        }
        let mut object = self.function::<F>((number, id), calls, rooms)?;
        let tile = self.tile(&self.tasks[number]);
        if let (Some(text), Some(tile)) = (&mut object.text, &tile) {
            text.push_str(&tile.told());
        }
        Ok(Made::Function(object, tile))
    }

    /// The kernel that follows a function, which then does no more than write arguments.
    fn tile(&self, task: &Task) -> Option<Tile> {
        let Task::Node(id) = task else { return None };
        tile_of(self.graph, self.layout, self.samples, *id)
    }

    /// One function: with wide vectors, if it can be made so; one that `calls` others needs none.
    fn function<F: Number>(
        &self,
        (number, id): (usize, FuncId),
        calls: bool,
        rooms: &mut Rooms,
    ) -> Result<Object, String> {
        let told = |error| format!("{error:?}");
        let text = |context: &Context| self.listing.map(|listing| shown(context, listing));
        if self.bytes == 4 && wide::can() && !calls {
            let products = self.start::<F>(number, rooms, true);
            let Rooms { context, machine, .. } = rooms;
            if wide::knows(&context.func) {
                context.optimize(&**machine, &mut ControlPlane::default()).map_err(told)?;
                if let Some(bytes) = wide::compile(&mut context.func) {
                    let (align, relocs) = (16, Vec::new());
                    return Ok(Object { bytes, align, relocs, products, text: text(context) });
                }
            }
        }
        let products = self.start::<F>(number, rooms, false);
        let Rooms { context, machine, .. } = rooms;
        let (bytes, align, relocs) = plainly(context, machine, id)?;
        Ok(Object { bytes, align, relocs, products, text: text(context) })
    }

    /// Begins a function anew, and gives the products that it calls.
    #[expect(clippy::vec_box, reason = "the code holds the address of each")]
    fn start<F: Number>(&self, number: usize, rooms: &mut Rooms, wide: bool) -> Vec<Box<Product>> {
        let Rooms { context, builder, machine } = rooms;
        context.clear();
        let config = machine.frontend_config();
        context.func.signature = signature(config.default_call_conv);
        context.func.name = UserFuncName::user(0, number as u32);
        context.set_disasm(self.listing == Some(Listing::Asm));
        self.body::<F>(&mut context.func, builder, &self.tasks[number], (config, wide))
    }

    /// A function as Cranelift takes it, and the products that it calls.
    #[expect(clippy::vec_box, reason = "the code holds the address of each")]
    fn body<F: Number>(
        &self,
        function: &mut Function,
        room: &mut FunctionBuilderContext,
        task: &Task,
        (config, wide): (TargetFrontendConfig, bool),
    ) -> Vec<Box<Product>> {
        let Maker { graph, layout, samples, .. } = *self;
        let mut products = Vec::new();
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
        let vector = if samples == 1 { self.along(task, (width, wide)) } else { None };
        let mut emitter = Emitter {
            to,
            graph,
            layout,
            float,
            shape,
            samples,
            regions,
            products: &mut products,
            run: F::PRODUCT,
            scratch,
            mask: None,
            careful: false,
            known: Vec::new(),
            stand: None,
            rings: Vec::new(),
            known_arm: None,
            clear: None,
            loads: flags(),
            row: None,
            wide,
        };
        emitter.after_copies(|emitter| match task {
            Task::Node(id) if self.tile(task).is_some() => emitter.lay_arguments(*id, vector),
            Task::Node(id) => emitter.node(*id, vector),
            Task::Fused(number) => emitter.fused(&layout.fused[*number], width),
            Task::Sum(read, offset) => emitter.sum(read, *offset, vector),
        });
        emitter.to.ins().return_(&[]);
        emitter.to.seal_all_blocks();
        emitter.to.finalize(config);
        products
    }

    /// The axis along which a lone sample's numbers share vectors.
    fn along(&self, task: &Task, (width, wide): (usize, bool)) -> Option<Vector> {
        let work = match task {
            Task::Node(id) => Work::Node(*id),
            Task::Fused(_) => return None,
            Task::Sum(read, _) => Work::Sum(read),
        };
        let vector = choose(self.graph, self.layout, work, width)?;
        Some(match wide {
            true => Vector { shape: vector.shape.widened(), ..vector },
            false => vector,
        })
    }

    /// Whether a function calls a primitive of whole axes.
    fn calls(&self, number: usize) -> bool {
        let Task::Node(id) = self.tasks[number] else { return false };
        matches!(self.graph.node(id).op, Op::Opaque { .. })
    }
}

/// The bytes that Cranelift makes, their alignment, and the addresses to be filled in.
fn plainly(
    context: &mut Context,
    machine: &OwnedTargetIsa,
    id: FuncId,
) -> Result<(Vec<u8>, u64, Vec<ModuleReloc>), String> {
    let told = |error: CompileError<'_>| format!("{:?}\n{}", error.inner, error.func.display());
    let code = context.compile(&**machine, &mut ControlPlane::default()).map_err(told)?;
    let (bytes, align) = (code.code_buffer().to_vec(), u64::from(code.buffer.alignment));
    let relocs: Vec<_> = code.buffer.relocs().to_vec();
    let reloc = |reloc| ModuleReloc::from_mach_reloc(reloc, &context.func, id);
    Ok((bytes, align, relocs.iter().map(reloc).collect()))
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
