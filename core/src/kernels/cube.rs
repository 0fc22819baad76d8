//! WGSL kernels on wgpu.

use super::KernelBackend;
use burn::backend::wgpu::CubeBackend;
impl KernelBackend for CubeBackend {}
