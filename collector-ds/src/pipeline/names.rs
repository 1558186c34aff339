//! Names by which the domain name system told addresses.

use event_model::{ContainerId, DnsEvent};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many addresses are remembered: about a megabyte.
const MAXIMUM: usize = 4096;
/// Programs keep an address longer than its record's time to live; a name that old says nothing any more.
const OLDEST: Duration = Duration::from_hours(1);

/// Where an address was told: each container has name servers of its own, and may be told what it likes.
type Told = (Option<ContainerId>, IpAddr);

/// The last name by which each address was told.
#[derive(Debug, Default)]
pub struct Names {
    names: HashMap<Told, (Arc<str>, Instant)>,
    /// Oldest first. One that was told again stands here twice.
    order: VecDeque<(Told, Instant)>,
}

impl Names {
    /// Takes the addresses of an answer. They go by the name that was asked for, whatever it is an alias of.
    pub fn learn(&mut self, container: Option<&ContainerId>, answer: &DnsEvent, now: Instant) {
        if !answer.response {
            return;
        }
        for told in &answer.answers {
            let Ok(address) = told.data.parse::<IpAddr>() else { continue };
            let asked = answer.questions.first().map(|question| &question.name);
            let name = asked.unwrap_or(&told.name).as_str();
            let key = (container.cloned(), address.to_canonical());
            self.names.insert(key.clone(), (Arc::from(name), now));
            self.order.push_back((key, now));
        }
        self.forget(now);
    }

    /// The name of an address.
    pub fn of(&self, container: Option<&ContainerId>, address: IpAddr) -> Option<Arc<str>> {
        let key = (container.cloned(), address.to_canonical());
        self.names.get(&key).map(|(name, _)| Arc::clone(name))
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, at)) = self.order.front()
            && (self.order.len() > MAXIMUM || now.saturating_duration_since(*at) > OLDEST)
        {
            let Some((key, at)) = self.order.pop_front() else { return };
            if self.names.get(&key).is_some_and(|(_, told_at)| *told_at == at) {
                self.names.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_model::{DnsAnswer, DnsQuestion};

    fn answer(name: &str, address: &str) -> DnsEvent {
        let question = DnsQuestion { name: name.to_owned(), record_type: "A".to_owned() };
        let alias = DnsAnswer { data: "alias.example".to_owned(), ..DnsAnswer::default() };
        let told = DnsAnswer { data: address.to_owned(), ..DnsAnswer::default() };
        let (questions, answers) = (vec![question], vec![alias, told]);
        DnsEvent { response: true, questions, answers, ..DnsEvent::default() }
    }

    #[test]
    fn an_address_has_the_name_that_its_own_container_was_told_last() {
        let (mut names, now) = (Names::default(), Instant::now());
        let web = ContainerId::from("web");
        names.learn(Some(&web), &answer("a.example", "192.0.2.1"), now);
        names.learn(Some(&web), &answer("b.example", "192.0.2.1"), now);
        let address = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(names.of(Some(&web), address).as_deref(), Some("b.example"));
        assert_eq!(names.of(None, address), None);
    }

    #[test]
    fn few_names_are_kept_and_none_for_ever() {
        let (mut names, now) = (Names::default(), Instant::now());
        for number in 0..MAXIMUM + 10 {
            let address = format!("10.0.{}.{}", number / 256, number % 256);
            names.learn(None, &answer("a.example", &address), now);
        }
        assert_eq!((names.names.len(), names.order.len()), (MAXIMUM, MAXIMUM));
        let later = now + OLDEST + Duration::from_secs(1);
        names.learn(None, &answer("b.example", "192.0.2.1"), later);
        assert_eq!((names.names.len(), names.order.len()), (1, 1));
    }
}
