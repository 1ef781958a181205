//! The loops over samples and phases.
//!
//! In: a program, parameters, a batch. Out: an [`Outcome`]. Samples are cut into at most
//! [`MAX_CHUNKS`] chunks of consecutive samples, whose number depends on the batch alone; each
//! chunk has one sum of gradients, and the sums are combined by a fixed tree. Invariant: the same
//! bits for any number of threads.

use std::borrow::Cow;
use std::sync::Mutex;

use crate::backend::phase::{Wanted, names, wanted_of, wanted_of_init, wanted_of_step};
use crate::backend::{Batch, Gradients, Outcome, Part, Want};
use crate::graph::{Array, Program};
use crate::tensor::Tensor;

use super::float::Float;
use super::plan::{Plan, Source};
use super::sweep::{Blind, Memory, Ports, Sample, Shared, Watch, round};

/// The most chunks a batch is cut into: enough to keep many threads busy with samples of unequal
/// length, few enough that one gradient buffer each is no burden.
pub(super) const MAX_CHUNKS: usize = 16;

/// How many plans of the step graph are kept, one for each set of roots asked for.
const MAX_PLANS: usize = 8;

/// A program made ready in one number type.
#[derive(Debug)]
pub(super) struct Engine<F> {
    pub(super) program: Program,
    threads: usize,
    pub(super) params: Vec<Part>,
    pub(super) states: Vec<Part>,
    param_len: usize,
    pub(super) state_len: usize,
    pub(super) init: Plan<F>,
    update: Option<Plan<F>>,
    plans: Vec<Ready<F>>,
    workers: Vec<Memory<F>>,
    sums: Vec<Share<F>>,
}

/// A plan of the step graph for what one caller wants.
#[derive(Debug)]
pub(super) struct Ready<F> {
    roots: Vec<String>,
    gradients: bool,
    pub(super) plan: Plan<F>,
    pub(super) ports: Ports,
}

/// What a chunk of samples gives.
#[derive(Debug, Default)]
struct Share<F> {
    sum: Vec<F>,
    seeds: Vec<F>,
    samples: Vec<Sample<F>>,
}

fn tensor(shape: &[usize], values: Vec<f64>) -> Tensor {
    match Tensor::from_shape_vec(shape, values) {
        Ok(tensor) => tensor,
        Err(error) => panic!("internal error: interp: {error}"),
    }
}

fn widen<F: Float>(values: &[F]) -> Vec<f64> {
    values.iter().map(|value| value.wide()).collect()
}

/// The numbers of a tensor in row-major order.
pub(super) fn flat(tensor: &Tensor) -> Cow<'_, [f64]> {
    tensor.as_slice().map_or_else(|| Cow::Owned(tensor.iter().copied().collect()), Cow::Borrowed)
}

/// Samples of each chunk.
pub(super) fn chunk_len(batch: usize) -> usize {
    batch.div_ceil(MAX_CHUNKS).max(1)
}

impl<F: Float> Engine<F> {
    /// Makes a program ready.
    pub(super) fn new(program: &Program, threads: usize) -> Engine<F> {
        let (params, param_len) = Part::list(program.params.iter().map(Array::len));
        let (states, state_len) = Part::list(program.states.iter().map(Array::len));
        let init = Plan::new(&program.init, &wanted_of_init(program));
        let update =
            program.update.as_ref().map(|update| Plan::new(&update.graph, &wanted_of(update)));
        Engine {
            program: program.clone(),
            threads: threads.max(1),
            params,
            states,
            param_len,
            state_len,
            init,
            update,
            plans: Vec::new(),
            workers: Vec::new(),
            sums: Vec::new(),
        }
    }

    /// The plan for what is wanted, with these parameters in it.
    pub(super) fn ready(&mut self, params: &[Tensor], want: &Want) -> Ready<F> {
        let mut roots = want.roots.clone();
        roots.sort();
        roots.dedup();
        let known = self
            .plans
            .iter()
            .position(|ready| ready.roots == roots && ready.gradients == want.gradients);
        let mut ready = match known {
            Some(at) => self.plans.remove(at),
            None => self.prepare(roots, want.gradients),
        };
        // Memory is shared between plans; a plan that was not the last one used starts from zeros.
        if known != Some(self.plans.len()) {
            for worker in &mut self.workers {
                worker.renew(&ready.plan);
            }
        }
        let values: Vec<_> = params.iter().map(flat).collect();
        ready.plan.set_params(|param, out| round(out, &values[param]));
        self.init.set_params(|param, out| round(out, &values[param]));
        ready
    }

