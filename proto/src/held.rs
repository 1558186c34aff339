//! Alerts that were held back, to the wire and back.

use crate::from_wire::{ConversionError, Result, unknown, uuid};
use crate::wire;
use event_model as model;
use model::HeldReason;

impl From<&model::HeldAlerts> for wire::HeldAlerts {
    fn from(held: &model::HeldAlerts) -> Self {
        let (reason, suppression) = match &held.reason {
            HeldReason::Repeated { .. } => (wire::HeldReason::Repeated, String::new()),
            HeldReason::RateLimited { .. } => (wire::HeldReason::RateLimited, String::new()),
            HeldReason::Suppressed { suppression } => {
                (wire::HeldReason::Suppressed, suppression.clone())
            }
        };
        Self {
            rule: held.rule.clone(),
            reason: reason.into(),
            alert: held.reason.alert().map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            suppression,
            count: held.count,
            since: held.since.0,
            until: held.until.0,
        }
    }
}

impl TryFrom<wire::HeldAlerts> for model::HeldAlerts {
    type Error = ConversionError;

    fn try_from(raw: wire::HeldAlerts) -> Result<Self> {
        let alert = || uuid(&raw.alert, "held_alerts.alert");
        let reason = match wire::HeldReason::try_from(raw.reason) {
            Ok(wire::HeldReason::Repeated) => HeldReason::Repeated { alert: alert()? },
            Ok(wire::HeldReason::RateLimited) => HeldReason::RateLimited { alert: alert()? },
            Ok(wire::HeldReason::Suppressed) => {
                HeldReason::Suppressed { suppression: raw.suppression }
            }
            Ok(wire::HeldReason::Unspecified) | Err(_) => {
                return Err(unknown("held_alerts.reason", raw.reason));
            }
        };
        Ok(Self {
            rule: raw.rule,
            reason,
            count: raw.count,
            since: model::Timestamp(raw.since),
            until: model::Timestamp(raw.until),
        })
    }
}
