//! Types of fields that the two encodings write differently: times, maps, quantities, numbers that
//! may be words.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::{
    DecodeError,
    protobuf::{self, Entry, Field, Value},
    text::Text,
    time,
};

/// A time (`metav1.Time`, `metav1.MicroTime`), in microseconds since 1970; one that cannot be read
/// is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time(pub Option<i64>);

impl Time {
    /// In whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> Option<i64> {
        self.0.map(|micros| micros.div_euclid(1_000_000))
    }

    /// In whole seconds since 1970, as a sample has it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "whole seconds fit up to the year 285,000,000")]
    pub fn sample(self) -> Option<f64> {
        self.seconds().map(|seconds| seconds as f64)
    }

    /// In whole seconds since 1970, as a sample has it; where there is none, the beginning of the
    /// year 1, which is what Go's `Unix()` makes of it.
    #[must_use]
    pub fn unix(self) -> f64 {
        self.sample().unwrap_or(-62_135_596_800.0)
    }

    /// Whether there is one.
    #[must_use]
    pub const fn is_set(self) -> bool {
        self.0.is_some()
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|text| Self(time::micros(&text)))
    }
}

impl Field<'_> for Time {
    fn take(&mut self, value: Value<'_>) -> Result<(), DecodeError> {
        let bytes = value.bytes()?;
        // A time that is none is written all the same, as nothing (apimachinery, `Time.Marshal`).
        if bytes.is_empty() {
            self.0 = None;
            return Ok(());
        }
        let (mut seconds, mut nanos) = (0_i64, 0_i64);
        for field in protobuf::Fields::new(bytes) {
            match field? {
                (1, value) => seconds.take(value)?,
                (2, value) => nanos.take(value)?,
                _ => {}
            }
        }
        let micros = seconds.checked_mul(1_000_000);
        self.0 = micros.and_then(|micros| micros.checked_add(nanos / 1_000));
        Ok(())
    }
}

/// A map of strings, in the order of the document.
#[derive(Clone, Debug, Default)]
pub struct Map<'a>(pub Vec<Entry<'a>>);

impl<'a> Map<'a> {
    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|entry| (&*entry.key, &*entry.value))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Text<'a>> {
        self.0.iter().find(|entry| &*entry.key == key).map(|entry| &entry.value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Map<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(Pairs(std::marker::PhantomData))
            .map(|pairs| Self(pairs.into_iter().map(|(key, value)| Entry { key, value }).collect()))
    }
}

impl<'a> Field<'a> for Map<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        self.0.take(value)
    }
}

struct Pairs<K, V>(std::marker::PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Pairs<K, V> {
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// A map of quantities, such as a container's limits.
#[derive(Clone, Debug, Default)]
pub struct Quantities<'a>(pub Vec<(Text<'a>, Quantity<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Quantities<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs(std::marker::PhantomData)).map(Self)
    }
}

impl<'a> Field<'a> for Quantities<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        let (mut key, mut quantity) = (Text::default(), Quantity::default());
        for field in protobuf::Fields::new(value.bytes()?) {
            match field? {
                (1, value) => key.take(value)?,
                (2, value) => quantity.take(value)?,
                _ => {}
            }
        }
        self.0.push((key, quantity));
        Ok(())
    }
}

/// An amount such as `250m`, `1Gi` or `5e3` (apimachinery, `resource.Quantity`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantity<'a>(Text<'a>);

impl<'a> From<&'a str> for Quantity<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Quantity<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::deserialize(deserializer).map(|word| Self(word.0))
    }
}

impl<'a> Field<'a> for Quantity<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        for field in protobuf::Fields::new(value.bytes()?) {
            if let (1, value) = field? {
                self.0.take(value)?;
            }
        }
        Ok(())
    }
}

impl Quantity<'_> {
    /// Whether it was there.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// The amount in whole units, as a sample has it; `None` where it is none.
    #[must_use]
    pub fn whole(&self) -> Option<f64> {
        self.scaled(0).map(float)
    }

    /// The amount to the thousandth, as a sample has it, or in whole units where there are more of
    /// them than can be counted by thousandths; `None` where it is none.
    #[must_use]
    pub fn decimal(&self) -> Option<f64> {
        match self.scaled(0)? {
            large if large.unsigned_abs() > u128::from(u64::MAX >> 1) / 1_000 => Some(float(large)),
            _ => self.scaled(3).map(|milli| float(milli) / 1_000.0),
        }
    }

    /// The amount times ten to this power, away from zero.
    fn scaled(&self, power: i32) -> Option<i128> {
        let text = self.0.trim();
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let (binary, decimal) = exponents(suffix)?;
        let mut amount: i128 = 0;
        // Of the digits behind the point 18 are enough, and whether anything follows them.
        for digit in whole.bytes().chain(fraction.bytes().take(18)) {
            amount = amount.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        amount += i128::from(fraction.bytes().skip(18).any(|digit| digit != b'0'));
        let behind = i32::try_from(fraction.len().min(18)).ok()?;
        let amount = match binary {
            0 => shifted(amount, decimal + power - behind),
            // No more than 63 bits can tell, as in Kubernetes.
            _ => {
                let most = shifted(i128::from(i64::MAX), power);
                shifted(amount.saturating_mul(1 << binary), power - behind).min(most)
            }
        };
        Some(if negative { -amount } else { amount })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a float")]
const fn float(number: i128) -> f64 {
    number as f64
}

/// Times ten to this power, rounded up.
fn shifted(amount: i128, power: i32) -> i128 {
    let scale = 10_i128.saturating_pow(power.unsigned_abs());
    match power >= 0 {
        true => amount.saturating_mul(scale),
        false => amount / scale + i128::from(amount % scale != 0),
    }
}

/// The powers of two and of ten that a suffix stands for.
fn exponents(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (0, exponent.parse().ok().filter(|e: &i32| e.abs() <= 60)?)
        }
    })
}

