use event_model::usual_uuid;
use packed_map::PackedMap;
use std::collections::HashMap;
use uuid::Uuid;

/// A value for each uid. All servers make UUIDs, which take 16 bytes; the API only promises a string.
#[derive(Debug)]
pub(super) struct UidMap<V> {
    uuids: PackedMap<Uuid, V>,
    others: HashMap<Box<str>, V>,
}

impl<V> Default for UidMap<V> {
    fn default() -> Self {
        Self { uuids: PackedMap::default(), others: HashMap::new() }
    }
}

impl<V> UidMap<V> {
    /// Returns what stood there.
    pub(super) fn insert(&mut self, uid: &str, value: V) -> Option<V> {
        match usual_uuid(uid) {
            Some(usual) => self.uuids.insert(usual, value),
            None => self.others.insert(uid.into(), value),
        }
    }

    pub(super) fn get(&self, uid: &str) -> Option<&V> {
        match usual_uuid(uid) {
            Some(usual) => self.uuids.get(&usual),
            None => self.others.get(uid),
        }
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<V> {
        match usual_uuid(uid) {
            Some(usual) => self.uuids.remove(&usual),
            None => self.others.remove(uid),
        }
    }

    /// Takes out those that are so, and returns their uids.
    pub(super) fn take_where(&mut self, is_so: impl Fn(&V) -> bool) -> Vec<String> {
        let uuids = self.uuids.take_where(&is_so).into_iter().map(|uuid| uuid.to_string());
        let others = self.others.extract_if(|_, value| is_so(value));
        uuids.chain(others.map(|(uid, _)| uid.into())).collect()
    }

    /// The first `most` UUIDs behind another, in order.
    pub(super) fn uuids_behind(&self, after: Option<Uuid>, most: usize) -> Vec<Uuid> {
        self.uuids.keys_behind(after).take(most).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.uuids.len() + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use super::UidMap;
    use uuid::Uuid;

    #[test]
    fn uuids_come_in_order_and_in_parts() {
        let mut map = UidMap::default();
        map.insert("not-a-uuid", 0);
        for number in (1..=100_u128).rev() {
            map.insert(&Uuid::from_u128(number * 7 % 101).to_string(), 0);
        }
        let (mut all, mut after) = (vec![], None);
        loop {
            let part = map.uuids_behind(after, 30);
            assert!(part.len() <= 30);
            after = part.last().copied().or(after);
            if part.is_empty() {
                break;
            }
            all.extend(part);
        }
        assert_eq!(all, (1..=100).map(Uuid::from_u128).collect::<Vec<_>>());
    }

    #[test]
    fn every_uid_is_found_again_as_it_was() {
        let uids = [
            "0E37DF36-F698-11E6-8DD4-CB9CED3DF976",
            "0e37df36-f698-11e6-8dd4-cb9ced3df976",
            "0e37df36f69811e68dd4cb9ced3df976",
            "not-a-uuid",
        ];
        let mut map = UidMap::default();
        for (value, uid) in uids.iter().enumerate() {
            assert_eq!(map.insert(uid, value), None);
        }
        assert_eq!((map.len(), map.get(uids[2])), (4, Some(&2)));
        assert_eq!(map.remove(uids[1]), Some(1));
        let mut left = map.take_where(|_| true);
        left.sort();
        assert_eq!(left, [uids[0], uids[2], uids[3]]);
        assert_eq!(map.len(), 0);
    }
}
