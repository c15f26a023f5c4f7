//! Encoders in ONNX operators: the networks of `nn/efficientnet.rs`, `nn/mbconv.rs` and `nn/vgg.rs`, which say why.

use super::graph::{Graph, Value, int, ints};
use crate::nn::NamedArray;
use crate::nn::backbone::{BackboneKind, PREFIX, Pooling};
use crate::nn::efficientnet::{FEATURES, STEM_CHANNELS, blocks, stage_ends};
use crate::nn::layers::BATCH_NORM_EPS;
use crate::nn::mbconv::BlockShape;
use crate::nn::vgg;
use std::collections::HashMap;

/// A feature map `[N, channels, height, width]`.
#[derive(Clone)]
pub struct Map {
    value: Value,
    channels: usize,
    size: [usize; 2],
}

/// A convolution, as torch's weight `[out, in / groups, k, k]` has it.
#[derive(Clone, Copy)]
struct Conv {
    outputs: usize,
    kernel: usize,
    stride: usize,
    depthwise: bool,
}

struct Builder<'a> {
    graph: &'a mut Graph,
    weights: &'a HashMap<&'a str, &'a NamedArray>,
}

/// What the network makes of a segment.
pub struct Maps {
    /// The maps behind its stages.
    stages: Vec<Map>,
    /// The last one, which is pooled.
    last: Map,
}

/// The feature maps of x `[N, 1, height, width]`.
pub fn maps(
    graph: &mut Graph,
    weights: &HashMap<&str, &NamedArray>,
    kind: BackboneKind,
    x: &Value,
    size: [usize; 2],
) -> Maps {
    let mut builder = Builder { graph, weights };
    let x = Map { value: x.clone(), channels: 1, size };
    match kind {
        BackboneKind::EfficientnetB0 => efficientnet(&mut builder, &x),
        BackboneKind::Vgg => {
            let stages = vgg(&mut builder, x);
            Maps { last: stages[stages.len() - 1].clone(), stages }
        }
    }
}

fn efficientnet(builder: &mut Builder, x: &Map) -> Maps {
    let stem = Conv { outputs: STEM_CHANNELS, kernel: 3, stride: 2, depthwise: false };
    let mut y = builder.conv_norm(x, stem, &format!("{PREFIX}conv_stem"), &format!("{PREFIX}bn1"), true);
    let (mut stages, ends) = (Vec::new(), stage_ends());
    for (b, (name, shape)) in blocks().into_iter().enumerate() {
        y = builder.block(&y, &name, shape);
        if ends.contains(&b) {
            stages.push(y.clone());
        }
    }
    let head = Conv { outputs: FEATURES, kernel: 1, stride: 1, depthwise: false };
    Maps { stages, last: builder.conv_norm(&y, head, &format!("{PREFIX}conv_head"), &format!("{PREFIX}bn2"), true) }
}

fn vgg(builder: &mut Builder, mut y: Map) -> Vec<Map> {
    let mut stages = Vec::new();
    for stage in vgg::stages() {
        for (name, _, outputs) in stage {
            let conv = Conv { outputs, kernel: 3, stride: 1, depthwise: false };
            let (weight, bn) = (format!("{name}.conv"), format!("{name}.bn"));
            y = builder.conv_norm(&y, conv, &weight, &bn, false);
            y.value = builder.graph.node("Relu", &format!("{name}.relu"), &[&y.value], Vec::new());
        }
        y = builder.max_pool_2x2(&y, &format!("stage{}.max_pool", stages.len()));
        stages.push(y.clone());
    }
    stages
}

/// Features `[N, F]` of the last map.
pub fn pool(graph: &mut Graph, maps: &Maps, pooling: Pooling) -> Value {
    let last = &maps.last.value;
    let mut plane = |op: &str, name: &str| {
        let pooled = graph.node(op, &format!("{name}.plane"), &[last], Vec::new());
        graph.node("Flatten", name, &[&pooled], Vec::new())
    };
    match pooling {
        Pooling::Max => plane("GlobalMaxPool", "pool.max"),
        Pooling::Mean => plane("GlobalAveragePool", "pool.mean"),
        Pooling::MaxMean => {
            let (max, mean) = (plane("GlobalMaxPool", "pool.max"), plane("GlobalAveragePool", "pool.mean"));
            graph.node("Concat", "pool.max_mean", &[&max, &mean], vec![int("axis", 1)])
        }
    }
}

