//! The loops over groups of samples, steps and phases.
//!
//! In: a program, parameters, a batch. Out: an [`Outcome`]. Consecutive samples of equal length form
//! groups of the sizes that the plan of a backend offers; groups are cut into at most [`MAX_CHUNKS`] chunks, whose
//! number depends on the batch alone; each chunk has one sum of gradients, and the sums are combined by a fixed tree.
//! Threads that are left over help with single steps, if the backend knows how. Invariant: the same bits for any
//! number of threads.

use std::borrow::Cow;
use std::sync::Mutex;
use std::time::Instant;

use crate::graph::{Array, Leaf, Op, Program};
use crate::passes::timed;
use crate::tensor::Tensor;

use super::aid::Aid;
use super::float::{Float, round};
use super::learn::{Numbers, Rule};
use super::live::Live;
use super::phase::{names, wanted_of_init, wanted_of_step};
use super::plan::{At, Blind, PASSING, Plan, Source, Watch};
use super::sweep::{Fed, Group, Memory, Ports, Sample, Shared, Sums, groups};
use super::threads::on_threads;
use super::{Batch, Executable, Facts, Gradients, Outcome, Part, Timed, Want};

/// The most chunks a batch is cut into: enough to keep many threads busy with samples of unequal
/// length, few enough that one gradient buffer each is no burden.
pub(super) const MAX_CHUNKS: usize = 16;

/// How many plans of the step graph are kept, one for each set of roots asked for.
const MAX_PLANS: usize = 8;

/// A program made ready.
#[derive(Debug)]
pub(super) struct Engine<P: Plan> {
    pub(super) program: Program,
    pub(super) threads: usize,
    /// Steps of the forward sweep that may be kept at a time.
    stretch: usize,
    /// The least function of a step that is worth a second thread, as the plan takes it.
    worth: u64,
    pub(super) params: Vec<Part>,
    pub(super) states: Vec<Part>,
    /// For each state, whether its first value is computed from parameters.
    learned: Vec<bool>,
    /// First states, of which those that parameters have a part in are computed anew.
    starts: Vec<P::Float>,
    /// For each state, whether they have.
    varying: Vec<bool>,
    param_len: usize,
    state_len: usize,
    pub(super) init: P,
    pub(super) update: Option<Rule<P>>,
    plans: Vec<Ready<P>>,
    pub(super) memories: Vec<Memory<P>>,
    pub(super) shares: Vec<Share<P::Float>>,
    pub(super) numbers: Numbers<P>,
    /// A sequence whose inputs still come.
    pub(super) live: Option<Live<P>>,
    /// Threads that the last batch left nothing else to do.
    helpers: usize,
}

/// A plan of the step graph for what one caller wants.
#[derive(Debug)]
pub(super) struct Ready<P: Plan> {
    roots: Vec<String>,
    gradients: bool,
    pub(super) plan: P,
    pub(super) ports: Ports<P::Read>,
    /// Whether helpers are worth having.
    aid: Aid,
}

/// What a chunk of groups gives.
#[derive(Debug, Default)]
pub(super) struct Share<F> {
    pub(super) sum: Vec<F>,
    seeds: Vec<F>,
    samples: Vec<Sample<F>>,
}

pub(super) fn tensor(shape: &[usize], values: Vec<f64>) -> Tensor {
    match Tensor::from_shape_vec(shape, values) {
        Ok(tensor) => tensor,
        Err(error) => panic!("internal error: backend: {error}"),
    }
}

pub(super) fn widen<F: Float>(values: &[F]) -> Vec<f64> {
    values.iter().map(|value| value.wide()).collect()
}

/// The numbers of a tensor in row-major order.
pub(super) fn flat(tensor: &Tensor) -> Cow<'_, [f64]> {
    tensor.as_slice().map_or_else(|| Cow::Owned(tensor.iter().copied().collect()), Cow::Borrowed)
}

impl<P: Plan> Engine<P> {
    /// Makes a program ready.
    pub(super) fn new(program: &Program, threads: usize) -> Engine<P> {
        let (params, param_len) = Part::list(program.params.iter().map(Array::len));
        let (states, state_len) = Part::list(program.states.iter().map(Array::len));
        let init = alone(P::new(&program.init, &wanted_of_init(program)));
        let update = program.update.as_ref().map(Rule::new);
        let holds = |leaf: &Leaf| program.init.leaf(leaf).is_some();
        let learned: Vec<bool> =
            (0..states.len()).map(|state| holds(&Leaf::Seed(state as u32))).collect();
        let varying = varying(program);
        let mut engine = Engine {
            program: program.clone(),
            threads: threads.max(1),
            stretch: usize::MAX,
            worth: u64::MAX,
            params,
            states,
            learned,
            starts: Vec::new(),
            varying: vec![true; program.states.len()],
            param_len,
            state_len,
            init,
            update,
            plans: Vec::new(),
            memories: Vec::new(),
            shares: Vec::new(),
            numbers: Numbers::default(),
            live: None,
            helpers: 0,
        };
        engine.starts = vec![P::Float::of(0.0); state_len];
        engine.starts = engine.first_states().into_owned();
        engine.varying = varying;
        engine
    }

