//! NumPy's `RandomState(seed).shuffle`, because the split of VoxForge in TensorFlow Datasets is made with it.

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded as NumPy does for one 32-bit number.
struct Mt19937 {
    state: [u32; N],
    next: usize,
}

const N: usize = 624;
const M: usize = 397;

impl Mt19937 {
    fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Mt19937 { state, next: N }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// Uniform in 0..=max: masked draws, repeated until one fits.
    fn up_to(&mut self, max: u32) -> u32 {
        let mask = u32::MAX >> max.max(1).leading_zeros();
        loop {
            let draw = self.next_u32() & mask;
            if draw <= max {
                return draw;
            }
        }
    }
}

/// `numpy.random.RandomState(seed).shuffle(items)` for a list.
pub(super) fn shuffle<T>(items: &mut [T], seed: u32) {
    let mut random = Mt19937::new(seed);
    for i in (1..items.len()).rev() {
        items.swap(i, random.up_to(i as u32) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_as_numpy_does() {
        // numpy 2.4: l = list(range(n)); numpy.random.RandomState(0).shuffle(l)
        let shuffled = |n: u32| {
            let mut items: Vec<u32> = (0..n).collect();
            shuffle(&mut items, 0);
            items
        };
        assert_eq!(shuffled(3), [2, 1, 0]);
        assert_eq!(shuffled(10), [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
        assert_eq!(shuffled(25)[..12], [5, 2, 19, 16, 11, 22, 17, 24, 23, 14, 1, 10]);
        // More draws than one block of the generator gives.
        assert_eq!(shuffled(1000)[..6], [993, 859, 298, 553, 672, 971]);
        assert_eq!(shuffled(1000)[997..], [629, 559, 684]);
    }
}
