//! Devices, and reading from them without blocking.

use crate::{Error, Result};
use burn::tensor::{Device, DeviceKind, Int, Tensor};

/// The CPU backend, with autodiff.
pub fn cpu_device() -> Device {
    Device::flex().autodiff()
}

/// A GPU (or software adapter) of this kind through wgpu, with autodiff.
pub fn gpu_device(kind: DeviceKind) -> Device {
    Device::wgpu(kind).autodiff()
}

/// The browser's graphics device through WebGPU, with autodiff; an error where it has none.
#[cfg(target_arch = "wasm32")]
pub async fn browser_gpu() -> Result<Device> {
    let device = Device::wgpu_options().init_async().await;
    let device = device.map_err(|e| Error::Setting(format!("no device through WebGPU: {e}")))?;
    Ok(device.autodiff())
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Setting(format!("the device could not be read: {error}"))
}

/// Host values of a float tensor.
pub async fn float_values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.inner().into_data_async().await.map_err(unreadable)?;
    data.convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|e| unreadable(format!("{e:?}")))
}

/// Host values of an int tensor.
pub async fn int_values<const D: usize>(tensor: Tensor<D, Int>) -> Result<Vec<i32>> {
    let data = tensor.inner().into_data_async().await.map_err(unreadable)?;
    data.convert::<i32>()
        .try_into_vec::<i32>()
        .map_err(|e| unreadable(format!("{e:?}")))
}

/// Runs `work` on one of the threads that the CPU's loops and products share, and gives what it gives.
///
/// Called from elsewhere, each of a step's parallel pieces wakes a thread of that pool
/// and sleeps until it is done; called from within, the caller does its part of them itself. For
/// one call at a time, around a whole run: a thread that waits for its part takes up whatever else
/// the pool was given meanwhile.
#[cfg(feature = "native")]
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// Runs `work`: there are no threads to share in this build.
#[cfg(all(not(feature = "native"), not(target_arch = "wasm32")))]
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    work()
}

/// Waits for a future on a thread of its own program; a browser awaits instead.
#[cfg(not(target_arch = "wasm32"))]
pub fn block_on<F: Future>(future: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::in_pool;

    #[test]
    fn work_is_done_by_a_thread_of_the_pool() {
        assert_eq!(rayon::current_thread_index(), None);
        assert!(in_pool(rayon::current_thread_index).is_some());
    }
}
