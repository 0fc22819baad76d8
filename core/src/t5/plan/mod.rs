//! What training takes of a device, by arithmetic alone: said before anything is fetched.

mod kept;
mod work;

pub use work::products;

use super::{Stack, Storage, T5Config};
use crate::method::{BaseTrains, Method};
use crate::{Error, Result};

/// Sizes of one forward and backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Rows that go through together: a micro-batch.
    pub rows: usize,
    /// Tokens of the longest source.
    pub source: usize,
    /// Tokens of the longest target.
    pub target: usize,
    /// Whether there is dropout, which keeps attention's shares twice.
    pub dropout: bool,
    /// Whether each block runs again on the way back.
    pub activation_checkpointing: bool,
}

/// What a device allows, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest buffer.
    pub max_buffer: u64,
    /// The largest part of a buffer that a kernel may be given.
    pub max_binding: u64,
    /// All the memory that may be used, where that is known: a browser does not tell.
    pub memory: Option<u64>,
}

/// What the program itself takes, measured on Linux.
const PROGRAM: u64 = 35 << 20;

/// Rows per forward pass of an evaluation.
pub(crate) const SCORED_ROWS: usize = 64;

/// The moment at which a run holds the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peak {
    /// While the base is read, one tensor in f32 beside what is there already.
    Loading,
    /// Between forward and backward.
    Pass,
    /// While held-out rows are scored.
    Scoring,
    /// In the optimiser, where all gradients are there.
    Update,
}

/// Bytes that a run takes, on the CPU.
///
/// Of the twelve methods on T5-small, T5-base and T5-large, with passes of 32 to 4,096 tokens, all
/// were within 15 % of what was measured (`docs/performance.md`). A GPU's memory pool rounds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The frozen weights as they are kept.
    pub weights: u64,
    /// The largest of them.
    pub largest: (String, u64),
    /// What is trained, with its two moments.
    pub trained: u64,
    /// The best of it so far.
    pub best: u64,
    /// What a pass keeps until its backward, and works with beside.
    pub activations: u64,
    /// The largest of a pass's tensors that is not cut into parts.
    pub largest_activation: u64,
    /// What scoring takes beside.
    scoring: u64,
    /// What the optimiser takes beside.
    update: u64,
    /// The largest of the base's tensors in f32.
    whole: u64,
    storage: Storage,
    pass: Pass,
}

impl Plan {
    /// For this method on a base of these sizes.
    pub fn new(config: &T5Config, method: &Method, storage: Storage, pass: Pass) -> Self {
        let tensors = config.tensors();
        let bytes = tensors.iter().map(|(name, shape)| {
            let bytes = storage.bytes(name, shape);
            (name.clone(), bytes)
        });
        let bytes: Vec<(String, u64)> = bytes.collect();
        let weights = bytes.iter().map(|(_, bytes)| bytes).sum();
        let largest = bytes.into_iter().max_by_key(|(_, bytes)| *bytes);
        let sizes = tensors.iter().map(|(_, shape)| numbers(shape));
        let whole = 4 * sizes.max().unwrap_or(0);
        let base = method.trained_base(config);
        let most = 4 * base
            .iter()
            .map(|(_, shape)| numbers(shape))
            .max()
            .unwrap_or(0);
        let trained = 4 * method.trainable(config) as u64;
        let tokens = pass.rows * pass.source.max(pass.target);
        let counted = kept::kept(config, method, pass);
        let passing = 4 * counted.passing;
        // A product packs parts of the matrix that it multiplies with; the table is the largest.
        let packed = whole / 4;
        // The table again, which is the largest, while it is multiplied with.
        let unpacked = match storage {
            Storage::F32 => 0,
            Storage::F16 | Storage::Int8 => whole,
        };
        Self {
            weights,
            largest: largest.unwrap_or_default(),
            trained: 3 * trained,
            best: trained,
            activations: 4 * counted.kept
                + passing.max(packed)
                + unpacked
                + matrices(config, method),
            largest_activation: 4 * (tokens * config.d_model) as u64,
            scoring: 4 * counted.scoring + packed + unpacked,
            update: trained + most,
            whole,
            storage,
            pass,
        }
    }

    /// All that a run holds at its peak.
    pub fn total(&self) -> u64 {
        PROGRAM + self.weights + self.peak().1
    }

