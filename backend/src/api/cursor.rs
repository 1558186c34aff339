//! Where the next page begins, as a text that clients hand back and never read.

use super::problem::Problem;
use super::query::{Query, bad_value};
use crate::hexadecimal;
use crate::store::{
    AlertCursor, AuditCursor, ChangeCursor, EnrolmentCursor, EventCursor, FindingCursor,
    ImageCursor, InventoryCursor, KubernetesEventCursor, ObjectCursor, SensorCursor,
};

/// A place in a list.
pub(crate) trait Cursor: Sized {
    /// Tells the lists apart: a cursor of one is none of another.
    const KIND: u8;

    fn write(&self, bytes: &mut Vec<u8>);
    fn read(bytes: &mut &[u8]) -> Option<Self>;

    fn to_text(&self) -> String {
        let mut bytes = vec![Self::KIND];
        self.write(&mut bytes);
        hexadecimal::encode(&bytes)
    }

    fn from_text(text: &str) -> Option<Self> {
        let bytes = hexadecimal::decode(text)?;
        let (kind, mut rest) = bytes.split_first()?;
        let cursor = Self::read(&mut rest)?;
        (*kind == Self::KIND && rest.is_empty()).then_some(cursor)
    }
}

/// The cursor of a request.
pub(super) fn of_query<C: Cursor>(query: &mut Query) -> Result<Option<C>, Problem> {
    let Some(text) = query.text("cursor") else { return Ok(None) };
    let expected = "the \"next\" of an earlier page of this list";
    C::from_text(&text).map(Some).ok_or_else(|| bad_value("cursor", text, expected))
}

fn number(bytes: &mut &[u8]) -> Option<i64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i64::from_be_bytes(*number))
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&text.as_bytes()[..length.into()]);
}

impl Cursor for AlertCursor {
    const KIND: u8 = 1;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.time.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { time: number(bytes)?, number: number(bytes)? })
    }
}

impl Cursor for EventCursor {
    const KIND: u8 = 2;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.day.map_or(i64::MIN, i64::from).to_be_bytes());
        for number in [self.time, self.source, self.sequence] {
            bytes.extend(number.to_be_bytes());
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let day = match number(bytes)? {
            i64::MIN => None,
            day => Some(i32::try_from(day).ok()?),
        };
        Some(Self { day, time: number(bytes)?, source: number(bytes)?, sequence: number(bytes)? })
    }
}

impl Cursor for SensorCursor {
    const KIND: u8 = 3;

    fn write(&self, bytes: &mut Vec<u8>) {
        for part in [&self.cluster, &self.node, &self.component] {
            write_text(bytes, part);
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { cluster: text(bytes)?, node: text(bytes)?, component: text(bytes)? })
    }
}

impl Cursor for InventoryCursor {
    const KIND: u8 = 4;

    fn write(&self, bytes: &mut Vec<u8>) {
        write_text(bytes, &self.name);
        bytes.extend(self.number.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { name: text(bytes)?, number: number(bytes)? })
    }
}

impl Cursor for AuditCursor {
    const KIND: u8 = 5;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        AlertCursor::read(bytes).map(Self)
    }
}

impl Cursor for EnrolmentCursor {
    const KIND: u8 = 6;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.0.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        number(bytes).map(Self)
    }
}

impl Cursor for ObjectCursor {
    const KIND: u8 = 7;

    fn write(&self, bytes: &mut Vec<u8>) {
        for part in [&self.kind, &self.namespace, &self.name] {
            write_text(bytes, part);
        }
        bytes.extend(self.number.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (kind, namespace, name) = (text(bytes)?, text(bytes)?, text(bytes)?);
        Some(Self { kind, namespace, name, number: number(bytes)? })
    }
}

impl Cursor for ChangeCursor {
    const KIND: u8 = 8;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        AlertCursor::read(bytes).map(Self)
    }
}

impl Cursor for ImageCursor {
    const KIND: u8 = 9;

    fn write(&self, bytes: &mut Vec<u8>) {
        write_text(bytes, &self.0);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        text(bytes).map(Self)
    }
}

impl Cursor for KubernetesEventCursor {
    const KIND: u8 = 10;

    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        AlertCursor::read(bytes).map(Self)
    }
}

impl Cursor for FindingCursor {
    const KIND: u8 = 11;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.severity.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { severity: number(bytes)?, number: number(bytes)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_cursor_survives_its_text(
            day in any::<Option<i32>>(), time: i64, source: i64, sequence: i64,
            cluster in "\\PC{0,20}", node in "\\PC{0,20}", component in "\\PC{0,20}",
        ) {
            let event = EventCursor { day, time, source, sequence };
            prop_assert_eq!(EventCursor::from_text(&event.to_text()), Some(event));
            let alert = AlertCursor { time, number: source };
            prop_assert_eq!(AlertCursor::from_text(&alert.to_text()), Some(alert));
            let item = InventoryCursor { name: node.clone(), number: source };
            prop_assert_eq!(InventoryCursor::from_text(&item.to_text()), Some(item));
            let request = AuditCursor(alert);
            prop_assert_eq!(AuditCursor::from_text(&request.to_text()), Some(request));
            let change = ChangeCursor(alert);
            prop_assert_eq!(ChangeCursor::from_text(&change.to_text()), Some(change));
            let note = KubernetesEventCursor(alert);
            prop_assert_eq!(KubernetesEventCursor::from_text(&note.to_text()), Some(note));
            let finding = FindingCursor { severity: time, number: source };
            prop_assert_eq!(FindingCursor::from_text(&finding.to_text()), Some(finding));
            let image = ImageCursor(node.clone());
            prop_assert_eq!(ImageCursor::from_text(&image.to_text()), Some(image));
            let (kind, namespace, name) = (cluster.clone(), node.clone(), component.clone());
            let object = ObjectCursor { kind, namespace, name, number: time };
            prop_assert_eq!(ObjectCursor::from_text(&object.to_text()), Some(object));
            let sensor = SensorCursor { cluster, node, component };
            prop_assert_eq!(SensorCursor::from_text(&sensor.to_text()), Some(sensor));
            prop_assert_eq!(AlertCursor::from_text(&event.to_text()), None);
        }

        #[test]
        fn a_text_that_is_no_cursor_is_refused(text in "\\PC{0,80}|[0-9a-f]{0,80}") {
            for cursor in [AlertCursor::from_text(&text).map(|cursor| cursor.to_text()),
                EventCursor::from_text(&text).map(|cursor| cursor.to_text()),
                SensorCursor::from_text(&text).map(|cursor| cursor.to_text())].into_iter().flatten()
            {
                prop_assert_eq!(&cursor, &text);
            }
        }
    }
}
