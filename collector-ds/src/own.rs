//! What on this node is the sensor's own, and which acts of others reach for it.

mod files;
mod last_run;
mod spare_memory;

use crate::config::Config;
use crate::enrich::processes::Processes;
use crate::kernel::{OwnObjects, OwnProcess, WatchedPaths};
use event_model::{ContainerId, Event, EventKind, Process, SystemEvent};
use files::OwnFiles;
pub use last_run::LastRun;
pub use spare_memory::SpareMemory;
use std::path::Path;

/// The program that takes what the sensor has to tell.
const PUBLISHER: &str = "publisher-ds";

/// The sensor's process, files, and programs in the kernel.
#[derive(Debug, Default)]
pub struct Own {
    process: Option<OwnProcess>,
    files: OwnFiles,
    objects: OwnObjects,
    /// Where it runs, once that is known.
    container: Option<ContainerId>,
}

impl Own {
    /// What the configuration makes the sensor's own, and this process. `config_file` is where the configuration came from,
    /// `proc_root` shows the node's processes.
    pub fn find(config: &Config, config_file: Option<&Path>, proc_root: &Path) -> Self {
        Self {
            process: OwnProcess::find(proc_root),
            files: OwnFiles::find(config, config_file, proc_root),
            ..Self::default()
        }
    }

    /// The same with what it has in the kernel.
    #[must_use]
    pub fn with_objects(self, objects: OwnObjects) -> Self {
        Self { objects, ..self }
    }

    /// What it has in the kernel changed.
    pub fn know_objects(&mut self, objects: OwnObjects) {
        self.objects = objects;
    }

    /// The files to watch.
    pub fn watched(&self) -> WatchedPaths {
        self.files.watched(self.process.map(|process| process.key().pid))
    }

    /// Looks for itself among what runs, to know its container.
    pub fn settle<'a>(&mut self, mut running: impl Iterator<Item = &'a Process>) {
        let Some(own) = self.process else { return };
        if let Some(process) = running.find(|process| own.is(process)) {
            self.container.clone_from(&process.container);
        }
    }

    /// Whether the sensor looked into a file.
    pub fn reads(&self, process: &Process, act: &EventKind) -> bool {
        self.process.is_some_and(|own| own.reads(process, act))
    }

    /// Whether another process reaches for what is the sensor's.
    pub fn is_reached_by(&self, event: &Event, actor: &Process, processes: &Processes) -> bool {
        if self.process.is_some_and(|own| own.is(actor)) {
            return false;
        }
        match &event.kind {
            EventKind::File(file) => {
                let is_at_home = event.container == self.container;
                let sees_all_processes = actor.namespace_pid == actor.reference.key.pid;
                self.files.are_changed_by(file, event.container.as_ref(), is_at_home)
                    || (is_at_home || sees_all_processes)
                        && self.process.is_some_and(|own| files::show_memory(own.key().pid, file))
            }
            EventKind::System(system) => {
                self.is_target(system, processes) || self.is_object(system)
            }
            _ => false,
        }
    }

    /// The publisher counts as well: without it nothing gets out. A program that only bears its name does no harm here.
    fn is_target(&self, event: &SystemEvent, processes: &Processes) -> bool {
        let Some(target) = event.target else { return false };
        if self.process.is_some_and(|own| own.key() == target.key) {
            return true;
        }
        processes.current(target.key).is_some_and(|process| {
            self.process.is_some_and(|own| own.is(process))
                || process.executable.path.rsplit('/').next() == Some(PUBLISHER)
        })
    }

    fn is_object(&self, event: &SystemEvent) -> bool {
        event.arguments.iter().any(|argument| self.objects.has(&argument.name, &argument.value))
    }
}
