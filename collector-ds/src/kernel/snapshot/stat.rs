use ebpf_probes::process_key;
use event_model::ProcessKey;

/// Set in the flags of the kernel's own threads (`PF_KTHREAD`).
const KERNEL_THREAD: u32 = 0x0020_0000;

/// USER_HZ is 100.
const NANOSECONDS_A_TICK: u64 = 10_000_000;

/// The fields of `/proc/PID/stat` that we use; proc_pid_stat(5) numbers them.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// Which process.
    pub key: ProcessKey,
    /// The kernel's name for it.
    pub name: String,
    /// The id of its parent.
    pub parent: u32,
    state: char,
    terminal: u32,
    flags: u32,
    threads: u32,
}

impl Stat {
    /// None where the text is not such a file.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        // The name may hold spaces and parentheses itself.
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let start_ticks: u64 = field(22)?.parse().ok()?;
        Some(Self {
            key: process_key(pid.parse().ok()?, start_ticks.saturating_mul(NANOSECONDS_A_TICK)),
            name: name.to_owned(),
            state: field(3)?.chars().next()?,
            parent: field(4)?.parse().ok()?,
            terminal: field(7)?.parse::<i32>().ok()?.cast_unsigned(),
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
        })
    }

    /// A thread of the kernel's own.
    pub const fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// All threads have ended, and the parent has not asked yet. (A process goes on without its first thread.)
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }

    /// The kernel's name of the controlling terminal, from its device number (`Documentation/admin-guide/devices.txt`).
    pub fn terminal(&self) -> Option<String> {
        let major = (self.terminal >> 8) & 0xfff;
        let minor = (self.terminal & 0xff) | ((self.terminal >> 12) & 0xf_ff00);
        match (major, minor) {
            (4, 0..64) => Some(format!("tty{minor}")),
            (4, 64..) => Some(format!("ttyS{}", minor - 64)),
            (136..=143, _) => Some(format!("pts{}", (major - 136) * 256 + minor)),
            _ => None,
        }
    }
}
