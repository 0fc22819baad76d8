//! Whether a device computes what the CPU computes, and how fast.
//!
//! Drivers have bugs, and wrong gradients look like a model that learns badly. The CPU's loops are
//! held to f64 twins by tests; here any device, a browser's among them, is held to the CPU's.

#[cfg(feature = "engine")]
mod adapter;
mod advice;
#[cfg(feature = "engine")]
mod compare;
#[cfg(feature = "engine")]
mod kernels;
#[cfg(feature = "engine")]
mod speed;
#[cfg(feature = "engine")]
mod whole;

#[cfg(feature = "engine")]
pub use adapter::{AdapterSpeed, adapter_speed};
pub use advice::{Advice, Verdict};
use serde::{Deserialize, Serialize};

/// One result's largest difference from the CPU's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// What was computed, and on which sizes.
    pub kernel: String,
    /// Largest difference over the largest magnitude of the CPU's result; infinite where one is not
    /// a number.
    #[serde(with = "as_words")]
    pub worst: f64,
    /// What float32 rounding explains; 0 where the bits must be equal.
    pub limit: f64,
}

impl Checked {
    /// Whether the device may be trusted with it.
    pub fn is_right(&self) -> bool {
        self.worst <= self.limit
    }
}

/// How fast a device is at what training consists of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// GB read and written a second by a copy of 64 MB.
    pub copy: f64,
    /// GFLOP a second in products of 1,024 rows at T5-small's width, in f32.
    pub product: f64,
    /// Microseconds from one small kernel to the next; none on the CPU, which has no queue.
    pub launch: Option<f64>,
}

/// All that is known of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Every result, held to the CPU's.
    pub results: Vec<Checked>,
    /// Its speed.
    pub speed: Speed,
    /// The CPU's, to compare with.
    pub cpu: Speed,
}

impl Health {
    /// The results that are not the CPU's.
    pub fn wrong(&self) -> impl Iterator<Item = &Checked> {
        self.results.iter().filter(|one| !one.is_right())
    }
}

/// JSON has no infinity.
mod as_words {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        let words = String::deserialize(from)?;
        words.parse().map_err(D::Error::custom)
    }
}

/// Computes everything on the device and on the CPU, and measures both; takes some seconds, on a
/// software GPU minutes.
#[cfg(feature = "engine")]
pub async fn examine(device: &crate::Device) -> crate::Result<Health> {
    let mut results = kernels::kernels(device).await?;
    results.extend(whole::whole(device).await?);
    let cpu_device = crate::cpu_device();
    let cpu = speed::speed(&cpu_device).await?;
    let speed = match *device == cpu_device {
        true => cpu,
        false => speed::speed(device).await?,
    };
    Ok(Health {
        results,
        speed,
        cpu,
    })
}

#[cfg(test)]
mod tests {
    use super::Checked;

    #[test]
    fn infinity_survives_json() {
        let checked = Checked {
            kernel: "adapter".into(),
            worst: f64::INFINITY,
            limit: 1e-5,
        };
        let json = serde_json::to_string(&checked).unwrap();
        assert_eq!(serde_json::from_str::<Checked>(&json).unwrap(), checked);
        assert!(!checked.is_right());
    }
}
