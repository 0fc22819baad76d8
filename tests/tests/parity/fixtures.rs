//! Reading the reference folder and comparing against it.

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder of the reference's layout.
pub struct Fixtures {
    pub root: PathBuf,
    pub limits: Value,
}

/// Name → (shape, values).
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

impl Fixtures {
    pub fn open() -> Self {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reference");
        let root = std::env::var_os("COMPACTER_FIXTURES").map_or(bundled.clone(), PathBuf::from);
        let limits = root.join("tolerances.json");
        let limits = if limits.exists() {
            limits
        } else {
            bundled.join("tolerances.json")
        };
        Self {
            root,
            limits: json(&limits),
        }
    }

    pub fn limit(&self, name: &str) -> f64 {
        let value = &self.limits[name];
        value
            .as_f64()
            .or(self.limits["functions"][name].as_f64())
            .expect(name)
    }

    /// Directories under `methods/`, or the root itself where it holds them directly.
    pub fn methods(&self) -> Vec<PathBuf> {
        let nested = self.root.join("methods");
        let parent = if nested.is_dir() {
            nested
        } else {
            self.root.clone()
        };
        let entries = std::fs::read_dir(&parent).expect("fixtures folder");
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.join("expected.safetensors").exists());
        found.sort();
        found
    }
}

pub fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

pub fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parsed = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView<'_>| match view.dtype() {
        Dtype::F32 => chunks::<4>(view.data())
            .map(|c| f64::from(f32::from_le_bytes(c)))
            .collect(),
        Dtype::I32 => chunks::<4>(view.data())
            .map(|c| f64::from(i32::from_le_bytes(c)))
            .collect(),
        Dtype::I8 => chunks::<1>(view.data())
            .map(|c| f64::from(i8::from_le_bytes(c)))
            .collect(),
        Dtype::I64 => chunks::<8>(view.data())
            .map(|c| i64::from_le_bytes(c) as f64)
            .collect(),
        other => panic!("{other:?} in {}", path.display()),
    };
    let all = parsed.iter();
    all.map(|(name, view)| (name.to_string(), (view.shape().to_vec(), read(view))))
        .collect()
}

fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.chunks_exact(N).map(|chunk| chunk.try_into().unwrap())
}

pub fn floats(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

pub fn ints(values: &[f64]) -> Vec<i32> {
    values.iter().map(|&v| v as i32).collect()
}

/// What was compared, and what differed.
#[derive(Default)]
pub struct Compared {
    pub tensors: usize,
    pub directories: usize,
    pub failures: Vec<String>,
    pub skipped: Vec<String>,
}

impl Compared {
    /// Largest absolute difference; a NaN anywhere or another length is infinite.
    fn distance(got: &[f32], want: &[f64]) -> f64 {
        if got.len() != want.len() {
            return f64::INFINITY;
        }
        let each = got
            .iter()
            .zip(want)
            .map(|(&g, &w)| (f64::from(g) - w).abs());
        each.fold(0.0, |worst, d| {
            if d.is_nan() {
                f64::INFINITY
            } else {
                worst.max(d)
            }
        })
    }

    pub fn absolute(&mut self, what: &str, got: &[f32], want: &[f64], limit: f64) {
        self.tensors += 1;
        let distance = Self::distance(got, want);
        if distance > limit {
            self.failures.push(format!(
                "{what}: off by {distance:.3e}, allowed {limit:.1e}"
            ));
        }
    }

    /// Largest difference over the largest magnitude of the expected tensor.
    pub fn relative(&mut self, what: &str, got: &[f32], want: &[f64], limit: f64) {
        let scale = want.iter().fold(0.0f64, |top, w| top.max(w.abs()));
        self.absolute(what, got, want, limit * scale.max(1e-30));
    }

    /// At most `share` of the entries above `limit`, none above `most`.
    pub fn mostly(
        &mut self,
        what: &str,
        got: &[f32],
        want: &[f64],
        [limit, share, most]: [f64; 3],
    ) {
        self.absolute(what, got, want, most);
        let far = |(g, w): (&f32, &f64)| (f64::from(*g) - w).abs() > limit;
        let above = got.iter().zip(want).filter(|&pair| far(pair)).count();
        // Of a tensor with fewer than 1 / share entries, one may be off.
        if above as f64 > (share * want.len() as f64).max(1.0) {
            self.failures.push(format!(
                "{what}: {above} of {} above {limit:.1e}",
                want.len()
            ));
        }
    }

    pub fn exact<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, want: &T) {
        self.tensors += 1;
        if got != want {
            self.failures
                .push(format!("{what}: {got:?}, expected {want:?}"));
        }
    }
}
