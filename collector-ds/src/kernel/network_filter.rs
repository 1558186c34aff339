//! What the kernel leaves out of the acts on sockets: the maps of `bpf/network_filter.h`.

use super::SensorError;
use super::shared_maps::SharedMaps;
use aya::Pod;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapError};
use ebpf_probes::{RecordKind, maps};
use event_model::NetworkAct;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// `UNIX_NAME_BYTES`, the last for a NUL.
const UNIX_NAME_BYTES: usize = 32;
/// `ABSTRACT_NAME_BYTES`, after the `@`.
const ABSTRACT_NAME_BYTES: usize = 16;

/// `enum network_setting_flags`.
const LOOPBACK: u32 = 1;
const ALL_UNIX: u32 = 1 << 1;
const IGNORES_NETWORKS: u32 = 1 << 2;

/// `PORT_IGNORED` and `PORT_OF_LOOPBACK`.
const PORT_IGNORED: u8 = 1;
const PORT_OF_LOOPBACK: u8 = 2;

/// An address of IPv4 as one of IPv6: so many bits stand before it.
const MAPPED_BITS: u8 = 96;

/// Which acts on sockets are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFilter {
    /// Connections and datagrams to the machine's own loopback addresses.
    pub loopback: bool,
    /// Ports that are reported on loopback addresses even so.
    pub loopback_ports: BTreeSet<u16>,
    /// Other ends that are not reported.
    pub ignored_networks: Vec<IpNet>,
    /// Ports of services that are not reported.
    pub ignored_ports: BTreeSet<u16>,
    /// The Unix sockets to which connections are reported.
    pub unix_sockets: UnixSockets,
    /// How many records of one kind a container's dealings with one other end get in a window. None is no limit. The
    /// others are counted.
    pub limit: Option<u64>,
    /// How long a window is.
    pub window: Duration,
}

/// Which Unix sockets matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnixSockets {
    /// All of them.
    All,
    /// Those whose file has one of these names, or whose abstract name, written with an `@`, begins with one.
    Named(BTreeSet<String>),
}

impl NetworkFilter {
    /// Leaves nothing out.
    pub const fn everything() -> Self {
        Self {
            loopback: true,
            loopback_ports: BTreeSet::new(),
            ignored_networks: Vec::new(),
            ignored_ports: BTreeSet::new(),
            unix_sockets: UnixSockets::All,
            limit: None,
            window: Duration::from_secs(10),
        }
    }

    /// Fills the maps of programs that are not attached yet.
    pub(super) fn apply(
        &self,
        shared: &mut SharedMaps,
        wanted: impl Fn(RecordKind) -> bool,
    ) -> Result<(), SensorError> {
        let settings = self.settings(wanted);
        self.fill(shared, settings)
            .map_err(|source| SensorError::Map { name: maps::NETWORK_SETTINGS, source })
    }

    /// Tells attached programs which kinds are wanted from now on. The other settings stay as they are.
    pub(super) fn want(
        &self,
        shared: &mut SharedMaps,
        wanted: impl Fn(RecordKind) -> bool,
    ) -> Result<(), SensorError> {
        let settings = self.settings(wanted);
        let Some(map) = shared.map_mut(maps::NETWORK_SETTINGS) else { return Ok(()) };
        Array::<_, Settings>::try_from(map)
            .and_then(|mut map| map.set(0, settings, 0))
            .map_err(|source| SensorError::Map { name: maps::NETWORK_SETTINGS, source })
    }