    /// Gives a plan back, as the one used last.
    pub(super) fn keep(&mut self, ready: Ready<F>) {
        if self.plans.len() >= MAX_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(ready);
    }

    fn prepare(&self, roots: Vec<String>, gradients: bool) -> Ready<F> {
        let program = &self.program;
        let wanted = wanted_of_step(program, &roots, gradients);
        let plan = Plan::new(&program.step, &wanted);
        let find = |names: Vec<String>| names.iter().map(|name| plan.root(name)).collect();
        let grad_params = names("grad/param", &program.params);
        let ports = Ports {
            loss: plan.root("loss"),
            next: find(names("next", &program.states)),
            asked: roots.iter().filter_map(|name| Some((name.clone(), plan.root(name)?))).collect(),
            params: grad_params
                .iter()
                .zip(&self.params)
                .filter_map(|(name, part)| Some((part.offset, plan.root(name)?)))
                .collect(),
            inputs: find(names("grad/input", &program.inputs)),
            prev: find(names("grad/prev", &program.states)),
        };
        Ready { roots, gradients, plan, ports }
    }

    /// First states for the parameters set last.
    pub(super) fn first_states(&mut self) -> Vec<F> {
        let mut memory = Memory::new();
        memory.renew(&self.init);
        let mut starts = vec![F::zero(); self.state_len];
        let mut frame = memory.frame(&self.init, &mut [], 0);
        for (part, name) in self.states.iter().zip(names("start", &self.program.states)) {
            if let Some(root) = self.init.root(&name) {
                frame.read(&root, part.of_mut(&mut starts));
            }
        }
        starts
    }

