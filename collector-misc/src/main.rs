//! collector-misc: see the library.

use service_runtime::Runtime;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let about = service_runtime::about!(
        "Watches the Kubernetes API and sends what runs in the cluster to the publisher of its node"
    );
    service_runtime::run(about, Runtime::CurrentThread, collector_misc::app::run)
}
