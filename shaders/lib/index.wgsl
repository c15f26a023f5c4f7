// index: where this workgroup stands in a long range
// The engine folds ranges of more than 65,535 workgroups into a second grid axis; this undoes it.

fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}
