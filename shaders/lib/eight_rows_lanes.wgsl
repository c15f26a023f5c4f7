// eight_rows: four positions of eight features, which stand `pitch` apart; all lanes of a workgroup want the same. For
// subgroups of eight that are whole workgroups: each lane loads one feature, and all hand theirs round.
// Expects of the including file: fn row(at: u32, of_dy: bool) -> vec4<f32>.

struct EightRows { low: mat4x4<f32>, high: mat4x4<f32> }

var<private> own_lane: u32;

// ANCHOR: eight_rows
fn eight_rows(at: u32, pitch: u32, of_dy: bool) -> EightRows {
    let own = row(at + own_lane * pitch, of_dy);
    return EightRows(
        mat4x4<f32>(subgroupBroadcast(own, 0u), subgroupBroadcast(own, 1u), subgroupBroadcast(own, 2u), subgroupBroadcast(own, 3u)),
        mat4x4<f32>(subgroupBroadcast(own, 4u), subgroupBroadcast(own, 5u), subgroupBroadcast(own, 6u), subgroupBroadcast(own, 7u)),
    );
}
// ANCHOR_END: eight_rows
