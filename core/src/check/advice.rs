//! A device's health in words: what is good, slow or wrong, and what to do.

use super::{Health, Speed};
use serde::Serialize;

/// Microseconds between two kernels beyond which small batches wait for the queue.
const SLOW_LAUNCH: f64 = 100.0;
/// Kernels of a training step, by order of magnitude (docs/performance.md counts them).
const KERNELS_A_STEP: f64 = 1500.0;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Right, but slower than it could be.
    Slow,
    /// Other numbers than the CPU's.
    Wrong,
}

impl Verdict {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// How it stands.
    pub verdict: Verdict,
    /// In a sentence.
    pub words: String,
}

impl Health {
    /// All there is to say of a device, in the order of its weight.
    pub fn advice(&self) -> Vec<Advice> {
        let mut all = vec![self.numbers()];
        let Speed { product, copy, .. } = self.speed;
        if self.speed == self.cpu {
            all.push(Advice {
                verdict: Verdict::Good,
                words: format!(
                    "the CPU is what others are held to: matrix products run at {product:.1} \
                     GFLOP/s, copies at {copy:.1} GB/s"
                ),
            });
            return all;
        }
        all.push(against(
            "matrix products",
            "GFLOP/s",
            product,
            self.cpu.product,
        ));
        all.push(against("copies", "GB/s", copy, self.cpu.copy));
        all.extend(self.speed.launch.map(launch));
        all
    }

    fn numbers(&self) -> Advice {
        let (wrong, all) = (self.wrong().count(), self.results.len());
        let of = |worst: f64| match worst {
            0.0 => "nothing".into(),
            worst if worst.is_finite() => format!("{worst:.0e} of the largest value"),
            _ => "numbers that are none".into(),
        };
        if wrong == 0 {
            let results = self.results.iter().map(|one| one.worst);
            let worst = of(results.fold(0.0, f64::max));
            return Advice {
                verdict: Verdict::Good,
                words: format!(
                    "all {all} results are the CPU's, the largest difference being {worst}"
                ),
            };
        }
        let worst = of(self.wrong().map(|one| one.worst).fold(0.0, f64::max));
        Advice {
            verdict: Verdict::Wrong,
            words: format!(
                "{wrong} of {all} results are not the CPU's, by up to {worst}: train on the CPU, or \
                 bring the driver up to date and look again"
            ),
        }
    }
}

fn against(what: &str, unit: &str, own: f64, cpu: f64) -> Advice {
    let factor = own / cpu;
    if factor >= 1.0 {
        return Advice {
            verdict: Verdict::Good,
            words: format!("{what} run at {own:.1} {unit}, {factor:.1} times the CPU's"),
        };
    }
    Advice {
        verdict: Verdict::Slow,
        words: format!(
            "{what} run at {own:.1} {unit}, on the CPU at {cpu:.1}: train on the CPU, unless a \
             larger model turns it round"
        ),
    }
}

fn launch(microseconds: f64) -> Advice {
    let step = microseconds * KERNELS_A_STEP / 1e6;
    if microseconds <= SLOW_LAUNCH {
        return Advice {
            verdict: Verdict::Good,
            words: format!("a kernel takes {microseconds:.0} µs to start, {step:.2} s in a step"),
        };
    }
    Advice {
        verdict: Verdict::Slow,
        words: format!(
            "a kernel takes {microseconds:.0} µs to start, {step:.2} s in a step whatever its rows: \
             take larger batches"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Checked;
    use super::*;

    fn health(worst: f64, [product, launch]: [f64; 2]) -> Health {
        let cpu = Speed {
            copy: 10.0,
            product: 100.0,
            launch: None,
        };
        Health {
            results: vec![Checked {
                kernel: "gelu".into(),
                worst,
                limit: 1e-5,
            }],
            speed: Speed {
                copy: 300.0,
                product,
                launch: Some(launch),
            },
            cpu,
        }
    }

    fn verdicts(health: &Health) -> Vec<Verdict> {
        let advice = health.advice();
        advice.iter().map(|advice| advice.verdict).collect()
    }

    #[test]
    fn what_is_wrong_comes_first() {
        use Verdict::{Good, Slow, Wrong};
        assert_eq!(verdicts(&health(1e-6, [900.0, 20.0])), [Good; 4]);
        assert_eq!(
            verdicts(&health(1e-6, [9.0, 400.0])),
            [Good, Slow, Good, Slow]
        );
        let broken = health(f64::INFINITY, [900.0, 20.0]);
        assert_eq!(verdicts(&broken)[0], Wrong);
        let words = &broken.advice()[0].words;
        assert!(
            words.contains("1 of 1 results") && words.contains("driver"),
            "{words}"
        );
    }

    #[test]
    fn the_cpu_is_not_compared_with_itself() {
        let mut health = health(0.0, [900.0, 20.0]);
        health.speed = health.cpu;
        assert_eq!(verdicts(&health), [Verdict::Good; 2]);
        assert!(
            health.advice()[0]
                .words
                .contains("difference being nothing")
        );
    }
}
