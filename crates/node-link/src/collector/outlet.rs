use super::outbox::Outbox;
use event_model::Record;

/// Where records go.
pub trait Outlet {
    /// Takes a record. Never blocks; what does not fit is counted by the taker.
    fn send(&self, record: Record);

    /// Whether there is room for more without anything being dropped soon. Who can make others wait asks before it sends.
    fn has_room(&self) -> bool {
        true
    }

    /// Whether entities did not fit since this was last true, and there is room now to send them again.
    fn take_entity_loss(&self) -> bool;

    /// The same of the inventory. Never, where nothing is lost.
    fn take_inventory_loss(&self) -> bool {
        false
    }
}

impl Outlet for Outbox {
    fn send(&self, record: Record) {
        Self::send(self, record);
    }

    fn has_room(&self) -> bool {
        Self::has_room(self)
    }

    fn take_entity_loss(&self) -> bool {
        Self::take_entity_loss(self)
    }

    fn take_inventory_loss(&self) -> bool {
        Self::take_inventory_loss(self)
    }
}
