//! SIGTERM and SIGINT: the first asks for an orderly end, the second ends at once.
//!
//! They are watched by a thread of their own, so that they are obeyed even
//! while the application's runtime is busy or stuck.

use anyhow::Context;
use std::convert::Infallible;
use std::process;
use std::sync::mpsc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How much longer than the grace period the process may live when even the drain is stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the watch. Signals that come after this returns are obeyed.
pub(crate) fn watch(shutdown: CancellationToken, grace: Duration) -> anyhow::Result<()> {
    let (report, reports) = mpsc::channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || match start() {
            Ok((runtime, signals)) => {
                // The receiver is gone only if the process already ends.
                let _ = report.send(Ok(()));
                runtime.block_on(signals.obey(&shutdown, grace));
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        })
        .context("cannot start the thread that watches for signals")?;
    reports.recv()?.context("cannot watch for signals")
}

fn start() -> std::io::Result<(tokio::runtime::Runtime, Signals)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async { Signals::listen() })?;
    Ok((runtime, signals))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn obey(mut self, shutdown: &CancellationToken, grace: Duration) -> Infallible {
        tokio::select! {
            signal = self.next() => {
                tracing::info!(signal = name(signal), ?grace, "shutting down; a second signal ends at once");
                shutdown.cancel();
            }
            () = shutdown.cancelled() => {}
        }
        tokio::select! {
            signal = self.next() => {
                tracing::warn!(signal = name(signal), "second signal: ending at once");
                process::exit(128 + signal.as_raw_value());
            }
            () = tokio::time::sleep(grace + PATIENCE) => {
                tracing::error!("stuck in shutdown: ending");
                process::exit(1);
            }
        }
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

fn name(signal: SignalKind) -> &'static str {
    if signal == SignalKind::interrupt() { "SIGINT" } else { "SIGTERM" }
}
