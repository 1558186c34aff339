use ipnet::IpNet;
use std::net::IpAddr;

/// Who reaches something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breadth {
    /// Private networks alone.
    Inside,
    /// Networks of at most 65,536 addresses, or of IPv6 as one site has them (RFC 6177).
    Narrow,
    /// More than that.
    Broad,
    /// Everyone.
    Everyone,
}

/// Of source ranges; none is no limit.
pub(crate) fn breadth<'r>(ranges: impl Iterator<Item = &'r str>) -> Breadth {
    ranges.map(|range| of_range(range.trim())).max().unwrap_or(Breadth::Everyone)
}

/// What can't be read lets nobody in, or everybody: it is taken for the worse.
fn of_range(range: &str) -> Breadth {
    let Ok(network) = range.parse::<IpNet>() else { return Breadth::Everyone };
    if network.prefix_len() == 0 {
        return Breadth::Everyone;
    }
    if is_private(&network) {
        return Breadth::Inside;
    }
    let longest = if network.addr().is_ipv4() { 16 } else { 48 };
    if network.prefix_len() < longest { Breadth::Broad } else { Breadth::Narrow }
}

/// RFC 1918, RFC 6598 and RFC 4193, loopback and link-local.
fn is_private(network: &IpNet) -> bool {
    let private = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    ];
    private.iter().filter_map(|one| one.parse::<IpNet>().ok()).any(|one| one.contains(network))
}

/// Whether an address is of a private network.
pub(crate) fn is_private_address(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| is_private(&IpNet::from(address)))
}
