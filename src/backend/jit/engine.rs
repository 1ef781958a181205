//! The loops over groups of samples, steps and phases.
//!
//! In: a program, parameters, a batch. Out: an [`Outcome`]. Consecutive samples of equal length form
//! groups of 16, 8, 4 or 1; groups are cut into at most [`MAX_CHUNKS`] chunks, whose number depends on
//! the batch alone; each chunk has one sum of gradients, and the sums are combined by a fixed tree.
//! Invariant: the same bits for any number of threads.

use std::borrow::Cow;
use std::sync::Mutex;

use crate::backend::phase::{names, wanted_of, wanted_of_init, wanted_of_step};
use crate::backend::{Batch, Gradients, Outcome, Part, Want};
use crate::graph::{Array, Program};
use crate::tensor::Tensor;

use super::helpers::Number;
use super::plan::{Frame, Plan, Source};
use super::sweep::{Memory, Ports, Sample, Shared};

/// The most chunks a batch is cut into.
pub(super) const MAX_CHUNKS: usize = 16;

/// Sizes of groups, largest first.
pub(super) const GROUPS: [usize; 4] = [16, 8, 4, 1];

/// How many plans of the step graph are kept, one for each set of roots asked for.
const MAX_PLANS: usize = 8;

/// A program made ready in one number type.
#[derive(Debug)]
pub(super) struct Engine<F> {
    program: Program,
    threads: usize,
    params: Vec<Part>,
    states: Vec<Part>,
    param_len: usize,
    state_len: usize,
    init: Plan<F>,
    update: Option<Plan<F>>,
    plans: Vec<Ready<F>>,
    memories: Vec<Memory<F>>,
}

/// A plan of the step graph for what one caller wants.
#[derive(Debug)]
struct Ready<F> {
    roots: Vec<String>,
    gradients: bool,
    plan: Plan<F>,
    ports: Ports,
}

/// What a chunk of groups gives.
#[derive(Debug, Default)]
struct Share<F> {
    sum: Vec<F>,
    seeds: Vec<F>,
    samples: Vec<Sample<F>>,
}

fn tensor(shape: &[usize], values: Vec<f64>) -> Tensor {
    match Tensor::from_shape_vec(shape, values) {
        Ok(tensor) => tensor,
        Err(error) => panic!("internal error: jit: {error}"),
    }
}

fn widen<F: Number>(values: &[F]) -> Vec<f64> {
    values.iter().map(|value| value.wide()).collect()
}

fn flat(tensor: &Tensor) -> Cow<'_, [f64]> {
    tensor.as_slice().map_or_else(|| Cow::Owned(tensor.iter().copied().collect()), Cow::Borrowed)
}

fn round<F: Number>(out: &mut [F], from: &[f64]) {
    assert_eq!(out.len(), from.len(), "internal error: jit: an array of another size");
    out.iter_mut().zip(from).for_each(|(out, from)| *out = F::of(*from));
}

/// Cuts a batch into groups of consecutive samples of equal length: first sample and number.
fn groups(lengths: &[usize]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut first = 0;
    while first < lengths.len() {
        let alike = lengths[first..].iter().take_while(|len| **len == lengths[first]).count();
        let size = GROUPS.into_iter().find(|size| *size <= alike).unwrap_or(1);
        all.push((first, size));
        first += size;
    }
    all
}

