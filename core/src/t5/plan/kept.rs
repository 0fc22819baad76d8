//! What autodiff keeps of one pass in f32, counted from the forward pass: of a frozen matrix's
//! product nothing, of a trained one's what it was multiplied with.

use super::{Pass, SCORED_ROWS};
use crate::method::{AdapterInput, Adapters, BaseTrains, Layer, Method, Rule};
use crate::t5::{Stack, T5Config};

/// Numbers that a pass keeps, and those it works with beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// From forward to backward: all that blocks keep or, with activation checkpointing, what goes
    /// into them.
    pub(super) kept: u64,
    /// Values and gradients that live no longer than an operation, or than the one block that runs
    /// again, at the worst place.
    pub(super) passing: u64,
    /// What scoring holds of as many sources at once as it does, without gradients.
    pub(super) scoring: u64,
}

/// Sizes that the counts are made of; in 64 bits in a browser, too.
struct Counts<'a> {
    config: &'a T5Config,
    method: &'a Method,
    pass: Pass,
    rows: u64,
    /// Tokens of a source, a prompt's rows among them.
    source: u64,
    target: u64,
    d: u64,
    /// Width of the feed-forward's inner values.
    ff: u64,
    heads: u64,
    /// Width of all heads.
    inner: u64,
    vocab: u64,
    /// Whether the base's matrices have gradients, or are moved copies that do.
    matrices: bool,
}

/// Counts a pass of this method.
pub(super) fn kept(config: &T5Config, method: &Method, pass: Pass) -> Kept {
    let prompt = method.prompt.map_or(0, |prompt| prompt.rows);
    let counts = Counts {
        config,
        method,
        pass,
        rows: pass.rows as u64,
        source: (pass.source + prompt) as u64,
        target: pass.target as u64,
        d: config.d_model as u64,
        ff: config.d_ff as u64,
        heads: config.num_heads as u64,
        inner: config.num_heads as u64 * config.d_kv as u64,
        vocab: config.vocab_size as u64,
        matrices: method.base == BaseTrains::All || method.intrinsic.is_some(),
    };
    counts.all()
}

