//! Multiply-adds of a step's matrix products: what its time should grow with.

use super::Pass;
use crate::method::{BaseTrains, Layer, Method};
use crate::t5::{Stack, T5Config};

/// Multiply-adds of all matrix products of one step: forward, back to what comes in, and for
/// matrices that are trained back to these; norms, softmax and the optimiser are not among them.
pub fn products(config: &T5Config, method: &Method, pass: Pass) -> u64 {
    let prompt = method.prompt.map_or(0, |prompt| prompt.rows);
    let size = |number: usize| number as u64;
    let [rows, source, target] = [pass.rows, pass.source + prompt, pass.target].map(size);
    let (d, vocab) = (size(config.d_model), size(config.vocab_size));
    let inner = size(config.num_heads * config.d_kv);
    let feed_forward = if config.gated { 3 } else { 2 } * d * size(config.d_ff);
    let matrices = method.base == BaseTrains::All || method.intrinsic.is_some();
    // Forward and back to the input; once more back to a trained matrix; with checkpointing once
    // more forward.
    let again = u64::from(pass.activation_checkpointing);
    let frozen = if matrices { 3 } else { 2 } + again;
    let own = 3 + again;
    let scores = |queries: u64, keys: u64| own * 2 * rows * queries * keys * inner;
    let adapters = |stack: Stack| -> u64 {
        let Some(adapters) = &method.adapters else {
            return 0;
        };
        let places = method.places(config);
        let count = places.iter().filter(|place| place.stack == stack).count();
        let k = size(adapters.bottleneck);
        let each = match adapters.layer {
            Layer::Dense | Layer::Phm { .. } => 2 * d * k,
            Layer::LowRank { rank } => 2 * size(rank) * (d + k),
            Layer::Lphm { n, rank, .. } => {
                let [n, rank] = [n, rank].map(size);
                2 * (n * rank * (d + k) + n * n * n * rank)
            }
        };
        own * size(count) * each
    };
    let (encoder, decoder) = (rows * source, rows * target);
    let layers = |stack: Stack| size(config.layers(stack));
    let per_encoder = frozen * encoder * (4 * d * inner + feed_forward) + scores(source, source);
    let per_decoder = frozen * decoder * (6 * d * inner + feed_forward)
        + frozen * encoder * 2 * d * inner
        + scores(target, target)
        + scores(target, source);
    layers(Stack::Encoder) * per_encoder
        + layers(Stack::Decoder) * per_decoder
        + encoder * adapters(Stack::Encoder)
        + decoder * adapters(Stack::Decoder)
        + frozen * decoder * d * vocab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_t5_small_by_hand() {
        let config = T5Config::preset("t5-small").unwrap();
        let pass = Pass {
            rows: 8,
            source: 128,
            target: 4,
            dropout: false,
            activation_checkpointing: false,
        };
        let of = |method: &str, pass| {
            let method = Method::preset(method, &config).unwrap();
            products(&config, &method, pass)
        };
        // 6 blocks of 4 · 512² + 2 · 512 · 2048 for 1,024 tokens, attention over 128 of them, the
        // source's keys and values in 6 blocks; for 32 tokens 6 blocks of 6 · 512² + the same
        // feed-forward, attention over 4 and 128, and the table.
        let (w, ff, table) = (512 * 512, 2 * 512 * 2048, 32128 * 512);
        let source = 6 * (1024 * (4 * w + ff) + 1024 * 2 * w) + 32 * table;
        let target = 6 * 32 * (6 * w + ff);
        let attention = 6 * 2 * 512 * 8 * (128 * 128 + 4 * 4 + 4 * 128);
        assert_eq!(of("full", pass), 3 * (source + target + attention));
        assert_eq!(of("bitfit", pass), 2 * (source + target) + 3 * attention);
        // A Compacter's products are a small part of an adapter's, which are few.
        let added = |method| of(method, pass) - of("bitfit", pass);
        assert!(added("adapter") > 3 * added("compacter"));
        assert!(added("compacter") < of("bitfit", pass) / 200);
        let again = Pass {
            activation_checkpointing: true,
            ..pass
        };
        let more = of("bitfit", again) - of("bitfit", pass);
        assert_eq!(more, source + target + attention);
    }
}
