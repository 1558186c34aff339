use ebpf_probes::Identity;
use event_model::{Credentials, Process, ProcessKey};
use std::sync::Arc;
use std::time::Instant;

/// Programs that a process ran before the present one and that children of it refer to.
const MAXIMUM_EARLIER: usize = 4;

/// What is known of one process.
pub(super) struct Entry {
    current: Image,
    /// Earlier programs in which it made children, the oldest first: their `parent` refers to them.
    earlier: Vec<Image>,
    /// It made a child while it ran the present program.
    made_children: bool,
    /// The process that counts this one among its children.
    pub parent: Option<ProcessKey>,
    /// How many known processes have this one as parent.
    pub children: u32,
    /// When it ended.
    pub exited_at: Option<Instant>,
}

struct Image {
    process: Arc<Process>,
    announced: bool,
}

impl Entry {
    pub fn new(process: Arc<Process>) -> Self {
        Self {
            parent: None,
            current: Image { process, announced: false },
            earlier: Vec::new(),
            made_children: false,
            children: 0,
            exited_at: None,
        }
    }

    pub fn current(&self) -> &Arc<Process> {
        &self.current.process
    }

    pub fn as_it_was(&self, generation: u32) -> &Arc<Process> {
        self.earlier
            .iter()
            .find(|image| image.process.reference.generation == generation)
            .map_or(&self.current.process, |image| &image.process)
    }

    /// Whether it has these ids.
    pub fn is(&self, identity: Identity) -> bool {
        let known = &self.current.process.credentials;
        let Identity { uid, euid, gid, egid } = identity;
        (known.uid, known.euid, known.gid, known.egid) == (uid, euid, gid, egid)
    }

    /// It has changed its ids since it began its program. What was announced of it stays as it was.
    pub fn become_another(&mut self, identity: Identity, user_name: Option<String>) {
        let Identity { uid, euid, gid, egid } = identity;
        let process = Arc::make_mut(&mut self.current.process);
        process.credentials = Credentials { uid, euid, gid, egid, ..process.credentials.clone() };
        process.user_name = user_name;
    }

    /// Another program runs. The former one is kept where children refer to it.
    pub fn replace(&mut self, process: Arc<Process>) {
        let former = std::mem::replace(&mut self.current, Image { process, announced: false });
        if std::mem::take(&mut self.made_children) {
            if self.earlier.len() == MAXIMUM_EARLIER {
                self.earlier.remove(0);
            }
            self.earlier.push(former);
        }
    }

    /// Counts a child, made in the program of that generation.
    pub fn adopt(&mut self, generation: u32) {
        self.children += 1;
        self.made_children |= generation == self.current.process.reference.generation;
    }

    /// The image of that generation, else the present one, where it was not announced yet; it is held announced then.
    pub fn take_unannounced(&mut self, generation: u32) -> Option<Arc<Process>> {
        let image = self
            .earlier
            .iter_mut()
            .find(|image| image.process.reference.generation == generation)
            .unwrap_or(&mut self.current);
        (!std::mem::replace(&mut image.announced, true)).then(|| Arc::clone(&image.process))
    }

    /// Holds no image announced; tells whether the present one had been.
    pub fn forget_announcements(&mut self) -> bool {
        for image in &mut self.earlier {
            image.announced = false;
        }
        std::mem::take(&mut self.current.announced)
    }

    /// Holds the present image announced.
    pub fn mark_announced(&mut self) -> &Arc<Process> {
        self.current.announced = true;
        &self.current.process
    }

    /// What the entry costs, with its share of the tables.
    pub fn bytes(&self) -> usize {
        let images = std::iter::once(&self.current).chain(&self.earlier);
        size_of::<Self>() + images.map(|image| process_bytes(&image.process)).sum::<usize>()
    }
}

fn process_bytes(process: &Process) -> usize {
    let texts = process.name.len()
        + process.executable.path.len()
        + process.executable.invoked_as.len()
        + process.working_directory.len()
        + process.user_name.as_ref().map_or(0, String::len)
        + process.terminal.as_ref().map_or(0, String::len);
    let arguments: usize =
        process.arguments.iter().map(|argument| size_of::<String>() + argument.len()).sum();
    size_of::<Process>() + size_of::<Image>() + texts + arguments
}

/// What a process runs that a snapshot found with another program or other arguments than were known: None
/// where they are the same. Of the file of a program, the snapshot tells less than the kernel's record.
pub(super) fn missed_exec(known: &Process, mut found: Process) -> Option<Process> {
    let same_file = known.executable.path == found.executable.path;
    if same_file && known.arguments == found.arguments {
        return None;
    }
    if same_file {
        found.executable = known.executable.clone();
    }
    found.reference.generation = known.reference.generation + 1;
    found.parent = known.parent.or(found.parent);
    Some(found)
}
