//! Splits the body of a webhook's request, an `EventList` of `audit.k8s.io/v1`, into its events while it comes.
//!
//! No more of a list is held than one event that is not whole yet. What is between events is checked as far as JSON
//! needs it (RFC 8259); each event is left to [`parse_item`](crate::parse_item), so that one that is broken spoils no other.

/// Names of fields, and the values of `kind` and `apiVersion`: longer ones are no list's.
const LONGEST_WORD: usize = 256;
/// Room for one event that is kept for the next.
const LARGEST_IDLE: usize = 64 << 10;
/// A larger event is given all the room that it may take.
const LARGEST_GROWN: usize = 256 << 10;

/// An event of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Its JSON.
    Whole(&'a [u8]),
    /// It is beyond the bound, and nothing of it is kept.
    TooLarge,
}

/// Why a body is no list of audit events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each variant's message says it.
pub enum ListError {
    #[error("{what} was expected at byte {at}: a body is an EventList of audit.k8s.io/v1 as JSON")]
    Syntax { what: &'static str, at: u64 },
    #[error("`{field}` is {found:?} and must be {expected:?}")]
    Kind { field: &'static str, expected: &'static str, found: String },
    #[error("`{0}` is missing: a body is an EventList of audit.k8s.io/v1")]
    Missing(&'static str),
    #[error("the list has `{0}` twice")]
    Twice(&'static str),
    #[error("the name of a field of the list has an escape")]
    Escape,
    #[error("the body ends at byte {at}, within the list")]
    Ends { at: u64 },
}

/// A list that comes in pieces.
///
/// Invariant: `held` is what came of the item that has not ended, or is empty where that is beyond the bound
/// (`item_bytes` goes on).
#[derive(Debug)]
pub struct EventList {
    place: Place,
    most: usize,
    /// Bytes that were read.
    at: u64,
    /// Of the name of a field, or of a text that is looked at.
    word: Vec<u8>,
    word_is_cut: bool,
    value: Value,
    held: Vec<u8>,
    item_bytes: usize,
    seen: Seen,
}

/// The fields that came.
#[derive(Debug, Default)]
struct Seen {
    kind: bool,
    api_version: bool,
    items: bool,
}

/// Where in the list the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// After `{`.
    FirstField,
    /// After a comma.
    Field,
    Name {
        escaped: bool,
    },
    Colon,
    ValueStart,
    /// A text that is kept: `kind` or `apiVersion`.
    Word {
        escaped: bool,
    },
    /// A value that is passed over.
    Skipped,
    AfterValue,
    /// After `[`.
    FirstItem,
    /// After a comma.
    NextItem,
    InItem,
    AfterItem,
    End,
}

/// Which field's value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Kind,
    ApiVersion,
    Items,
    Other,
}

/// How far a value is read whose structure alone counts. Neither nesting nor length costs memory.
#[derive(Clone, Copy, Debug)]
struct Value {
    field: Field,
    depth: u64,
    part: Part,
}

/// What of a value the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    /// Of a list or an object, outside of texts.
    Structure,
    Text,
    /// After a backslash.
    Escape,
    /// A number, `true`, `false` or `null`: it ends where something else begins.
    Scalar,
}

/// What a byte means for a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Inside,
    /// The byte is the value's last.
    Last,
    /// The value ended before the byte.
    Before,
}

impl Value {
    const fn of(field: Field) -> Self {
        Self { field, depth: 0, part: Part::Start }
    }

    fn take(&mut self, byte: u8) -> Step {
        match (self.part, byte) {
            (Part::Escape, _) | (Part::Start | Part::Structure, b'"') => self.part = Part::Text,
            (Part::Text, b'\\') => self.part = Part::Escape,
            (Part::Text, b'"') => return self.close(),
            (Part::Start | Part::Structure, b'{' | b'[') => {
                self.depth += 1;
                self.part = Part::Structure;
            }
            (Part::Start, _) => self.part = Part::Scalar,
            (Part::Structure, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                return self.close();
            }
            (Part::Scalar, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') => {
                return Step::Before;
            }
            (Part::Text | Part::Structure | Part::Scalar, _) => {}
        }
        Step::Inside
    }

    /// After the end of a text, a list or an object.
    fn close(&mut self) -> Step {
        self.part = Part::Structure;
        if self.depth == 0 { Step::Last } else { Step::Inside }
    }