    /// The same with the least function of a step that is worth a second thread, as the plan takes it.
    pub(super) fn worth(self, worth: u64) -> Engine<P> {
        Engine { worth, ..self }
    }

    /// The plan for what is wanted, with these parameters in it.
    pub(super) fn ready(&mut self, params: &[Tensor], want: &Want) -> Ready<P> {
        let values: Vec<_> = params.iter().map(flat).collect();
        // What the plans have seen last is no longer what is held.
        self.numbers.forget();
        self.ready_for(true, want, |param, first, out| {
            round(out, &values[param][first..first + out.len()])
        })
    }

    /// The same; parameters that are not new are those of the last run.
    pub(super) fn ready_for(
        &mut self,
        new: bool,
        want: &Want,
        fill: impl Fn(usize, usize, &mut [P::Float]),
    ) -> Ready<P> {
        let mut roots = want.roots.clone();
        roots.sort_unstable();
        roots.dedup();
        let known = self
            .plans
            .iter()
            .position(|ready| ready.roots == roots && ready.gradients == want.gradients);
        let mut ready = match known {
            Some(at) => self.plans.remove(at),
            None => self.make(roots, want.gradients),
        };
        // Memory is shared between plans; a plan that was not the last one used starts from zeros.
        let last = known == Some(self.plans.len());
        if !last {
            self.memories.clear();
        }
        // First states may have been asked for other parameters meanwhile.
        self.init.set_params(&fill);
        if !last || new {
            ready.plan.set_params(&fill);
        }
        ready
    }

    /// Gives a plan back, as the one used last.
    pub(super) fn keep(&mut self, ready: Ready<P>) {
        if self.plans.len() >= MAX_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(ready);
    }

    fn make(&self, roots: Vec<String>, gradients: bool) -> Ready<P> {
        let program = &self.program;
        let mut plan = P::new(&program.step, &wanted_of_step(program, &roots, gradients));
        if self.threads > 1 {
            timed("plan", || plan.share(self.worth));
        }
        let find = |names: Vec<String>| names.iter().map(|name| plan.root(name)).collect();
        let ports = Ports {
            loss: plan.root("loss"),
            next: find(names("next", &program.states)),
            asked: roots.iter().filter_map(|name| Some((name.clone(), plan.root(name)?))).collect(),
            inputs: find(names("grad/input", &program.inputs)),
            prev: find(names("grad/prev", &program.states)),
        };
        Ready { roots, gradients, plan, ports, aid: Aid::default() }
    }

