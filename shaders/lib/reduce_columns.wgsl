// reduce_columns: sums down the columns of a tile, in a fixed order (reruns are bit-equal)
// Expects of the including file: alias Elem (f32, or vec4<f32> where a lane has four columns side by side), const COLUMNS,
// the lanes side by side, and const STRANDS, a power of two, the lanes that share a column;
// @workgroup_size(COLUMNS, STRANDS). Call from uniform control flow.

var<workgroup> column_scratch: array<Elem, COLUMNS * STRANDS>;

// Every invocation gets the sum of `value` over the STRANDS lanes of its column.
fn column_sum(value: Elem, lane: vec2<u32>) -> Elem {
    if STRANDS == 1u {
        return value;
    }
    let slot = lane.y * COLUMNS + lane.x;
    workgroupBarrier(); // an earlier use of the scratch is over
    column_scratch[slot] = value;
    for (var width = STRANDS / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier(); // the previous level is written
        if lane.y < width {
            column_scratch[slot] += column_scratch[slot + width * COLUMNS];
        }
    }
    workgroupBarrier(); // the sums stand in the first strand
    return column_scratch[lane.x];
}
