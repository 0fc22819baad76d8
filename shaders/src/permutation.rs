//! Kernels with their values filled in.

use crate::{MAX_WORKGROUP_BYTES, WORKGROUP, render};

/// log2 of the numbers that a workgroup of the Walsh–Hadamard transform holds, in all its memory.
const HADAMARD_TILE: u32 = 12;
/// Most stages of one pass over distant numbers: runs of 16 neighbours are left.
const HADAMARD_STRIDED: u32 = 8;
/// log2 of the most numbers of a transform.
const LARGEST_HADAMARD: u32 = 27;

/// Sums of parameters' gradients that a workgroup of their reduction makes.
const REDUCED: u32 = 16;
/// Most sums that an invocation of the adapter's backward keeps, of each kind.
const LARGEST_SUMS: u32 = 128;

/// Most loads of a part of a row, and rows of a column, that the adapter's kernels wait for together.
const MOST_LOADS: u32 = 8;
const ROWS_AT_ONCE: u32 = 4;

/// Rows whose share of a norm weight's gradient one workgroup sums.
const NORM_ROWS: u32 = 8;

/// A kernel and everything that changes its text; what a pipeline cache must be keyed by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permutation {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Values of its placeholders.
    pub values: Vec<(&'static str, u32)>,
}

/// Sizes of an LPHM adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdapterSizes {
    /// Terms of the sum of Kronecker products.
    pub n: u32,
    /// Rank of each `B_i`.
    pub rank: u32,
    /// Width of the model.
    pub model: u32,
    /// Width of the bottleneck.
    pub bottleneck: u32,
}

impl AdapterSizes {
    /// Numbers in the packed parameters.
    pub fn packed(&self) -> u32 {
        (2 * self.rank + 1) * (self.model + self.bottleneck)
    }

    /// The forward kernel for these sizes; `None` if a workgroup cannot hold one row.
    pub fn forward(&self) -> Option<Permutation> {
        self.permutation("adapter_forward", WORKGROUP, [2, 1], 0, &[])
    }

    /// The backward kernel for these sizes and what it must compute.
    pub fn backward(&self, for_x: bool, for_parameters: bool) -> Option<Permutation> {
        if !self.is_small() {
            return None;
        }
        let columns = self.model.checked_div(self.lanes())?;
        let teams = WORKGROUP.checked_div(columns)?;
        // So many that each column has its invocations.
        let workgroup = if teams > 0 {
            teams * columns
        } else {
            WORKGROUP
        };
        let turns = columns.div_ceil(workgroup);
        let shares = self.model * teams.max(1);
        if turns * self.n * self.rank > LARGEST_SUMS {
            return None;
        }
        let values = [
            ("for_x", for_x.into()),
            ("for_parameters", for_parameters.into()),
            ("turns", turns),
            ("rows_at_once", ROWS_AT_ONCE),
        ];
        self.permutation("adapter_backward", workgroup, [6, 3], shares, &values)
    }

    /// Whether what is counted here stays within 32 bits.
    fn is_small(&self) -> bool {
        let sizes = [self.n, self.rank, self.model, self.bottleneck];
        sizes.iter().all(|size| *size <= 1 << 15) && self.n <= 128
    }

    /// Numbers of a row that an invocation takes at once; more than one where every part begins at a
    /// multiple of four, and where the sums of a column are not too many for an invocation.
    fn lanes(&self) -> u32 {
        let Self {
            n,
            rank,
            model,
            bottleneck,
        } = *self;
        let even = model.is_multiple_of(4 * n) && bottleneck.is_multiple_of(4);
        if rank == 1 && n <= 8 && even { 4 } else { 1 }
    }

