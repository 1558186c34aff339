//! How much memory an assessment takes beyond what it keeps.
#![allow(clippy::unwrap_used)] // The lint knows only functions marked #[test] as tests.

use assessment::{Assessment, AssessmentSettings};
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Counts the bytes that are asked for and not given back.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// Tests that measure run one after the other.
static MEASURING: Mutex<()> = Mutex::new(());

// SAFETY: everything is left to the system's allocator, with its own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller keeps the trait's contract, which is the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that an act holds at once beside what is held before.
fn most_held(act: impl FnOnce()) -> usize {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    act();
    PEAK.load(Relaxed) - before
}

fn assessment() -> Assessment {
    Assessment::new(&AssessmentSettings::default(), None).unwrap()
}

#[test]
fn findings_are_not_gathered_before_they_are_told() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut assessment = assessment();
    for number in 0..10_000_u128 {
        let object = json!({"metadata": {"name": format!("s{number}"), "namespace": "shop", "uid": uuid::Uuid::from_u128(number).to_string()},
            "spec": {"type": "LoadBalancer", "selector": {"app": number.to_string()}, "ports": [{"port": 80}]}});
        assessment.apply("v1", "Service", object.to_string().as_bytes());
    }
    let mut told = 0;
    let held = most_held(|| assessment.tell_all(&mut |_| told += 1));
    assert!(told >= 10_000, "{told}");
    assert!(held < 3 << 20, "{held} bytes for {told} findings");
}

#[test]
fn objects_of_many_small_values_take_no_more_memory_than_others() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let lists = [
        "{\"name\":\"A\"}",
        "{\"\":{}}",
        "[1]",
        "1",
        "\"\"",
        "[[[]]]",
        "{\"a\":1,\"b\":\"\"}",
        "{}",
        "[]",
    ];
    for value in lists {
        for count in [1_000, 10_000, 30_000, 60_000, 99_990, 400_000] {
            let values = vec![value; count].join(",");
            let object = format!(
                "{{\"metadata\":{{\"name\":\"a\",\"uid\":\"b\"}},\"spec\":{{\"x\":[{values}]}}}}"
            );
            let mut assessment = assessment();
            let held = most_held(|| assessment.apply("v1", "Namespace", object.as_bytes()));
            assert!(held < 10 << 20, "{held} bytes for {count} of {value}");
        }
    }
    let entries: Vec<_> = (0..99_990).map(|number| format!("\"{number:05}\":1")).collect();
    for count in [20_000, 40_000, 50_000, 60_000, 99_990] {
        let object = format!(
            "{{\"metadata\":{{\"name\":\"a\",\"uid\":\"b\"}},\"spec\":{{{}}}}}",
            entries[..count].join(",")
        );
        let mut assessment = assessment();
        let held = most_held(|| assessment.apply("v1", "Namespace", object.as_bytes()));
        assert!(held < 10 << 20, "{held} bytes for {count} entries of a map");
    }
}