/// [`Features::Stages`](crate::nn::backbone::Features::Stages) `[N, F]` of x `[N, 1, height, width]`.
pub fn pool_stages(graph: &mut Graph, x: &Value, maps: &Maps, frames: usize) -> Value {
    let frames_from = |graph: &mut Graph, name: &str, from: usize| {
        let bounds = [("starts", from), ("ends", from + frames - 1), ("axes", 2)];
        let bounds = bounds.map(|(bound, value)| graph.integers(&format!("{name}.{bound}"), &[value as i64]));
        let inputs: Vec<&Value> = std::iter::once(x).chain(&bounds).collect();
        graph.node("Slice", name, &inputs, Vec::new())
    };
    let before = frames_from(graph, "log_mel.step.before", 0);
    let after = frames_from(graph, "log_mel.step.after", 1);
    let step = graph.node("Sub", "log_mel.step", &[&after, &before], Vec::new());
    let mut parts = vec![over_time(graph, "ReduceMean", "log_mel.mean", x)];
    for (name, values) in [("log_mel.deviation", x), ("log_mel.step.deviation", &step)] {
        let keep = vec![ints("axes", &[2])];
        let mean = graph.node("ReduceMean", &format!("{name}.mean"), &[values], keep);
        let off = graph.node("Sub", &format!("{name}.off"), &[values, &mean], Vec::new());
        let squares = graph.node("Mul", &format!("{name}.squares"), &[&off, &off], Vec::new());
        let variance = over_time(graph, "ReduceMean", &format!("{name}.variance"), &squares);
        parts.push(graph.node("Sqrt", name, &[&variance], Vec::new()));
    }
    for (stage, map) in maps.stages.iter().enumerate() {
        for (op, name) in [("ReduceMean", "mean"), ("ReduceMax", "max")] {
            parts.push(over_time(graph, op, &format!("stage{stage}.{name}"), &map.value));
        }
    }
    graph.node("Concat", "stages", &parts.iter().collect::<Vec<_>>(), vec![int("axis", 1)])
}

/// `op` over the second last axis of `[N, C, H, W]`, as `[N, C W]`.
fn over_time(graph: &mut Graph, op: &str, name: &str, x: &Value) -> Value {
    let map = graph.node(op, &format!("{name}.map"), &[x], vec![ints("axes", &[2]), int("keepdims", 0)]);
    graph.node("Flatten", name, &[&map], Vec::new())
}

