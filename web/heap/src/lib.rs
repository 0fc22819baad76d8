//! The allocator of the browser's modules: the system's, behind calls that are not inlined, and
//! counted.
//!
//! *Not inlined.* The system's allocator in WebAssembly is Rust code (dlmalloc) that keeps a
//! buffer's size in front of it, and whole-program optimisation inlines its `dealloc` to where a
//! buffer is freed. Where the buffer was made in the same function, LLVM knows that nothing lies in
//! front of what an allocation gives, takes that read for undefined and passes on any number in its
//! place: the module ended in "psize >= size + min_overhead" (Rust 1.96, LLVM 22).
//!
//! *Counted.* A module's memory only grows, so that its size says nothing of any run but the
//! hungriest; and crates that count cannot forget a peak, or copy at every growth of a vector.
#![warn(missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, called and counted; the global one of a program for the browser that has
/// this crate.
#[derive(Debug)]
pub struct Heap;

#[cfg(any(target_arch = "wasm32", test))]
#[global_allocator]
static HEAP: Heap = Heap;

fn more(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if !pointer.is_null() {
        MOST.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
    }
    pointer
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, so that its
// promises are this one's; the counts beside it touch no memory of a caller.
unsafe impl GlobalAlloc for Heap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(unsafe { System.alloc(layout) }, layout.size())
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    #[inline(never)]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) };
        HELD.fetch_sub(layout.size(), Relaxed);
    }

    #[inline(never)]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let grown = more(unsafe { System.realloc(pointer, layout, size) }, size);
        if !grown.is_null() {
            HELD.fetch_sub(layout.size(), Relaxed);
        }
        grown
    }
}

/// The most bytes that this program held at once since the last [`forget`], or since its start.
/// 0 but in a browser, where alone this crate's allocator serves.
pub fn most() -> usize {
    MOST.load(Relaxed)
}

/// What is held now is the most from here on.
pub fn forget() {
    MOST.store(HELD.load(Relaxed), Relaxed);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_peak_is_seen_and_forgotten() {
        // Other tests allocate meanwhile: only what is far above their share is told.
        const LARGE: usize = 1 << 28;
        super::forget();
        assert!(super::most() < LARGE);
        let mut large = Vec::<u8>::with_capacity(LARGE / 2);
        large.reserve_exact(LARGE);
        drop(std::hint::black_box(large));
        assert!(super::most() >= LARGE);
        super::forget();
        assert!(super::most() < LARGE);
    }
}
