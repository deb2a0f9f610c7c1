//! Takes a LIST body apart as it arrives: each item as soon as it is whole, the rest at the end.
//!
//! Only structure is looked at here (strings, nesting, commas); what an item says is read by its
//! kind. Built-in lists have `metadata` before `items`, custom resources after: so the metadata is
//! known at the end only, and nothing a list says counts before it ended well.

use serde::Deserialize;

use super::{
    DecodeError, Encoding, Payload, json,
    meta::version,
    text::{Text, lax},
};

/// What a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The state of the list.
    pub resource_version: u64,
    /// The token of the next page, where there is one.
    pub next: Option<String>,
    /// About how many objects follow, where the server says so.
    pub remaining: Option<u64>,
}

/// Takes the body's bytes and gives items. Holds the item under way (at most `limit` bytes) and
/// what is outside of `items` (at most `limit` bytes).
#[derive(Debug)]
pub struct Items {
    /// Everything but the items: the document with `{}` in the place of each.
    frame: Vec<u8>,
    /// How many items were given out.
    given: usize,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were given out.
    start: usize,
    /// Bytes of `buffer` that were looked at.
    at: usize,
    place: Place,
    depth: usize,
    string: StringState,
    /// Text of the string last read at depth 1: a key, perhaps.
    key: Vec<u8>,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside of `items`.
    Frame,
    /// In `items`, between two.
    Between,
    /// In an item, which began at this place in the buffer.
    Item(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StringState {
    Outside,
    Inside,
    Escaped,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListObject<'a> {
    #[serde(borrow, rename = "apiVersion")]
    api_version: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow, deserialize_with = "lax")]
    metadata: ListMeta<'a>,
    #[serde(deserialize_with = "lax")]
    items: Vec<Placeholder>,
}

/// What stands in the frame for an item.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placeholder {}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta<'a> {
    #[serde(borrow)]
    resource_version: Text<'a>,
    #[serde(borrow, rename = "continue")]
    next: Text<'a>,
    #[serde(deserialize_with = "lax")]
    remaining_item_count: Option<u64>,
}

