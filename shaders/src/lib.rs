//! WGSL kernels of compacter: their texts, the little templating that they need, a finite list of
//! permutations and, with the feature `validate`, naga's opinion of each.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod permutation;
#[cfg(feature = "validate")]
mod validate;

pub use permutation::{AdapterSizes, Permutation, permutations};
#[cfg(feature = "validate")]
pub use validate::{Report, validate};

/// Workgroup memory that every WebGPU device has, in bytes.
pub const MAX_WORKGROUP_BYTES: u32 = 16 * 1024;
/// Storage buffers that a stage of every WebGPU device has.
pub const MAX_STORAGE_BUFFERS: u32 = 8;
/// Invocations that a workgroup may have on every WebGPU device.
pub const MAX_INVOCATIONS: u32 = 256;
/// Workgroups that a dispatch may have in one dimension on every WebGPU device.
pub const MAX_GROUPS: u32 = 65_535;
/// Invocations of each workgroup of these kernels.
pub const WORKGROUP: u32 = 256;

/// One number at a time, for the adapter's kernels.
pub const WIDE1: &str = include_str!("shared/wide1.wgsl");
/// Four numbers at a time, for the adapter's kernels.
pub const WIDE4: &str = include_str!("shared/wide4.wgsl");
/// `y = x + up(gelu_new(down(x)))`.
pub const ADAPTER_FORWARD: &str = concat!(
    include_str!("shared/gelu_new.wgsl"),
    include_str!("shared/adapter.wgsl"),
    include_str!("adapter_forward.wgsl")
);
/// Gradients of the fused adapter.
pub const ADAPTER_BACKWARD: &str = concat!(
    include_str!("shared/gelu_new.wgsl"),
    include_str!("shared/adapter.wgsl"),
    include_str!("adapter_backward.wgsl")
);
/// Sums what the workgroups of the adapter's backward left.
pub const ADAPTER_REDUCE: &str = include_str!("adapter_reduce.wgsl");
/// `W = Σ_i A_i ⊗ B_i`.
pub const KRON_SUM: &str = include_str!("kron_sum.wgsl");
/// Gradients of `kron_sum`.
pub const KRON_SUM_BACKWARD: &str = include_str!("kron_sum_backward.wgsl");
/// A step of AdamW.
pub const ADAMW: &str = include_str!("adamw.wgsl");
/// RMS norm.
pub const RMS_NORM: &str = concat!(
    include_str!("shared/reduce.wgsl"),
    include_str!("rms_norm.wgsl")
);
/// Gradients of `rms_norm`.
pub const RMS_NORM_BACKWARD: &str = concat!(
    include_str!("shared/reduce.wgsl"),
    include_str!("rms_norm_backward.wgsl")
);
/// Softmax over rows.
pub const SOFTMAX: &str = concat!(
    include_str!("shared/reduce.wgsl"),
    include_str!("softmax.wgsl")
);
/// The gradient of `softmax`.
pub const SOFTMAX_BACKWARD: &str = concat!(
    include_str!("shared/reduce.wgsl"),
    include_str!("softmax_backward.wgsl")
);
/// Dropout by an integer hash.
pub const DROPOUT: &str = include_str!("dropout.wgsl");
/// f32 from words of four integers and their groups' scales.
pub const UNPACK_INT8: &str = include_str!("unpack_int8.wgsl");
/// f32 from words of two halves.
pub const UNPACK_F16: &str = include_str!("unpack_f16.wgsl");

/// Stages of a Walsh–Hadamard transform.
pub const HADAMARD: &str = include_str!("hadamard.wgsl");
/// Fastfood's permutation and Gaussians applied to a short vector.
pub const FASTFOOD_SPREAD: &str = concat!(
    include_str!("shared/fastfood.wgsl"),
    include_str!("fastfood_spread.wgsl")
);
/// The transpose of `fastfood_spread`.
pub const FASTFOOD_GATHER: &str = concat!(
    include_str!("shared/fastfood.wgsl"),
    include_str!("fastfood_gather.wgsl")
);

/// Replaces each `{{ name }}` by its value, after what stands between `{% for name in values %}` and
/// `{% endfor %}` was repeated for 0 to a value: names of registers cannot be computed.
pub fn render(template: &str, values: &[(&str, u32)]) -> String {
    let text = repeat(template, values);
    values.iter().fold(text, |text, (name, value)| {
        text.replace(&format!("{{{{ {name} }}}}"), &value.to_string())
    })
}

const FOR: &str = "{% for ";
const END: &str = "{% endfor %}\n";

/// Writes out the innermost loop that ends first, until there is none.
fn repeat(template: &str, values: &[(&str, u32)]) -> String {
    let mut text = template.to_string();
    while let Some(end) = text.find(END) {
        let Some(start) = text[..end].rfind(FOR) else {
            break;
        };
        let Some((head, body)) = text[start + FOR.len()..end].split_once(" %}\n") else {
            break;
        };
        let (name, of) = head.split_once(" in ").unwrap_or((head, head));
        let value = values.iter().find(|(name, _)| *name == of);
        let count = value.map_or(0, |(_, count)| *count);
        let body = body.trim_end_matches(' ');
        let turns =
            (0..count).map(|at| body.replace(&format!("{{{{ {name} }}}}"), &at.to_string()));
        let written: String = turns.collect();
        let before = text[..start].trim_end_matches(' ').len();
        text.replace_range(before..end + END.len(), &written);
    }
    text
}

/// A grid of at least `groups` workgroups that respects the limit of each dimension.
pub fn grid(groups: u32) -> (u32, u32) {
    let x = groups.clamp(1, MAX_GROUPS);
    (x, groups.div_ceil(x).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_everywhere() {
        assert_eq!(
            render("{{ n }}u + {{ n }}u * {{ d }}u", &[("n", 4), ("d", 7)]),
            "4u + 4u * 7u"
        );
        for permutation in permutations() {
            let source = permutation.source();
            assert!(
                !source.contains("{{") && !source.contains("{%"),
                "{permutation:?}"
            );
        }
    }

    #[test]
    fn loops_within_loops_are_written_out() {
        let text = "a\n  {% for i in n %}\n  {% for j in m %}\n  x{{ i }}{{ j }}\n  {% endfor %}\n  {% endfor %}\nb\n";
        assert_eq!(
            render(text, &[("n", 2), ("m", 2)]),
            "a\n  x00\n  x01\n  x10\n  x11\nb\n"
        );
    }

    #[test]
    fn grids_stay_within_a_dimension() {
        assert_eq!(grid(0), (1, 1));
        assert_eq!(grid(65_535), (65_535, 1));
        let (x, y) = grid(200_000);
        assert!(x <= MAX_GROUPS && x * y >= 200_000);
    }
}
