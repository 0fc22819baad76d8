//! Which device to compute on: the adapters of this machine and the choice among them.

use crate::failure::usage;
use crate::output::say;
use anyhow::Result;
use compacter_core::{Device, DeviceKind, block_on, cpu_device, gpu_device};
use serde::Serialize;
use wgpu::{Backend, DeviceType, Features, Instance, InstanceDescriptor};

/// One adapter that wgpu finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Adapter {
    /// N of `--device gpu:N`.
    pub(crate) index: usize,
    /// The driver's name of it.
    pub(crate) name: String,
    /// discrete, integrated, virtual, software or unknown.
    pub(crate) kind: &'static str,
    /// vulkan, metal, dx12.
    pub(crate) backend: String,
    /// Driver and version.
    pub(crate) driver: String,
    /// Bytes of the largest buffer.
    pub(crate) largest_buffer: u64,
    /// Bytes of a buffer that one kernel can be given at most.
    pub(crate) largest_binding: u64,
    /// Whether shaders can compute in 16 bits.
    pub(crate) f16: bool,
    /// Threads of a subgroup, from and to; none without subgroups.
    pub(crate) subgroups: Option<[u32; 2]>,
    /// Which among those of its kind: what burn counts by.
    #[serde(skip)]
    within_kind: usize,
}

impl Adapter {
    /// What it is, in a line.
    pub(crate) fn line(&self) -> String {
        let Self {
            index,
            name,
            kind,
            backend,
            driver,
            ..
        } = self;
        format!("gpu:{index}  {name} ({kind}, {backend}, {driver})")
    }
}

/// The adapters on the first graphics API that has any, in the order that burn counts them.
pub(crate) fn adapters() -> Vec<Adapter> {
    let apis = [Backend::Vulkan, Backend::Metal, Backend::Dx12];
    apis.into_iter()
        .map(adapters_on)
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn adapters_on(backend: Backend) -> Vec<Adapter> {
    if !Instance::enabled_backend_features().contains(backend.into()) {
        return Vec::new();
    }
    let descriptor = InstanceDescriptor {
        backends: backend.into(),
        ..InstanceDescriptor::new_without_display_handle()
    };
    let instance = Instance::new(descriptor);
    let mut found: Vec<Adapter> = Vec::new();
    for adapter in block_on(instance.enumerate_adapters(backend.into())) {
        let info = adapter.get_info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "unknown",
        };
        let driver = format!("{} {}", info.driver, info.driver_info);
        let (limits, features) = (adapter.limits(), adapter.features());
        let subgroups = features.contains(Features::SUBGROUP);
        found.push(Adapter {
            index: found.len(),
            within_kind: found.iter().filter(|other| other.kind == kind).count(),
            name: info.name,
            kind,
            backend: format!("{:?}", info.backend).to_lowercase(),
            driver: driver.trim().to_string(),
            largest_buffer: limits.max_buffer_size,
            largest_binding: limits.max_storage_buffer_binding_size,
            f16: features.contains(Features::SHADER_F16),
            subgroups: subgroups.then_some([info.subgroup_min_size, info.subgroup_max_size]),
        });
    }
    found
}

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The best that is likely to be faster than the CPU, else the CPU.
    Auto,
    /// The CPU backend.
    Cpu,
    /// An adapter by number; without one the best, software included.
    Gpu(Option<usize>),
}

impl Choice {
    /// `auto`, `cpu`, `gpu`, `gpu:1`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "gpu" => return Ok(Self::Gpu(None)),
            _ => {}
        }
        let number = text
            .strip_prefix("gpu:")
            .and_then(|number| number.parse().ok());
        let message = || usage(format!("--device {text}: it is auto, cpu, gpu or gpu:N"));
        number
            .map(|number| Self::Gpu(Some(number)))
            .ok_or_else(message)
    }
}

/// The adapter that auto takes; software and unknown ones are slower than the CPU backend.
pub(crate) fn best(adapters: &[Adapter]) -> Option<&Adapter> {
    ["discrete", "integrated"]
        .iter()
        .find_map(|kind| adapters.iter().find(|adapter| adapter.kind == *kind))
}

