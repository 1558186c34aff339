use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_mins(1);
/// Failed attempts that are answered each with its reason, from one address and by one token, in a window. A node that
/// was set up wrongly makes a few.
const MOST_IN_A_WINDOW: u32 = 30;
/// Addresses and tokens that are counted at a time.
const MOST_COUNTED: usize = 10_000;

/// Whose failed attempts are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Token(String),
}

/// Counts failed attempts. Who has the right secret is never held up by those who have not: only failures are
/// answered differently once there are many.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<Who, (Instant, u32)>>);

impl Failures {
    /// Takes note of a failed attempt. False: there were too many from that address, or by that token.
    pub(super) fn note(&self, address: IpAddr, token: Option<&str>) -> bool {
        self.note_at(address, token, Instant::now())
    }

    fn note_at(&self, address: IpAddr, token: Option<&str>, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let few_from_there = count(&mut counts, Who::Address(network(address)), now);
        let of_token = token.map(|token| Who::Token(token.to_owned()));
        let few_by_it = of_token.is_none_or(|token| count(&mut counts, token, now));
        few_from_there && few_by_it
    }
}

fn count(counts: &mut HashMap<Who, (Instant, u32)>, who: Who, now: Instant) -> bool {
    if counts.len() >= MOST_COUNTED && !counts.contains_key(&who) {
        counts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
        if counts.len() >= MOST_COUNTED {
            return false;
        }
    }
    let (begun, count) = counts.entry(who).or_insert((now, 0));
    if now.duration_since(*begun) >= WINDOW {
        (*begun, *count) = (now, 0);
    }
    *count = count.saturating_add(1);
    *count <= MOST_IN_A_WINDOW
}

/// Whoever has an address of IPv6 has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn so_many_failures_of_an_address_are_told_apart_and_later_again() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..MOST_IN_A_WINDOW {
            assert!(failures.note_at(address(1), None, now));
        }
        assert!(!failures.note_at(address(1), None, now));
        assert!(failures.note_at(address(2), None, now));
        assert!(failures.note_at(address(1), None, now + WINDOW));
    }

    #[test]
    fn a_token_is_counted_from_wherever_it_is_tried() {
        let (failures, now) = (Failures::default(), Instant::now());
        let tried = |last| failures.note_at(address(last), Some("00"), now);
        assert!((0..30).all(tried));
        assert!(!tried(40));
    }

    #[test]
    fn the_addresses_of_a_network_of_ipv6_are_one_and_mapped_ones_are_those_of_ipv4() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), address(1));
    }

    #[test]
    fn a_flood_of_addresses_fills_no_memory() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..u32::try_from(MOST_COUNTED).unwrap() + 100 {
            let _ = failures.note_at(std::net::Ipv4Addr::from(number).into(), None, now);
        }
        assert_eq!(failures.0.lock().unwrap().len(), MOST_COUNTED);
        assert!(failures.note_at(address(1), None, now + WINDOW));
    }
}
