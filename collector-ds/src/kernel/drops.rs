use ebpf_probes::RecordKind;

/// How many records of each kind did not fit into the kernel's ring since the programs were loaded: every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    counts: [u64; RecordKind::ALL.len()],
}

impl Default for Drops {
    fn default() -> Self {
        Self { counts: [0; RecordKind::ALL.len()] }
    }
}

impl Drops {
    /// How many records of `kind` were dropped.
    pub fn of(&self, kind: RecordKind) -> u64 {
        self.each().find(|(each, _)| *each == kind).map_or(0, |(_, count)| count)
    }

    /// All kinds with their counts.
    pub fn each(&self) -> impl Iterator<Item = (RecordKind, u64)> + '_ {
        RecordKind::ALL.into_iter().zip(self.counts)
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts each kind by asking `count`.
    pub(super) fn read<E>(mut count: impl FnMut(RecordKind) -> Result<u64, E>) -> Result<Self, E> {
        let mut drops = Self::default();
        for (place, kind) in drops.counts.iter_mut().zip(RecordKind::ALL) {
            *place = count(kind)?;
        }
        Ok(drops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_keeps_its_own_count() {
        let drops =
            Drops::read(|kind| Ok::<_, ()>(if kind == RecordKind::Fork { 3 } else { 1 })).unwrap();
        assert_eq!(drops.of(RecordKind::Fork), 3);
        assert_eq!(drops.of(RecordKind::Exec), 1);
        assert_eq!(drops.total(), 2 + u64::try_from(RecordKind::ALL.len()).unwrap());
    }
}
