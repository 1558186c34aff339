//! The page at `/`: live alerts, the sensors' health, and what should not be so in clusters.
//!
//! Rust decides every word (`card`, `sensor_card`, `posture_card`), the templates every element. The first
//! alerts are rendered into the page; later ones come as the same cards in JSON, and the page's
//! script fills them into the same templates by `textContent` alone. Command lines are chosen by
//! attackers: nothing of them is ever read as HTML, here or there.

mod act;
mod assets;
mod card;
mod live;
mod page;
mod posture_card;
mod request;
mod sensor_card;
mod visible;

pub(crate) use assets::asset;
pub(crate) use live::{alert_card, live_alerts, status};
pub(crate) use page::{LoginPage, page};