    /// As many rows as fit into a workgroup's memory, the rule too if it is small, and s_down and t_up
    /// rather than more rows than four. `slots` are what a kernel keeps of each line and channel, and of
    /// each number of the bottleneck; `shares` what it needs to bring columns' sums together.
    fn permutation(
        &self,
        kernel: &'static str,
        workgroup: u32,
        [slots, inner_slots]: [u32; 2],
        shares: u32,
        more: &[(&'static str, u32)],
    ) -> Option<Permutation> {
        let Self {
            n,
            rank,
            model,
            bottleneck,
        } = *self;
        if !self.is_small() {
            return None;
        }
        let rule = n * n * n;
        let staged = rule <= 512;
        let staged_len = if staged { rule } else { 1 };
        let channels = n * rank;
        let together = (1..=4).rev().find(|c| channels.is_multiple_of(*c))?;
        let lanes = self.lanes();
        let parts = |rows: u32| (workgroup / (rows * n)).clamp(1, model / n / lanes);
        let lens = |rows: u32| {
            [
                shares.max(together * rows * n * (parts(rows) + 1)),
                slots * rows * n * channels,
                inner_slots * rows * bottleneck,
            ]
        };
        let fits = |(rows, with_factors): &(u32, bool)| {
            let lens = lens(*rows).iter().map(|len| u64::from(*len)).sum::<u64>();
            let factors = match with_factors {
                true => u64::from(2 * rank) * u64::from(model),
                false => u64::from(lanes),
            };
            // 16 bytes of sizes, which come through workgroup memory too, and what aligning them takes.
            4 * (lens + factors + u64::from(staged_len)) + 48 <= u64::from(MAX_WORKGROUP_BYTES)
        };
        let with_factors = [(8, true), (4, true)].into_iter();
        let without = [8, 4, 2, 1].into_iter().map(|rows| (rows, false));
        let (rows, factors_staged) = with_factors.chain(without).find(fits)?;
        let factors_len = match factors_staged {
            true => 2 * rank * model / lanes,
            false => 1,
        };
        let [parts_len, small_len, inner_len] = lens(rows);
        let mut values = vec![
            ("n", n),
            ("rank", rank),
            ("model", model),
            ("bottleneck", bottleneck),
            ("lanes", lanes),
            ("rows", rows),
            ("workgroup", workgroup),
            ("channels", channels),
            ("together", together),
            ("parts", parts(rows)),
            (
                "batch",
                (model / n / lanes).div_ceil(parts(rows)).min(MOST_LOADS),
            ),
            ("staged", staged.into()),
            ("staged_len", staged_len),
            ("factors_staged", factors_staged.into()),
            ("factors_len", factors_len),
            ("parts_len", parts_len),
            ("small_len", small_len),
            ("inner_len", inner_len),
            ("inner_slots", inner_slots),
        ];
        values.extend(more);
        Some(Permutation { kernel, values })
    }
}

/// Invocations that share a row of so many numbers.
fn team(width: u32) -> u32 {
    match width {
        0..=256 => 32,
        257..=1024 => 64,
        _ => WORKGROUP,
    }
}

impl Permutation {
    fn new(kernel: &'static str, values: &[(&'static str, u32)]) -> Self {
        Self {
            kernel,
            values: [values, &[("workgroup", WORKGROUP)]].concat(),
        }
    }

    /// The second pass of the adapter's backward.
    pub fn adapter_reduce() -> Self {
        Self::new("adapter_reduce", &[("outputs", REDUCED)])
    }

    /// The sum of Kronecker products of `n` terms.
    pub fn kron_sum(n: u32) -> Self {
        Self::new("kron_sum", &[("n", n)])
    }

    /// Gradients of the sum of Kronecker products of `n` terms.
    pub fn kron_sum_backward(n: u32) -> Self {
        Self::new("kron_sum_backward", &[("n", n)])
    }

    /// A step of AdamW.
    pub fn adamw() -> Self {
        Self::new("adamw", &[])
    }

    /// RMS norm of rows of `width` numbers.
    pub fn rms_norm(width: u32) -> Self {
        Self::new("rms_norm", &[("team", team(width))])
    }