    /// Runs a batch.
    pub(super) fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        let ready = self.ready(params, want);
        let starts = self.first_states();
        let inputs: Vec<_> = batch.inputs.iter().map(flat).collect();
        let inputs = self.inputs(&inputs);
        let given = self.given(batch);
        let shared = Shared {
            plan: &ready.plan,
            ports: &ready.ports,
            gradients: want.gradients,
            states: &self.states,
            lengths: &batch.lengths,
            inputs: &inputs,
            starts: &starts,
            given: &given,
        };
        let chunks = batch.lengths.len().div_ceil(chunk_len(batch.lengths.len()));
        let mut sums = std::mem::take(&mut self.sums);
        sums.resize_with(chunks, Share::default);
        let gradient_len = if want.gradients { self.param_len } else { 0 };
        for share in &mut sums {
            share.clear(gradient_len, self.state_len);
        }
        let mut workers = std::mem::take(&mut self.workers);
        spread(&shared, &mut sums, &mut workers, self.threads);
        combine(&mut sums);
        let outcome = self.outcome(&shared, &mut sums);
        drop(given);
        self.workers = workers;
        self.sums = sums;
        self.keep(ready);
        outcome
    }

    /// The inputs with the number of elements of one sample at one step.
    pub(super) fn inputs<'a>(&self, all: &'a [Cow<'_, [f64]>]) -> Vec<(&'a [f64], usize)> {
        assert_eq!(
            all.len(),
            self.program.inputs.len(),
            "internal error: interp: a batch with another number of inputs"
        );
        all.iter().zip(&self.program.inputs).map(|(all, array)| (&**all, array.len())).collect()
    }

    /// The first states given by a batch.
    pub(super) fn given(&self, batch: &Batch) -> Vec<Option<Vec<f64>>> {
        let given = |at| batch.starts.get(at).and_then(Option::as_ref);
        (0..self.states.len()).map(|at| given(at).map(|start| flat(start).into_owned())).collect()
    }

    fn outcome(&self, shared: &Shared<'_, F>, sums: &mut [Share<F>]) -> Outcome {
        let samples: Vec<&Sample<F>> = sums.iter().flat_map(|share| &share.samples).collect();
        let shape = Shape::of(shared.lengths);
        let asked = shared.ports.asked.iter().enumerate().map(|(at, (name, root))| {
            let values = samples.iter().map(|sample| &sample.asked[at][..]);
            (name.clone(), shape.over_time(values, &root.sizes))
        });
        let mut outcome = Outcome {
            loss: samples.iter().map(|sample| sample.loss).collect(),
            roots: asked.collect(),
            finals: self.per_state(&shape, &samples, |sample| &sample.finals),
            gradients: None,
        };
        if shared.gradients {
            let inputs = self.program.inputs.iter().enumerate().map(|(at, array)| {
                let values = samples.iter().map(|sample| &sample.inputs[at][..]);
                shape.over_time(values, &array.sizes)
            });
            let inputs = inputs.collect();
            let starts = self.per_state(&shape, &samples, |sample| &sample.starts);
            drop(samples);
            let params = match sums.first_mut() {
                Some(first) => {
                    self.init_gradients(&first.seeds, &mut first.sum, &mut Blind);
                    self.per_param(&first.sum)
                }
                None => self.per_param(&vec![F::zero(); self.param_len]),
            };
            outcome.gradients = Some(Gradients { params, inputs, starts });
        }
        outcome
    }

    fn per_state(
        &self,
        shape: &Shape,
        samples: &[&Sample<F>],
        values: impl Fn(&Sample<F>) -> &[F],
    ) -> Vec<Tensor> {
        let parts = self.states.iter().zip(&self.program.states);
        let each = parts.map(|(part, array)| {
            let all = samples.iter().flat_map(|sample| widen(part.of(values(sample)))).collect();
            let sizes: Vec<usize> = [shape.batch].into_iter().chain(array.shape()).collect();
            tensor(&sizes, all)
        });
        each.collect()
    }

    fn per_param(&self, sum: &[F]) -> Vec<Tensor> {
        let parts = self.params.iter().zip(&self.program.params);
        parts.map(|(part, array)| tensor(&array.shape(), widen(part.of(sum)))).collect()
    }

    /// The backward sweep of the init graph. It is linear in the adjoints that arrive, so it runs
    /// once for the sum over all samples.
    pub(super) fn init_gradients(&self, seeds: &[F], sum: &mut [F], watch: &mut impl Watch<F>) {
        let mut memory = Memory::new();
        memory.renew(&self.init);
        let fill = |source: Source, out: &mut [F]| match source {
            Source::Seed(at) => out.copy_from_slice(self.states[at].of(seeds)),
            Source::Input(_) | Source::Param(_) | Source::Prev(_) => {}
        };
        memory.once(&self.init, &self.init.backward, sum, fill, watch);
        let mut room = Vec::new();
        let mut frame = memory.frame(&self.init, sum, 0);
        for (part, name) in self.params.iter().zip(names("grad/param", &self.program.params)) {
            if let Some(root) = self.init.root(&name) {
                frame.add(&root, part.offset, &mut room);
            }
        }
    }

    /// First states for these parameters.
    pub(super) fn starts(&mut self, params: &[Tensor]) -> Vec<Tensor> {
        let values: Vec<_> = params.iter().map(flat).collect();
        self.init.set_params(|param, out| round(out, &values[param]));
        let starts = self.first_states();
        let parts = self.states.iter().zip(&self.program.states);
        parts.map(|(part, array)| tensor(&array.shape(), widen(part.of(&starts)))).collect()
    }

    /// First values of the optimiser's slots.
    pub(super) fn slots(&mut self) -> Vec<Tensor> {
        let Some(update) = &self.program.update else { return Vec::new() };
        let wanted = Wanted { forward: names("start", &update.slots), ..Wanted::default() };
        let plan: Plan<F> = Plan::new(&update.init, &wanted);
        let mut memory = Memory::new();
        memory.renew(&plan);
        let mut frame = memory.frame(&plan, &mut [], 0);
        let slots = update.slots.iter().zip(&wanted.forward).map(|(array, name)| {
            let mut value = vec![F::zero(); array.len()];
            if let Some(root) = plan.root(name) {
                frame.read(&root, &mut value);
            }
            tensor(&array.shape(), widen(&value))
        });
        slots.collect()
    }

    /// One optimiser step.
    pub(super) fn update(
        &mut self,
        value: &Tensor,
        gradient: &Tensor,
        rate: f64,
        slots: &mut Vec<Tensor>,
    ) -> Tensor {
        let (Some(update), Some(plan)) = (&self.program.update, &self.update) else {
            panic!("internal error: interp: a program without an optimiser cannot update")
        };
        let mut memory = Memory::new();
        memory.renew(plan);
        let inputs = [flat(value), flat(gradient), Cow::Owned(vec![rate])];
        let before: Vec<_> = slots.iter().map(flat).collect();
        let fill = |source: Source, out: &mut [F]| match source {
            Source::Input(at) => round(out, &inputs[at]),
            Source::Prev(at) => round(out, &before[at]),
            Source::Param(_) | Source::Seed(_) => {}
        };
        memory.once(plan, &plan.forward, &mut [], fill, &mut Blind);
        let mut frame = memory.frame(plan, &mut [], 0);
        let mut read = |name: &str, old: &Tensor| match plan.root(name) {
            None => old.clone(),
            Some(root) => {
                let mut value = vec![F::zero(); root.len];
                frame.read(&root, &mut value);
                tensor(old.shape(), widen(&value))
            }
        };
        let next = names("next", &update.slots);
        let after = next.iter().zip(slots.iter()).map(|(name, old)| read(name, old)).collect();
        let result = read("value", value);
        drop(before);
        *slots = after;
        result
    }
}

