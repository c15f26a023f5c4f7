// stored: how a raw map that a kernel reads by Elem lies in memory: as f32
// Expects of the including file: alias Elem. A specialisation pastes lib/stored_f16x4.wgsl or lib/stored_f16x2.wgsl
// instead where the map is kept in 16 bits; arithmetic is f32 either way.

alias Stored = Elem;

fn widen(s: Stored) -> Elem {
    return s;
}
