//! Which of the backend's addresses is tried, and when. Each has a circuit of its own: closed while it works or was
//! never tried, open while it rests after a failure, half open while it is tried again.

use super::endpoint::Endpoint;
use node_link::Pauses;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    HalfOpen,
    Open,
}

/// The backend's addresses in the order of preference.
pub(crate) struct Circuits(Mutex<Vec<Circuit>>);

struct Circuit {
    endpoint: Endpoint,
    state: State,
    pauses: Pauses,
    /// When it may be tried.
    rests_until: Instant,
}

impl Circuits {
    /// None was tried yet.
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let pauses = || Pauses::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        let circuit = |endpoint| Circuit {
            endpoint,
            state: State::Closed,
            pauses: pauses(),
            rests_until: Instant::now(),
        };
        let circuits: Vec<_> = endpoints.into_iter().map(circuit).collect();
        circuits.iter().for_each(Circuit::show);
        Self(Mutex::new(circuits))
    }

    /// How many addresses there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits for the first address that rests no longer, and begins to try it.
    pub(crate) async fn turn(&self) -> (usize, Endpoint) {
        self.turn_before(self.count()).await
    }

    /// The same among the first `end` addresses: for ever where that is none.
    pub(crate) async fn turn_before(&self, end: usize) -> (usize, Endpoint) {
        loop {
            let next = match self.look(end) {
                Ok(turn) => return turn,
                Err(next) => next,
            };
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        }
    }

    fn look(&self, end: usize) -> Result<(usize, Endpoint), Option<Instant>> {
        let mut circuits = self.lock();
        let now = Instant::now();
        let is_awake = |circuit: &Circuit| circuit.rests_until <= now;
        if let Some(place) = circuits[..end].iter().position(is_awake) {
            return Ok((place, circuits[place].begin()));
        }
        Err(circuits[..end].iter().map(|circuit| circuit.rests_until).min())
    }

    /// The address at `place`.
    pub(crate) fn endpoint(&self, place: usize) -> Endpoint {
        self.lock()[place].endpoint.clone()
    }

    /// The address answers.
    pub(crate) fn connected(&self, place: usize) {
        self.lock()[place].turn_to(State::Closed);
    }

    /// A connection to the address ended. It tells only of a failure; whether one rests, `failed` says.
    pub(crate) fn note_connection(&self, place: usize, was_acknowledged: bool, lasted: Duration) {
        self.lock()[place].pauses.note_connection(was_acknowledged, lasted);
    }

    /// The address does not answer, or not well: it rests, each time about twice as long.
    pub(crate) fn failed(&self, place: usize) {
        let mut circuits = self.lock();
        let circuit = &mut circuits[place];
        circuit.rests_until = Instant::now() + circuit.pauses.next_pause();
        circuit.turn_to(State::Open);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn begin(&mut self) -> Endpoint {
        if self.state == State::Open {
            self.turn_to(State::HalfOpen);
        }
        self.endpoint.clone()
    }

    fn turn_to(&mut self, state: State) {
        self.state = state;
        self.show();
    }

    fn show(&self) {
        let address = self.endpoint.to_string();
        for state in STATES {
            let value = if state == self.state { 1.0 } else { 0.0 };
            let labels = [("address", address.clone()), ("state", state.name().to_owned())];
            metrics::gauge!("defender_egress_circuit_state", &labels).set(value);
        }
        metrics::gauge!("defender_egress_next_attempt_timestamp_seconds", "address" => address)
            .set(self.next_attempt());
    }

    /// Seconds since 1970; 0 while none is due.
    fn next_attempt(&self) -> f64 {
        if self.state != State::Open {
            return 0.0;
        }
        let next = SystemTime::now() + self.rests_until.saturating_duration_since(Instant::now());
        next.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuits(count: usize) -> Circuits {
        let url = |number| Endpoint::of(&format!("https://backend-{number}")).unwrap();
        Circuits::new((0..count).map(url))
    }

    fn states(circuits: &Circuits) -> Vec<State> {
        circuits.lock().iter().map(|circuit| circuit.state).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_tried_first_and_the_next_while_it_rests() {
        let circuits = circuits(2);
        assert_eq!(circuits.turn().await.0, 0);
        circuits.failed(0);
        assert_eq!(circuits.turn().await.0, 1);
        assert_eq!(states(&circuits), [State::Open, State::Closed]);
        circuits.failed(1);
        let begun = Instant::now();
        circuits.turn().await;
        assert!(begun.elapsed() >= SHORTEST_PAUSE, "after {:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_preferred_one_has_its_turn_again_once_it_rested() {
        let circuits = circuits(2);
        circuits.failed(0);
        assert_eq!(circuits.turn().await.0, 1);
        circuits.connected(1);
        assert_eq!(circuits.turn_before(1).await.0, 0);
        assert_eq!(states(&circuits), [State::HalfOpen, State::Closed]);
        circuits.connected(0);
        assert_eq!(states(&circuits), [State::Closed, State::Closed]);
        let never = tokio::time::timeout(Duration::from_hours(24), circuits.turn_before(0));
        assert!(never.await.is_err(), "nothing is preferred to the first");
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_again_and_again_rests_longer_until_something_was_acknowledged() {
        let circuits = circuits(1);
        let rest = async || {
            circuits.failed(0);
            let begun = Instant::now();
            circuits.turn().await;
            begun.elapsed()
        };
        for _ in 0..10 {
            rest().await;
        }
        assert!(rest().await >= LONGEST_PAUSE);
        circuits.note_connection(0, true, Duration::ZERO);
        assert!(rest().await <= 2 * SHORTEST_PAUSE + Duration::from_millis(2));
    }
}
