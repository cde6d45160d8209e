//! An allocator that counts what its thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(held() + layout.size().cast_signed());
        PEAK.set(PEAK.get().max(held()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(held() - layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that were allocated and not given back.
pub fn held() -> isize {
    HELD.get()
}

/// What something returns, and the most bytes that it held at a time.
pub fn peak_of<T>(something: impl FnOnce() -> T) -> (T, usize) {
    let before = held();
    PEAK.set(before);
    let done = something();
    (done, (PEAK.get() - before).cast_unsigned())
}
