//! Many networks, of which an address is looked up by halving.

use crate::network::Network;
use std::net::IpAddr;

/// Addresses of any of some networks, as ranges that neither overlap nor touch.
#[derive(Debug, Default)]
pub(crate) struct NetworkSet {
    /// First and last address, in ascending order.
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl NetworkSet {
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network.range() {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.to_bits(), last.to_bits())),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.to_bits(), last.to_bits())),
                _ => {}
            }
        }
        let v4 = merged(v4, |address| address.saturating_add(1));
        Self { v4, v6: merged(v6, |address| address.saturating_add(1)) }
    }

    /// Whether the address is of one of the networks. An IPv4 address within an IPv6 one is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => is_within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_within(&self.v6, address.to_bits()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub fn has_v6(&self) -> bool {
        !self.v6.is_empty()
    }
}

fn merged<A: Copy + Ord>(mut ranges: Vec<(A, A)>, next: fn(A) -> A) -> Box<[(A, A)]> {
    ranges.sort_unstable();
    let mut merged: Vec<(A, A)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= next(before.1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

fn is_within<A: Copy + Ord>(ranges: &[(A, A)], address: A) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= address);
    behind.checked_sub(1).is_some_and(|place| address <= ranges[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn ranges_that_touch_become_one() {
        let networks = ["10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/32", "255.255.255.255", "::/0"];
        let set = NetworkSet::new(networks.iter().filter_map(|text| Network::parse(text)));
        assert_eq!((set.v4.len(), set.v6.len()), (3, 1));
        assert!(set.contains("10.200.0.1".parse().unwrap()));
        assert!(set.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!set.contains("0.0.0.1".parse().unwrap()));
        assert!(set.contains("255.255.255.255".parse().unwrap()));
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        let v4 = (0..64_u32).prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits << 26 | bits)));
        let v6 = (0..64_u128).prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits << 120 | bits)));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn a_set_holds_what_one_of_its_networks_holds(
            networks in prop::collection::vec((address(), 0..=32_u32), 0..20),
            asked in address(),
        ) {
            let parsed = |(address, prefix): &(IpAddr, u32)| Network::parse(&format!("{address}/{prefix}"));
            let networks: Vec<Network> = networks.iter().filter_map(parsed).collect();
            let one_holds = networks.iter().any(|network| network.contains(asked));
            prop_assert_eq!(NetworkSet::new(networks).contains(asked), one_holds);
        }
    }
}
