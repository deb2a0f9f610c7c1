//! The metadata every object has, as far as it is kept.

use super::{
    DecodeError,
    message::{message, object},
    text::Text,
    values::{Map, Time},
};

/// An object as it is on the wire.
pub trait Object {
    /// Its metadata.
    fn meta(&self) -> &Meta<'_>;
}

message! {
    /// `metadata` of an object: the fields that are used.
    pub struct Meta<'a> {
        /// Its name.
        1 "name" pub name: Text<'a>,
        /// Its namespace, empty for a cluster-scoped object.
        3 "namespace" pub namespace: Text<'a>,
        /// Its UID, as text.
        5 "uid" pub uid: Text<'a>,
        /// The resourceVersion, as text.
        6 "resourceVersion" pub resource_version: Text<'a>,
        /// Grows with each change of what is wanted.
        7 "generation" pub generation: i64,
        /// When it was created.
        8 "creationTimestamp" pub creation_timestamp: Time,
        /// When its deletion was asked for, empty if it was not.
        9 "deletionTimestamp" pub deletion_timestamp: Time,
        /// Its labels.
        11 "labels" pub labels: Map<'a>,
        /// Its annotations.
        12 "annotations" pub annotations: Map<'a>,
        /// Its owners.
        13 "ownerReferences" pub owner_references: Vec<Owner<'a>>,
    }
}

message! {
    /// One of an object's owners.
    pub struct Owner<'a> {
        /// The owner's kind.
        1 "kind" pub kind: Text<'a>,
        /// The owner's name.
        3 "name" pub name: Text<'a>,
        /// Whether it is the one that manages the object.
        6 "controller" pub controller: bool,
    }
}

message! {
    /// Any object, reduced to its metadata.
    pub struct Partial<'a> {
        /// The metadata.
        1 "metadata" pub metadata: Meta<'a>,
    }
}

object!(Partial);

impl<'a> Meta<'a> {
    /// The owner that manages the object.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner<'a>> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// The resourceVersion as the number it is: resourceVersions of one resource compare as
    /// integers (Kubernetes API concepts, "Resource versions").
    ///
    /// # Errors
    /// Where it is missing or no number.
    pub fn version(&self) -> Result<u64, DecodeError> {
        version(&self.resource_version)
    }

    /// The UID as a number: its 32 hexadecimal digits where it is a UUID, a hash of its text
    /// otherwise (static pods' mirror UIDs have 32 digits without dashes).
    #[must_use]
    pub fn uid(&self) -> u128 {
        hexadecimal(&self.uid).unwrap_or_else(|| fnv1a(self.uid.as_bytes()))
    }

    /// Creation in seconds since 1970, 0 where it is missing.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.creation_timestamp.seconds().unwrap_or(0)
    }
}

/// Reads a resourceVersion.
///
/// # Errors
/// Where it is no number.
pub fn version(text: &str) -> Result<u64, DecodeError> {
    text.parse().map_err(|_| DecodeError::Field { field: "metadata.resourceVersion" })
}

fn hexadecimal(uid: &str) -> Option<u128> {
    let mut value = 0_u128;
    let mut count = 0;
    for byte in uid.bytes().filter(|&byte| byte != b'-') {
        value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        count += 1;
    }
    (count == 32).then_some(value)
}

fn fnv1a(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("983792c6-163a-4798-a0e4-a677b86f4f48", 0x9837_92c6_163a_4798_a0e4_a677_b86f_4f48)]
    #[case("983792c6163a4798a0e4a677b86f4f48", 0x9837_92c6_163a_4798_a0e4_a677_b86f_4f48)]
    fn a_uuid_is_its_digits(#[case] uid: &str, #[case] expected: u128) {
        assert_eq!(Meta { uid: uid.into(), ..Meta::default() }.uid(), expected);
    }

    #[test]
    fn other_uids_stay_apart() {
        let [a, b, empty] = ["uid-a", "uid-b", ""].map(|uid| hexadecimal(uid).is_none());
        assert!(a && b && empty);
        assert_ne!(fnv1a(b"uid-a"), fnv1a(b"uid-b"));
    }

    #[rstest]
    #[case("643", Ok(643))]
    #[case("", Err(DecodeError::Field { field: "metadata.resourceVersion" }))]
    #[case("-1", Err(DecodeError::Field { field: "metadata.resourceVersion" }))]
    fn versions(#[case] text: &str, #[case] expected: Result<u64, DecodeError>) {
        assert_eq!(version(text), expected);
    }
}
