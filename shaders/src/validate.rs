//! naga's validation of a permutation, its translations, and what it asks of a device.

use crate::Permutation;
use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, Layouter};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module};

/// What one permutation asks of a device, counted from its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Bindings of storage buffers.
    pub storage_buffers: u32,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Words of SPIR-V, bytes of MSL and of HLSL.
    pub translated: [usize; 3],
}

/// Parses and validates a permutation and translates it for Vulkan, Metal and DX12.
pub fn validate(permutation: &Permutation) -> Result<Report, String> {
    let name = permutation.name();
    let source = permutation.source();
    let module = naga::front::wgsl::parse_str(&source)
        .map_err(|error| format!("{name}: {}", error.emit_to_string(&source)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| format!("{name}: {}", error.emit_to_string(&source)))?;
    let fail = |target: &str, error: &dyn std::fmt::Display| format!("{name}: {target}: {error}");

    let spirv = spv::write_vec(&module, &info, &spv::Options::default(), None)
        .map_err(|error| fail("SPIR-V", &error))?;
    let options = msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        bounds_check_policies: BoundsCheckPolicies::default(),
        ..Default::default()
    };
    let (metal, _) = msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|error| fail("MSL", &error))?;
    let mut dx12 = String::new();
    let options = hlsl::Options {
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions::default();
    hlsl::Writer::new(&mut dx12, &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|error| fail("HLSL", &error))?;

    let mut report = count(&module).map_err(|error| fail("layout", &error))?;
    report.translated = [spirv.len(), metal.len(), dx12.len()];
    Ok(report)
}

fn count(module: &Module) -> Result<Report, String> {
    let mut layouter = Layouter::default();
    layouter
        .update(module.to_ctx())
        .map_err(|error| error.to_string())?;
    let (mut storage_buffers, mut workgroup_bytes) = (0, 0);
    for (_, variable) in module.global_variables.iter() {
        match variable.space {
            AddressSpace::Storage { .. } => storage_buffers += 1,
            AddressSpace::WorkGroup => workgroup_bytes += layouter[variable.ty].size,
            _ => {}
        }
    }
    let size = |entry: &naga::EntryPoint| entry.workgroup_size.iter().product();
    let invocations = module.entry_points.iter().map(size).max().unwrap_or(0);
    Ok(Report {
        storage_buffers,
        workgroup_bytes,
        invocations,
        translated: [0; 3],
    })
}

#[cfg(test)]
mod tests {
    use crate::*;

    #[test]
    fn every_permutation_is_valid_everywhere_and_within_the_default_limits() {
        let list = permutations();
        assert!(list.len() > 40, "only {} permutations", list.len());
        for permutation in &list {
            let report = validate(permutation).expect("valid");
            let name = permutation.name();
            assert!(
                report.storage_buffers <= MAX_STORAGE_BUFFERS,
                "{name}: {report:?}"
            );
            assert!(
                report.workgroup_bytes <= MAX_WORKGROUP_BYTES,
                "{name}: {report:?}"
            );
            assert!(report.invocations <= MAX_INVOCATIONS, "{name}: {report:?}");
            assert!(
                report.translated.iter().all(|len| *len > 0),
                "{name}: {report:?}"
            );
        }
    }

    #[test]
    fn a_broken_shader_is_named() {
        let broken = Permutation {
            kernel: "kron_sum",
            values: vec![("n", 4)],
        };
        let message = validate(&broken).expect_err("a placeholder is left");
        assert!(message.contains("kron_sum"), "{message}");
    }
}
