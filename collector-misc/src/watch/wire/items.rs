use super::{BEGINNING, LARGEST_OBJECT, Piece};
use memchr::memchr2;
use serde::Deserialize;

/// The items of a list, cut out of the answer while it comes. All else of the answer is passed over but its metadata.
#[derive(Debug, Default)]
pub(crate) struct Items {
    /// How many braces and brackets are open.
    depth: usize,
    text: Text,
    part: Part,
    /// The name of the last part of the list, as far as it may be of use.
    name: Vec<u8>,
    /// What came of the piece that is being read.
    piece: Vec<u8>,
    /// How much of it there was, with what was let go.
    bytes: usize,
    page: Page,
}

/// Whether we are within a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

/// Where in the list we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Between the parts.
    #[default]
    Between,
    /// In the name of a part.
    Name,
    /// In the list's own metadata.
    Metadata,
    /// In its items, between them.
    Items,
    /// In an item.
    Item,
}

/// What a page of a list says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    /// The state of the cluster that the list shows.
    pub(crate) resource_version: String,
    /// Asks for the next page; empty on the last.
    #[serde(rename = "continue")]
    pub(crate) token: String,
    /// The answer has ended.
    #[serde(skip)]
    pub(crate) is_whole: bool,
}

impl Items {
    /// Takes more of the answer and hands on each item that ends in it.
    pub(crate) fn push(&mut self, chunk: &[u8], mut take: impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        while let Some((&byte, behind)) = rest.split_first() {
            if self.text == Text::Inside {
                let end = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                self.keep(&rest[..end]);
                rest = &rest[end..];
                if let Some((&byte, behind)) = rest.split_first() {
                    self.in_text(byte);
                    rest = behind;
                }
                continue;
            }
            if self.text == Text::Escaped {
                self.text = Text::Inside;
                self.keep(&[byte]);
            } else {
                self.structure(byte, &mut take);
            }
            rest = behind;
        }
    }

    /// What the page says of itself, as far as it has come.
    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    fn in_text(&mut self, byte: u8) {
        if byte == b'\\' {
            self.text = Text::Escaped;
            self.keep(&[byte]);
        } else {
            self.text = Text::Outside;
            if self.part == Part::Name {
                self.part = Part::Between;
            } else {
                self.keep(&[byte]);
            }
        }
    }

    fn structure(&mut self, byte: u8, take: &mut impl FnMut(Piece<'_>)) {
        match byte {
            b'"' => {
                self.text = Text::Inside;
                if self.part == Part::Between && self.depth == 1 {
                    self.part = Part::Name;
                    self.name.clear();
                    return;
                }
            }
            b'{' | b'[' => self.open(byte),
            _ => {}
        }
        self.keep(&[byte]);
        if matches!(byte, b'}' | b']') {
            self.close(take);
        }
    }

    fn open(&mut self, byte: u8) {
        self.depth += 1;
        match (self.part, self.depth, byte) {
            (Part::Between, 2, b'{') if self.name == b"metadata" => self.begin(Part::Metadata),
            (Part::Between, 2, b'[') if self.name == b"items" => self.part = Part::Items,
            (Part::Items, 3, b'{') => self.begin(Part::Item),
            _ => {}
        }
    }

    fn begin(&mut self, part: Part) {
        self.part = part;
        self.piece.clear();
        self.bytes = 0;
    }

    fn close(&mut self, take: &mut impl FnMut(Piece<'_>)) {
        self.depth = self.depth.saturating_sub(1);
        match (self.part, self.depth) {
            (Part::Metadata, 1) => {
                // What can't be read has no version, and that is noticed where one is needed.
                self.page = serde_json::from_slice(&self.piece).unwrap_or_default();
                self.part = Part::Between;
            }
            (Part::Items, 1) => self.part = Part::Between,
            (Part::Item, 2) => {
                take(self.whole());
                self.part = Part::Items;
                self.piece.shrink_to(BEGINNING);
            }
            (_, 0) => self.page.is_whole = true,
            _ => {}
        }
    }

    fn whole(&self) -> Piece<'_> {
        if self.bytes == self.piece.len() {
            return Piece::Whole(&self.piece);
        }
        Piece::TooLarge { beginning: &self.piece, bytes: self.bytes }
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.part {
            Part::Between | Part::Items => {}
            Part::Name => {
                let room = "metadata".len() + 1 - self.name.len().min("metadata".len() + 1);
                self.name.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Part::Metadata | Part::Item => {
                self.bytes += bytes.len();
                if self.bytes <= LARGEST_OBJECT {
                    self.piece.extend_from_slice(bytes);
                } else {
                    self.piece.truncate(BEGINNING);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGINNING, Items, LARGEST_OBJECT, Piece};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    type Taken = Result<Value, usize>;

    fn read(body: &[u8], cut: usize) -> (Vec<Taken>, Items) {
        let (mut items, mut taken) = (Items::default(), Vec::new());
        for chunk in body.chunks(cut) {
            items.push(chunk, |piece| {
                taken.push(match piece {
                    Piece::Whole(item) => Ok(serde_json::from_slice(item).unwrap()),
                    Piece::TooLarge { beginning, bytes } => {
                        assert_eq!(beginning.len(), BEGINNING);
                        Err(bytes)
                    }
                });
            });
        }
        (taken, items)
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}|[{}\\[\\]\"\\\\,:]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("items|metadata|[a-z\"\\\\{]{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("items|metadata|[a-z]{0,6}", any_json(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn items_come_whole_whatever_they_hold_and_however_the_body_is_cut(
            items in prop::collection::vec(object(), 0..6),
            other in any_json(),
            cut in 1_usize..200,
            is_pretty in any::<bool>(),
        ) {
            let list = json!({
                "kind": "PodList", "apiVersion": "v1", "another": other,
                "metadata": {"resourceVersion": "7", "continue": "c\"}{", "remainingItemCount": 3},
                "items": items,
            });
            let body = if is_pretty { serde_json::to_vec_pretty(&list) } else { serde_json::to_vec(&list) };
            let (taken, read) = read(&body.unwrap(), cut);
            prop_assert_eq!(taken, items.into_iter().map(Ok).collect::<Vec<_>>());
            let page = read.page();
            prop_assert_eq!((&*page.resource_version, &*page.token, page.is_whole), ("7", "c\"}{", true));
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300), cut in 1_usize..50) {
            let mut items = Items::default();
            for chunk in body.chunks(cut) {
                items.push(chunk, |_| {});
            }
        }
    }

    #[test]
    fn an_item_beyond_measure_is_passed_over_and_the_next_comes() {
        let large = "x".repeat(LARGEST_OBJECT + 1);
        let body = json!({"items": [{"a": 1}, {"large": large}, {"b": 2}]}).to_string();
        let (taken, items) = read(body.as_bytes(), 5000);
        assert_eq!(taken[0], Ok(json!({"a": 1})));
        assert!(taken[1].as_ref().is_err_and(|bytes| *bytes > LARGEST_OBJECT));
        assert_eq!(taken[2], Ok(json!({"b": 2})));
        assert!(items.page().is_whole);
    }

    #[test]
    fn a_list_that_is_cut_short_is_not_whole() {
        let body = json!({"metadata": {"resourceVersion": "7"}, "items": [{"a": 1}, {"b": 2}]});
        let body = body.to_string();
        let second = body.find(r#"{"b""#).unwrap();
        let (taken, items) = read(&body.as_bytes()[..second], 9);
        assert_eq!(taken.len(), 1);
        assert!(!items.page().is_whole);
    }
}
