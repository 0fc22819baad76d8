//! The paper's own figures (Karimi Mahabadi et al. 2021, T5-base), to stand beside one's own.

/// One score column of a table: the task and the metric, under the names used here.
pub type Column = (&'static str, &'static str);

/// One method's row of Table 1 or Table 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<const N: usize> {
    /// Method name.
    pub method: &'static str,
    /// Trained share of T5-base, in percent.
    pub percent: f64,
    /// One score a column, in percent.
    pub scores: [f64; N],
    /// The mean of the scores, as printed.
    pub average: f64,
}

/// Table 1 or Table 2: scores in percent, one row a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores<const N: usize> {
    /// What the scores are on.
    pub columns: [Column; N],
    /// In the paper's order.
    pub rows: [Row<N>; 12],
}

impl<const N: usize> Scores<N> {
    /// The tasks, each once.
    pub fn tasks(&self) -> Vec<&'static str> {
        let mut tasks: Vec<_> = self.columns.iter().map(|(task, _)| *task).collect();
        tasks.dedup();
        tasks
    }
}

/// One method's row of Table 3. The paper's two percentages of difference are not computed alike
/// (time is relative to full fine-tuning, memory to the method's own), so only what they are
/// computed from is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Method name; the paper's one row for prompt tuning stands here under both its names.
    pub method: &'static str,
    /// Peak memory in MB.
    pub memory_mb: f64,
    /// Minutes an epoch.
    pub minutes: f64,
}

const fn row<const N: usize>(
    method: &'static str,
    percent: f64,
    scores: [f64; N],
    average: f64,
) -> Row<N> {
    Row {
        method,
        percent,
        scores,
        average,
    }
}

const fn cost(method: &'static str, memory_mb: f64, minutes: f64) -> Cost {
    Cost {
        method,
        memory_mb,
        minutes,
    }
}

/// Table 1: GLUE.
pub const GLUE: Scores<11> = Scores {
    columns: [
        ("cola", "matthews_correlation"),
        ("sst2", "accuracy"),
        ("mrpc", "accuracy"),
        ("mrpc", "f1"),
        ("qqp", "accuracy"),
        ("qqp", "f1"),
        ("stsb", "pearson"),
        ("stsb", "spearmanr"),
        ("mnli", "accuracy"),
        ("qnli", "accuracy"),
        ("rte", "accuracy"),
    ],
    rows: [
        row(
            "full",
            100.0,
            [
                61.76, 94.61, 90.2, 93.06, 91.63, 88.84, 89.68, 89.97, 86.78, 93.01, 71.94,
            ],
            86.5,
        ),
        row(
            "adapter",
            0.832,
            [
                64.02, 93.81, 85.29, 89.73, 90.18, 87.2, 90.73, 91.02, 86.49, 93.21, 71.94,
            ],
            85.78,
        ),
        row(
            "pfeiffer",
            0.427,
            [
                62.9, 93.46, 86.76, 90.85, 90.14, 87.15, 91.13, 91.34, 86.26, 93.3, 76.26,
            ],
            86.32,
        ),
        row(
            "adapterdrop",
            0.494,
            [
                62.7, 93.58, 86.27, 90.6, 90.2, 87.25, 91.37, 91.61, 86.27, 93.23, 71.22,
            ],
            85.85,
        ),
        row(
            "adapter-lowrank",
            0.073,
            [
                59.19, 93.69, 88.24, 91.49, 90.23, 87.01, 90.8, 91.33, 85.8, 92.9, 73.38,
            ],
            85.82,
        ),
        row(
            "prompt-random",
            0.034,
            [
                0.47, 87.61, 68.14, 81.05, 88.93, 85.55, 90.25, 90.59, 46.83, 92.33, 54.68,
            ],
            71.49,
        ),
        row(
            "prompt-tokens",
            0.034,
            [
                10.59, 90.94, 68.14, 81.05, 89.69, 86.14, 89.84, 90.21, 81.46, 92.75, 54.68,
            ],
            75.95,
        ),
        row(
            "intrinsic-said",
            0.009,
            [
                58.69, 94.15, 88.24, 91.78, 90.28, 87.13, 90.06, 90.45, 85.23, 93.39, 70.5,
            ],
            85.45,
        ),
        row(
            "bitfit",
            0.126,
            [
                58.16, 94.15, 86.76, 90.53, 90.06, 86.99, 90.88, 91.26, 85.31, 92.99, 67.63,
            ],
            84.97,
        ),
        row(
            "phm-adapter",
            0.179,
            [
                57.35, 94.5, 91.67, 93.86, 90.25, 87.05, 90.45, 90.84, 85.97, 92.92, 75.54,
            ],
            86.4,
        ),
        row(
            "compacter",
            0.073,
            [
                63.75, 93.0, 89.22, 92.31, 90.23, 87.03, 90.31, 90.74, 85.61, 92.88, 77.7,
            ],
            86.62,
        ),
        row(
            "compacter++",
            0.047,
            [
                61.27, 93.81, 90.69, 93.33, 90.17, 86.93, 90.46, 90.93, 85.71, 93.08, 74.82,
            ],
            86.47,
        ),
    ],
};

