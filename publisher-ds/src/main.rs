//! The publisher: see the library's documentation.

use publisher_ds::{app, spool};
use service_runtime::Runtime;
use std::process::ExitCode;

/// Batches are large and short-lived: this allocator gives their memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The process has one provider of cryptography; a second install could only be a mistake of ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    service_runtime::run_with_tools(
        service_runtime::about!(
            "keeps what the node's collectors send, and carries it to the backend"
        ),
        &[spool::tool()],
        Runtime::CurrentThread,
        app::run,
    )
}
