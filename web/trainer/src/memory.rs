//! The most bytes that were held at once since a run began. The memory of a browser's module only
//! grows, so that its size says nothing of any run but the hungriest; and the crates that count
//! cannot forget a peak, or copy at every growth of a vector.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn more(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if !pointer.is_null() {
        MOST.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
    }
    pointer
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, so that its
// promises are this one's; the counts beside it touch no memory of a caller.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) };
        HELD.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let grown = more(unsafe { System.realloc(pointer, layout, size) }, size);
        if !grown.is_null() {
            HELD.fetch_sub(layout.size(), Relaxed);
        }
        grown
    }
}

/// The most bytes that this program held at once since the last [`forget`].
pub(crate) fn most() -> u64 {
    MOST.load(Relaxed) as u64
}

/// What is held now is the most from here on.
pub(crate) fn forget() {
    MOST.store(HELD.load(Relaxed), Relaxed);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_peak_is_seen_and_forgotten() {
        // Other tests allocate meanwhile: only what is far above their share is told.
        const LARGE: usize = 1 << 28;
        super::forget();
        assert!(super::most() < LARGE as u64);
        let mut large = Vec::<u8>::with_capacity(LARGE / 2);
        large.reserve_exact(LARGE);
        drop(large);
        assert!(super::most() >= LARGE as u64);
        super::forget();
        assert!(super::most() < LARGE as u64);
    }
}
