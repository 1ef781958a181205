//! Memory with nothing on either side: an allocator whose blocks end, or begin, where no memory is.
//!
//! In: allocations of a thread that asked for it. Out: blocks of their own pages, never used twice, so that what
//! reads or writes past an end, or after a block was given back, ends the process and is told. All other
//! allocations are the system's.

#![expect(unsafe_code, reason = "an allocator, and what it asks of the system")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Which end of a block lies at the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The first number: what lies before it is caught.
    Front,
    /// The last number: what lies behind it is caught.
    Back,
}

thread_local! {
    static SIDE: Cell<Option<Side>> = const { Cell::new(None) };
}

/// A multiple of the size of a page on every machine that has 4, 16 or 64 KiB.
const PAGE: usize = 1 << 16;
/// Addresses set aside, far more than any test uses.
const ROOM: usize = 1 << 38;

static FIRST: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// What the thread behind the fence is doing.
static SEED: AtomicU64 = AtomicU64::new(0);

struct Fenced;

#[global_allocator]
static ALLOCATOR: Fenced = Fenced;

/// Allocates behind the fence while it runs; `seed` is told if something reaches over.
pub(crate) fn behind<T>(side: Side, seed: u64, run: impl FnOnce() -> T) -> T {
    set_aside();
    SEED.store(seed, Ordering::Relaxed);
    let _fence = Up(SIDE.replace(Some(side)));
    run()
}

/// Takes the fence down, also where a test fails behind it.
struct Up(Option<Side>);

impl Drop for Up {
    fn drop(&mut self) {
        SIDE.set(self.0);
    }
}

/// Whether a block lies behind the fence.
fn fenced(at: *mut u8) -> bool {
    let first = FIRST.load(Ordering::Acquire);
    first != 0 && (first..first + ROOM).contains(&(at as usize))
}

/// Takes addresses without memory, once, and asks to be told of wrong ones.
fn set_aside() {
    if FIRST.load(Ordering::Acquire) != 0 {
        return;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: new addresses, which nobody else has; the handler calls what may be called in one.
    let first = unsafe {
        libc::signal(libc::SIGSEGV, told as *const () as libc::sighandler_t);
        libc::mmap(std::ptr::null_mut(), ROOM, libc::PROT_NONE, flags, -1, 0)
    };
    assert_ne!(first, libc::MAP_FAILED, "no addresses for a fence");
    NEXT.store(first as usize + PAGE, Ordering::Release);
    FIRST.store(first as usize, Ordering::Release);
}

/// Says what was being done, and lets the process end.
extern "C" fn told(signal: libc::c_int) {
    let mut text = *b"\nreached outside its memory: seed 00000000\n";
    let mut seed = SEED.load(Ordering::Relaxed);
    let end = text.len() - 1;
    for digit in text[end - 8..end].iter_mut().rev() {
        *digit = b'0' + (seed % 10) as u8;
        seed /= 10;
    }
    // SAFETY: both may be called in a handler; the next wrong address ends the process.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
        libc::signal(signal, libc::SIG_DFL);
    }
}

// SAFETY: blocks behind the fence are pages of their own, as long and as aligned as asked for; all else is
// the system's.
unsafe impl GlobalAlloc for Fenced {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let side = SIDE.try_with(Cell::get).ok().flatten();
        let Some(side) = side.filter(|_| layout.align() <= PAGE) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        let pages = layout.size().next_multiple_of(PAGE).max(PAGE);
        let block = NEXT.fetch_add(pages + PAGE, Ordering::Relaxed);
        if block + pages + PAGE > FIRST.load(Ordering::Acquire) + ROOM {
            return std::ptr::null_mut();
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: addresses set aside that nobody else was given.
        if unsafe { libc::mprotect(block as *mut libc::c_void, pages, access) } != 0 {
            return std::ptr::null_mut();
        }
        let start = match side {
            Side::Front => block,
            Side::Back => (block + pages - layout.size()) / layout.align() * layout.align(),
        };
        start as *mut u8
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; new pages hold zeros.
        match SIDE.try_with(Cell::get) {
            Ok(Some(_)) => unsafe { self.alloc(layout) },
            Ok(None) | Err(_) => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let side = SIDE.try_with(Cell::get).ok().flatten();
        if side.is_none() && !fenced(at) {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(at, layout, size) };
        }
        let new = Layout::from_size_align(size, layout.align());
        // SAFETY: both blocks hold what is copied; the old one is given back once.
        unsafe {
            let to = new.map_or(std::ptr::null_mut(), |new| self.alloc(new));
            if !to.is_null() {
                std::ptr::copy_nonoverlapping(at, to, size.min(layout.size()));
                self.dealloc(at, layout);
            }
            to
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if !fenced(at) {
            // SAFETY: the caller's promise.
            return unsafe { System.dealloc(at, layout) };
        }
        let block = at as usize / PAGE * PAGE;
        let pages = layout.size().next_multiple_of(PAGE).max(PAGE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the pages of this block, which is given back.
        unsafe {
            libc::mmap(block as *mut libc::c_void, pages, libc::PROT_NONE, flags, -1, 0);
        }
    }
}

/// Reads one number behind a block. Run by hand in a process of its own, it shows that the fence holds.
#[test]
fn a_fence_is_told_of() {
    if std::env::var_os("NTMC_REACH_OVER").is_some() {
        behind(Side::Back, 4711, || {
            let block = Box::new([1_u8; 64]);
            // SAFETY: none: this is what the fence is for.
            let over = unsafe { block.as_ptr().add(64).read_volatile() };
            assert_eq!(over, 0, "nothing stopped the read");
        });
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fence::a_fence_is_told_of", "--nocapture"])
        .env("NTMC_REACH_OVER", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_none(), "{said}");
    assert!(said.contains("reached outside its memory: seed 00004711"), "{said}");
}
