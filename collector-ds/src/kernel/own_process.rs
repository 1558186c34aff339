use super::snapshot::stat_of_this_process;
use event_model::{EventKind, Process, ProcessKey};
use std::fs;
use std::path::Path;

/// The sensor itself, as the kernel's records tell it: its inventory reads what an intruder would read too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnProcess {
    /// In the pid namespace that the sensor is in, which need not be the node's.
    namespace_pid: u32,
    /// In the node's, as far as its `/proc` tells.
    key: ProcessKey,
}

impl OwnProcess {
    /// This very process, as the `/proc` at `proc_root` numbers it. None where `/proc` does not tell.
    pub fn find(proc_root: &Path) -> Option<Self> {
        let start_time = stat_of_this_process()?.start_time;
        let namespace_pid = std::process::id();
        let on_node = fs::read_link(proc_root.join("self")).ok();
        let on_node = on_node.and_then(|link| link.to_str()?.parse().ok());
        let key = ProcessKey { pid: on_node.unwrap_or(namespace_pid), start_time };
        Some(Self { namespace_pid, key })
    }

    /// Which process of the node it is.
    pub const fn key(&self) -> ProcessKey {
        self.key
    }

    /// Whether a process is the sensor.
    pub const fn is(&self, process: &Process) -> bool {
        process.namespace_pid == self.namespace_pid
            && process.reference.key.start_time == self.key.start_time
    }

    /// Whether the sensor looked into a file. Whatever else it did is judged as anybody's act: somebody
    /// may have taken it over.
    pub fn reads(&self, process: &Process, act: &EventKind) -> bool {
        let EventKind::File(file) = act else { return false };
        file.opens_for_reading() && !file.opens_for_writing() && self.is(process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{FileEvent, ProcessRef};

    fn open(flags: u64) -> EventKind {
        EventKind::File(Box::new(FileEvent { flags, ..FileEvent::default() }))
    }

    #[test]
    fn the_sensors_own_reading_is_known_and_nothing_else() {
        let own = OwnProcess::find(Path::new("/proc")).expect("/proc tells");
        assert_eq!(own.key().pid, std::process::id());
        let start_time = own.key().start_time;
        let key = ProcessKey { pid: 1, start_time };
        let reference = ProcessRef { key, generation: 0 };
        let this = Process { reference, namespace_pid: std::process::id(), ..Process::default() };
        assert!(start_time > 0 && own.reads(&this, &open(0)));
        assert!(!own.reads(&this, &open(1)) && !own.reads(&this, &open(2)));
        assert!(!own.reads(&this, &EventKind::Exec));
        let another = Process { namespace_pid: std::process::id() + 1, ..this.clone() };
        assert!(!own.reads(&another, &open(0)));
        let later =
            ProcessRef { key: ProcessKey { start_time: start_time + 1, ..key }, ..reference };
        assert!(!own.reads(&Process { reference: later, ..this }, &open(0)));
    }
}
