//! A share of the objects: those whose UIDs hash into a range. The shares of all shards are all
//! objects, each once, so that counts add up.

use std::fmt;

use crate::exposition::{
    Collect, Exposition,
    catalogue::{SHARD_COUNT, SHARD_INDEX},
};

/// How many shards there may be.
pub const MOST: u32 = 1000;

/// How many shards there are, and which this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharding {
    /// How many there are.
    pub count: u32,
    /// Which this one is.
    pub index: Index,
}

/// Which shard this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// This one.
    Is(Shard),
    /// The one of the number in which the pod's name ends.
    Auto,
}

/// Why no shard can be told from the pod's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unnumbered {
    /// There is no name.
    #[error(
        "shard.index is auto, but $POD_NAME is not set: set it from metadata.name (the downward \
         API), as deploy/overlays/sharded does"
    )]
    Nameless,
    /// It ends in no number, or in one that is too large.
    #[error(
        "shard.index is auto, but the pod's name {name:?} does not end in a number below {count} \
         (shard.count), as those of a StatefulSet of so many replicas do"
    )]
    NoShard {
        /// The name.
        name: String,
        /// How many shards there are.
        count: u32,
    },
}

impl Sharding {
    /// The shard, or `None` where one has everything; `pod` is the pod's name.
    ///
    /// # Errors
    /// Where the name does not tell.
    pub fn shard(self, pod: Option<&str>) -> Result<Option<Shard>, Unnumbered> {
        let shard = match self.index {
            Index::Is(shard) => shard,
            Index::Auto => {
                let name = pod.ok_or(Unnumbered::Nameless)?;
                let number = name.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
                let shard = number.and_then(|number| Shard::new(number, self.count));
                let no_shard = || Unnumbered::NoShard { name: name.into(), count: self.count };
                shard.ok_or_else(no_shard)?
            }
        };
        Ok((self.count > 1).then_some(shard))
    }
}

/// One of several equal ranges of the 64-bit FNV-1a hash of `metadata.uid`: as the API server's own
/// `shardRange` counts (KEP-5866), so that its choice and ours are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// The shard of this number, from 0, of so many; `None` where there is no such one.
    #[must_use]
    pub const fn new(index: u32, count: u32) -> Option<Self> {
        if index < count && count <= MOST { Some(Self { index, count }) } else { None }
    }

    /// Whether an object of this UID is of this shard.
    #[must_use]
    pub fn holds(self, uid: &str) -> bool {
        (self.bound(self.index)..self.bound(self.index + 1)).contains(&fnv1a(uid).into())
    }

    /// As a request has it in `shardSelector`.
    #[must_use]
    pub fn selector(self) -> String {
        let [from, to] = [self.index, self.index + 1].map(|index| self.bound(index));
        format!("shardRange(object.metadata.uid, '{from:#018x}', '{to:#018x}')")
    }

    /// Where the shard of this number begins; the last one ends at 2⁶⁴.
    fn bound(self, index: u32) -> u128 {
        (u128::from(index) << 64) / u128::from(self.count)
    }
}

impl Collect for Shard {
    fn collect(&self, out: &mut Exposition) {
        out.sample(&SHARD_INDEX, &[], u64::from(self.index));
        out.sample(&SHARD_COUNT, &[], u64::from(self.count));
    }
}

impl fmt::Display for Shard {
    /// `1 of 0 to 2`: shards are numbered from 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of 0 to {}", self.index, self.count - 1)
    }
}

/// 64-bit FNV-1a (RFC 9923).
fn fnv1a(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", 0xcbf2_9ce4_8422_2325)]
    #[case("a", 0xaf63_dc4c_8601_ec8c)]
    #[case("foobar", 0x8594_4171_f739_67e8)]
    fn hashes_as_everybody_does(#[case] text: &str, #[case] hash: u64) {
        assert_eq!(fnv1a(text), hash);
    }

    #[rstest]
    #[case(0, 1, "shardRange(object.metadata.uid, '0x0000000000000000', '0x10000000000000000')")]
    #[case(0, 2, "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')")]
    #[case(2, 3, "shardRange(object.metadata.uid, '0xaaaaaaaaaaaaaaaa', '0x10000000000000000')")]
    fn selectors(#[case] index: u32, #[case] count: u32, #[case] expected: &str) {
        assert_eq!(Shard::new(index, count).map(Shard::selector).as_deref(), Some(expected));
    }

    #[rstest]
    #[case(0, 0)]
    #[case(2, 2)]
    #[case(0, MOST + 1)]
    fn no_shard(#[case] index: u32, #[case] count: u32) {
        assert_eq!(Shard::new(index, count), None);
    }

    #[rstest]
    #[case::first(2, Some("kubetally-0"), Ok(Shard::new(0, 2)))]
    #[case::last(2, Some("kubetally-1"), Ok(Shard::new(1, 2)))]
    #[case::nameless(2, None, Err(Unnumbered::Nameless))]
    #[case::only_one(1, Some("kubetally-0"), Ok(None))]
    fn by_the_pods_name(
        #[case] count: u32,
        #[case] pod: Option<&str>,
        #[case] expected: Result<Option<Shard>, Unnumbered>,
    ) {
        assert_eq!(Sharding { count, index: Index::Auto }.shard(pod), expected);
    }

    #[rstest]
    #[case::too_many_replicas("kubetally-2")]
    #[case::of_a_deployment("kubetally-5d8f7c9b4-x2x7k")]
    #[case::none("kubetally")]
    fn names_that_tell_nothing(#[case] name: &str) {
        let told = Sharding { count: 2, index: Index::Auto }.shard(Some(name));
        assert_eq!(told, Err(Unnumbered::NoShard { name: name.into(), count: 2 }));
    }

    #[test]
    fn a_shard_has_about_its_share() {
        let mut random = fastrand::Rng::with_seed(7);
        let uids = (0..3000).map(|_| {
            let [a, b] = [random.u64(..), random.u64(..)];
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                a >> 32,
                a >> 16 & 0xffff,
                a & 0xfff,
                b >> 52,
                b & 0xffff_ffff_ffff
            )
        });
        let shard = Shard::new(1, 3).expect("a shard");
        let held = uids.filter(|uid| shard.holds(uid)).count();
        assert!((900..1100).contains(&held), "{held} of 3000");
    }

    proptest! {
        #[test]
        fn every_object_is_of_one_shard(uid in ".*", count in 1..=MOST) {
            let shards = (0..count).filter_map(|index| Shard::new(index, count));
            prop_assert_eq!(shards.filter(|shard| shard.holds(&uid)).count(), 1);
        }
    }
}
