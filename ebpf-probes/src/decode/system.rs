//! `struct system_record`. What its values are, each subject's reader knows.

mod io_uring;
mod kernel;
mod memory;
mod processes;

use super::act::Head;
use super::{key, path, text};
use crate::DecodeError;
use crate::fields::Fields;
use event_model::{Argument, ProcessRef, SystemAct, SystemEvent};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `enum system_flags` of `bpf/system.h`.
const DETACHED: u16 = 1 << 4;
const TRUNCATED: u16 = 1 << 5;
const OTHER_TRUNCATED: u16 = 1 << 6;
const OF_CALLER: u16 = 1 << 7;

/// `SYSTEM_VALUES`
const VALUES: usize = 8;

pub fn read(
    head: &Head<'_>,
    act: SystemAct,
    fields: &mut Fields<'_>,
) -> Result<SystemEvent, DecodeError> {
    let target = key(fields)?;
    let told = Told::read(head, fields)?;
    let mut arguments = arguments(act, &told);
    if head.has(OF_CALLER) {
        arguments.text("source", &"caller");
    }
    Ok(SystemEvent {
        act,
        arguments: arguments.0,
        target: (target.pid != 0).then_some(ProcessRef { key: target, generation: 0 }),
        result: head.result,
    })
}

fn arguments(act: SystemAct, told: &Told) -> Arguments {
    match act {
        SystemAct::Setuid => processes::ids(told, "uid"),
        SystemAct::Setgid => processes::ids(told, "gid"),
        SystemAct::Capset => processes::capset(told),
        SystemAct::Setns => processes::setns(told),
        SystemAct::Unshare => processes::unshare(told),
        SystemAct::Chroot => processes::chroot(told),
        SystemAct::PivotRoot => processes::pivot_root(told),
        SystemAct::Ptrace => processes::ptrace(told),
        SystemAct::ProcessVmReadv | SystemAct::ProcessVmWritev => processes::memory_access(told),
        SystemAct::PidfdGetfd => processes::pidfd_getfd(told),
        SystemAct::Prctl => processes::prctl(told),
        SystemAct::Kill => processes::kill(told),
        SystemAct::Setsid => Arguments::default(),
        SystemAct::Dup => processes::dup(told),
        SystemAct::MemfdCreate => memory::memfd_create(told),
        SystemAct::Mprotect => memory::mprotect(told),
        SystemAct::Mmap => memory::mmap(told),
        SystemAct::Userfaultfd => memory::userfaultfd(told),
        SystemAct::ModuleLoad => kernel::module_load(told),
        SystemAct::ModuleUnload => kernel::module_unload(told),
        SystemAct::Bpf => kernel::bpf(told),
        SystemAct::KexecLoad => kernel::kexec_load(told),
        SystemAct::Keyctl => kernel::keyctl(told),
        SystemAct::PerfEventOpen => kernel::perf_event_open(told),
        SystemAct::IoUringSetup => io_uring::setup(told),
        SystemAct::IoUring => io_uring::operation(told),
    }
}

/// What a hook told of an act.
struct Told {
    values: [Option<u64>; VALUES],
    path: Option<String>,
    other: Option<String>,
    text: Option<String>,
    other_text: Option<String>,
}

impl Told {
    fn read(head: &Head<'_>, fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let mut given = [0; VALUES];
        for value in &mut given {
            *value = fields.u64()?;
        }
        let known = fields.u16()?;
        let mut lengths = [0; 4];
        for length in &mut lengths {
            *length = usize::from(fields.u16()?);
        }
        fields.take(6)?;
        let [path, other, text, other_text] = lengths;
        let mut places = 0..;
        Ok(Self {
            values: given.map(|value| {
                let place: u32 = places.next()?;
                (known >> place & 1 == 1).then_some(value)
            }),
            path: components(fields.take(path)?, head.has(TRUNCATED), head.has(DETACHED))?,
            other: components(fields.take(other)?, head.has(OTHER_TRUNCATED), false)?,
            text: optional(fields.take(text)?)?,
            other_text: optional(fields.take(other_text)?)?,
        })
    }

    fn value(&self, place: usize) -> Option<u64> {
        self.values.get(place).copied().flatten()
    }

    /// The low half of a value: what the kernel knows as an unsigned int.
    fn low(&self, place: usize) -> Option<u32> {
        self.value(place).map(low)
    }

    fn signed(&self, place: usize) -> Option<i32> {
        self.low(place).map(u32::cast_signed)
    }

    /// The two halves of a value, the low one first.
    fn halves(&self, place: usize) -> Option<(u32, u32)> {
        self.value(place).map(|value| (low(value), low(value >> 32)))
    }

    /// An address that takes two values, and its port.
    fn address(&self, place: usize, family: u16, port: u16) -> Option<SocketAddr> {
        let mut bytes = [0; 16];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&self.value(place)?.to_ne_bytes());
        second.copy_from_slice(&self.value(place + 1)?.to_ne_bytes());
        ip_address(family, bytes).map(|ip| SocketAddr::new(ip, port))
    }
}

/// `AF_INET`, `AF_INET6`
const IPV4: u16 = 2;
const IPV6: u16 = 10;

/// An address as the kernel lays it out: IPv4 takes the first four bytes.
fn ip_address(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match family {
        IPV4 => Some(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        IPV6 => Some(Ipv6Addr::from(bytes).to_canonical()),
        _ => None,
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0)
}

fn components(
    bytes: &[u8],
    truncated: bool,
    detached: bool,
) -> Result<Option<String>, DecodeError> {
    match bytes {
        [] => Ok(None),
        bytes => path(bytes, "path", truncated, detached).map(Some),
    }
}

fn optional(bytes: &[u8]) -> Result<Option<String>, DecodeError> {
    match bytes {
        [] => Ok(None),
        bytes => text(bytes, "text").map(Some),
    }
}

/// Arguments in the order in which they are put in. What the hook could not tell is left out.
#[derive(Default)]
struct Arguments(Vec<Argument>);

impl Arguments {
    fn text(&mut self, name: &str, value: &impl ToString) {
        self.0.push(Argument { name: name.to_owned(), value: value.to_string() });
    }

    fn add(&mut self, name: &str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, &value);
        }
        self
    }

    fn hexadecimal(&mut self, name: &str, value: Option<u64>) -> &mut Self {
        self.add(name, value.map(|value| format!("{value:#x}")))
    }
}

#[cfg(test)]
mod tests;
