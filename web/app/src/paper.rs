//! The paper's own figures (Table 1, Table 3: T5-base on GLUE), to stand as pale ghosts.

/// One method's point of the paper's Figure 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ghost {
    /// Method name.
    pub method: &'static str,
    /// Trained share of T5-base in percent.
    pub percent: f64,
    /// GLUE average in percent.
    pub score: f64,
}

const fn ghost(method: &'static str, percent: f64, score: f64) -> Ghost {
    Ghost {
        method,
        percent,
        score,
    }
}

/// Table 1 of the paper: share of trained parameters and GLUE average.
pub(crate) const GHOSTS: [Ghost; 12] = [
    ghost("full", 100.0, 86.5),
    ghost("adapter", 0.832, 85.78),
    ghost("pfeiffer", 0.427, 86.32),
    ghost("adapterdrop", 0.494, 85.85),
    ghost("adapter-lowrank", 0.073, 85.82),
    ghost("prompt-random", 0.034, 71.49),
    ghost("prompt-tokens", 0.034, 75.95),
    ghost("intrinsic-said", 0.009, 85.45),
    ghost("bitfit", 0.126, 84.97),
    ghost("phm-adapter", 0.179, 86.4),
    ghost("compacter", 0.073, 86.62),
    ghost("compacter++", 0.047, 86.47),
];
