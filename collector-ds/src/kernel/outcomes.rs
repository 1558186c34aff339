use ebpf_probes::{ActRecord, KernelRecord, OutcomeRecord};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// A call that lasts longer has its acts told without an outcome: a call may block for ever, and an act must not wait for it.
/// `WAITING_LIMIT` of `bpf/outcome.h`.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// So many acts are kept in mind: beyond them the oldest, if it still waits, is told without its outcome.
const MOST_WAITING: usize = 4096;

/// Joins acts that the kernel told before they were done with what their calls returned. Nothing that comes in is lost.
#[derive(Default)]
pub struct Outcomes {
    /// By thread, in the order in which it did them.
    waiting: HashMap<u32, VecDeque<Waiting>>,
    /// All of them in the order in which they came, and behind the first that still waits those too that wait no longer.
    order: VecDeque<Turn>,
    taken: u64,
}

#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    since: Instant,
    thread: u32,
}

struct Waiting {
    number: u64,
    act: Box<ActRecord>,
}

impl Outcomes {
    /// Takes a record in the order of its thread, and hands on what is complete.
    pub fn take(
        &mut self,
        record: KernelRecord,
        now: Instant,
        sink: &mut impl FnMut(KernelRecord),
    ) {
        match record {
            KernelRecord::Act(act) if act.outcome_follows => self.hold(act, now, sink),
            KernelRecord::Outcome(outcome) => self.complete(&outcome, sink),
            other => sink(other),
        }
    }

    /// Whether no act waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands on what has waited too long.
    pub fn give_up(&mut self, now: Instant, sink: &mut impl FnMut(KernelRecord)) {
        while let Some(Turn { since, .. }) = self.order.front()
            && now.saturating_duration_since(*since) >= LONGEST_WAIT
        {
            self.release_oldest(sink);
        }
    }

    /// Hands on all that waits: at the end.
    pub fn give_up_all(&mut self, sink: &mut impl FnMut(KernelRecord)) {
        while !self.order.is_empty() {
            self.release_oldest(sink);
        }
    }

    fn hold(&mut self, act: Box<ActRecord>, now: Instant, sink: &mut impl FnMut(KernelRecord)) {
        if self.order.len() >= MOST_WAITING {
            self.release_oldest(sink);
        }
        self.taken += 1;
        let (number, thread) = (self.taken, act.thread);
        self.order.push_back(Turn { number, since: now, thread });
        self.waiting.entry(thread).or_default().push_back(Waiting { number, act });
    }

    /// Acts of a call before, whose outcome did not come, are told without one.
    fn complete(&mut self, outcome: &OutcomeRecord, sink: &mut impl FnMut(KernelRecord)) {
        for Waiting { mut act, .. } in self.waiting.remove(&outcome.thread).into_iter().flatten() {
            if act.call == Some(outcome.call) && act.time <= outcome.time {
                act.complete(outcome);
            }
            sink(KernelRecord::Act(act));
        }
        while self.order.front().is_some_and(|turn| !self.still_waits(*turn)) {
            self.order.pop_front();
        }
    }

    fn still_waits(&self, turn: Turn) -> bool {
        let acts = self.waiting.get(&turn.thread);
        acts.and_then(VecDeque::front).is_some_and(|oldest| oldest.number <= turn.number)
    }

