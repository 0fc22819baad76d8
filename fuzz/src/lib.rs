//! What the targets share: a bound on the memory that one input may take.
//!
//! libFuzzer's own `-malloc_limit_mb` looks at single allocations, and only under a sanitizer; many
//! small ones do as much harm. So the allocator counts, and refuses what would go beyond the bound:
//! the program then ends as for want of memory, which libFuzzer keeps as a crash.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a small input may take, in bytes.
const MOST: usize = 64 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);
/// What may be held; no bound outside of [`bounded`].
static BOUND: AtomicUsize = AtomicUsize::new(usize::MAX);

struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Whether so many bytes more are within the bound.
fn fits(bytes: usize) -> bool {
    let bound = BOUND.load(Relaxed);
    match HELD.fetch_add(bytes, Relaxed).saturating_add(bytes) <= bound {
        true => true,
        false => {
            HELD.fetch_sub(bytes, Relaxed);
            // Saying so takes memory.
            BOUND.store(usize::MAX, Relaxed);
            false
        }
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with, or is refused
// with null, as an allocator may; the counts beside it touch no memory of a caller.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match fits(layout.size()) {
            true => unsafe { System.alloc(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match fits(layout.size()) {
            true => unsafe { System.alloc_zeroed(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) };
        HELD.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held while the one is copied into the other.
        if !fits(size) {
            return std::ptr::null_mut();
        }
        let grown = unsafe { System.realloc(pointer, layout, size) };
        let gone = if grown.is_null() { size } else { layout.size() };
        HELD.fetch_sub(gone, Relaxed);
        grown
    }
}

/// Does `work`, and ends the program if it holds more than 64 MB at once.
pub fn bounded(work: impl FnOnce()) {
    BOUND.store(HELD.load(Relaxed) + MOST, Relaxed);
    work();
    BOUND.store(usize::MAX, Relaxed);
}

/// Leaves panics within a crate to those who catch them: libFuzzer's hook would end the program.
pub fn quiet(crates: &'static [&str]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |at| at.file());
            if !crates.iter().any(|name| file.contains(name)) {
                loud(panic);
            }
        }));
    });
}

/// A text up to the first zero byte, and the rest behind it: two files in one input.
pub fn two(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == 0);
    let (first, rest) = data.split_at(end.unwrap_or(data.len()));
    (first, rest.get(1..).unwrap_or_default())
}
