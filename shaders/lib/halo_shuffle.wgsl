// halo_shuffle: lib/halo.wgsl where eight neighbouring lanes hold whole rows, so that each finds its halo in the next
// Width / OWN must divide eight. On lavapipe a shuffle is one instruction, a load is a loop over the lanes.

fn halo(own: array<f32, SPAN>, first: u32, column: u32, width: u32) -> array<f32, SPAN> {
    var s = own;
    for (var i = 0u; i < LEFT; i++) {
        s[i] = select(0.0, subgroupShuffleUp(own[i + OWN], 1u), column > 0u);
    }
    for (var i = LEFT + OWN; i < SPAN; i++) {
        s[i] = select(0.0, subgroupShuffleDown(own[i - OWN], 1u), column + OWN < width);
    }
    return s;
}
