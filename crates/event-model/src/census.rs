use crate::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which objects of one kind there are in a cluster, of those whose uids lie in a range: what makes good a deletion that
/// was lost on its way.
///
/// It says: each object of the kind that ever was at a state up to `resource_version`, whose uid lies in the range, and
/// which is not named here, is gone. A uid is never given twice, so that stays true for ever, and does not depend on
/// what arrives before or after it. Of objects that came later, and of uids that [`usual_uuid`] does not know, it says
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubernetesCensus {
    /// The API group; empty for the core group.
    pub group: String,
    /// Such as `Pod`.
    pub kind: String,
    /// The state of the cluster up to which it says something: see above. A decimal number.
    pub resource_version: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The range begins behind this uid. None: with the first.
    pub after: Option<Uuid>,
    /// The range ends with this uid. None: with the last.
    pub through: Option<Uuid>,
    /// Those that may be there, in ascending order, all of the range. Some of them may be gone, or have come later.
    pub uids: Vec<Uuid>,
}

impl KubernetesCensus {
    /// Whether an object of this uid may be there, or nothing is said of it.
    pub fn spares(&self, uid: &str) -> bool {
        usual_uuid(uid).is_none_or(|uid| !self.covers(uid) || self.uids.binary_search(&uid).is_ok())
    }

    /// Whether the range has this uid in it.
    pub fn covers(&self, uid: Uuid) -> bool {
        self.after.is_none_or(|after| uid > after)
            && self.through.is_none_or(|through| uid <= through)
    }

    /// Whether its uids are in order and all of its range.
    pub fn is_sorted(&self) -> bool {
        let is_ascending = self.uids.is_sorted_by(|one, next| one < next);
        is_ascending && self.uids.iter().all(|uid| self.covers(*uid))
    }
}

/// The group of an `apiVersion`: `apps` of `apps/v1`, nothing of `v1`.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// A uid as the UUID that it is, where it is spelt as API servers spell them: with hyphens, in small letters. As texts
/// such uids have the order that they have as UUIDs.
pub fn usual_uuid(text: &str) -> Option<Uuid> {
    let mut buffer = Uuid::encode_buffer();
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::{KubernetesCensus, group_of, usual_uuid};
    use uuid::Uuid;

    fn uid(number: u128) -> String {
        Uuid::from_u128(number).to_string()
    }

    #[test]
    fn a_census_spares_whom_it_names_and_all_beyond_its_range() {
        let [after, through, named] = [10, 20, 15].map(Uuid::from_u128);
        let census = KubernetesCensus {
            after: Some(after),
            through: Some(through),
            uids: vec![named],
            ..KubernetesCensus::default()
        };
        let gone: Vec<u128> = (0..30).filter(|number| !census.spares(&uid(*number))).collect();
        assert_eq!(gone, [11, 12, 13, 14, 16, 17, 18, 19, 20]);
        assert!(census.is_sorted());
        let everywhere = KubernetesCensus::default();
        assert!(!everywhere.spares(&uid(0)) && !everywhere.spares(&uid(u128::MAX)));
        assert!(everywhere.spares("no-uuid") && everywhere.spares(&"0".repeat(32)));
    }

    #[test]
    fn uids_out_of_order_or_range_are_noticed() {
        let uids = |numbers: &[u128]| numbers.iter().map(|it| Uuid::from_u128(*it)).collect();
        let census = |uids| KubernetesCensus {
            through: Some(Uuid::from_u128(5)),
            uids,
            ..KubernetesCensus::default()
        };
        assert!(census(uids(&[1, 2, 5])).is_sorted());
        for wrong in [&[2, 1][..], &[1, 1], &[6]] {
            assert!(!census(uids(wrong)).is_sorted(), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_usual_spelling_is_a_usual_uuid() {
        let text = "0e37df36-f698-11e6-8dd4-cb9ced3df976";
        assert_eq!(usual_uuid(text).unwrap().to_string(), text);
        for other in [&*text.to_uppercase(), &text.replace('-', ""), "", "uid-1"] {
            assert_eq!(usual_uuid(other), None, "{other}");
        }
    }

    #[test]
    fn the_group_of_the_core_is_empty() {
        assert_eq!((group_of("v1"), group_of("apps/v1")), ("", "apps"));
    }
}
