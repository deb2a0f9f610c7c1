//! Messages as prost has them, declared by hand from Kubernetes' `generated.proto`, with fields
//! that are not read among them: here what objects of every kind have.

use std::collections::BTreeMap;

use super::values::Time;

/// Declares messages: of each field its number, its name, prost's word for its type, its type, and
/// its name in JSON where that is another.
macro_rules! messages {
    ($($name:ident { $(
        $(#[$attribute:meta])*
        $tag:literal $field:ident: [$($kind:tt)+] $type:ty $(as $json:literal)?,
    )+ })+) => {$(
        #[derive(Clone, PartialEq, prost::Message, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {$(
            $(#[$attribute])*
            #[prost($($kind)+, tag = $tag)]
            $(#[serde(rename = $json)])?
            pub $field: $type,
        )+}

        impl crate::oracle::random::Any for $name {
            fn any(random: &mut crate::oracle::random::Random) -> Self {
                Self { $($field: crate::oracle::random::Any::any(random),)+ }
            }
        }
    )+};
}

pub(super) use messages;

messages! {
    PartialObjectMetadata {
        "1" metadata: [message, optional] Option<Meta>,
    }
    Meta {
        "1" name: [string] String,
        "2" generate_name: [string] String,
        "3" namespace: [string] String,
        "5" uid: [string] String,
        "6" resource_version: [string] String,
        "7" generation: [int64] i64,
        "8" creation_timestamp: [message, optional] Option<Time>,
        "9" deletion_timestamp: [message, optional] Option<Time>,
        "11" labels: [btree_map = "string, string"] BTreeMap<String, String>,
        "12" annotations: [btree_map = "string, string"] BTreeMap<String, String>,
        "13" owner_references: [message, repeated] Vec<Owner>,
        "14" finalizers: [string, repeated] Vec<String>,
        "17" managed_fields: [message, repeated] Vec<ManagedFields>,
    }
    Owner {
        "1" kind: [string] String,
        "3" name: [string] String,
        "4" uid: [string] String,
        "5" api_version: [string] String,
        "6" controller: [bool, optional] Option<bool>,
    }
    ManagedFields {
        "1" manager: [string] String,
        "2" operation: [string] String,
        "4" time: [message, optional] Option<Time>,
    }
    Selector {
        "1" match_labels: [btree_map = "string, string"] BTreeMap<String, String>,
    }
    Condition {
        "1" kind: [string] String as "type",
        "2" status: [string] String,
        "3" last_probe_time: [message, optional] Option<Time>,
        "4" last_transition_time: [message, optional] Option<Time>,
        "5" reason: [string] String,
        "6" message: [string] String,
    }
}

/// An answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Unknown {
    #[prost(bytes = "vec", tag = "2")]
    pub raw: Vec<u8>,
}

/// A list of any kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub items: Vec<Vec<u8>>,
}
