// words_f16: lib/words.wgsl for a map kept as f16, two to a word

alias Word = u32;
const PER_WORD: u32 = 2u;

fn element(word: Word, i: u32) -> f32 {
    let pair = unpack2x16float(word);
    return select(pair.x, pair.y, i % 2u == 1u);
}

fn word_of(a: f32, b: f32) -> Word {
    return pack2x16float(vec2<f32>(a, b));
}