impl<F: Number> Engine<F> {
    /// Makes a program ready.
    pub(super) fn new(program: &Program, threads: usize) -> Engine<F> {
        let (params, param_len) = Part::list(program.params.iter().map(Array::len));
        let (states, state_len) = Part::list(program.states.iter().map(Array::len));
        let mut init = Plan::new(&program.init, &wanted_of_init(program));
        init.prepare(1);
        let update = program.update.as_ref().map(|update| {
            let mut plan = Plan::new(&update.graph, &wanted_of(update));
            plan.prepare(1);
            plan
        });
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
            memories: Vec::new(),
        }
    }

    /// The plan for what is wanted, with these parameters in it.
    fn ready(&mut self, params: &[Tensor], want: &Want) -> Ready<F> {
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
        if known != Some(self.plans.len()) {
            self.memories.clear();
        }
        let values: Vec<_> = params.iter().map(flat).collect();
        ready.plan.set_params(|param, out| round(out, &values[param]));
        self.init.set_params(|param, out| round(out, &values[param]));
        ready
    }

    fn make(&self, roots: Vec<String>, gradients: bool) -> Ready<F> {
        let program = &self.program;
        let wanted = wanted_of_step(program, &roots, gradients);
        let plan = Plan::new(&program.step, &wanted);
        let find = |names: Vec<String>| names.iter().map(|name| plan.root(name)).collect();
        let ports = Ports {
            loss: plan.root("loss"),
            next: find(names("next", &program.states)),
            asked: roots.iter().filter_map(|name| Some((name.clone(), plan.root(name)?))).collect(),
            inputs: find(names("grad/input", &program.inputs)),
            prev: find(names("grad/prev", &program.states)),
        };
        Ready { roots, gradients, plan, ports }
    }

    /// Runs a graph without time on one sample.
    fn once(plan: &Plan<F>, memory: &mut Memory<F>, fill: impl Fn(Source, &mut [F])) {
        memory.fit(plan, 1, 1);
        memory.fill(plan, &plan.forward, 0, 1, fill);
        memory.run(plan, plan.forward.calls.clone(), 0, 1, &mut []);
    }

    fn roots(
        plan: &Plan<F>,
        frame: &Frame<'_, F>,
        names: &[String],
        lens: impl Iterator<Item = usize>,
    ) -> Vec<Option<Vec<F>>> {
        let each = names.iter().zip(lens).map(|(name, len)| {
            let root = plan.root(name)?;
            let mut value = vec![F::default(); len];
            frame.read(&root, 1, &mut value);
            Some(value)
        });
        each.collect()
    }

    /// First states for the parameters set last.
    fn first_states(&self) -> Vec<F> {
        let mut memory = Memory::default();
        Self::once(&self.init, &mut memory, |_, _| {});
        let frame = memory.frame(&self.init, 0, 1);
        let lens = self.states.iter().map(|part| part.len);
        let roots = Self::roots(&self.init, &frame, &names("start", &self.program.states), lens);
        let mut starts = vec![F::default(); self.state_len];
        for (part, root) in self.states.iter().zip(roots) {
            if let Some(value) = root {
                part.of_mut(&mut starts).copy_from_slice(&value);
            }
        }
        starts
    }

    /// Runs a batch.
    pub(super) fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        assert_eq!(
            batch.inputs.len(),
            self.program.inputs.len(),
            "internal error: jit: a batch with another number of inputs"
        );
        let mut ready = self.ready(params, want);
        let groups = groups(&batch.lengths);
        groups.iter().for_each(|(_, samples)| ready.plan.prepare(*samples));
        let starts = self.first_states();
        let inputs: Vec<_> = batch.inputs.iter().map(flat).collect();
        let arrays = self.program.inputs.iter();
        let inputs: Vec<_> = inputs.iter().zip(arrays).map(|(all, a)| (&**all, a.len())).collect();
        let given = |at| batch.starts.get(at).and_then(Option::as_ref);
        let given: Vec<Option<Vec<f64>>> =
            (0..self.states.len()).map(|at| given(at).map(|s| flat(s).into_owned())).collect();
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
        let mut memories = std::mem::take(&mut self.memories);
        let mut shares = self.spread(&shared, &groups, &mut memories);
        self.memories = memories;
        combine(&mut shares);
        let outcome = self.outcome(&shared, &mut shares);
        if self.plans.len() >= MAX_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(ready);
        outcome
    }

    /// Hands chunks of groups to threads; with one chunk or one thread, the caller does them all.
    fn spread(
        &self,
        shared: &Shared<'_, F>,
        groups: &[(usize, usize)],
        memories: &mut Vec<Memory<F>>,
    ) -> Vec<Share<F>> {
        let chunk = groups.len().div_ceil(MAX_CHUNKS).max(1);
        let gradient = if shared.gradients { self.param_len } else { 0 };
        let new = |_: &[(usize, usize)]| Share {
            sum: vec![F::default(); gradient],
            seeds: vec![F::default(); self.state_len],
            samples: Vec::new(),
        };
        let mut shares: Vec<Share<F>> = groups.chunks(chunk).map(new).collect();
        let threads = self.threads.min(shares.len()).max(1);
        memories.resize_with(threads.max(memories.len()), Memory::default);
        let queue = Mutex::new(groups.chunks(chunk).zip(&mut shares));
        let work = |memory: &mut Memory<F>| {
            loop {
                let next = queue.lock().map_or(None, |mut queue| queue.next());
                let Some((groups, share)) = next else { break };
                for group in groups {
                    let Share { sum, seeds, samples } = &mut *share;
                    shared.run(*group, memory, sum, seeds, samples);
                }
            }
        };
        if let Some((own, others)) = memories[..threads].split_first_mut() {
            std::thread::scope(|scope| {
                for memory in others {
                    let work = &work;
                    scope.spawn(move || work(memory));
                }
                work(own);
            });
        }
        shares
    }

    fn outcome(&self, shared: &Shared<'_, F>, shares: &mut [Share<F>]) -> Outcome {
        let samples: Vec<&Sample<F>> = shares.iter().flat_map(|share| &share.samples).collect();
        let steps = shared.lengths.iter().copied().max().unwrap_or(0);
        let asked = shared.ports.asked.iter().enumerate().map(|(at, (name, root))| {
            let values = samples.iter().map(|sample| &sample.asked[at][..]);
            (name.clone(), over_time(steps, values, &root.sizes))
        });
        let mut outcome = Outcome {
            loss: samples.iter().map(|sample| sample.loss).collect(),
            roots: asked.collect(),
            finals: self.per_state(&samples, |sample| &sample.finals),
            gradients: None,
        };
        if shared.gradients {
            let inputs = self.program.inputs.iter().enumerate().map(|(at, array)| {
                let values = samples.iter().map(|sample| &sample.inputs[at][..]);
                over_time(steps, values, &array.sizes)
            });
            let inputs = inputs.collect();
            let starts = self.per_state(&samples, |sample| &sample.starts);
            drop(samples);
            let params = match shares.first_mut() {
                Some(first) => {
                    self.init_gradients(&first.seeds, &mut first.sum);
                    self.per_param(&first.sum)
                }
                None => self.per_param(&vec![F::default(); self.param_len]),
            };
            outcome.gradients = Some(Gradients { params, inputs, starts });
        }
        outcome
    }

    fn per_state(
        &self,
        samples: &[&Sample<F>],
        values: impl Fn(&Sample<F>) -> &[F],
    ) -> Vec<Tensor> {
        let parts = self.states.iter().zip(&self.program.states);
        let each = parts.map(|(part, array)| {
            let all = samples.iter().flat_map(|sample| widen(part.of(values(sample)))).collect();
            let sizes: Vec<usize> = [samples.len()].into_iter().chain(array.shape()).collect();
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
    fn init_gradients(&self, seeds: &[F], sum: &mut [F]) {
        let mut memory = Memory::default();
        Self::once(&self.init, &mut memory, |_, _| {});
        let backward = &self.init.backward;
        memory.fill(&self.init, backward, 0, 1, |source, out| {
            if let Source::Seed(at) = source {
                out.copy_from_slice(self.states[at].of(seeds));
            }
        });
        memory.run(&self.init, backward.calls.clone(), 0, 1, sum);
        let frame = memory.frame(&self.init, 0, 1);
        let lens = self.params.iter().map(|part| part.len);
        let roots =
            Self::roots(&self.init, &frame, &names("grad/param", &self.program.params), lens);
        for (part, root) in self.params.iter().zip(roots) {
            let sums = part.of_mut(sum).iter_mut();
            root.iter().flatten().zip(sums).for_each(|(more, sum)| *sum = sum.plus(*more));
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
        let wanted = crate::backend::phase::Wanted {
            forward: names("start", &update.slots),
            ..Default::default()
        };
        let mut plan: Plan<F> = Plan::new(&update.init, &wanted);
        plan.prepare(1);
        let mut memory = Memory::default();
        Self::once(&plan, &mut memory, |_, _| {});
        let frame = memory.frame(&plan, 0, 1);
        let roots =
            Self::roots(&plan, &frame, &wanted.forward, update.slots.iter().map(Array::len));
        let slots = update.slots.iter().zip(roots).map(|(array, root)| {
            let value = root.unwrap_or_else(|| vec![F::default(); array.len()]);
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
            panic!("internal error: jit: a program without an optimiser cannot update")
        };
        let inputs = [flat(value), flat(gradient), Cow::Owned(vec![rate])];
        let before: Vec<_> = slots.iter().map(flat).collect();
        let mut memory = Memory::default();
        Self::once(plan, &mut memory, |source, out| match source {
            Source::Input(at) => round(out, &inputs[at]),
            Source::Prev(at) => round(out, &before[at]),
            Source::Param(_) | Source::Seed(_) => {}
        });
        drop(before);
        let frame = memory.frame(plan, 0, 1);
        let next = names("next", &update.slots);
        let roots = Self::roots(plan, &frame, &next, slots.iter().map(Tensor::len));
        let result = Self::roots(plan, &frame, &["value".to_owned()], [value.len()].into_iter());
        for (slot, root) in slots.iter_mut().zip(roots) {
            if let Some(root) = root {
                *slot = tensor(slot.shape(), widen(&root));
            }
        }
        let result = result.into_iter().flatten().next();
        result.map_or_else(|| value.clone(), |result| tensor(value.shape(), widen(&result)))
    }
}

/// Adds the sums of all chunks into the first: neighbours first, then neighbours of neighbours.
fn combine<F: Number>(shares: &mut [Share<F>]) {
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

fn add<F: Number>(sum: &mut [F], more: &[F]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.plus(*more));
}

/// [T, B, sizes..] from one list of steps a sample; 0 after its end.
fn over_time<'a, F: Number>(
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

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_hold_samples_of_one_length() {
        assert_eq!(groups(&[5; 29]), [(0, 16), (16, 8), (24, 4), (28, 1)]);
        assert_eq!(groups(&[3, 3, 3, 3, 2, 3]), [(0, 4), (4, 1), (5, 1)]);
        assert!(groups(&[]).is_empty());
    }
}