    /// First states for the parameters set last.
    pub(super) fn first_states(&self) -> Cow<'_, [P::Float]> {
        if !self.varying.contains(&true) {
            return Cow::Borrowed(&self.starts);
        }
        let mut starts = self.starts.clone();
        let all = self.states.iter().zip(names("start", &self.program.states));
        let some = all.zip(&self.varying).filter(|(_, varying)| **varying);
        let (parts, names): (Vec<&Part>, Vec<String>) = some.map(|(state, _)| state).unzip();
        let roots = once(&self.init, &names, |_, _| {});
        for (part, root) in parts.into_iter().zip(roots) {
            if let Some(value) = root {
                part.of_mut(&mut starts).copy_from_slice(&value);
            }
        }
        Cow::Owned(starts)
    }

    /// Adjoints of first states that a chunk adds up.
    fn seeds(&self) -> usize {
        if self.learned.contains(&true) { self.state_len } else { 0 }
    }

    /// Refuses a batch that is none for the program, before anything is taken.
    pub(super) fn demand(&self, batch: &Batch) {
        batch.fits(&self.program).unwrap_or_else(|what| panic!("internal error: backend: {what}"));
    }

    /// Lays a batch out.
    fn feed<'b>(&self, batch: &'b Batch) -> Fed<'b> {
        let inputs = batch.inputs.iter().zip(&self.program.inputs);
        let given = |at| batch.starts.get(at).and_then(Option::as_ref);
        Fed {
            inputs: inputs.map(|(all, array)| (flat(all), array.len())).collect(),
            given: (0..self.states.len())
                .map(|at| given(at).map(|start| flat(start).into_owned()))
                .collect(),
        }
    }

    fn shared<'a>(
        &'a self,
        ready: &'a Ready<P>,
        batch: &'a Batch,
        fed: &'a Fed<'a>,
        starts: &'a [P::Float],
        told: bool,
    ) -> Shared<'a, P> {
        Shared {
            plan: &ready.plan,
            ports: &ready.ports,
            gradients: ready.gradients,
            stretch: self
                .stretch
                .checked_next_multiple_of(ready.plan.block())
                .unwrap_or(usize::MAX),
            told,
            learned: &self.learned,
            states: &self.states,
            lengths: &batch.lengths,
            fed,
            starts,
        }
    }

    /// Runs a batch sample by sample, then the backward sweep of the first states, under the eyes of
    /// a watch: the sample at which `enough` is said, or the number of samples.
    pub(super) fn watched<W: Watch<P::Float>>(
        &mut self,
        ready: &mut Ready<P>,
        batch: &Batch,
        watch: &mut W,
        mut enough: impl FnMut(&mut W) -> bool,
    ) -> usize {
        ready.plan.prepare(1);
        let (starts, fed) = (self.first_states(), self.feed(batch));
        let shared = self.shared(ready, batch, &fed, &starts, true);
        let mut share = Share::default();
        share.clear(self.param_len, self.seeds());
        let Share { sum, seeds, samples } = &mut share;
        let mut memory = Memory::default();
        for first in 0..batch.lengths.len() {
            let mut sums = Sums { gradient: sum, seeds };
            shared.run(Group { first, samples: 1 }, &mut memory, &mut sums, samples, watch);
            if enough(watch) {
                return first;
            }
        }
        if ready.gradients {
            self.init_gradients(seeds, sum, watch);
        }
        batch.lengths.len()
    }

    /// Hands chunks of groups to threads; with one chunk or one thread, the caller does them all. Where two threads and
    /// more are there for each chunk, one helps with its steps, if that is faster. How many might.
    fn spread(
        &self,
        shared: &Shared<'_, P>,
        groups: &[Group],
        (shares, memories): (&mut Vec<Share<P::Float>>, &mut Vec<Memory<P>>),
        aid: &mut Aid,
    ) -> usize {
        let chunk = groups.len().div_ceil(MAX_CHUNKS).max(1);
        let gradient = if shared.gradients { self.param_len } else { 0 };
        shares.resize_with(groups.len().div_ceil(chunk), Share::default);
        shares.iter_mut().for_each(|share| share.clear(gradient, self.seeds()));
        let threads = self.threads.min(shares.len()).max(1);
        memories.resize_with(threads.max(memories.len()), Memory::default);
        // Threads that no chunk is left for help with the steps of the others.
        let helpers =
            if self.threads >= 2 * threads && shared.plan.is_shared() { threads } else { 0 };
        let helped = helpers > 0 && aid.next();
        let all = memories.iter_mut().enumerate();
        all.for_each(|(at, memory)| memory.help(helped && at < threads));
        let start = Instant::now();
        let queue = Mutex::new(groups.chunks(chunk).zip(shares));
        let work = |memory: &mut Memory<P>| {
            loop {
                let next = queue.lock().map_or(None, |mut queue| queue.next());
                let Some((groups, Share { sum, seeds, samples })) = next else { break };
                for group in groups {
                    let mut sums = Sums { gradient: &mut *sum, seeds: &mut *seeds };
                    shared.run(*group, memory, &mut sums, samples, &mut Blind);
                }
            }
        };
        if let Some((own, others)) = memories[..threads].split_first_mut() {
            on_threads(own, others.iter_mut(), work);
        }
        if helpers > 0 {
            aid.end(helped, start.elapsed(), shared.lengths.iter().sum());
        }
        helpers
    }

    /// Runs a batch by a plan that is ready, and keeps the plan. Last states and gradients are told as
    /// tensors, or the sum of gradients over parameters is left in the first share.
    pub(super) fn run_ready(
        &mut self,
        mut ready: Ready<P>,
        batch: &Batch,
        tensors: bool,
    ) -> Outcome {
        // Whatever the limit of memory: numbers are the same with and without.
        let kept = |steps| if ready.gradients { steps } else { PASSING };
        let groups = groups(&batch.lengths, P::GROUPS, |steps| ready.plan.together(kept(steps)));
        groups.iter().for_each(|group| ready.plan.prepare(group.samples));
        let mut memories = std::mem::take(&mut self.memories);
        let mut shares = std::mem::take(&mut self.shares);
        let (starts, fed) = (self.first_states(), self.feed(batch));
        let shared = self.shared(&ready, batch, &fed, &starts, tensors);
        let mut aid = ready.aid;
        let helpers = self.spread(&shared, &groups, (&mut shares, &mut memories), &mut aid);
        combine(&mut shares);
        if let Some(first) = shares.first_mut().filter(|_| ready.gradients) {
            self.init_gradients(&first.seeds, &mut first.sum, &mut Blind);
        }
        let outcome = self.outcome(&shared, &shares, tensors);
        (self.memories, self.shares, self.helpers) = (memories, shares, helpers);
        ready.aid = aid;
        self.keep(ready);
        outcome
    }

    fn outcome(
        &self,
        shared: &Shared<'_, P>,
        shares: &[Share<P::Float>],
        tensors: bool,
    ) -> Outcome {
        let samples: Vec<&Sample<P::Float>> =
            shares.iter().flat_map(|share| &share.samples).collect();
        let steps = shared.lengths.iter().copied().max().unwrap_or(0);
        let asked = shared.ports.asked.iter().enumerate().map(|(at, (name, root))| {
            let values = samples.iter().map(|sample| &sample.asked[at][..]);
            (name.clone(), over_time(steps, values, &root.sizes))
        });
        let mut outcome = Outcome {
            loss: samples.iter().map(|sample| sample.loss).collect(),
            roots: asked.collect(),
            ..Outcome::default()
        };
        if tensors {
            outcome.finals = self.per_state(&samples, |sample| &sample.finals);
        }
        if shared.gradients && tensors {
            let inputs = self.program.inputs.iter().enumerate().map(|(at, array)| {
                let values = samples.iter().map(|sample| &sample.inputs[at][..]);
                over_time(steps, values, &array.sizes)
            });
            let inputs = inputs.collect();
            let starts = self.per_state(&samples, |sample| &sample.starts);
            let params = match shares.first() {
                Some(first) => self.per_param(&first.sum),
                None => self.per_param(&vec![P::Float::of(0.0); self.param_len]),
            };
            outcome.gradients = Some(Gradients { params, inputs, starts });
        }
        outcome
    }

    fn per_state(
        &self,
        samples: &[&Sample<P::Float>],
        values: impl Fn(&Sample<P::Float>) -> &[P::Float],
    ) -> Vec<Tensor> {
        let parts = self.states.iter().zip(&self.program.states);
        let each = parts.map(|(part, array)| {
            let all = samples.iter().flat_map(|sample| widen(part.of(values(sample)))).collect();
            let sizes: Vec<usize> = [samples.len()].into_iter().chain(array.shape()).collect();
            tensor(&sizes, all)
        });
        each.collect()
    }

    /// One tensor a parameter from all their numbers.
    pub(super) fn per_param(&self, sum: &[P::Float]) -> Vec<Tensor> {
        let parts = self.params.iter().zip(&self.program.params);
        parts.map(|(part, array)| tensor(&array.shape(), widen(part.of(sum)))).collect()
    }

    /// The backward sweep of the init graph. It is linear in the adjoints that arrive, so it runs
    /// once for the sum over all samples.
    fn init_gradients(
        &self,
        seeds: &[P::Float],
        sum: &mut [P::Float],
        watch: &mut impl Watch<P::Float>,
    ) {
        if seeds.is_empty() {
            return;
        }
        let mut memory = P::Memory::default();
        self.init.fit(&mut memory, PASSING, 1);
        let fill = |source: Source, out: &mut [P::Float]| match source {
            Source::Seed(at) => out.copy_from_slice(self.states[at].of(seeds)),
            Source::Input(_) | Source::Param(_) | Source::Prev(_) => {}
        };
        self.init.backward(&mut memory, At::ONCE, sum, fill, watch);
        self.init.finish(&mut memory, 1, 1, sum);
    }
}

