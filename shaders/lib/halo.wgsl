// halo: the columns on either side of those that a lane loads as vectors, loaded one by one
// Expects of the including file: const SPAN, columns in all, of which LEFT stand before the OWN aligned ones;
// fn single(i) -> f32, element i of the map as it is used. A specialisation pastes lib/halo_shuffle.wgsl instead where
// the lane's neighbours in the subgroup hold them.

// `own` holds the own columns, from `column` on, of the row of `width` columns that starts at element `first`; zeros
// outside the row stay.
fn halo(own: array<f32, SPAN>, first: u32, column: u32, width: u32) -> array<f32, SPAN> {
    var s = own;
    for (var i = 0u; i < LEFT; i++) {
        if column + i >= LEFT {
            s[i] = single(first + column + i - LEFT);
        }
    }
    for (var i = LEFT + OWN; i < SPAN; i++) {
        if column + i - LEFT < width {
            s[i] = single(first + column + i - LEFT);
        }
    }
    return s;
}
