// out: how a raw map that a kernel writes by Elem lies in memory: as f32
// Expects of the including file: alias Elem. A specialisation pastes lib/out_f16x4.wgsl instead for 16 bits.

alias Out = Elem;

fn out(e: Elem) -> Out {
    return e;
}
