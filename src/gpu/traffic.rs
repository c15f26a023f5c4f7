//! What a kernel reads and writes of its bindings, by its code: the bytes of a dispatch are counted from it.
//!
//! A specialised kernel has branches that are never taken (`if WEIGHTED`), and bindings that only those use; some kernels
//! read what they then write in its place. So a binding counts once if what is left of the code reads it, and once more
//! if that writes it. A header may except one of which a kernel takes a few elements only: `// sparse   x`.

use std::collections::{BTreeMap, HashSet};
use wgpu::naga;
use wgpu::naga::{Block, Expression, Function, GlobalVariable, Handle, Literal, Module, Statement, SwitchValue};

/// Whether a binding is read, and whether it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) read: bool,
    pub(super) written: bool,
}

impl Traffic {
    /// How often its bytes go over the bus.
    pub(super) fn passes(self) -> u64 {
        u64::from(self.read) + u64::from(self.written)
    }

    /// Of one range that is bound twice.
    pub(super) fn or(self, other: Traffic) -> Traffic {
        Traffic { read: self.read || other.read, written: self.written || other.written }
    }
}

/// Of every binding that the composed text declares, by its number.
///
/// # Errors
/// When the text is not WGSL. It was compiled before, but somebody may have edited the file since.
pub(super) fn traffic_of(text: &str) -> Result<BTreeMap<u32, Traffic>, String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
    let sparse: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("// sparse ")).map(str::trim).collect();
    let mut walk = Walk { module: &module, of: BTreeMap::new(), visited: HashSet::new() };
    module.entry_points.iter().for_each(|entry| walk.block(&entry.function, &entry.function.body));
    let of_binding = |(handle, variable): (Handle<GlobalVariable>, &GlobalVariable)| {
        let binding = variable.binding?.binding;
        let is_sparse = variable.name.as_deref().is_some_and(|name| sparse.contains(&name));
        let traffic = if is_sparse { Traffic::default() } else { walk.of.get(&handle).copied().unwrap_or_default() };
        Some((binding, traffic))
    };
    Ok(module.global_variables.iter().filter_map(of_binding).collect())
}

struct Walk<'a> {
    module: &'a Module,
    of: BTreeMap<Handle<GlobalVariable>, Traffic>,
    visited: HashSet<Handle<Function>>,
}

impl Walk<'_> {
    fn block(&mut self, function: &Function, block: &Block) {
        for statement in block {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        if let Expression::Load { pointer } = function.expressions[handle] {
                            self.note(function, pointer, Traffic { read: true, written: false });
                        }
                    }
                }
                Statement::Store { pointer, .. } => {
                    self.note(function, *pointer, Traffic { read: false, written: true });
                }
                Statement::Atomic { pointer, .. } => {
                    self.note(function, *pointer, Traffic { read: true, written: true });
                }
                Statement::Block(inner) => self.block(function, inner),
                Statement::If { condition, accept, reject } => match self.constant(function, *condition) {
                    Some(Literal::Bool(true)) => self.block(function, accept),
                    Some(Literal::Bool(false)) => self.block(function, reject),
                    _ => {
                        self.block(function, accept);
                        self.block(function, reject);
                    }
                },
                Statement::Switch { selector, cases } => {
                    let value = match self.constant(function, *selector) {
                        Some(Literal::U32(value)) => Some(SwitchValue::U32(value)),
                        Some(Literal::I32(value)) => Some(SwitchValue::I32(value)),
                        _ => None,
                    };
                    let default = || cases.iter().position(|case| case.value == SwitchValue::Default);
                    let chosen = value.map(|value| cases.iter().position(|case| case.value == value).or_else(default));
                    for (at, case) in cases.iter().enumerate() {
                        // a case may fall through to the ones behind it
                        if chosen.is_none_or(|chosen| chosen.is_some_and(|chosen| at >= chosen)) {
                            self.block(function, &case.body);
                            if chosen.is_some() && !case.fall_through {
                                break;
                            }
                        }
                    }
                }
                Statement::Loop { body, continuing, .. } => {
                    self.block(function, body);
                    self.block(function, continuing);
                }
                Statement::Call { function: called, .. } if self.visited.insert(*called) => {
                    let called = &self.module.functions[*called];
                    self.block(called, &called.body);
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, function: &Function, pointer: Handle<Expression>, traffic: Traffic) {
        match function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.note(function, base, traffic)
            }
            Expression::GlobalVariable(handle) => {
                let so_far = self.of.entry(handle).or_default();
                *so_far = so_far.or(traffic);
            }
            _ => {} // a variable of a function
        }
    }

    /// The value of an expression that the specialisation has fixed.
    fn constant(&self, function: &Function, expression: Handle<Expression>) -> Option<Literal> {
        let of_module = |handle| match self.module.global_expressions[handle] {
            Expression::Literal(value) => Some(value),
            _ => None,
        };
        match function.expressions[expression] {
            Expression::Literal(value) => Some(value),
            Expression::Constant(handle) => of_module(self.module.constants[handle].init),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// sparse  s
const WEIGHTED: bool = false;
const OP: u32 = 1u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> in_place: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> s: array<f32>;
@group(0) @binding(5) var<storage, read> other: array<f32>;
fn load(i: u32) -> f32 { return x[i] + s[0]; }
@compute @workgroup_size(1)
fn main() {
    var value = load(1u);
    if WEIGHTED { value *= weights[0]; }
    if !WEIGHTED { value += 1.0; } else { value += weights[1]; }
    switch OP {
        case 0u: { value = other[0]; }
        default: { value += 2.0; }
    }
    y[0] = value;
    in_place[0].x += value;
}
";

    fn passes(text: &str) -> Vec<u64> {
        traffic_of(text).expect("it is WGSL").values().map(|traffic| traffic.passes()).collect()
    }

    #[test]
    fn what_the_code_uses_is_counted() {
        assert_eq!(passes(TEXT), [1, 1, 2, 0, 0, 0]);
        let weighted = TEXT.replace("= false", "= true").replace("OP: u32 = 1u", "OP: u32 = 0u");
        assert_eq!(passes(&weighted), [1, 1, 2, 1, 0, 1]);
        assert_eq!(passes(&TEXT.replace("// sparse  s", "//")), [1, 1, 2, 0, 1, 0]);
        assert!(traffic_of("fn main( {").is_err());
    }
}