/// A number or a word (`intstr.IntOrString`, or a quantity written as a number), as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor).map(|word| Self(word.into()))
    }
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

impl<'a> Field<'a> for Word<'a> {
    fn take(&mut self, value: Value<'a>) -> Result<(), DecodeError> {
        let (mut is_text, mut number, mut text) = (0_i64, 0_i64, Text::default());
        for field in protobuf::Fields::new(value.bytes()?) {
            match field? {
                (1, value) => is_text.take(value)?,
                (2, value) => number.take(value)?,
                (3, value) => text.take(value)?,
                _ => {}
            }
        }
        self.0 = if is_text == 0 { Cow::<str>::Owned(number.to_string()).into() } else { text };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", Some(0.0), Some(0.0))]
    #[case("250m", Some(1.0), Some(0.25))]
    #[case("1500m", Some(2.0), Some(1.5))]
    #[case("2", Some(2.0), Some(2.0))]
    #[case("0.5", Some(1.0), Some(0.5))]
    #[case("1.0001", Some(2.0), Some(1.001))]
    #[case("1.0000000000000000001", Some(2.0), Some(1.001))]
    #[case("1.0000000000000000000", Some(1.0), Some(1.0))]
    #[case("1Gi", Some(1_073_741_824.0), Some(1_073_741_824.0))]
    #[case("0.5Ki", Some(512.0), Some(512.0))]
    #[case("128974848", Some(128_974_848.0), Some(128_974_848.0))]
    #[case("129e6", Some(129e6), Some(129e6))]
    #[case("5E-1", Some(1.0), Some(0.5))]
    #[case("1n", Some(1.0), Some(0.001))]
    #[case("-0", Some(0.0), Some(0.0))]
    #[case("-1500m", Some(-2.0), Some(-1.5))]
    #[case("9223372036854775807", Some(9.223_372_036_854_776e18), Some(9.223_372_036_854_776e18))]
    #[case("10E", Some(1e19), Some(1e19))]
    #[case("-10E", Some(-1e19), Some(-1e19))]
    #[case("-16Ei", Some(-9.223_372_036_854_776e18), Some(-9.223_372_036_854_776e18))]
    #[case("", None, None)]
    #[case("x", None, None)]
    #[case("1.2.3", None, None)]
    #[case("1 Gi", None, None)]
    #[case("5e999", None, None)]
    fn quantities(#[case] text: &str, #[case] whole: Option<f64>, #[case] decimal: Option<f64>) {
        let quantity = Quantity::from(text);
        let bits = |value: Option<f64>| value.map(f64::to_bits);
        assert_eq!(bits(quantity.whole()), bits(whole));
        assert_eq!(bits(quantity.decimal()), bits(decimal));
    }

    #[test]
    fn json() {
        let time: Time = serde_json::from_str(r#""2026-11-23T17:25:21.5Z""#).expect("a time");
        assert_eq!((time.0, time.seconds()), (Some(1_795_454_721_500_000), Some(1_795_454_721)));
        assert_eq!(serde_json::from_str::<Time>("null").expect("none"), Time(None));
        let map: Map<'_> = serde_json::from_str(r#"{"b":"1","a":"x\"y"}"#).expect("a map");
        assert_eq!(map.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "x\"y")]);
        assert_eq!(map.get("a").map(|text| &**text), Some("x\"y"));
        let limits: Quantities<'_> = serde_json::from_str(r#"{"cpu":2,"m":"1Gi"}"#).expect("one");
        let values: Vec<_> = limits.0.iter().map(|(name, q)| (&**name, q.whole())).collect();
        assert_eq!(values, [("cpu", Some(2.0)), ("m", Some(1_073_741_824.0))]);
        let word: Word<'_> = serde_json::from_str("25").expect("a number");
        assert_eq!(&*word.0, "25");
    }

    #[test]
    fn protobuf_times_and_words() {
        let mut time = Time::default();
        time.take(Value::Bytes(&[0x08, 0x81, 0xee, 0x91, 0xd8, 0x06, 0x10, 0])).expect("a time");
        assert_eq!(time.seconds(), Some(1_795_454_721));
        time.take(Value::Bytes(&[])).expect("no time");
        assert_eq!(time, Time(None));
        let mut word = Word::default();
        word.take(Value::Bytes(&[0x08, 1, 0x10, 0, 0x1a, 3, b'2', b'5', b'%'])).expect("a word");
        assert_eq!(&*word.0, "25%");
        word.take(Value::Bytes(&[0x08, 0, 0x10, 7])).expect("a number");
        assert_eq!(&*word.0, "7");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[-+0-9.eEKMGinum]{0,30}|.{0,10}") {
            let quantity = Quantity::from(text.as_str());
            let _ = (quantity.whole(), quantity.decimal());
        }

        #[test]
        fn whole_numbers_are_themselves(number in any::<i32>()) {
            let text = number.to_string();
            let expected = Some(f64::from(number));
            prop_assert_eq!(Quantity::from(text.as_str()).whole(), expected);
            prop_assert_eq!(Quantity::from(text.as_str()).decimal(), expected);
        }
    }
}
