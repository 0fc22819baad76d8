//! `bench --profile`: where the processor's time goes, by samples of the running program.
//!
//! A signal a thousand times a second of processor time, on whatever thread is running, and the
//! names of the functions that it finds there. Nothing is built differently for it.

use crate::failure::usage;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// A kind of operation, and what the names of its functions have in them; the innermost function
/// that has one of these says what a sample was.
const KINDS: [(&str, &[&str]); 13] = [
    (
        "matrix products",
        &[
            "gemm",
            "ops::matmul",
            "few_rows",
            "plain_linear",
            "plain_product",
        ],
    ),
    ("softmax", &["softmax"]),
    ("RMS norms", &["rms_norm"]),
    ("adapters", &["adapter_", "kernels::loops::channels"]),
    ("AdamW", &["adamw"]),
    ("dropout", &["dropout"]),
    ("gelu", &["gelu_"]),
    ("Fastfood", &["fastfood", "hadamard"]),
    ("unpacking f16 and int8", &["unpack_"]),
    ("sums", &["ops::reduce"]),
    (
        "copies",
        &[
            "ops::cat",
            "ops::slice",
            "ops::expand",
            "ops::gather_scatter",
            "flex::tensor",
            "kernels::transpose",
        ],
    ),
    (
        "elementwise",
        &[
            "ops::binary",
            "ops::unary",
            "ops::activation",
            "ops::mask",
            "flex::simd",
        ],
    ),
    ("keeping gradients", &["burn_autodiff"]),
];
/// All else: the system's calls, allocation from outside of the above, the loop itself.
const OTHER: &str = "other";

/// Shares of the time, in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shares(pub(crate) BTreeMap<&'static str, f64>);

/// The kinds in the order in which a table has them.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(name, _)| *name).chain([OTHER])
}

/// What a sample was, by its functions' names from the innermost out.
fn kind<'a>(names: impl IntoIterator<Item = &'a str>) -> &'static str {
    let known = |name: &str| {
        let part = |part: &&str| name.contains(part);
        let found = KINDS.iter().find(|(_, parts)| parts.iter().any(part));
        found.map(|(kind, _)| *kind)
    };
    names.into_iter().find_map(known).unwrap_or(OTHER)
}

impl Shares {
    fn new(samples: impl IntoIterator<Item = (&'static str, f64)>) -> Self {
        let mut counts = BTreeMap::new();
        for (kind, count) in samples {
            *counts.entry(kind).or_insert(0.0) += count;
        }
        let all: f64 = counts.values().sum();
        counts.values_mut().for_each(|count| *count *= 100.0 / all);
        Self(counts)
    }
}

/// Does `work` and says what its time went into.
#[cfg(target_os = "linux")]
pub(crate) fn shares(work: impl FnOnce() -> Result<()>) -> Result<Shares> {
    const A_SECOND: i32 = 999; // not in step with what happens a thousand times a second
    let guard = pprof::ProfilerGuard::new(A_SECOND)?;
    work()?;
    let report = guard.report().build()?;
    let samples = report.data.iter().map(|(stack, count)| {
        let names: Vec<String> = stack.frames.iter().flatten().map(|f| f.name()).collect();
        (kind(names.iter().map(String::as_str)), *count as f64)
    });
    let shares = Shares::new(samples);
    match shares.0.is_empty() {
        true => Err(usage(
            "--profile: too short to take a sample: more --rounds",
        )),
        false => Ok(shares),
    }
}

/// Samples are taken on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn shares(_work: impl FnOnce() -> Result<()>) -> Result<Shares> {
    Err(usage("--profile takes its samples on Linux alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_known_function_says_what_it_was() {
        let gemm = [
            "gemm_f32::gemm::f32::avx512f::x3x1",
            "burn_flex::ops::matmul::f",
        ];
        assert_eq!(kind(gemm), "matrix products");
        let copy = [
            "__memmove_avx512",
            "burn_flex::ops::cat::cat",
            "compacter_core::softmax",
        ];
        assert_eq!(kind(copy), "copies");
        assert_eq!(kind(["__write", "main"]), OTHER);
        let shares = Shares::new([("a", 1.0), ("b", 2.0), ("a", 1.0)]);
        assert_eq!(shares.0, BTreeMap::from([("a", 50.0), ("b", 50.0)]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_busy_loop_is_sampled() {
        #[inline(never)]
        fn adamw_of_a_test(until: std::time::Instant) -> f64 {
            let mut sum = 0.0f64;
            while std::time::Instant::now() < until {
                sum += (0..1000).fold(0.0, |sum, i| sum + std::hint::black_box(f64::from(i)));
            }
            sum
        }
        let busy = |_| {
            let until = std::time::Instant::now() + std::time::Duration::from_millis(100);
            let work = || {
                std::hint::black_box(adamw_of_a_test(until));
                Ok(())
            };
            shares(work).ok()
        };
        // On a crowded machine a tenth of a second may pass without a sample.
        let shares = (0..50).find_map(busy).unwrap();
        let share = shares.0.get("AdamW").copied().unwrap_or(0.0);
        assert!(share > 50.0, "{shares:?}");
    }
}