    /// How many of the next bytes change nothing: the inside of a text.
    fn plain(&self, bytes: &[u8]) -> usize {
        if self.part != Part::Text {
            return 0;
        }
        memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
    }
}

impl EventList {
    /// Of events of at most so many bytes; larger ones are passed over.
    pub const fn new(most: usize) -> Self {
        Self {
            place: Place::Start,
            most,
            at: 0,
            word: vec![],
            word_is_cut: false,
            value: Value::of(Field::Other),
            held: vec![],
            item_bytes: 0,
            seen: Seen { kind: false, api_version: false, items: false },
        }
    }

    /// Takes a piece up to the end of its first event, and gives that away. Returns how many bytes it took: what is left is to be
    /// pushed again.
    ///
    /// # Errors
    /// The body is no list. What was given away before stands.
    pub fn push<'a>(&'a mut self, piece: &'a [u8]) -> Result<(usize, Option<Item<'a>>), ListError> {
        self.give_back_room();
        let begun_before = self.place == Place::InItem;
        let mut start = begun_before.then_some(0);
        let mut next = 0;
        while let Some(byte) = piece.get(next) {
            if self.place == Place::InItem || self.place == Place::Skipped {
                next += self.value.plain(&piece[next..]);
                let Some(byte) = piece.get(next) else { break };
                let step = self.value.take(*byte);
                next += usize::from(step != Step::Before);
                if step == Step::Inside {
                    continue;
                }
                if let Some(end) = self.end_of_value() {
                    self.place = end;
                    continue;
                }
                self.place = Place::AfterItem;
                self.at += next as u64;
                return Ok((next, Some(self.item(&piece[start.unwrap_or(0)..next]))));
            }
            self.between(*byte, next)?;
            if self.place == Place::InItem {
                start = Some(next);
                continue;
            }
            if self.place != Place::Skipped {
                next += 1;
            }
        }
        if let Some(start) = start.filter(|_| self.place == Place::InItem) {
            self.hold(&piece[start..]);
        }
        self.at += piece.len() as u64;
        Ok((piece.len(), None))
    }

    /// The body has ended.
    ///
    /// # Errors
    /// It ended within the list, or was none.
    pub fn end(&self) -> Result<(), ListError> {
        if self.place != Place::End {
            return Err(ListError::Ends { at: self.at });
        }
        let Seen { kind, api_version, items } = self.seen;
        for (is_there, name) in [(kind, "kind"), (api_version, "apiVersion"), (items, "items")] {
            if !is_there {
                return Err(ListError::Missing(name));
            }
        }
        Ok(())
    }

    /// Bytes that are held of an event that is not whole yet.
    pub const fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Where a value ended that is no item.
    fn end_of_value(&self) -> Option<Place> {
        (self.place == Place::Skipped).then_some(Place::AfterValue)
    }

    /// The item of which `rest` is the end.
    fn item<'a>(&'a mut self, rest: &'a [u8]) -> Item<'a> {
        if self.item_bytes + rest.len() > self.most {
            return Item::TooLarge;
        }
        // The common case: nothing is copied.
        if self.item_bytes == 0 {
            return Item::Whole(rest);
        }
        self.held.extend_from_slice(rest);
        Item::Whole(&self.held)
    }

    fn hold(&mut self, part: &[u8]) {
        self.item_bytes += part.len();
        if self.item_bytes <= self.most {
            if self.item_bytes > LARGEST_GROWN {
                // The pages of this room count as they are used; growing would copy them.
                self.held.reserve_exact(self.most - self.held.len());
            }
            self.held.extend_from_slice(part);
        } else {
            self.held = vec![];
        }
    }

    fn give_back_room(&mut self) {
        if self.place == Place::InItem {
            return;
        }
        self.item_bytes = 0;
        if self.held.capacity() > LARGEST_IDLE {
            self.held = vec![];
        }
        self.held.clear();
    }

    /// A byte outside of events and of values that are passed over.
    fn between(&mut self, byte: u8, offset: usize) -> Result<(), ListError> {
        match self.place {
            Place::Name { escaped } => return self.take_name(byte, escaped),
            Place::Word { escaped } => return self.take_word(byte, escaped),
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => return Ok(()),
            _ => {}
        }
        self.place = match (self.place, byte) {
            (Place::Start, b'{') => Place::FirstField,
            (Place::FirstField | Place::Field, b'"') => {
                self.begin_word();
                Place::Name { escaped: false }
            }
            (Place::FirstField | Place::AfterValue, b'}') => Place::End,
            (Place::Colon, b':') => Place::ValueStart,
            (Place::ValueStart, _) => self.begin_value(byte, offset)?,
            (Place::AfterValue, b',') => Place::Field,
            (Place::FirstItem | Place::AfterItem, b']') => Place::AfterValue,
            (Place::AfterItem, b',') => Place::NextItem,
            (Place::FirstItem | Place::NextItem, first) if begins_value(first) => {
                self.value = Value::of(Field::Items);
                Place::InItem
            }
            _ => return Err(self.unexpected(offset)),
        };
        Ok(())
    }

    fn begin_word(&mut self) {
        self.word.clear();
        self.word_is_cut = false;
    }

    fn keep_of_word(&mut self, byte: u8) {
        if self.word.len() < LONGEST_WORD {
            self.word.push(byte);
        } else {
            self.word_is_cut = true;
        }
    }

    fn take_name(&mut self, byte: u8, escaped: bool) -> Result<(), ListError> {
        if byte == b'"' && !escaped {
            self.value = Value::of(self.named()?);
            self.place = Place::Colon;
            return Ok(());
        }
        self.keep_of_word(byte);
        self.place = Place::Name { escaped: byte == b'\\' && !escaped };
        Ok(())
    }

    /// The field that `word` names, which must be its first of that name.
    fn named(&mut self) -> Result<Field, ListError> {
        let (field, seen, name) = match self.word.as_slice() {
            _ if self.word_is_cut => return Ok(Field::Other),
            // Who reads on would know it by another name than we do.
            word if word.contains(&b'\\') => return Err(ListError::Escape),
            b"kind" => (Field::Kind, &mut self.seen.kind, "kind"),
            b"apiVersion" => (Field::ApiVersion, &mut self.seen.api_version, "apiVersion"),
            b"items" => (Field::Items, &mut self.seen.items, "items"),
            _ => return Ok(Field::Other),
        };
        if std::mem::replace(seen, true) {
            return Err(ListError::Twice(name));
        }
        Ok(field)
    }

    fn begin_value(&mut self, first: u8, offset: usize) -> Result<Place, ListError> {
        match (self.value.field, first) {
            (Field::Items, b'[') => Ok(Place::FirstItem),
            (Field::Kind | Field::ApiVersion, b'"') => {
                self.begin_word();
                Ok(Place::Word { escaped: false })
            }
            // Go writes an empty list as null.
            (Field::Items, b'n') => Ok(Place::Skipped),
            (Field::Other, first) if begins_value(first) => Ok(Place::Skipped),
            _ => Err(self.unexpected(offset)),
        }
    }

    fn take_word(&mut self, byte: u8, escaped: bool) -> Result<(), ListError> {
        if byte == b'"' && !escaped {
            self.place = Place::AfterValue;
            return self.check_word();
        }
        self.keep_of_word(byte);
        self.place = Place::Word { escaped: byte == b'\\' && !escaped };
        Ok(())
    }

    fn check_word(&self) -> Result<(), ListError> {
        let (field, expected) = match self.value.field {
            Field::Kind => ("kind", "EventList"),
            _ => ("apiVersion", "audit.k8s.io/v1"),
        };
        if self.word == expected.as_bytes() {
            return Ok(());
        }
        let found = crate::bounds::text(&String::from_utf8_lossy(&self.word), LONGEST_WORD);
        Err(ListError::Kind { field, expected, found })
    }

    fn unexpected(&self, offset: usize) -> ListError {
        let what = match self.place {
            Place::Start => "`{`",
            Place::FirstField => "the name of a field or `}`",
            Place::Field => "the name of a field",
            Place::Colon => "`:`",
            Place::ValueStart => match self.value.field {
                Field::Kind | Field::ApiVersion => "a text",
                Field::Items => "a list",
                Field::Other => "a value",
            },
            Place::FirstItem => "an event or `]`",
            Place::NextItem => "an event",
            Place::AfterItem => "`,` or `]`",
            Place::End => "the end of the body",
            _ => "`,` or `}`",
        };
        ListError::Syntax { what, at: self.at + offset as u64 }
    }
}

/// Whether a value of JSON can begin so.
const fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

#[cfg(test)]
mod tests;