impl Items {
    /// Items of at most `limit` bytes each.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            frame: Vec::new(),
            given: 0,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            place: Place::Frame,
            depth: 0,
            string: StringState::Outside,
            key: Vec::new(),
            limit,
        }
    }

    /// Adds what arrived.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.start);
        self.at -= self.start;
        if let Place::Item(from) = &mut self.place {
            *from -= self.start;
        }
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole item.
    ///
    /// # Errors
    /// Where an item or the rest of the document passes the limit, or bytes follow its end.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        while self.at < self.buffer.len() {
            let byte = self.buffer[self.at];
            self.at += 1;
            if let Some((from, to)) = self.take(byte)? {
                self.start = to;
                return Ok(Some(&self.buffer[from..to]));
            }
        }
        self.start = match self.place {
            Place::Item(from) => from,
            Place::Frame | Place::Between => self.at,
        };
        match self.at - self.start > self.limit || self.frame.len() > self.limit {
            true => Err(DecodeError::TooLong { limit: self.limit }),
            false => Ok(None),
        }
    }

    /// The page's own data, once the body has ended.
    ///
    /// # Errors
    /// Where the document is cut off, has something after its end (a failure in the middle of a
    /// list appends a Status to a body that began with 200), or is no list.
    pub fn finish(self) -> Result<Page, DecodeError> {
        let list = self.document()?;
        if !list.kind.ends_with("List") {
            return Err(DecodeError::Field { field: "kind" });
        }
        Ok(Page {
            resource_version: version(&list.metadata.resource_version)?,
            next: Some(list.metadata.next.to_string()).filter(|token| !token.is_empty()),
            remaining: list.metadata.remaining_item_count,
        })
    }

    /// The end of a list that has no data of its own, such as a batch of a webhook.
    ///
    /// # Errors
    /// Where the document is cut off, has something after its end, or is another list than this.
    pub fn finish_batch(self, api_version: &str, kind: &str) -> Result<(), DecodeError> {
        let list = self.document()?;
        for (field, written, wanted) in
            [("apiVersion", list.api_version, api_version), ("kind", list.kind, kind)]
        {
            if &*written != wanted {
                return Err(DecodeError::Field { field });
            }
        }
        Ok(())
    }

    /// The document around the items.
    fn document(&self) -> Result<ListObject<'_>, DecodeError> {
        if self.depth != 0 || self.frame.is_empty() {
            return Err(DecodeError::CutOff);
        }
        let payload = Payload { encoding: Encoding::Json, event: false, bytes: &self.frame };
        let list: ListObject<'_> = json::decode(payload)?;
        if list.items.len() != self.given {
            return Err(DecodeError::Field { field: "items" });
        }
        Ok(list)
    }

    /// Looks at one byte; gives where the item stands that it ends.
    fn take(&mut self, byte: u8) -> Result<Option<(usize, usize)>, DecodeError> {
        if self.depth == 0 && byte.is_ascii_whitespace() {
            return Ok(None);
        }
        if self.depth == 0 && (byte != b'{' || !self.frame.is_empty()) {
            return Err(match self.frame.is_empty() {
                true => DecodeError::Field { field: "list" },
                false => DecodeError::Trailing,
            });
        }
        if self.string == StringState::Outside {
            return Ok(self.take_structure(byte));
        }
        self.take_string(byte);
        Ok(None)
    }

    fn take_string(&mut self, byte: u8) {
        self.string = match (self.string, byte) {
            (StringState::Inside, b'\\') => StringState::Escaped,
            (StringState::Inside, b'"') => StringState::Outside,
            _ => StringState::Inside,
        };
        if !matches!(self.place, Place::Item(_)) {
            self.frame.push(byte);
            if self.depth == 1 && self.string != StringState::Outside && self.key.len() < 16 {
                self.key.push(byte);
            }
        }
    }

    fn take_structure(&mut self, byte: u8) -> Option<(usize, usize)> {
        let into_items =
            self.place == Place::Frame && self.depth == 1 && byte == b'[' && self.key == b"items";
        match byte {
            b'"' => {
                self.string = StringState::Inside;
                if self.depth == 1 {
                    self.key.clear();
                }
            }
            b'{' | b'[' => {
                if self.place == Place::Between {
                    self.place = Place::Item(self.at - 1);
                }
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match self.place {
            Place::Frame => {
                self.frame.push(byte);
                if into_items {
                    self.place = Place::Between;
                }
                None
            }
            Place::Between => {
                self.frame.push(byte);
                if byte == b']' {
                    self.place = Place::Frame;
                }
                None
            }
            Place::Item(from) => (self.depth == 2).then(|| {
                self.place = Place::Between;
                self.frame.extend_from_slice(b"{}");
                self.given += 1;
                (from, self.at)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(body: &[u8], cuts: &[usize]) -> Result<(Vec<String>, Page), DecodeError> {
        let mut items = Items::new(1 << 20);
        let mut got = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&body.len()]) {
            let to = to.clamp(from, body.len());
            items.push(&body[from..to]);
            from = to;
            while let Some(item) = items.next_item()? {
                got.push(String::from_utf8(item.to_vec()).expect("UTF-8"));
            }
        }
        items.finish().map(|page| (got, page))
    }

    #[test]
    fn items_and_page() {
        let body = br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"653","continue":"t","remainingItemCount":6},"items":[{"a":"]}\"{"},{"b":[{}]}]}
"#;
        let (items, page) = read(body, &[]).expect("a list");
        assert_eq!(items, [r#"{"a":"]}\"{"}"#, r#"{"b":[{}]}"#]);
        let expected = Page { resource_version: 653, next: Some("t".into()), remaining: Some(6) };
        assert_eq!(page, expected);
    }

    #[test]
    fn metadata_may_come_last() {
        let body = br#"{"apiVersion":"x/v1","items":[{"items":[1]}],"kind":"XList","metadata":{"continue":"","resourceVersion":"9"}}"#;
        let (items, page) = read(body, &[]).expect("a list");
        assert_eq!(items, [r#"{"items":[1]}"#]);
        assert_eq!(page, Page { resource_version: 9, next: None, remaining: None });
    }

    #[test]
    fn null_items_are_none() {
        let body = br#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":null}"#;
        assert_eq!(read(body, &[]).expect("a list").0, Vec::<String>::new());
    }

    #[rstest]
    #[case::cut(
        r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{}"#,
        DecodeError::CutOff
    )]
    #[case::empty("", DecodeError::CutOff)]
    #[case::status_appended(
        r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]}{"kind":"Status"}"#,
        DecodeError::Trailing
    )]
    #[case::status(r#"{"kind":"Status","metadata":{},"code":500}"#, DecodeError::Field { field: "kind" })]
    #[case::no_version(r#"{"kind":"PodList","metadata":{},"items":[]}"#, DecodeError::Field { field: "metadata.resourceVersion" })]
    #[case::no_list("[]", DecodeError::Field { field: "list" })]
    fn no_lists(#[case] body: &str, #[case] expected: DecodeError) {
        assert_eq!(read(body.as_bytes(), &[]), Err(expected));
    }

    #[rstest]
    #[case::bracket(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"],"items":[]}"#)]
    #[case::no_comma(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{}{}]}"#)]
    #[case::two_commas(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{},,{}]}"#)]
    #[case::last_comma(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{},]}"#)]
    #[case::number(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{},7]}"#)]
    #[case::text(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":["{}"]}"#)]
    #[case::null(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[null]}"#)]
    #[case::no_array(r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":{"a":{}}}"#)]
    #[case::an_escaped_key(
        r#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"\u0069tems":[{}]}"#
    )]
    fn broken_structure_is_an_error(#[case] body: &str) {
        assert!(read(body.as_bytes(), &[]).is_err(), "{:?}", read(body.as_bytes(), &[]));
    }

    #[test]
    fn space_around_a_list_does_not_matter() {
        let body = b"\n {\"kind\":\"PodList\",\n \"metadata\": {\"resourceVersion\": \"1\"},\n \"items\" : [ {\"a\": 1} , {} ]\n}\n\n";
        assert_eq!(read(body, &[1, 5]).expect("a list").0, [r#"{"a": 1}"#, "{}"]);
    }

    #[test]
    fn an_item_beyond_the_limit_is_an_error() {
        let mut items = Items::new(64);
        items.push(br#"{"kind":"PodList","items":[{"a":""#);
        assert_eq!(items.next_item(), Ok(None));
        items.push(&[b'x'; 100]);
        assert_eq!(items.next_item(), Err(DecodeError::TooLong { limit: 64 }));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_items(
            texts in prop::collection::vec(".{0,20}", 0..8),
            cuts in prop::collection::vec(0usize..600, 0..12),
            metadata_last in any::<bool>(),
        ) {
            let objects: Vec<_> = texts
                .iter()
                .map(|text| json!({"metadata": {"name": text}, "items": [text, {"x": [text]}]}))
                .collect();
            let metadata = json!({"resourceVersion": "5"});
            let body = match metadata_last {
                true => json!({"items": objects, "kind": "PodList", "metadata": metadata}),
                false => json!({"kind": "PodList", "metadata": metadata, "items": objects}),
            };
            let body = body.to_string();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (items, page) = read(body.as_bytes(), &cuts).expect("a list");
            let expected: Vec<String> = objects.iter().map(ToString::to_string).collect();
            prop_assert_eq!(items, expected);
            prop_assert_eq!(page.resource_version, 5);
        }

        #[test]
        fn a_cut_makes_no_difference_to_what_is_broken(
            body in "[\\[\\]{}\":,a\\\\items ]{0,80}",
        ) {
            prop_assert_eq!(read(body.as_bytes(), &[3, 9]), read(body.as_bytes(), &[]));
        }
    }
}