impl<P: Plan> Executable for Engine<P> {
    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        self.demand(batch);
        let ready = self.ready(params, want);
        self.run_ready(ready, batch, true)
    }

    fn keep_at_most(&mut self, steps: usize) {
        self.stretch = steps.max(1);
        // What is taken already may be more than that.
        self.memories.clear();
        self.shares.clear();
    }

    fn facts(&self) -> Facts {
        // Without a backward sweep nothing is kept for it.
        let kept = self.plans.last().is_some_and(|ready| ready.gradients);
        let tapes = self.memories.iter().filter(|_| kept).map(Memory::tape);
        let bytes = tapes.sum::<usize>() * size_of::<P::Float>();
        let last = self.live.as_ref().map(|live| &live.ready).or(self.plans.last());
        Facts {
            kernels: last.map_or(0, |ready| ready.plan.kernels()),
            tape_bytes: bytes as u64,
            helpers: self.helpers,
        }
    }

    fn measure(&mut self) {
        self.plans.iter_mut().for_each(|ready| ready.plan.measure());
        self.init.measure();
        self.update.iter_mut().for_each(Rule::measure);
    }

    fn spent(&self) -> Vec<Timed> {
        let plans = self.plans.iter().map(|ready| &ready.plan).chain([&self.init]);
        let rules = self.update.iter().flat_map(Rule::spent);
        plans.flat_map(P::spent).chain(rules).collect()
    }

    fn starts(&mut self, params: &[Tensor]) -> Vec<Tensor> {
        let values: Vec<_> = params.iter().map(flat).collect();
        self.init
            .set_params(|param, first, out| round(out, &values[param][first..first + out.len()]));
        let starts = self.first_states();
        let parts = self.states.iter().zip(&self.program.states);
        parts.map(|(part, array)| tensor(&array.shape(), widen(part.of(&starts)))).collect()
    }
}

