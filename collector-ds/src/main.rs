//! The node's sensor: what happens on the node, by eBPF, and the alerts that the rules make of it.

use collector_ds::record;
use mimalloc::MiMalloc;
use service_runtime::{Runtime, about, run};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let about = about!("Watches the programs that run on this node and raises alerts by rules.");
    run(about.with_flags(&record::FLAGS), Runtime::CurrentThread, collector_ds::run)
}
