// reduce: sums over a workgroup of WG invocations, in a fixed order (reruns are bit-equal)
// Expects of the including file: const WG, a power of two. Call from uniform control flow.

var<workgroup> reduce_scratch: array<f32, WG>;

// ANCHOR: sum
// Every invocation gets the sum of `value` over the workgroup.
fn workgroup_sum(value: f32, lane: u32) -> f32 {
    workgroupBarrier(); // an earlier use of the scratch is over
    reduce_scratch[lane] = value;
    for (var width = WG / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier(); // the previous level is written
        if lane < width {
            reduce_scratch[lane] += reduce_scratch[lane + width];
        }
    }
    workgroupBarrier(); // the sum stands in slot 0
    return reduce_scratch[0];
}
// ANCHOR_END: sum

// Every invocation gets the largest `value` of the workgroup.
fn workgroup_max(value: f32, lane: u32) -> f32 {
    workgroupBarrier(); // an earlier use of the scratch is over
    reduce_scratch[lane] = value;
    for (var width = WG / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier(); // the previous level is written
        if lane < width {
            reduce_scratch[lane] = max(reduce_scratch[lane], reduce_scratch[lane + width]);
        }
    }
    workgroupBarrier(); // the maximum stands in slot 0
    return reduce_scratch[0];
}
