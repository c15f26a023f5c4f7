//! token_embedding.wgsl, token_embedding_dw.wgsl

use crate::harness::{check_op, input, on_every_device};
use cola::ops::token_embedding::{Tokens, token_embedding};

#[test]
fn tokens_take_their_column_and_give_it_their_gradient() {
    on_every_device(|gpu| {
        // one class; none for some; more tokens than a workgroup has lanes; more classes than that
        for (features, classes, tokens) in [(1, 1, 3), (5, 7, 4), (3, 4, 131), (2, 200, 67)] {
            let ids: Vec<u32> = (0..tokens).map(|n| (n * n * 31 + n) % classes).collect();
            let classes = classes as usize;
            let on_device = Tokens::new(gpu, &ids, classes);
            let reference = |_: &[Vec<f64>], table: &[Vec<f64>]| {
                (0..features)
                    .flat_map(|d| ids.iter().map(move |&id| (d, id)))
                    .map(|(d, id)| table[0][d * classes + id as usize])
                    .collect()
            };
            check_op(
                &format!("token_embedding {features} of {classes}, {tokens}"),
                gpu,
                &[],
                &[input(2, &[features, classes])],
                &reference,
                &|cx, _, table| token_embedding(cx, &table[0], &on_device),
                1e-6,
            );
        }
    });
}

#[test]
#[should_panic(expected = "token 4 of 4")]
fn an_id_beyond_the_table_is_refused() {
    let gpu = cola::gpu::Gpu::open(&Default::default()).expect("an adapter");
    Tokens::new(&gpu, &[0, 4], 4);
}