    /// Its gradients; that of the weight only if asked for.
    pub fn rms_norm_backward(for_weight: bool) -> Self {
        let values = [
            ("rows", NORM_ROWS),
            ("for_weight", for_weight.into()),
            ("team", WORKGROUP),
        ];
        Self::new("rms_norm_backward", &values)
    }

    /// Softmax over rows of `width` numbers.
    pub fn softmax(width: u32) -> Self {
        Self::new("softmax", &[("team", team(width))])
    }

    /// Its gradient.
    pub fn softmax_backward(width: u32) -> Self {
        Self::new("softmax_backward", &[("team", team(width))])
    }

    /// Dropout.
    pub fn dropout() -> Self {
        Self::new("dropout", &[])
    }

    /// f32 from words of four integers.
    pub fn unpack_int8() -> Self {
        Self::new("unpack_int8", &[])
    }

    /// f32 from words of two halves.
    pub fn unpack_f16() -> Self {
        Self::new("unpack_f16", &[])
    }

    /// A transform of 2^bits numbers in passes: each kernel with log2 of the distance of the numbers
    /// that it begins with. `None` for what no binding of WebGPU's default size holds.
    pub fn hadamard(bits: u32) -> Option<Vec<(Self, u32)>> {
        if bits > LARGEST_HADAMARD {
            return None;
        }
        let first = bits.min(HADAMARD_TILE);
        let mut passes = vec![(Self::hadamard_pass(first, 0), 0)];
        let mut rest = (bits - first).div_ceil(HADAMARD_STRIDED);
        let mut at = first;
        while rest > 0 {
            let stages = (bits - at).div_ceil(rest);
            passes.push((Self::hadamard_pass(stages, HADAMARD_TILE - stages), at));
            at += stages;
            rest -= 1;
        }
        Some(passes)
    }

    fn hadamard_pass(bits: u32, low: u32) -> Self {
        let tile = 1 << (bits + low);
        Self::new("hadamard", &[("bits", bits), ("low", low), ("tile", tile)])
    }

    /// Fastfood's permutation and Gaussians applied to a short vector.
    pub fn fastfood_spread() -> Self {
        Self::new("fastfood_spread", &[])
    }

    /// The transpose of [`Self::fastfood_spread`].
    pub fn fastfood_gather() -> Self {
        Self::new("fastfood_gather", &[])
    }

    /// Workgroups for so many rows, a team each.
    pub fn groups(&self, rows: u32) -> u32 {
        rows.div_ceil(self.value("workgroup") / self.value("team").max(1))
    }

    /// One of its values; 0 if it has none of this name.
    pub fn value(&self, name: &str) -> u32 {
        self.values
            .iter()
            .find(|(key, _)| *key == name)
            .map_or(0, |(_, value)| *value)
    }

    /// The text that a driver gets.
    pub fn source(&self) -> String {
        let template = match self.kernel {
            "adapter_forward" => crate::ADAPTER_FORWARD,
            "adapter_backward" => crate::ADAPTER_BACKWARD,
            "adapter_reduce" => crate::ADAPTER_REDUCE,
            "adamw" => crate::ADAMW,
            "rms_norm" => crate::RMS_NORM,
            "rms_norm_backward" => crate::RMS_NORM_BACKWARD,
            "softmax" => crate::SOFTMAX,
            "softmax_backward" => crate::SOFTMAX_BACKWARD,
            "kron_sum" => crate::KRON_SUM,
            "kron_sum_backward" => crate::KRON_SUM_BACKWARD,
            "unpack_int8" => crate::UNPACK_INT8,
            "unpack_f16" => crate::UNPACK_F16,
            "hadamard" => crate::HADAMARD,
            "fastfood_spread" => crate::FASTFOOD_SPREAD,
            "fastfood_gather" => crate::FASTFOOD_GATHER,
            _ => crate::DROPOUT,
        };
        let wide = match self.value("lanes") {
            0 => "",
            1 => crate::WIDE1,
            _ => crate::WIDE4,
        };
        render(&[wide, template].concat(), &self.values)
    }

