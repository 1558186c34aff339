use crate::admin::{AdminServer, Answers};
use crate::arguments::Arguments;
use crate::config::{self, KnownKeys, ServiceConfig};
use crate::{About, Service, Tool, logs, metrics, panics, signals};
use anyhow::Context;
use clap::ArgMatches;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// The exit code for a wrong configuration; clap's for wrong arguments.
const WRONG_CONFIGURATION: u8 = 2;

/// How long the process waits, at its end, for blocking calls that are still under way.
const LAST_CALLS: Duration = Duration::from_millis(200);

/// How tasks are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// All on one thread: least memory and CPU. For the node's components.
    CurrentThread,
    /// On a thread for each CPU.
    MultiThread,
}

/// The whole life of a binary: command line, configuration, logs, metrics, admin server, then
/// `application` until it ends or is told to.
///
/// `application` gets the checked configuration. It may return as soon as it has spawned its
/// parts with [`Service::spawn`], or stay.
pub fn run<C, F, A>(about: About, runtime: Runtime, application: A) -> ExitCode
where
    C: ServiceConfig,
    F: Future<Output = anyhow::Result<()>>,
    A: FnOnce(C, Service) -> F,
{
    run_with_tools(about, &[], runtime, application)
}

/// The same of a binary that is more than its service: a subcommand runs a tool instead.
pub fn run_with_tools<C, F, A>(
    about: About,
    tools: &[Tool<C>],
    runtime: Runtime,
    application: A,
) -> ExitCode
where
    C: ServiceConfig,
    F: Future<Output = anyhow::Result<()>>,
    A: FnOnce(C, Service) -> F,
{
    let started = SystemTime::now();
    if runtime == Runtime::CurrentThread {
        without_huge_pages();
    }
    let (arguments, config) = match configure::<C>(&about, tools) {
        Ok(configured) => configured,
        Err(error) => {
            complain(&about, &error);
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    if let Some((name, matches)) = &arguments.tool {
        return run_tool(&about, tools, name, matches, config);
    }
    let outcome = if arguments.check_config {
        print_config(&config).inspect_err(|error| complain(&about, error))
    } else {
        logs::start(config.shared().log)
            .inspect_err(|error| complain(&about, error))
            .and_then(|()| serve(&about, runtime, started, arguments.config, config, application))
            .inspect_err(|error| {
                tracing::error!(error = format!("{error:#}"), "{} failed", about.name);
            })
    };
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A program with a small limit must not be given two megabytes where it asked for four kilobytes.
fn without_huge_pages() {
    // Every kernel that we run on has it; without it a program is larger, nothing else.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// Tells an error before the log is there to take it.
fn complain(about: &About, error: &anyhow::Error) {
    eprintln!("{}: {error:#}", about.name);
}

/// A tool has no log: what it has to say goes to the terminal.
fn run_tool<C: ServiceConfig>(
    about: &About,
    tools: &[Tool<C>],
    name: &str,
    matches: &ArgMatches,
    config: C,
) -> ExitCode {
    let tool = tools.iter().find(|tool| (tool.command)().get_name() == name);
    let outcome = match tool {
        Some(tool) => (tool.run)(matches, config),
        // Clap lets no other name through.
        None => Err(anyhow::anyhow!("there is no {name}")),
    };
    outcome.unwrap_or_else(|error| {
        complain(about, &error);
        ExitCode::FAILURE
    })
}

fn configure<C: ServiceConfig>(about: &About, tools: &[Tool<C>]) -> anyhow::Result<(Arguments, C)> {
    let keys = KnownKeys::of(&C::default())?;
    let commands = tools.iter().map(|tool| (tool.command)()).collect();
    let arguments = Arguments::read(about, commands, &keys);
    let config = config::load(arguments.config.as_deref(), std::env::vars_os(), &arguments.flags)?;
    Ok((arguments, config))
}

/// Reads a configuration as [`run`] does, for a command beside the service.
pub fn load_config<C: ServiceConfig>(file: &Path) -> anyhow::Result<C> {
    Ok(config::load(Some(file), std::env::vars_os(), &[])?)
}

fn print_config(config: &impl ServiceConfig) -> anyhow::Result<()> {
    use std::io::Write;
    let text = config::printable(config)?;
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the configuration")
}

fn serve<C, F, A>(
    about: &About,
    runtime: Runtime,
    started: SystemTime,
    config_file: Option<PathBuf>,
    config: C,
    application: A,
) -> anyhow::Result<()>
where
    C: ServiceConfig,
    F: Future<Output = anyhow::Result<()>>,
    A: FnOnce(C, Service) -> F,
{
    panics::log_them();
    let metrics = metrics::install(about)?;
    let service = Service::configured_by(config_file);
    let grace = config.shared().shutdown.grace();
    signals::watch(service.shutdown(), grace)?;
    let runtime = build(runtime).context("cannot start the runtime")?;
    let outcome = runtime.block_on(async {
        let readiness = service.readiness().clone();
        let answers = Answers { metrics: metrics.clone(), readiness, started };
        let admin = AdminServer::bind(config.shared().admin, answers).await?;
        tracing::info!(
            version = about.long_version(),
            admin = %admin.address()?,
            "{} starts",
            about.name
        );
        tokio::spawn(admin.serve());
        tokio::spawn(metrics::keep_up(metrics));
        service.supervise(application(config, service.clone()), grace).await
    });
    runtime.shutdown_timeout(LAST_CALLS);
    if outcome.is_ok() {
        tracing::info!("{} ended", about.name);
    }
    outcome
}

fn build(runtime: Runtime) -> std::io::Result<tokio::runtime::Runtime> {
    match runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    }
    .enable_all()
    .build()
}