    fn settings(&self, wanted: impl Fn(RecordKind) -> bool) -> Settings {
        let first = RecordKind::Network(NetworkAct::ALL[0]).number();
        let kinds = NetworkAct::ALL.into_iter().map(RecordKind::Network);
        let bits = kinds
            .chain([RecordKind::Dns])
            .filter(|kind| wanted(*kind))
            .map(|kind| 1_u32 << (kind.number() - first));
        let flags = [
            (self.loopback, LOOPBACK),
            (self.unix_sockets == UnixSockets::All, ALL_UNIX),
            (!self.ignored_networks.is_empty(), IGNORES_NETWORKS),
        ];
        Settings {
            wanted: bits.sum(),
            flags: flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum(),
            window: u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX),
            limit: self.limit.unwrap_or(0),
        }
    }

    fn fill(&self, shared: &mut SharedMaps, settings: Settings) -> Result<(), MapError> {
        if let Some(map) = shared.map_mut(maps::NETWORK_SETTINGS) {
            Array::<_, Settings>::try_from(map)?.set(0, settings, 0)?;
        }
        if let Some(map) = shared.map_mut(maps::IGNORED_NETWORKS) {
            let mut networks: LpmTrie<_, [u8; 16], u8> = map.try_into()?;
            for network in &self.ignored_networks {
                networks.insert(&prefix(network), 1, 0)?;
            }
        }
        if let Some(map) = shared.map_mut(maps::NETWORK_PORTS) {
            let mut ports: HashMap<_, u16, u8> = map.try_into()?;
            for (port, bits) in self.ports() {
                ports.insert(port, bits, 0)?;
            }
        }
        if let (Some(map), UnixSockets::Named(wanted)) =
            (shared.map_mut(maps::UNIX_NAMES), &self.unix_sockets)
        {
            let mut names: HashMap<_, [u8; UNIX_NAME_BYTES], u8> = map.try_into()?;
            for name in wanted {
                names.insert(unix_key(name), 1, 0)?;
            }
        }
        Ok(())
    }

    fn ports(&self) -> BTreeMap<u16, u8> {
        let mut ports = BTreeMap::new();
        for port in &self.ignored_ports {
            *ports.entry(*port).or_default() |= PORT_IGNORED;
        }
        for port in &self.loopback_ports {
            *ports.entry(*port).or_default() |= PORT_OF_LOOPBACK;
        }
        ports
    }
}

/// `struct network_settings`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    wanted: u32,
    flags: u32,
    window: u64,
    limit: u64,
}

// SAFETY: integers without padding: any bytes are a value.
unsafe impl Pod for Settings {}

fn prefix(network: &IpNet) -> Key<[u8; 16]> {
    let (bits, address) = match network.network() {
        IpAddr::V4(address) => (network.prefix_len() + MAPPED_BITS, address.to_ipv6_mapped()),
        IpAddr::V6(address) => (network.prefix_len(), address),
    };
    Key::new(bits.into(), address.octets())
}

/// As the kernel's programs look names up: of abstract ones they know the beginning.
fn unix_key(name: &str) -> [u8; UNIX_NAME_BYTES] {
    let longest = if name.starts_with('@') { 1 + ABSTRACT_NAME_BYTES } else { UNIX_NAME_BYTES - 1 };
    let mut key = [0; UNIX_NAME_BYTES];
    for (place, byte) in key.iter_mut().zip(name.bytes().take(longest)) {
        *place = byte;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_asked_for() {
        let connects = |kind| kind == RecordKind::Network(NetworkAct::Connect);
        let filter = NetworkFilter { limit: Some(7), ..NetworkFilter::everything() };
        let settings = filter.settings(connects);
        assert_eq!(settings.wanted, 1 << (NetworkAct::Connect as u32));
        assert_eq!((settings.flags, settings.limit), (LOOPBACK | ALL_UNIX, 7));
        assert_eq!(settings.window, 10_000_000_000);
        assert_eq!(filter.settings(|kind| kind == RecordKind::Dns).wanted, 1 << 16);
    }

    #[test]
    fn a_port_may_have_two_meanings() {
        let filter = NetworkFilter {
            ignored_ports: [53, 80].into(),
            loopback_ports: [80, 2375].into(),
            ..NetworkFilter::everything()
        };
        assert_eq!(filter.ports(), [(53, 1), (80, 3), (2375, 2)].into());
    }

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert!(unix_key("docker.sock").starts_with(b"docker.sock\0"));
        assert!(unix_key("@/containerd-shim/12.sock").starts_with(b"@/containerd-shim\0"));
        assert_eq!(unix_key(&"x".repeat(40))[UNIX_NAME_BYTES - 1], 0);
    }
}