impl<F: Float> Share<F> {
    fn clear(&mut self, gradient_len: usize, state_len: usize) {
        self.samples.clear();
        for (buffer, len) in [(&mut self.sum, gradient_len), (&mut self.seeds, state_len)] {
            buffer.clear();
            buffer.resize(len, F::zero());
        }
    }
}

/// Hands the chunks to threads; with one chunk or one thread, the caller does them all.
fn spread<F: Float>(
    shared: &Shared<'_, F>,
    shares: &mut [Share<F>],
    workers: &mut Vec<Memory<F>>,
    threads: usize,
) {
    let threads = threads.min(shares.len()).max(1);
    while workers.len() < threads {
        workers.push(Memory::new());
    }
    let chunk = chunk_len(shared.lengths.len());
    let queue = Mutex::new(shares.iter_mut().enumerate());
    let work = |memory: &mut Memory<F>| {
        loop {
            let next = queue.lock().map_or(None, |mut queue| queue.next());
            let Some((number, share)) = next else { break };
            let first = number * chunk;
            for sample in first..(first + chunk).min(shared.lengths.len()) {
                let Share { sum, seeds, samples } = &mut *share;
                samples.push(shared.run(sample, memory, sum, seeds, &mut Blind));
            }
        }
    };
    let Some((own, others)) = workers[..threads].split_first_mut() else { return };
    std::thread::scope(|scope| {
        for memory in others {
            let work = &work;
            scope.spawn(move || work(memory));
        }
        work(own);
    });
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

/// The shape of a batch.
struct Shape {
    steps: usize,
    batch: usize,
}

impl Shape {
    fn of(lengths: &[usize]) -> Shape {
        Shape { steps: lengths.iter().copied().max().unwrap_or(0), batch: lengths.len() }
    }

    /// [T, B, sizes..] from one list of steps a sample; 0 after its end.
    fn over_time<'a, F: Float>(
        &self,
        samples: impl Iterator<Item = &'a [F]>,
        sizes: &[u32],
    ) -> Tensor {
        let sizes: Vec<usize> = sizes.iter().map(|size| *size as usize).collect();
        let len: usize = sizes.iter().product();
        let mut all = vec![0.0; self.steps * self.batch * len];
        for (number, values) in samples.enumerate() {
            for (step, row) in values.chunks_exact(len.max(1)).enumerate() {
                let first = (step * self.batch + number) * len;
                all[first..first + len].iter_mut().zip(row).for_each(|(o, v)| *o = v.wide());
            }
        }
        let shape: Vec<usize> = [self.steps, self.batch].into_iter().chain(sizes).collect();
        tensor(&shape, all)
    }
}
