//! Addresses and networks that rules compare with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in CIDR notation; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// Its highest bits are the network's.
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or an address. None where the text is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Its first and its last address.
    pub fn range(&self) -> (IpAddr, IpAddr) {
        match self.address {
            IpAddr::V4(address) => {
                let hosts = u32::MAX.checked_shr(self.prefix).unwrap_or(0);
                let (first, last) = (address.to_bits() & !hosts, address.to_bits() | hosts);
                (Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(last).into())
            }
            IpAddr::V6(address) => {
                let hosts = u128::MAX.checked_shr(self.prefix).unwrap_or(0);
                let (first, last) = (address.to_bits() & !hosts, address.to_bits() | hosts);
                (Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(last).into())
            }
        }
    }

    /// Whether the address is of this network: [`NetworkSet`](crate::network_set::NetworkSet) is held to it. An IPv4 address within an IPv6 one is that IPv4 address.
    #[cfg(test)]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Whether a text is an address, or a network in CIDR notation.
pub fn is_network(text: &str) -> bool {
    Network::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::Network;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1/8", "127.9.9.9"), "bits behind the prefix do not count");
        assert!(contains("0.0.0.0/0", "255.1.2.3") && !contains("0.0.0.0/0", "::2"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("fd00::/8", "fdff::1") && !contains("fd00::/8", "fe80::1"));
        assert!(contains("::/0", "::1") && contains("10.0.0.0/8", "::ffff:10.1.1.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "example.com", "10.0.0.0/", ""] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }
}
