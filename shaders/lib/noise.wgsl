// noise: numbers of mean 0 and deviation 1 that hang on a key and a counter: the sum of four uniform ones, which is near
// enough to normal and the same on every device, where log and cos are not
// Expects of the including file: lib/random.wgsl

fn noise(key: u32, counter: u32) -> f32 {
    var sum = -2.0;
    for (var i = 0u; i < 4u; i++) {
        sum += random(key, counter, i);
    }
    return 1.7320508 * sum;
}
