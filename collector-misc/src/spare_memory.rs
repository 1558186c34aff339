//! Memory that the collector used and needs no more, as after its start and after a list.

use nix::sys::mman::{MmapAdvise, madvise};
use std::convert::Infallible;
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
        make_room();
    }
    Ok(())
}

/// Gives back what is free of this thread's memory, and the pages of the program: before much is needed for a moment.
pub(crate) fn make_room() {
    give_back();
    let_go_of_program();
}

/// Gives back what is free of the memory of this thread. The allocator does it while others ask it for more, and a collector that rests does not.
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, may be called at any time from any thread, and frees nothing that is in use; in a program with another
    // allocator it finds nothing to free.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Unmaps the pages of files that nobody writes to, which is the program: its instructions, and its tables. Those that it goes on with are mapped
/// again when they are touched, from the file.
fn let_go_of_program() {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for Mapping { begin, bytes, .. } in mappings(&maps).filter(Mapping::is_as_its_file) {
        let Some(begin) = NonNull::new(std::ptr::with_exposed_provenance_mut(begin)) else {
            continue;
        };
        // SAFETY: the mapping is of a file, can't be written to, and has no page that differs from the file; the kernel maps them anew where they
        // are touched. Where this fails the program is larger, nothing else.
        let _ = unsafe { madvise(begin, bytes, MmapAdvise::MADV_DONTNEED) };
    }
}

/// A part of this program's memory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mapping {
    begin: usize,
    bytes: usize,
    /// Of a file, and not writable.
    is_fixed_file: bool,
    /// How much of it is in memory, and how much of that is no longer what stands in the file.
    resident_kib: u64,
    changed_kib: Option<u64>,
}

impl Mapping {
    fn is_as_its_file(&self) -> bool {
        self.is_fixed_file && self.changed_kib == Some(0)
    }

    /// From the first line that tells of it in `/proc/self/smaps`, such as `55d0-55f0 r-xp 00021000 fe:01 1234    /collector-misc`.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.split_ascii_whitespace();
        let (begin, end) = parts.next()?.split_once('-')?;
        let begin = usize::from_str_radix(begin, 16).ok()?;
        let bytes = usize::from_str_radix(end, 16).ok()?.checked_sub(begin)?;
        let may_write = parts.next()?.contains('w');
        let is_fixed_file = !may_write && parts.nth(3).is_some_and(|path| path.starts_with('/'));
        Some(Self { begin, bytes, is_fixed_file, ..Self::default() })
    }
}

/// The mappings that `/proc/self/smaps` tells of.
fn mappings(smaps: &str) -> impl Iterator<Item = Mapping> {
    let mut all: Vec<Mapping> = vec![];
    for line in smaps.lines() {
        let kib = |name: &str| -> Option<u64> {
            line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok()
        };
        if let Some(mapping) = Mapping::read(line) {
            all.push(mapping);
        } else if let Some(last) = all.last_mut() {
            last.resident_kib = kib("Rss:").unwrap_or(last.resident_kib);
            last.changed_kib = kib("Anonymous:").or(last.changed_kib);
        }
    }
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::{Mapping, let_go_of_program, mappings};
    use std::fs;

    #[test]
    fn what_differs_from_its_file_or_may_come_to_is_kept() {
        let told = |line: &str, changed: &str| {
            let text =
                format!("{line}\nSize:  8 kB\nRss:  8 kB\nAnonymous:  {changed}\nVmFlags: rd ex\n");
            let mapping = mappings(&text).next().unwrap();
            assert_eq!(
                (mapping.begin, mapping.bytes, mapping.resident_kib),
                (0x0055_d000, 0x2000, 8)
            );
            mapping.is_as_its_file()
        };
        assert!(told("55d000-55f000 r-xp 00021000 fe:01 1234    /usr/bin/collector-misc", "0 kB"));
        assert!(told("55d000-55f000 r--p 00000000 fe:01 1234    /usr/bin/collector-misc", "0 kB"));
        assert!(!told("55d000-55f000 r--p 00021000 fe:01 1234    /usr/bin/collector-misc", "4 kB"));
        assert!(!told("55d000-55f000 rw-p 00021000 fe:01 1234    /usr/bin/collector-misc", "0 kB"));
        assert!(!told("55d000-55f000 r-xp 00000000 00:00 0       [vdso]", "0 kB"));
        assert!(!told("55d000-55f000 r--p 00000000 00:00 0", "0 kB"));
        assert!(!told("55d000-55f000 r-xp 00021000 fe:01 1234    /usr/bin/collector-misc", "?"));
        assert_eq!(mappings("").next(), None::<Mapping>);
    }

    #[test]
    fn a_program_goes_on_without_the_pages_that_it_let_go() {
        let resident = || -> u64 {
            let maps = fs::read_to_string("/proc/self/smaps").unwrap();
            mappings(&maps).filter(Mapping::is_as_its_file).map(|one| one.resident_kib).sum()
        };
        let before = resident();
        let_go_of_program();
        let after = resident();
        assert!(after < before, "{after} of {before} KiB");
    }
}
