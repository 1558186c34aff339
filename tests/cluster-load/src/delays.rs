//! From a change of an object to its arrival.

use event_model::{KubernetesObject, Timestamp};

/// The label by which an object tells when it was changed, in microseconds since 1970.
pub const CHANGED_AT: &str = "bench/changed-at";

/// Delays that were seen, in milliseconds.
#[derive(Debug, Default)]
pub struct Delays(Vec<f64>);

impl Delays {
    /// Notes an object that tells when it was changed.
    #[allow(clippy::cast_precision_loss)] // Microseconds of some minutes.
    pub fn note(&mut self, object: &KubernetesObject) {
        let changed = object.labels.get(CHANGED_AT).and_then(|text| text.parse::<u64>().ok());
        if let Some(changed) = changed {
            let now = Timestamp::now().0 / 1000;
            self.0.push(now.saturating_sub(changed) as f64 / 1000.0);
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The delay that this share of all was within; None where there was none.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().checked_sub(1)?);
        sorted.get(place).copied()
    }
}