/// Table 2: SuperGLUE. Some cells cannot be read in the copy these were taken from (MultiRC, WiC,
/// …): the values given for them make every printed average come out.
pub const SUPERGLUE: Scores<9> = Scores {
    columns: [
        ("boolq", "accuracy"),
        ("cb", "accuracy"),
        ("cb", "f1_multiclass"),
        ("copa", "accuracy"),
        ("multirc", "f1"),
        ("multirc", "em"),
        ("record", "f1"),
        ("record", "em"),
        ("wic", "accuracy"),
    ],
    rows: [
        row(
            "full",
            100.0,
            [81.1, 85.71, 78.21, 52.0, 68.71, 47.0, 74.26, 73.33, 70.22],
            70.06,
        ),
        row(
            "adapter",
            0.832,
            [82.39, 85.71, 73.52, 52.0, 72.75, 53.41, 74.55, 73.58, 67.08],
            70.55,
        ),
        row(
            "pfeiffer",
            0.427,
            [82.45, 85.71, 75.63, 54.0, 72.53, 51.76, 74.69, 73.7, 68.65],
            71.01,
        ),
        row(
            "adapterdrop",
            0.494,
            [82.26, 85.71, 75.63, 42.0, 72.92, 53.3, 74.68, 73.7, 68.34],
            69.84,
        ),
        row(
            "adapter-lowrank",
            0.073,
            [80.31, 78.57, 55.37, 54.0, 72.58, 51.98, 74.77, 73.87, 64.58],
            67.34,
        ),
        row(
            "prompt-random",
            0.034,
            [61.71, 67.86, 46.99, 48.0, 59.23, 16.33, 75.27, 74.36, 48.9],
            55.41,
        ),
        row(
            "prompt-tokens",
            0.034,
            [61.71, 67.86, 46.89, 52.0, 57.66, 19.44, 75.37, 74.41, 48.9],
            56.03,
        ),
        row(
            "intrinsic-said",
            0.009,
            [78.72, 75.0, 51.83, 54.0, 69.98, 52.78, 74.86, 73.91, 65.83],
            66.32,
        ),
        row(
            "bitfit",
            0.126,
            [79.57, 78.57, 54.4, 56.0, 70.73, 48.57, 74.64, 73.64, 69.59],
            67.3,
        ),
        row(
            "phm-adapter",
            0.24,
            [80.31, 85.71, 73.52, 44.0, 71.99, 51.65, 74.62, 73.6, 67.4],
            69.2,
        ),
        row(
            "compacter",
            0.073,
            [78.59, 96.43, 87.44, 48.0, 70.8, 49.67, 74.49, 73.54, 65.2],
            71.57,
        ),
        row(
            "compacter++",
            0.048,
            [78.84, 92.86, 84.96, 52.0, 70.68, 50.99, 74.55, 73.5, 68.03],
            71.82,
        ),
    ],
};

/// Table 3: peak memory and time.
pub const COSTS: [Cost; 12] = [
    cost("full", 167.99, 42.13),
    cost("adapter", 124.02, 31.81),
    cost("pfeiffer", 118.4, 28.19),
    cost("adapterdrop", 119.41, 28.08),
    cost("adapter-lowrank", 123.8, 32.71),
    cost("prompt-random", 222.27, 44.54),
    cost("prompt-tokens", 222.27, 44.54),
    cost("intrinsic-said", 285.4, 144.01),
    cost("bitfit", 102.31, 27.36),
    cost("phm-adapter", 123.93, 35.55),
    cost("compacter", 123.91, 36.48),
    cost("compacter++", 118.35, 30.96),
];

impl Cost {
    /// Time and memory of a method, those of full fine-tuning being 1; none for a method that the
    /// paper does not have.
    pub fn ratios(method: &str) -> Option<[f64; 2]> {
        let find = |name: &str| COSTS.iter().find(|cost| cost.method == name);
        let (own, full) = (find(method)?, find("full")?);
        Some([own.minutes / full.minutes, own.memory_mb / full.memory_mb])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every average is the plain mean of its row's scores.
    fn averages<const N: usize>(table: &Scores<N>) {
        for row in table.rows {
            let mean = row.scores.iter().sum::<f64>() / N as f64;
            assert!(
                (mean - row.average).abs() <= 0.0051,
                "{}: {mean}",
                row.method
            );
        }
    }

    #[test]
    fn the_printed_averages_come_out() {
        averages(&GLUE);
        averages(&SUPERGLUE);
        assert_eq!(GLUE.tasks().len(), 8);
        assert_eq!(
            SUPERGLUE.tasks(),
            ["boolq", "cb", "copa", "multirc", "record", "wic"]
        );
    }

    #[test]
    fn the_tables_have_the_same_methods() {
        for ((glue, superglue), cost) in GLUE.rows.iter().zip(SUPERGLUE.rows).zip(COSTS) {
            assert_eq!((glue.method, glue.method), (superglue.method, cost.method));
        }
        // §5.5: compacter++ trains in 73.5 % of the time of full fine-tuning.
        let [full, .., ours] = COSTS;
        assert!((ours.minutes / full.minutes - 0.7349).abs() < 1e-4);
    }
}
