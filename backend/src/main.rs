//! The backend: see the library's documentation.

use backend::{app, enrolment};
use service_runtime::Runtime;
use std::process::ExitCode;

/// Short queries and batches make many small allocations on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = enrolment::run_command(std::env::args_os()) {
        return code;
    }
    service_runtime::run(
        service_runtime::about!("takes in what publishers send, keeps it, and shows alerts"),
        Runtime::MultiThread,
        app::run,
    )
}
