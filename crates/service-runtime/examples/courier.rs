//! A small service, for the tests in `tests/process.rs`: it carries nothing, and can be told how to behave.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use service_runtime::{
    AdminConfig, ConfigProblem, LogConfig, Runtime, Service, ServiceConfig, SharedConfig,
    ShutdownConfig,
};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    courier: Courier,
    log: LogConfig,
    admin: AdminConfig,
    shutdown: ShutdownConfig,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Courier {
    behaviour: Behaviour,
    /// Written at the start and when the drain is done.
    diary: PathBuf,
    password: String,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    /// On shutdown, takes a moment, writes the diary, and ends.
    #[default]
    Orderly,
    /// Never ends by itself.
    Stuck,
    /// Blocks the runtime's only thread for good.
    Blocking,
    Panicking,
    Failing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            courier: Courier::default(),
            log: LogConfig::default(),
            admin: AdminConfig::on_port(9198),
            shutdown: ShutdownConfig::default(),
        }
    }
}

impl ServiceConfig for Config {
    fn shared(&self) -> SharedConfig<'_> {
        SharedConfig { log: &self.log, admin: &self.admin, shutdown: &self.shutdown }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        Ok(())
    }
}

fn main() -> ExitCode {
    let about = service_runtime::about!("Carries nothing from nowhere to nobody");
    service_runtime::run(about, Runtime::CurrentThread, carry)
}

async fn carry(config: Config, service: Service) -> anyhow::Result<()> {
    let diary = config.courier.diary;
    std::fs::write(&diary, "started\n")
        .with_context(|| format!("cannot write the diary {}", diary.display()))?;
    let legs = service.part("legs");
    let shutdown = service.shutdown();
    service.spawn("courier", async move {
        legs.ready();
        match config.courier.behaviour {
            Behaviour::Orderly => {
                shutdown.cancelled().await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                std::fs::write(&diary, "drained\n").context("cannot write the diary")
            }
            Behaviour::Stuck => std::future::pending().await,
            Behaviour::Blocking => loop {
                std::thread::sleep(Duration::from_mins(1));
            },
            Behaviour::Panicking => panic!("the courier fell"),
            Behaviour::Failing => anyhow::bail!("the courier quit"),
        }
    });
    Ok(())
}
