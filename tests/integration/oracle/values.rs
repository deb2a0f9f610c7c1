//! What prost and JSON write differently: times, quantities, numbers that may be words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

use super::random::{Any, Random};

/// `metav1.Time` and `metav1.MicroTime`.
#[derive(Clone, PartialEq, Message)]
pub struct Time {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Time {
    fn since(&self) -> Duration {
        Duration::new(self.seconds.unsigned_abs(), self.nanos.unsigned_abs())
    }
}

impl Serialize for Time {
    /// None is written in protobuf all the same, as nothing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::default() {
            return serializer.serialize_none();
        }
        serializer.collect_str(&humantime::format_rfc3339_micros(UNIX_EPOCH + self.since()))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: SystemTime = humantime::parse_rfc3339(&text).map_err(D::Error::custom)?;
        let since = time.duration_since(UNIX_EPOCH).map_err(D::Error::custom)?;
        let seconds = i64::try_from(since.as_secs()).map_err(D::Error::custom)?;
        Ok(Self { seconds, nanos: since.subsec_nanos().cast_signed() })
    }
}

impl Any for Time {
    fn any(random: &mut Random) -> Self {
        let micros = if random.0.bool() { random.0.i32(0..1_000_000) } else { 0 };
        Self { seconds: random.0.i64(1..4_000_000_000), nanos: micros * 1_000 }
    }
}

/// `resource.Quantity`.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity {
    #[prost(string, tag = "1")]
    pub text: String,
}

impl Any for Quantity {
    fn any(random: &mut Random) -> Self {
        const AMOUNTS: [&str; 8] = ["100m", "1", "128Mi", "1.5", "2e3", "9E", "-1", "none"];
        Self { text: AMOUNTS[random.0.usize(..AMOUNTS.len())].into() }
    }
}

/// `intstr.IntOrString`.
#[derive(Clone, PartialEq, Message)]
pub struct IntOrString {
    #[prost(int64, tag = "1")]
    pub is_text: i64,
    #[prost(int32, tag = "2")]
    pub number: i32,
    #[prost(string, tag = "3")]
    pub text: String,
}

impl Serialize for IntOrString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.is_text {
            0 => self.number.serialize(serializer),
            _ => self.text.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self { is_text: 1, number: 0, text }),
            number => {
                let number = i32::deserialize(number).map_err(D::Error::custom)?;
                Ok(Self { is_text: 0, number, text: String::new() })
            }
        }
    }
}

impl Any for IntOrString {
    fn any(random: &mut Random) -> Self {
        let is_text = random.0.i64(..2);
        Self { is_text, number: Any::any(random), text: Any::any(random) }
    }
}