/// What was chosen: an adapter or the CPU, and the reason in words.
fn choose(choice: Choice, adapters: &[Adapter]) -> Result<(Option<&Adapter>, String)> {
    match choice {
        Choice::Cpu => Ok((None, "the CPU, as asked".into())),
        Choice::Auto => Ok(match (best(adapters), adapters.first()) {
            (Some(adapter), _) => (Some(adapter), format!("the first {} GPU", adapter.kind)),
            (None, Some(other)) => {
                let reason = format!(
                    "the CPU: `{}` is a {} adapter, slower than the CPU backend; --device gpu:{} \
                     takes it all the same",
                    other.name, other.kind, other.index
                );
                (None, reason)
            }
            (None, None) => (None, "the CPU: no GPU was found".into()),
        }),
        Choice::Gpu(None) => match best(adapters).or(adapters.first()) {
            Some(adapter) => Ok((Some(adapter), format!("the best GPU ({})", adapter.kind))),
            None => Err(usage(
                "--device gpu: no GPU was found; --device cpu always works",
            )),
        },
        Choice::Gpu(Some(index)) => match adapters.get(index) {
            Some(adapter) => Ok((Some(adapter), format!("gpu:{index}, as asked"))),
            None => Err(usage(format!(
                "--device gpu:{index}: {} found; `compacter devices` lists them",
                match adapters.len() {
                    0 => "no adapter was".to_string(),
                    1 => "only gpu:0 was".to_string(),
                    count => format!("only gpu:0 to gpu:{} were", count - 1),
                }
            ))),
        },
    }
}

/// The line that `devices` ends with: what auto would take, and why.
pub(crate) fn explain_auto(adapters: &[Adapter]) -> Result<(Option<usize>, String)> {
    let (adapter, reason) = choose(Choice::Auto, adapters)?;
    Ok((adapter.map(|adapter| adapter.index), reason))
}

/// Opens a device by `auto`, `cpu`, `gpu` or `gpu:N`; also its name and why it was taken.
pub fn open(choice: &str) -> Result<(Device, String)> {
    let choice = Choice::parse(choice)?;
    let adapters = if choice == Choice::Cpu {
        Vec::new()
    } else {
        adapters()
    };
    let (adapter, reason) = choose(choice, &adapters)?;
    let Some(adapter) = adapter else {
        return Ok((cpu_device(), reason));
    };
    let kind = match adapter.kind {
        "discrete" => DeviceKind::DiscreteGpu(adapter.within_kind),
        "integrated" => DeviceKind::IntegratedGpu(adapter.within_kind),
        "virtual" => DeviceKind::VirtualGpu(adapter.within_kind),
        "software" => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    };
    let name = format!("{} ({}), {reason}", adapter.name, adapter.backend);
    Ok((gpu_device(kind), name))
}

/// Says why nothing happens for a while, where burn first tries several kernels for each product's
/// shape; it keeps none of what it finds for the next process.
pub(crate) fn say_if_tuned(device: &Device) {
    if cfg!(feature = "autotune") && *device != cpu_device() {
        say("the first steps on a GPU try out kernels, in every run: a minute or more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, kind: &'static str) -> Adapter {
        let name = format!("{kind} {index}");
        let (backend, driver) = ("vulkan".into(), String::new());
        Adapter {
            index,
            name,
            kind,
            backend,
            driver,
            largest_buffer: 1 << 30,
            largest_binding: 1 << 27,
            f16: false,
            subgroups: None,
            within_kind: 0,
        }
    }

    #[test]
    fn auto_prefers_discrete_and_never_takes_software() {
        let all = [
            adapter(0, "software"),
            adapter(1, "integrated"),
            adapter(2, "discrete"),
        ];
        assert_eq!(choose(Choice::Auto, &all).unwrap().0.unwrap().index, 2);
        assert_eq!(choose(Choice::Auto, &all[..2]).unwrap().0.unwrap().index, 1);
        let (none, reason) = choose(Choice::Auto, &all[..1]).unwrap();
        assert!(none.is_none() && reason.contains("gpu:0"), "{reason}");
        assert_eq!(
            choose(Choice::Gpu(None), &all[..1])
                .unwrap()
                .0
                .unwrap()
                .index,
            0
        );
    }

    #[test]
    fn choices_are_parsed() {
        assert_eq!(Choice::parse("gpu:3").unwrap(), Choice::Gpu(Some(3)));
        assert!(Choice::parse("gpu:x").is_err());
        assert!(choose(Choice::Gpu(Some(3)), &[]).is_err());
    }
}
