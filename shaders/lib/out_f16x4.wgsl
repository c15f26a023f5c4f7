// out_f16x4: lib/out.wgsl for a map kept as f16, four to a vec2<u32>
// Expects of the including file: alias Elem = vec4<f32>.

alias Out = vec2<u32>;

fn out(e: Elem) -> Out {
    return vec2<u32>(pack2x16float(e.xy), pack2x16float(e.zw));
}