    /// The kernel's name with its values, for messages.
    pub fn name(&self) -> String {
        let values: Vec<String> = self
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{}({})", self.kernel, values.join(", "))
    }
}

/// Every kernel in the shapes that it is used in: the published models, and the ends of what fits.
pub fn permutations() -> Vec<Permutation> {
    let mut list = vec![
        Permutation::adamw(),
        Permutation::adapter_reduce(),
        Permutation::rms_norm_backward(false),
        Permutation::rms_norm_backward(true),
        Permutation::dropout(),
        Permutation::unpack_int8(),
        Permutation::unpack_f16(),
        Permutation::fastfood_spread(),
        Permutation::fastfood_gather(),
    ];
    for width in [64, 512, 2048] {
        list.push(Permutation::rms_norm(width));
        list.push(Permutation::softmax(width));
        list.push(Permutation::softmax_backward(width));
    }
    for bits in 0..=HADAMARD_TILE {
        list.push(Permutation::hadamard_pass(bits, 0));
    }
    for bits in 1..=HADAMARD_STRIDED {
        list.push(Permutation::hadamard_pass(bits, HADAMARD_TILE - bits));
    }
    for n in [1, 2, 4, 8, 12, 16] {
        list.push(Permutation::kron_sum(n));
        list.push(Permutation::kron_sum_backward(n));
    }
    let sizes = [
        [4, 1, 128, 16],
        [4, 1, 256, 32],
        [4, 1, 512, 16],
        [4, 1, 768, 24],
        [4, 1, 1024, 32],
        [8, 1, 768, 24],
        [12, 1, 768, 24],
        [4, 2, 512, 16],
        [4, 8, 512, 16],
        [1, 1, 7, 3],
        [16, 1, 512, 16],
        [2, 3, 38, 6],
    ];
    for [n, rank, model, bottleneck] in sizes {
        let sizes = AdapterSizes {
            n,
            rank,
            model,
            bottleneck,
        };
        list.extend(sizes.forward());
        for flags in [(true, true), (true, false), (false, true)] {
            list.extend(sizes.backward(flags.0, flags.1));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn passes_of_a_transform_cover_its_stages() {
        for bits in 0..=LARGEST_HADAMARD {
            let mut next = 0;
            for (pass, at) in Permutation::hadamard(bits).unwrap() {
                assert_eq!(at, next);
                assert!(permutations().contains(&pass), "{}", pass.name());
                assert!(pass.value("low") <= at);
                next += pass.value("bits");
            }
            assert_eq!(next, bits);
        }
        assert_eq!(Permutation::hadamard(28), None);
    }

    #[test]
    fn no_kernel_is_taken_for_another() {
        let mut kernels = BTreeMap::new();
        for permutation in permutations() {
            let kernel = permutation.kernel;
            let other = *kernels.entry(permutation.source()).or_insert(kernel);
            assert_eq!(kernel, other, "the text is that of another kernel");
        }
    }

    #[test]
    fn published_shapes_take_several_rows() {
        for (model, bottleneck) in [(512, 16), (768, 24), (1024, 32)] {
            let sizes = AdapterSizes {
                n: 4,
                rank: 1,
                model,
                bottleneck,
            };
            assert_eq!(sizes.forward().map(|p| p.value("rows")), Some(8));
            let backward = sizes.backward(true, true).map(|p| p.value("rows"));
            assert_eq!(backward, Some(if model == 1024 { 4 } else { 8 }));
        }
        let large = AdapterSizes {
            n: 64,
            rank: 4,
            model: 512,
            bottleneck: 64,
        };
        assert_eq!(large.backward(true, true), None);
    }
}