/// For each state, whether parameters have a part in its first value.
fn varying(program: &Program) -> Vec<bool> {
    let graph = &program.init;
    let mut varies = vec![false; graph.len()];
    for id in graph.ids() {
        varies[id.0 as usize] = matches!(graph.node(id).op, Op::Leaf(Leaf::Param(_)))
            || graph.operands(id).iter().any(|(from, _)| varies[from.0 as usize]);
    }
    let root = |name: &String| graph.root(name).is_some_and(|read| varies[read.node.0 as usize]);
    names("start", &program.states).iter().map(root).collect()
}

/// A plan of a graph that is run on one sample at a time.
pub(super) fn alone<P: Plan>(mut plan: P) -> P {
    plan.prepare(1);
    plan
}

/// Runs a graph without time, and reads roots of it.
pub(super) fn once<P: Plan>(
    plan: &P,
    names: &[String],
    fill: impl Fn(Source, &mut [P::Float]),
) -> Vec<Option<Vec<P::Float>>> {
    let mut memory = P::Memory::default();
    plan.fit(&mut memory, PASSING, 1);
    plan.forward(&mut memory, At::ONCE, fill, &mut Blind);
    let roots = names.iter().map(|name| {
        let root = plan.root(name)?;
        let mut value = vec![P::Float::of(0.0); root.len];
        plan.read(&mut memory, &root, At::ONCE, &mut value);
        Some(value)
    });
    roots.collect()
}

impl<F: Float> Share<F> {
    fn clear(&mut self, gradient_len: usize, state_len: usize) {
        self.samples.clear();
        for (buffer, len) in [(&mut self.sum, gradient_len), (&mut self.seeds, state_len)] {
            buffer.clear();
            buffer.resize(len, F::of(0.0));
        }
    }
}

/// Adds the sums of all chunks into the first: neighbours first, then neighbours of neighbours.
fn combine<F: Float>(shares: &mut [Share<F>]) {
    let mut apart = 1;
    while apart < shares.len() {
        for pair in shares.chunks_mut(2 * apart) {
            if pair.len() > apart {
                let (left, right) = pair.split_at_mut(apart);
                add(&mut left[0].sum, &right[0].sum);
                add(&mut left[0].seeds, &right[0].seeds);
            }
        }
        apart *= 2;
    }
}

fn add<F: Float>(sum: &mut [F], more: &[F]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += *more);
}

/// [T, B, sizes..] from one list of steps a sample; 0 after its end.
fn over_time<'a, F: Float>(
    steps: usize,
    samples: impl ExactSizeIterator<Item = &'a [F]>,
    sizes: &[u32],
) -> Tensor {
    let sizes: Vec<usize> = sizes.iter().map(|size| *size as usize).collect();
    let len: usize = sizes.iter().product();
    let batch = samples.len();
    let mut all = vec![0.0; steps * batch * len];
    for (number, values) in samples.enumerate() {
        for (step, row) in values.chunks_exact(len.max(1)).enumerate() {
            let first = (step * batch + number) * len;
            all[first..first + len].iter_mut().zip(row).for_each(|(o, v)| *o = v.wide());
        }
    }
    let shape: Vec<usize> = [steps, batch].into_iter().chain(sizes).collect();
    tensor(&shape, all)
}
