//! The linear layer and its loss.

use super::Task;
use crate::audio::Split;
use crate::gpu::Gpu;
use crate::nn::{NamedArray, ParamStore, Slab};
use crate::ops::bce::bce;
use crate::ops::bias::bias;
use crate::ops::matmul::linear;
use crate::ops::softmax_xent::{Samples, weighted_softmax_xent};
use crate::tape::{Ctx, Var};
use crate::tensor::Tensor;

/// A linear layer. It starts at zero: on frozen features the problem is convex, so any start leads to the same place.
pub struct LinearHead {
    /// `weight` `[labels, features]` and `bias` `[labels]`.
    pub params: ParamStore,
}

impl LinearHead {
    /// From vectors of `features` numbers to a logit for each label.
    pub fn new(gpu: &Gpu, features: usize, labels: usize) -> LinearHead {
        let zeros = |name: &str, shape: &[usize]| NamedArray {
            name: name.into(),
            shape: shape.to_vec(),
            data: vec![0.0; shape.iter().product()],
        };
        LinearHead { params: ParamStore::build(gpu, &[zeros("weight", &[labels, features]), zeros("bias", &[labels])]) }
    }

    /// Logits `[labels, N]` of vectors `[features, N]`.
    #[track_caller]
    pub fn logits(&self, cx: &Ctx, x: &Var) -> Var {
        bias(cx, &linear(cx, &self.params.get("weight"), x), &self.params.get("bias"))
    }

    /// Waits for the device and copies weights and biases to the host.
    pub fn read(&self) -> (Vec<f32>, Vec<f32>) {
        let mut arrays = self.params.read_all(Slab::Values).into_iter().map(|array| array.data);
        (arrays.next().unwrap_or_default(), arrays.next().unwrap_or_default())
    }

    /// Puts back what [`read`](LinearHead::read) gave.
    pub fn write(&self, (weight, bias): &(Vec<f32>, Vec<f32>)) {
        for (name, data) in [("weight", weight), ("bias", bias)] {
            self.params.write(Slab::Values, name, data).expect("both were read from this layer");
        }
    }
}

/// What the loss of a task needs to know about its training clips.
pub struct Criterion<'a> {
    task: &'a Task,
    /// Weight of each label in the loss; `None` where all have 1.
    weights: Option<Vec<f32>>,
}

impl<'a> Criterion<'a> {
    /// With `class_weights` a label of n clips out of N in C labels weighs N / (C n), which is 1 on the average.
    pub fn new(task: &'a Task, class_weights: bool) -> Criterion<'a> {
        let weigh = || {
            let mut clips = vec![0usize; task.labels.len()];
            let train = task.clips.iter().filter(|clip| clip.split == Split::Train);
            train.filter_map(|clip| clip.label()).for_each(|label| clips[label as usize] += 1);
            let total: usize = clips.iter().sum();
            let weight = |&n: &usize| total as f32 / (task.labels.len() * n.max(1)) as f32;
            clips.iter().map(weight).collect()
        };
        Criterion { task, weights: (class_weights && !task.multi_label).then(weigh) }
    }

    /// Mean loss, `[1]`, of logits `[labels, N]` of segments of these clips.
    #[track_caller]
    pub fn loss(&self, cx: &Ctx, logits: &Var, clips: &[u32]) -> Var {
        let labels_of = |clip: &u32| &self.task.clips[*clip as usize].labels;
        if self.task.multi_label {
            let mut targets = vec![0.0f32; self.task.labels.len() * clips.len()];
            for (n, clip) in clips.iter().enumerate() {
                labels_of(clip).iter().for_each(|&label| targets[label as usize * clips.len() + n] = 1.0);
            }
            return bce(cx, logits, &Tensor::from_slice(cx.gpu, &[self.task.labels.len(), clips.len()], &targets));
        }
        let label =
            |clip| *labels_of(clip).first().expect("every clip of a task has a label; discover_task sees to it");
        let targets: Vec<u32> = clips.iter().map(label).collect();
        let weights = self.weights.as_ref().map(|weights| {
            let of_clips: Vec<f32> = targets.iter().map(|&label| weights[label as usize]).collect();
            Tensor::from_slice(cx.gpu, &[clips.len()], &of_clips)
        });
        let targets = Tensor::from_slice(cx.gpu, &[clips.len()], &targets);
        weighted_softmax_xent(cx, logits, Samples::Columns, &targets, weights.as_ref()).loss
    }
}