impl Counts<'_> {
    fn all(&self) -> Kept {
        let stacks = [Stack::Encoder, Stack::Decoder];
        let blocks = stacks.map(|stack| {
            let from = self.first(stack);
            let count = self.config.layers(stack);
            let each = (from..count).map(move |block| self.block(stack, block));
            each.collect::<Vec<u64>>()
        });
        let tokens = [self.source, self.target].map(|length| self.rows * length);
        // Of the logits the exponentials stay; the logits and their gradient pass.
        let logits = self.rows * self.target * self.vocab;
        let encoded = if self.matrices { tokens[0] * self.d } else { 0 };
        let back = self.backward();
        if !self.pass.activation_checkpointing {
            return Kept {
                kept: blocks.iter().flatten().sum::<u64>() + encoded + logits,
                passing: (2 * logits).max(back),
                scoring: self.scoring(),
            };
        }
        // The output layer has gone back before the first block runs again.
        let inputs = blocks.iter().zip(tokens);
        let inputs = inputs.map(|(all, tokens)| all.len() as u64 * tokens * self.d);
        let inputs: u64 = inputs.sum();
        let one = blocks.iter().flatten().max().copied().unwrap_or(0);
        Kept {
            kept: inputs + encoded,
            passing: (3 * logits).max(one + back),
            scoring: self.scoring(),
        }
    }

    /// The lowest block of a stack that a gradient goes back to.
    fn first(&self, stack: Stack) -> usize {
        let method = self.method;
        let below = method.biases || method.prompt.is_some() || method.output_layer;
        if self.matrices || below || method.base != BaseTrains::Nothing {
            return 0;
        }
        let lowest = |stack: Stack| {
            let blocks = 0..self.config.layers(stack);
            blocks
                .into_iter()
                .find(|block| self.sites(stack, *block) > 0)
        };
        match (stack, lowest(Stack::Encoder)) {
            // The encoder's output carries a gradient, and all of the decoder with it.
            (Stack::Decoder, Some(_)) => 0,
            (_, found) => found
                .or_else(|| lowest(stack))
                .unwrap_or(self.config.layers(stack)),
        }
    }

    /// Adapters in a block.
    fn sites(&self, stack: Stack, block: usize) -> u64 {
        let adapters = self.method.adapters.as_ref();
        let layers = [0, stack.feed_forward_layer()];
        let at = |layer: &usize| adapters.is_some_and(|all| all.are_at(stack, block, *layer));
        layers.iter().filter(|layer| at(layer)).count() as u64
    }

    /// Numbers that one block keeps.
    fn block(&self, stack: Stack, block: usize) -> u64 {
        let (rows, d, inner) = (self.rows, self.d, self.inner);
        let site = self.method.adapters.as_ref();
        let site = site.map_or(0, |adapters| of_adapter(adapters, d));
        let feed_forward = if self.config.gated { 3 } else { 1 } * self.ff;
        // Shares come out of a softmax; dropout makes others of them.
        let copies = if self.pass.dropout { 2 } else { 1 };
        let shares = |keys: u64| copies * self.heads * keys;
        let each = self.sites(stack, block) * site + feed_forward + self.of_matrices(stack);
        match stack {
            // Two norms' inputs; queries, keys and values.
            Stack::Encoder => rows * self.source * (each + 2 * d + 3 * inner + shares(self.source)),
            // A norm and queries more, and keys and values of the source.
            Stack::Decoder => {
                let target = self.target;
                let both = shares(target) + shares(self.source);
                rows * target * (each + 3 * d + 4 * inner + both) + 2 * rows * self.source * inner
            }
        }
    }

    /// What trained matrices keep of a token: the values they are multiplied with.
    fn of_matrices(&self, stack: Stack) -> u64 {
        if !self.matrices {
            return 0;
        }
        let (d, attentions) = match stack {
            Stack::Encoder => (2 * self.d, 1),
            Stack::Decoder => (3 * self.d, 2),
        };
        let dropped = if self.pass.dropout { self.ff } else { 0 };
        d + attentions * self.inner + dropped
    }

    /// Keys and values of the source for every block of the decoder, and what one block of the
    /// encoder or the output layer works with.
    fn scoring(&self) -> u64 {
        let (inner, scored) = (self.inner, SCORED_ROWS as u64);
        let tokens = scored * self.source;
        let cross = tokens * (self.d + 2 * inner * self.config.num_decoder_layers as u64);
        let feed_forward = 2 * self.d + 2 * self.ff;
        let attention = 4 * inner + 2 * self.heads * self.source;
        let block = tokens * feed_forward.max(attention);
        let logits = 3 * scored * self.vocab;
        block.max(cross + logits)
    }

    /// Gradients within the encoder's last block, its feed-forward or its attention.
    fn backward(&self) -> u64 {
        let tokens = self.rows * self.source;
        let feed_forward = 2 * self.ff + 3 * self.d;
        let attention = 2 * self.heads * self.source + 4 * self.inner;
        tokens * feed_forward.max(attention)
    }
}

/// What an adapter keeps of a token: the fused one its input, the others their steps too.
fn of_adapter(adapters: &Adapters, d: u64) -> u64 {
    let fused = matches!(
        adapters.layer,
        Layer::Lphm {
            rule: Rule {
                own: false,
                factorised: false,
                ..
            },
            shared: false,
            ..
        }
    );
    let steps = if fused {
        0
    } else {
        2 * adapters.bottleneck as u64
    };
    let norms = [adapters.pre_norm, adapters.post_norm];
    let norms = norms.into_iter().filter(|wanted| *wanted).count() as u64;
    let sum = u64::from(adapters.input == AdapterInput::Residual);
    d * (1 + 2 * norms + sum) + steps
}
