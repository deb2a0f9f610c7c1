//! One declaration of a slim type for both encodings.

/// Declares a message: of each field that is taken its protobuf number, its JSON name, its own name
/// and its type. Whatever else an object has is skipped; `null` and what is missing are defaults.
///
/// `message! { /// Docs. pub struct Spec<'a> { 10 "nodeName" node_name: Text<'a>, } }`
macro_rules! message {
    ($(#[$meta:meta])* $vis:vis struct $name:ident <'a> { $($fields:tt)* }) => {
        $crate::wire::message::declare! {
            #[serde(bound(deserialize = "'de: 'a"))]
            $(#[$meta])* $vis struct $name <'a> { $($fields)* }
        }
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $crate::wire::message::declare! { $(#[$meta])* $vis struct $name { $($fields)* } }
    };
}

/// For [`message!`]: the type and its JSON side.
macro_rules! declare {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$fmeta:meta])* $number:literal $json:literal $fvis:vis $field:ident: $type:ty),* $(,)?
    }) => {
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        $(#[$meta])*
        $vis struct $name $(<$life>)? {
            $($(#[$fmeta])*
            #[serde(rename = $json, deserialize_with = "crate::wire::text::lax")]
            $fvis $field: $type,)*
        }

        $crate::wire::message::merge!($name $(<$life>)? { $($number $field)* });
    };
}

/// For [`message!`]: the protobuf side.
macro_rules! merge {
    ($name:ident <$life:lifetime> { $($number:literal $field:ident)* }) => {
        impl<$life> $crate::wire::protobuf::Message<$life> for $name<$life> {
            $crate::wire::message::merge!(fn $life { $($number $field)* });
        }
    };
    ($name:ident { $($number:literal $field:ident)* }) => {
        impl<'a> $crate::wire::protobuf::Message<'a> for $name {
            $crate::wire::message::merge!(fn 'a { $($number $field)* });
        }
    };
    (fn $life:lifetime { $($number:literal $field:ident)* }) => {
        fn merge(
            &mut self,
            field: u32,
            value: $crate::wire::protobuf::Value<$life>,
        ) -> Result<(), $crate::wire::DecodeError> {
            match (field, value) {
                $(($number, value) => $crate::wire::protobuf::Field::take(&mut self.$field, value),)*
                _ => Ok(()),
            }
        }
    };
}

/// Makes a message an object that can be read from a payload.
macro_rules! object {
    ($name:ident) => {
        impl<'a> $crate::wire::Decode<'a> for $name<'a> {
            fn decode(
                payload: $crate::wire::Payload<'a>,
            ) -> Result<Self, $crate::wire::DecodeError> {
                match payload.encoding {
                    $crate::wire::Encoding::Json => $crate::wire::json::decode(payload),
                    $crate::wire::Encoding::Protobuf => $crate::wire::protobuf::decode(payload),
                }
            }
        }

        impl $crate::wire::meta::Object for $name<'_> {
            fn meta(&self) -> &$crate::wire::meta::Meta<'_> {
                &self.metadata
            }
        }
    };
}

pub(crate) use {declare, merge, message, object};

#[cfg(test)]
mod tests {
    use crate::wire::{
        Encoding, Payload, json,
        protobuf::{self, Entry},
        text::Text,
    };

    message! {
        /// One with every shape.
        struct Shapes<'a> {
            1 "someText" text: Text<'a>,
            2 "number" number: i64,
            3 "maybe" maybe: Option<i64>,
            4 "flag" flag: bool,
            5 "inner" inner: Inner,
            6 "many" many: Vec<Text<'a>>,
            7 "entries" entries: Vec<Entry<'a>>,
        }
    }

    message! {
        /// Without a borrow.
        struct Inner { 1 "n" n: i64 }
    }

    const JSON: &str = r#"{"number":-3,"other":[{"x":1}],"someText":"a\"b","flag":true,"inner":{"n":7},"many":["x","y"],"entries":null,"maybe":0}"#;

    fn check(shapes: &Shapes<'_>) {
        assert_eq!((&*shapes.text, shapes.number, shapes.flag), ("a\"b", -3, true));
        assert_eq!((shapes.maybe, shapes.inner.n), (Some(0), 7));
        assert_eq!(shapes.many.iter().map(|text| &**text).collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn both_encodings_give_the_same() {
        let payload = Payload { encoding: Encoding::Json, event: false, bytes: JSON.as_bytes() };
        check(&json::decode(payload).expect("JSON"));
        let mut bytes = vec![0x0a, 3];
        bytes.extend_from_slice(b"a\"b");
        bytes.extend_from_slice(&[0x10, 0xfd, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        bytes.extend_from_slice(&[0x18, 0, 0x20, 1, 0x2a, 2, 0x08, 7]);
        bytes.extend_from_slice(&[0x32, 1, b'x', 0x32, 1, b'y', 0x78, 1]);
        check(&protobuf::message(&bytes).expect("protobuf"));
    }
}