    fn release_oldest(&mut self, sink: &mut impl FnMut(KernelRecord)) {
        let Some(turn) = self.order.pop_front() else { return };
        if !self.still_waits(turn) {
            return;
        }
        let Some(acts) = self.waiting.get_mut(&turn.thread) else { return };
        if let Some(Waiting { act, .. }) = acts.pop_front() {
            sink(KernelRecord::Act(act));
        }
        if acts.is_empty() {
            self.waiting.remove(&turn.thread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebpf_probes::{BootTime, CgroupKey, Identity};
    use event_model::{EventKind, FileAct, FileEvent, ProcessKey};

    const UNLINK: u32 = 87;

    fn act(thread: u32, path: &str) -> KernelRecord {
        let event =
            FileEvent { act: FileAct::Unlink, path: path.to_owned(), ..FileEvent::default() };
        KernelRecord::Act(Box::new(ActRecord {
            time: BootTime(1),
            process: ProcessKey::default(),
            thread,
            cgroup: CgroupKey::default(),
            identity: Identity::default(),
            call: Some(UNLINK),
            outcome_follows: true,
            file_system_path: None,
            event: EventKind::File(Box::new(event)),
        }))
    }

    fn outcome(thread: u32, call: u32, result: i64) -> KernelRecord {
        KernelRecord::Outcome(OutcomeRecord { time: BootTime(2), thread, call, result })
    }

    /// The paths and errors that are handed on.
    #[derive(Default)]
    struct Told(Vec<(String, Option<u16>)>);

    impl Told {
        fn note(&mut self, record: KernelRecord) {
            let KernelRecord::Act(act) = record else { panic!("no act: {record:?}") };
            let EventKind::File(event) = act.event else { panic!("no file") };
            self.0.push((event.path, event.error));
        }

        fn take(&mut self, outcomes: &mut Outcomes, record: KernelRecord, now: Instant) {
            outcomes.take(record, now, &mut |record| self.note(record));
        }
    }

    fn told(acts: &[(&str, Option<u16>)]) -> Vec<(String, Option<u16>)> {
        acts.iter().map(|(path, error)| ((*path).to_owned(), *error)).collect()
    }

    #[test]
    fn all_acts_of_a_call_get_what_it_returned_and_those_of_other_threads_do_not() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        for (thread, path) in [(1, "/a"), (2, "/b"), (1, "/c")] {
            seen.take(&mut outcomes, act(thread, path), now);
        }
        assert_eq!(seen.0, []);
        seen.take(&mut outcomes, outcome(1, UNLINK, -13), now);
        assert_eq!(seen.0, told(&[("/a", Some(13)), ("/c", Some(13))]));
        seen.take(&mut outcomes, outcome(2, UNLINK, 0), now);
        assert_eq!(seen.0.last(), told(&[("/b", Some(0))]).last());
    }

    #[test]
    fn an_act_does_not_get_the_outcome_of_another_call() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        seen.take(&mut outcomes, act(1, "/a"), now);
        seen.take(&mut outcomes, outcome(1, UNLINK + 1, 0), now);
        assert_eq!(seen.0, told(&[("/a", None)]));
    }

    #[test]
    fn an_act_whose_call_does_not_return_is_told_without_an_outcome() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        seen.take(&mut outcomes, act(1, "/a"), now);
        outcomes.give_up(now + LONGEST_WAIT / 2, &mut |record| seen.note(record));
        assert_eq!(seen.0, []);
        outcomes.give_up(now + LONGEST_WAIT, &mut |record| seen.note(record));
        assert_eq!(seen.0, told(&[("/a", None)]));
        seen.take(&mut outcomes, outcome(1, UNLINK, 0), now);
        assert_eq!(seen.0.len(), 1, "its outcome comes too late");
    }

    #[test]
    fn at_the_end_all_that_waits_is_told() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        for (thread, path) in [(1, "/a"), (2, "/b"), (1, "/c")] {
            seen.take(&mut outcomes, act(thread, path), now);
        }
        outcomes.give_up_all(&mut |record| seen.note(record));
        assert_eq!(seen.0, told(&[("/a", None), ("/b", None), ("/c", None)]));
        assert!(outcomes.waiting.is_empty());
    }

    #[test]
    fn a_completed_act_does_not_count_against_a_later_one_of_its_thread() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        seen.take(&mut outcomes, act(1, "/a"), now);
        seen.take(&mut outcomes, outcome(1, UNLINK, 0), now);
        seen.take(&mut outcomes, act(1, "/b"), now + LONGEST_WAIT);
        outcomes.give_up(now + LONGEST_WAIT, &mut |record| seen.note(record));
        assert_eq!(seen.0, told(&[("/a", Some(0))]));
        seen.take(&mut outcomes, outcome(1, UNLINK, -1), now + LONGEST_WAIT);
        assert_eq!(seen.0, told(&[("/a", Some(0)), ("/b", Some(1))]));
    }

    #[test]
    fn acts_that_were_completed_do_not_push_out_one_that_still_waits_for_a_moment() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        for _ in 0..3 * MOST_WAITING {
            seen.take(&mut outcomes, act(1, "/a"), now);
            seen.take(&mut outcomes, outcome(1, UNLINK, 0), now);
        }
        seen.take(&mut outcomes, act(1, "/b"), now);
        for _ in 0..MOST_WAITING / 2 {
            seen.take(&mut outcomes, act(2, "/c"), now);
            seen.take(&mut outcomes, outcome(2, UNLINK, 0), now);
        }
        seen.take(&mut outcomes, outcome(1, UNLINK, 0), now);
        assert!(seen.0.iter().all(|(_, error)| *error == Some(0)));
        assert!(outcomes.order.is_empty());
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_told_without_an_outcome() {
        let (mut outcomes, mut seen, now) = (Outcomes::default(), Told::default(), Instant::now());
        for thread in 0..=MOST_WAITING {
            seen.take(&mut outcomes, act(thread.try_into().unwrap(), &format!("/{thread}")), now);
        }
        assert_eq!(seen.0, told(&[("/0", None)]));
        assert!(outcomes.waiting.len() <= MOST_WAITING);
    }
}
