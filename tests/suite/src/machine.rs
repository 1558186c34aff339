//! All programs of the suite, running on this machine.

use crate::api::Api;
use crate::certificates::Certificates;
use crate::configuration::Places;
use crate::program::{Launch, Name, Program};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Loading the probes takes under a second; a slow virtual machine may take thirty.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// More than the programs' own bound on draining (10 s).
const DRAINED_WITHIN: Duration = Duration::from_mins(2);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder with the binaries.
    pub binaries: PathBuf,
    /// The folder with the rules.
    pub rules: PathBuf,
    /// Ports and files.
    pub places: Places,
    /// The cluster's name, for the publisher's certificate.
    pub cluster: String,
    /// The Docker Engine's socket, where one answers.
    pub docker_socket: Option<PathBuf>,
    /// Where a Kubernetes API is to be watched.
    pub kubeconfig: Option<PathBuf>,
    /// The sensor is to run too. The crash test and the publisher's benchmark do without.
    pub sensor: bool,
}

/// The suite, running. Dropped, every program is killed.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    certificates: Certificates,
    programs: Vec<Program>,
}

impl Machine {
    /// Starts every program that `options` asks for; waits for none of them.
    pub fn start(options: Options) -> Result<Self> {
        let mut machine = Self::prepare(options)?;
        for name in machine.wanted() {
            let program = machine.launch(name)?.start()?;
            machine.programs.push(program);
        }
        Ok(machine)
    }

    /// Certificates and folders, nothing started yet.
    pub fn prepare(options: Options) -> Result<Self> {
        let directory = &options.places.directory;
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        let tls = directory.join("tls");
        let certificates =
            Certificates::in_directory(&tls, &options.cluster, &options.places.node)?;
        Ok(Self { options, certificates, programs: Vec::new() })
    }

    /// Starts a program by a launch that the caller changed, such as with a cgroup of its own.
    pub fn add(&mut self, launch: &Launch) -> Result<()> {
        self.programs.push(launch.start()?);
        Ok(())
    }

    fn wanted(&self) -> Vec<Name> {
        let mut names = vec![Name::Backend, Name::PublisherDs];
        names.extend(self.options.sensor.then_some(Name::CollectorDs));
        names.extend(self.options.kubeconfig.is_some().then_some(Name::CollectorMisc));
        names
    }

    /// How a program of this suite is started; its configuration is written now.
    pub fn launch(&self, name: Name) -> Result<Launch> {
        let Options { binaries, places, .. } = &self.options;
        let port = places.admin_ports[name as usize];
        Launch::new(name, binaries, &places.directory, &self.configuration(name, port), port)
    }

    fn configuration(&self, name: Name, admin: u16) -> Value {
        let Options { places, rules, docker_socket, kubeconfig, .. } = &self.options;
        match name {
            Name::Backend => places.backend(&self.certificates, admin),
            Name::PublisherDs => places.publisher(&self.certificates, admin),
            Name::CollectorDs => places.collector_ds(rules, docker_socket.as_deref(), admin),
            Name::CollectorMisc => {
                places.collector_misc(kubeconfig.as_deref().unwrap_or("".as_ref()), admin)
            }
        }
    }

    /// Waits until every program says that it is ready.
    pub fn wait_ready(&mut self) -> Result<()> {
        self.programs.iter_mut().try_for_each(|program| program.wait_ready(READY_WITHIN))
    }

    /// A running program of this suite.
    pub fn program(&mut self, name: Name) -> Result<&mut Program> {
        self.programs
            .iter_mut()
            .find(|program| program.name() == name)
            .with_context(|| format!("{} was not started", name.file_name()))
    }

    /// Stops one program in good order; the others go on.
    pub fn end(&mut self, name: Name) -> Result<()> {
        let place = self.programs.iter().position(|program| program.name() == name);
        let place = place.with_context(|| format!("{} was not started", name.file_name()))?;
        let status = self.programs.remove(place).stop(DRAINED_WITHIN)?;
        anyhow::ensure!(status.success(), "{} ended with {status}", name.file_name());
        Ok(())
    }

    /// A client of its backend.
    pub fn api(&self) -> Api {
        Api::at(self.options.places.api_port)
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Stops all: the last hop last, so that each can still hand on what it holds.
    pub fn stop(mut self) -> Result<()> {
        while let Some(program) = self.programs.pop() {
            let name = program.name().file_name();
            let status = program.stop(DRAINED_WITHIN)?;
            anyhow::ensure!(status.success(), "{name} ended with {status}");
        }
        Ok(())
    }
}