    /// When that is, and what it takes beside the program and the frozen weights.
    pub fn peak(&self) -> (Peak, u64) {
        let stays = self.trained + self.best;
        let moments = [
            (Peak::Loading, self.whole),
            (Peak::Pass, stays + self.activations),
            (Peak::Scoring, stays + self.scoring),
            (Peak::Update, stays + self.update),
        ];
        let most = moments.into_iter().max_by_key(|(_, bytes)| *bytes);
        most.unwrap_or((Peak::Pass, 0))
    }

    /// All that steps alone hold at their peak, as [`crate::train::Bench`] takes them.
    pub fn steps(&self) -> u64 {
        PROGRAM + self.weights + self.trained + self.activations.max(self.update)
    }

    /// Whether a device can hold it; an error says what to lower.
    pub fn fits(&self, limits: &Limits) -> Result<()> {
        let one = limits.max_buffer.min(limits.max_binding);
        let (name, bytes) = &self.largest;
        if *bytes > one {
            let ways = match self.storage {
                Storage::F32 => "keep the weights as f16 or int8, or take a smaller model",
                Storage::F16 => "keep the weights as int8, or take a smaller model",
                Storage::Int8 => "take a smaller model",
            };
            let (bytes, one) = (mega(*bytes), mega(one));
            return Err(Error::Setting(format!(
                "`{name}` takes {bytes} MB, the device holds at most {one} MB in one piece: {ways}"
            )));
        }
        let Pass { rows, source, .. } = self.pass;
        let lower = format!("lower the micro-batch from {rows} or the source from {source} tokens");
        if self.largest_activation > one {
            let (bytes, one) = (mega(self.largest_activation), mega(one));
            return Err(Error::Setting(format!(
                "a layer's output takes {bytes} MB, the device holds at most {one} MB in one \
                 piece: {lower}"
            )));
        }
        match limits.memory {
            Some(memory) if self.total() > memory => {
                let narrower = match self.storage {
                    Storage::Int8 => "",
                    _ => ", or keep the weights as int8",
                };
                let beside = self.total() - self.weights;
                let [weights, beside, memory] = [self.weights, beside, memory].map(mega);
                Err(Error::Setting(format!(
                    "training takes about {weights} MB for weights and {beside} MB beside, there \
                     are {memory} MB: {lower}{narrower}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Millions of bytes, rounded up.
fn mega(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

fn numbers(shape: &[usize]) -> u64 {
    shape.iter().map(|size| *size as u64).product()
}

/// What trained or moved matrices hold during a pass.
fn matrices(config: &T5Config, method: &Method) -> u64 {
    let tensors = config.tensors();
    let all = || tensors.iter().map(|(_, shape)| numbers(shape));
    if method.intrinsic.is_some() {
        // The moved copy and its gradient, and the projection, which Fastfood pads.
        return 4 * all().map(|n| 2 * n + n.next_power_of_two()).sum::<u64>();
    }
    if method.base != BaseTrains::All {
        return 0;
    }
    // The decoder has its gradients before the encoder gives up what it keeps; the table has three:
    // of the output layer, of the embedding and their sum.
    let decoder = format!("{}.", Stack::Decoder.name());
    let decoder = tensors
        .iter()
        .filter(|(name, _)| name.starts_with(&decoder));
    let decoder: u64 = decoder.map(|(_, shape)| numbers(shape)).sum();
    4 * (decoder + 3 * all().max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Overrides;

    const PASS: Pass = Pass {
        rows: 8,
        source: 128,
        target: 4,
        dropout: false,
        activation_checkpointing: false,
    };
    /// WebGPU's default limits.
    const DEFAULT: Limits = Limits {
        max_buffer: 256 << 20,
        max_binding: 128 << 20,
        memory: None,
    };

    fn of(size: &str, method: &str, storage: Storage, pass: Pass) -> Plan {
        let config = T5Config::preset(size).unwrap();
        let method = Method::resolve(method, &config, &Overrides::default()).unwrap();
        Plan::new(&config, &method, storage, pass)
    }

    fn plan(size: &str, storage: Storage) -> Plan {
        of(size, "compacter++", storage, PASS)
    }

    #[test]
    fn published_sizes_in_each_storage() {
        let mega =
            |size| Storage::ALL.map(|storage| (plan(size, storage).weights + 500_000) / 1_000_000);
        assert_eq!(mega("t5-small"), [242, 121, 62]);
        assert_eq!(mega("t5-base"), [892, 446, 230]);
        let (name, bytes) = plan("t5-base", Storage::Int8).largest;
        assert_eq!(
            (name.as_str(), bytes),
            ("shared.weight", 32128 * 768 / 128 * (128 + 4))
        );
    }

    /// Peaks in MiB that `compacter bench` measured on the CPU (VmHWM), by size, storage, passes
    /// as rows, source and target, and methods.
    const MEASURED: &str = include_str!("measured.tsv");

    #[test]
    fn what_was_measured_is_within_a_seventh() {
        let mut wrong = Vec::new();
        let mut worst = [f64::MAX, 0.0];
        for line in MEASURED.lines().skip(1) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [
                size,
                method,
                rows,
                source,
                target,
                storage,
                checkpointing,
                peak,
            ] = cells[..]
            else {
                panic!("{line}");
            };
            let number = |text: &str| text.parse().unwrap();
            let pass = Pass {
                rows: number(rows),
                source: number(source),
                target: number(target),
                dropout: false,
                activation_checkpointing: checkpointing == "yes",
            };
            let plan = of(size, method, storage.parse().unwrap(), pass);
            let ratio = plan.steps() as f64 / f64::from(1 << 20) / peak.parse::<f64>().unwrap();
            worst = [worst[0].min(ratio), worst[1].max(ratio)];
            if !(0.85..=1.15).contains(&ratio) {
                wrong.push(format!("{ratio:.2}: {line}"));
            }
        }
        println!("planned / measured: {worst:.2?}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn each_kind_of_run_peaks_where_it_does() {
        let peak = |method, pass| of("t5-small", method, Storage::F32, pass).peak().0;
        assert_eq!(peak("full", PASS), Peak::Pass);
        assert_eq!(peak("compacter++", Pass { rows: 32, ..PASS }), Peak::Pass);
        // 64 rows are scored at once, however few are trained on.
        assert_eq!(peak("compacter++", Pass { rows: 2, ..PASS }), Peak::Scoring);
    }

    #[test]
    fn without_trained_norms_nothing_is_kept_below_the_lowest_adapter() {
        let config = T5Config::preset("t5-small").unwrap();
        let plan = |drop_layers, norms| {
            let overrides = Overrides {
                drop_layers,
                layer_norms: norms,
                ..Overrides::default()
            };
            let method = Method::resolve("compacter", &config, &overrides).unwrap();
            Plan::new(&config, &method, Storage::F32, PASS).activations
        };
        let (all, upper) = (plan(None, Some(false)), plan(Some(3), Some(false)));
        assert!(upper < all * 3 / 4, "{upper} {all}");
        let with_norms = plan(Some(3), None);
        assert!(with_norms > all * 9 / 10, "{with_norms} {all}");
    }

    #[test]
    fn what_does_not_fit_says_what_to_lower() {
        for size in ["t5-small", "t5-base", "t5-large"] {
            assert_eq!(plan(size, Storage::Int8).fits(&DEFAULT), Ok(()));
        }
        let message = |plan: Plan, limits| plan.fits(&limits).unwrap_err().to_string();
        let narrow = Limits {
            max_binding: 64 << 20,
            ..DEFAULT
        };
        assert_eq!(
            message(plan("t5-base", Storage::F32), narrow),
            "`shared.weight` takes 99 MB, the device holds at most 68 MB in one piece: keep the \
             weights as f16 or int8, or take a smaller model"
        );
        let little = Limits {
            memory: Some(400_000_000),
            ..DEFAULT
        };
        let text = message(plan("t5-base", Storage::F16), little);
        assert!(
            text.starts_with("training takes about 446 MB for weights and "),
            "{text}"
        );
        assert!(text.ends_with(
            "there are 400 MB: lower the micro-batch from 8 or the source from 128 tokens, or keep \
             the weights as int8"
        ));
        let wide = of(
            "t5-base",
            "compacter++",
            Storage::Int8,
            Pass { rows: 400, ..PASS },
        );
        let text = message(wide, DEFAULT);
        assert!(text.starts_with("a layer's output takes 158 MB"), "{text}");
    }
}