impl Builder<'_> {
    fn block(&mut self, x: &Map, name: &str, shape: BlockShape) -> Map {
        let BlockShape { inputs, outputs, expansion, kernel, stride } = shape;
        let wide = inputs * expansion;
        let [bn_depthwise, project, bn_project] = shape.names().map(|part| format!("{name}.{part}"));
        let pointwise = |outputs| Conv { outputs, kernel: 1, stride: 1, depthwise: false };
        let mut y = x.clone();
        if expansion > 1 {
            y = self.conv_norm(&y, pointwise(wide), &format!("{name}.conv_pw"), &format!("{name}.bn1"), true);
        }
        let depthwise = Conv { outputs: wide, kernel, stride, depthwise: true };
        y = self.conv_norm(&y, depthwise, &format!("{name}.conv_dw"), &bn_depthwise, true);
        y = self.squeeze_excite(&y, &format!("{name}.se"));
        y = self.conv_norm(&y, pointwise(outputs), &project, &bn_project, false);
        if shape.has_shortcut() {
            y.value = self.graph.node("Add", &format!("{name}.shortcut"), &[&y.value, &x.value], Vec::new());
        }
        y
    }

    /// A convolution without bias and the batch norm behind it, as one convolution:
    /// `scale = weight / sqrt(var + eps)` multiplies its filters, `bias - mean scale` becomes its bias.
    fn conv_norm(&mut self, x: &Map, conv: Conv, name: &str, bn: &str, swish: bool) -> Map {
        let of_bn = |part: &str| self.data(&format!("{bn}.{part}")).iter().map(|&v| f64::from(v));
        let variance = of_bn("running_var").map(|v| (v + f64::from(BATCH_NORM_EPS)).sqrt());
        let scale: Vec<f64> = of_bn("weight").zip(variance).map(|(weight, std)| weight / std).collect();
        let shift =
            of_bn("bias").zip(of_bn("running_mean").zip(&scale)).map(|(bias, (mean, scale))| bias - mean * scale);
        let shift: Vec<f32> = shift.map(|v| v as f32).collect();
        let filters = self.data(&format!("{name}.weight"));
        let len = filters.len() / conv.outputs;
        let filters = filters.iter().enumerate().map(|(i, &w)| (f64::from(w) * scale[i / len]) as f32);
        self.conv(x, conv, name, filters.collect(), shift, swish)
    }

    fn conv(&mut self, x: &Map, conv: Conv, name: &str, filters: Vec<f32>, bias: Vec<f32>, swish: bool) -> Map {
        let Conv { outputs, kernel, stride, depthwise } = conv;
        let groups = if depthwise { x.channels } else { 1 };
        let dims = [outputs, x.channels / groups, kernel, kernel];
        let filters = self.graph.floats(&format!("{name}.filters"), &dims, filters);
        let bias = self.graph.floats(&format!("{name}.bias"), &[outputs], bias);
        let [rows, columns] = x.size.map(|size| same_padding(size, kernel, stride));
        let attributes = vec![
            ints("kernel_shape", &[kernel as i64; 2]),
            ints("strides", &[stride as i64; 2]),
            ints("pads", &[rows[0], columns[0], rows[1], columns[1]]),
            int("group", groups as i64),
        ];
        let mut value = self.graph.node("Conv", name, &[&x.value, &filters, &bias], attributes);
        if swish {
            value = self.swish(&value, name);
        }
        Map { value, channels: outputs, size: x.size.map(|size| size.div_ceil(stride)) }
    }

    fn swish(&mut self, x: &Value, name: &str) -> Value {
        let sigmoid = self.graph.node("Sigmoid", &format!("{name}.sigmoid"), &[x], Vec::new());
        self.graph.node("Mul", &format!("{name}.swish"), &[x, &sigmoid], Vec::new())
    }

    fn max_pool_2x2(&mut self, x: &Map, name: &str) -> Map {
        let attributes = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        let value = self.graph.node("MaxPool", name, &[&x.value], attributes);
        Map { value, channels: x.channels, size: x.size.map(|size| size / 2) }
    }

    fn squeeze_excite(&mut self, x: &Map, name: &str) -> Map {
        let mean = self.graph.node("GlobalAveragePool", &format!("{name}.squeeze"), &[&x.value], Vec::new());
        let mut gate = Map { value: mean, channels: x.channels, size: [1, 1] };
        for (layer, swish) in [("conv_reduce", true), ("conv_expand", false)] {
            let layer = format!("{name}.{layer}");
            let [filters, bias] = ["weight", "bias"].map(|part| self.data(&format!("{layer}.{part}")).to_vec());
            let conv = Conv { outputs: bias.len(), kernel: 1, stride: 1, depthwise: false };
            gate = self.conv(&gate, conv, &layer, filters, bias, swish);
        }
        let gate = self.graph.node("Sigmoid", &format!("{name}.gate"), &[&gate.value], Vec::new());
        let value = self.graph.node("Mul", name, &[&x.value, &gate], Vec::new());
        Map { value, ..x.clone() }
    }

    fn data(&self, name: &str) -> &[f32] {
        &self.weights[name].data
    }
}

/// TF's "SAME": zeros before and after an axis, so that the output has `size / stride` places, rounded up; of an odd
/// number the larger half comes after.
fn same_padding(size: usize, kernel: usize, stride: usize) -> [i64; 2] {
    let total = ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size) as i64;
    [total / 2, total - total / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_tensorflows() {
        assert_eq!(same_padding(96, 3, 2), [0, 1]);
        assert_eq!(same_padding(24, 5, 2), [1, 2]);
        assert_eq!(same_padding(3, 5, 1), [2, 2]);
        assert_eq!(same_padding(7, 3, 2), [1, 1]);
        assert_eq!(same_padding(1, 1, 1), [0, 0]);
    }
}
