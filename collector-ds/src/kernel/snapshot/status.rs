use event_model::Credentials;

/// The lines of `/proc/PID/status` that we use.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Without the login uid, which has a file of its own.
    pub credentials: Credentials,
    /// The process id in the innermost pid namespace.
    pub namespace_pid: u32,
    /// The id of the process group in that namespace; 0 where it has none there.
    pub process_group: u32,
}

impl Status {
    /// Takes what is there: kernels leave out lines by their configuration.
    pub fn parse(text: &str) -> Self {
        let mut status = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(":\t")) {
            let credentials = &mut status.credentials;
            match name {
                "Uid" => (credentials.uid, credentials.euid) = real_and_effective(value),
                "Gid" => (credentials.gid, credentials.egid) = real_and_effective(value),
                "CapPrm" => credentials.capabilities_permitted = hexadecimal(value),
                "CapEff" => credentials.capabilities_effective = hexadecimal(value),
                "NSpid" => status.namespace_pid = last_number(value),
                "NSpgid" => status.process_group = last_number(value),
                _ => {}
            }
        }
        status
    }
}

/// The first two of four: real, effective, saved, file system.
fn real_and_effective(ids: &str) -> (u32, u32) {
    let mut ids = ids.split('\t').map(|id| id.parse().unwrap_or(0));
    (ids.next().unwrap_or(0), ids.next().unwrap_or(0))
}

fn hexadecimal(digits: &str) -> u64 {
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

fn last_number(numbers: &str) -> u32 {
    numbers.rsplit('\t').next().and_then(|last| last.parse().ok()).unwrap_or(0)
}
