//! Relative position buckets (T5, as Hugging Face computes them, in f32 like the original).

/// The bucket of a key at `relative` = key position minus query position.
///
/// Half of the buckets are exact distances, the other half grow logarithmically up to
/// `max_distance`; a bidirectional stack splits them once more by sign.
pub fn relative_position_bucket(
    relative: i64,
    bidirectional: bool,
    buckets: usize,
    max_distance: usize,
) -> usize {
    let mut buckets = buckets;
    let mut offset = 0;
    let distance = if bidirectional {
        buckets /= 2;
        if relative > 0 {
            offset = buckets;
        }
        relative.unsigned_abs() as usize
    } else {
        (-relative).max(0) as usize
    };
    let exact = buckets / 2;
    if distance < exact {
        return offset + distance;
    }
    let ratio = (distance as f32 / exact as f32).ln();
    let scale = (max_distance as f64 / exact as f64).ln() as f32;
    let large = exact + (ratio / scale * (buckets - exact) as f32) as usize;
    offset + large.min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_positions_are_exact_and_far_ones_saturate() {
        let causal = |relative| relative_position_bucket(relative, false, 32, 128);
        assert_eq!(causal(0), 0);
        assert_eq!(causal(-5), 5);
        assert_eq!(causal(3), 0);
        assert_eq!(causal(-10_000), 31);
        let both = |relative| relative_position_bucket(relative, true, 32, 128);
        assert_eq!(both(1), 17);
        assert_eq!(both(-1), 1);
        assert_eq!(both(10_000), 31);
        assert_eq!(both(-10_000), 15);
    }
}
