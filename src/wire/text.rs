//! Text that borrows from the document where it can.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A string of a document: borrowed where it stands there as it is, owned where it had escapes.
/// `null` is the empty text, as Kubernetes treats it.
///
/// A plain `Cow<str>` allocates inside `Option`, `Vec` and maps; this borrows there too.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text of bytes, with U+FFFD for each that is no UTF-8: the API server stores what it is
    /// sent in protobuf as it is, and shows it so in JSON (Go, `encoding/json`).
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        if let Ok(text) = str::from_utf8(bytes) {
            return text.into();
        }
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        Self(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(text)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

/// For `#[serde(deserialize_with = "lax")]`: `null` is the default, as Kubernetes treats it.
///
/// # Errors
/// Where the value is neither null nor of the type.
pub fn lax<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#""plain""#, "plain", true)]
    #[case(r#""with \"quotes\"""#, "with \"quotes\"", false)]
    #[case(r#""é\u00e9""#, "éé", false)]
    #[case("null", "", true)]
    fn borrows_where_it_can(#[case] json: &str, #[case] expected: &str, #[case] borrowed: bool) {
        let text: Text<'_> = serde_json::from_str(json).expect("a text");
        assert_eq!(&*text, expected);
        assert_eq!(matches!(text.0, Cow::Borrowed(_)), borrowed);
    }

    #[test]
    fn borrows_inside_containers_too() {
        let json = r#"["a",null,"b"]"#.to_owned();
        let texts: Vec<Option<Text<'_>>> = serde_json::from_str(&json).expect("texts");
        assert!(matches!(&texts[0], Some(Text(Cow::Borrowed("a")))));
        assert!(texts[1].is_none());
    }

    #[rstest]
    #[case(b"\xc3\xa9t\xc3\xa9", "\u{e9}t\u{e9}")]
    #[case(b"cut \xe2\x82", "cut \u{fffd}\u{fffd}")]
    #[case(b"\xff\xfe in \x80 it", "\u{fffd}\u{fffd} in \u{fffd} it")]
    #[case(b"", "")]
    fn bytes_that_are_no_text_are_replaced(#[case] bytes: &[u8], #[case] expected: &str) {
        assert_eq!(&*Text::of_bytes(bytes), expected);
    }

    #[test]
    fn a_number_is_no_text() {
        assert!(serde_json::from_str::<Text<'_>>("7").is_err());
    }
}
