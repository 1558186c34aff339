//! Memory that the collector used and needs no more, as after its start and after a list.

use nix::sys::mman::{MmapAdvise, madvise};
use std::convert::Infallible;
use std::ffi::c_void;
use std::fs;
use std::ptr::NonNull;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often memory is given back.
pub(crate) const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

/// Gives back from time to time what is free of this thread's memory, and the pages of the program that were not run lately: half of it
/// is for the start alone.
pub(crate) async fn keep_small(shutdown: CancellationToken) -> Result<(), Infallible> {
    let mut times = tokio::time::interval(GIVE_BACK_EVERY);
    while shutdown.run_until_cancelled(times.tick()).await.is_some() {
        give_back();
        let_go_of_program();
    }
    Ok(())
}

/// Gives back what is free of the memory of this thread. The allocator does it while others ask it for more, and a collector that rests does not.
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, may be called at any time from any thread, and frees nothing that is in use; in a program with another
    // allocator it finds nothing to free.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Unmaps the pages of the program's instructions. Those that it goes on with are mapped again when they are run, from the file.
fn let_go_of_program() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (begin, bytes) in maps.lines().filter_map(instructions) {
        // SAFETY: the mapping is private, of a file, and was never writable, so that its pages are what stands in the file; the kernel maps
        // them anew where they are touched. Nothing else lies within its bounds.
        // Where it fails the program is larger, nothing else.
        let _ = unsafe { madvise(begin, bytes, MmapAdvise::MADV_DONTNEED) };
    }
}

/// Where a line of `/proc/self/maps` tells of instructions from a file, and how many bytes they are.
fn instructions(line: &str) -> Option<(NonNull<c_void>, usize)> {
    let mut parts = line.split_ascii_whitespace();
    let (begin, end) = parts.next()?.split_once('-')?;
    let is_wanted = parts.next()? == "r-xp" && parts.nth(3)?.starts_with('/');
    let (begin, end) =
        (usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let at = NonNull::new(std::ptr::with_exposed_provenance_mut(begin))?;
    is_wanted.then(|| Some((at, end.checked_sub(begin)?)))?
}

#[cfg(test)]
mod tests {
    use super::{instructions, let_go_of_program};
    use std::fs;

    /// How much of its instructions this program has in memory, in KiB.
    fn resident_instructions() -> u64 {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let (mut is_wanted, mut resident) = (false, 0);
        for line in maps.lines() {
            if let Some(kib) = line.strip_prefix("Rss:").filter(|_| is_wanted) {
                resident += kib.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap();
            }
            if line.split(' ').next().is_some_and(|first| first.contains('-')) {
                is_wanted = instructions(line).is_some();
            }
        }
        resident
    }

    #[test]
    fn instructions_of_files_are_let_go_and_nothing_else_is() {
        let line = "55d0-55f0 r-xp 00021000 fe:01 1234    /usr/bin/collector-misc";
        assert_eq!(
            instructions(line).map(|(at, bytes)| (at.addr().get(), bytes)),
            Some((0x55d0, 0x20))
        );
        for other in [
            "55d0-55f0 r--p 00021000 fe:01 1234    /usr/bin/collector-misc",
            "55d0-55f0 rw-p 00021000 fe:01 1234    /usr/bin/collector-misc",
            "55d0-55f0 r-xp 00000000 00:00 0       [vdso]",
            "55d0-55f0 r-xp 00000000 00:00 0 ",
            "",
        ] {
            assert_eq!(instructions(other), None, "{other}");
        }
    }

    #[test]
    fn a_program_goes_on_without_the_pages_that_it_let_go() {
        let before = resident_instructions();
        let_go_of_program();
        let after = resident_instructions();
        assert!(after < before, "{after} of {before} KiB");
        assert_eq!(format!("{:?}", [1.5, 2.5]), "[1.5, 2.5]");
    }
}
