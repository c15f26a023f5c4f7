// words_f32x2: lib/words.wgsl where a kernel may take the elements of a map in pairs, each pair one load

alias Word = vec2<f32>;
const PER_WORD: u32 = 2u;

fn element(word: Word, i: u32) -> f32 {
    return select(word.x, word.y, i % 2u == 1u);
}

fn word_of(a: f32, b: f32) -> Word {
    return vec2<f32>(a, b);
}
