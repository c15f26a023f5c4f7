// words: single elements of a raw map that lies in memory as f32
// A specialisation pastes lib/words_f16.wgsl instead where the map is kept in 16 bits.

alias Word = f32;
const PER_WORD: u32 = 1u;

// Element i of the map, out of the word i / PER_WORD.
fn element(word: Word, i: u32) -> f32 {
    return word;
}

// The word that holds a, and behind it b where a word holds two.
fn word_of(a: f32, b: f32) -> Word {
    return a;
}
