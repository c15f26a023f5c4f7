//! How a graph is put together: constants, nodes, inputs and outputs, then a file.

use super::proto::{
    ATTRIBUTE_INT, ATTRIBUTE_INTS, Attribute, Dimension, Entry, FLOAT, GraphProto, INT64, IR_VERSION, Model, Node,
    OPSET, OperatorSet, Shape, TensorProto, TensorType, TypeProto, ValueInfo,
};
use prost::Message;

/// What a node reads or writes, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

/// An input or output of the graph. The first axis, segments, is free and not in `shape`.
#[derive(Clone, Debug)]
pub struct Io {
    pub name: &'static str,
    pub shape: Vec<usize>,
    /// What it holds, for people.
    pub doc: String,
}

/// A graph that grows.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    constants: Vec<TensorProto>,
}

/// An attribute of one integer.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: Some(name.into()), i: Some(value), ints: Vec::new(), kind: Some(ATTRIBUTE_INT) }
}

/// An attribute of several integers.
pub fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: Some(name.into()), i: None, ints: values.to_vec(), kind: Some(ATTRIBUTE_INTS) }
}

impl Io {
    /// What nodes read of an input.
    pub fn value(&self) -> Value {
        Value(self.name.to_string())
    }
}

impl Graph {
    /// The output of a new node, which has the node's name; names are told apart by the caller.
    pub fn node(&mut self, op: &str, name: &str, inputs: &[&Value], attribute: Vec<Attribute>) -> Value {
        self.nodes.push(Node {
            input: inputs.iter().map(|Value(name)| name.clone()).collect(),
            output: vec![name.to_string()],
            name: Some(name.to_string()),
            op_type: Some(op.to_string()),
            attribute,
        });
        Value(name.to_string())
    }

    /// A constant of floats; no `dims` make it a scalar.
    pub fn floats(&mut self, name: &str, dims: &[usize], data: impl IntoIterator<Item = f32>) -> Value {
        let bytes = data.into_iter().flat_map(f32::to_le_bytes).collect();
        self.constant(name, dims, FLOAT, bytes)
    }

    /// A list of integers, as some operators take their axes.
    pub fn integers(&mut self, name: &str, data: &[i64]) -> Value {
        self.constant(name, &[data.len()], INT64, data.iter().flat_map(|i| i.to_le_bytes()).collect())
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, bytes: Vec<u8>) -> Value {
        self.constants.push(TensorProto {
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: Some(data_type),
            name: Some(name.to_string()),
            raw_data: Some(bytes),
        });
        Value(name.to_string())
    }

    /// The bytes of a file.
    pub fn into_file(self, input: Io, output: Io, metadata: &[(&str, String)]) -> Vec<u8> {
        let entry = |(key, value): &(&str, String)| Entry { key: Some(key.to_string()), value: Some(value.clone()) };
        let doc = "Encoder of a segment of audio (COLA) in evaluation mode. Metadata: front end and \
                   scaling of the input.";
        let graph = GraphProto {
            node: self.nodes,
            name: Some("cola_encoder".into()),
            initializer: self.constants,
            doc_string: Some(doc.into()),
            input: vec![describe(input)],
            output: vec![describe(output)],
        };
        let model = Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some(env!("CARGO_PKG_NAME").into()),
            producer_version: Some(env!("CARGO_PKG_VERSION").into()),
            doc_string: Some(doc.into()),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        model.encode_to_vec()
    }
}

fn describe(io: Io) -> ValueInfo {
    let free = Dimension { dim_value: None, dim_param: Some("segments".into()) };
    let sizes = io.shape.iter().map(|&size| Dimension { dim_value: Some(size as i64), dim_param: None });
    let shape = Shape { dim: std::iter::once(free).chain(sizes).collect() };
    let tensor_type = TensorType { elem_type: Some(FLOAT), shape: Some(shape) };
    let kind = Some(TypeProto { tensor_type: Some(tensor_type) });
    ValueInfo { name: Some(io.name.into()), kind, doc_string: Some(io.doc) }
}
