//! Kinds whose objects are in no state that is counted: how many there are is all.

use std::marker::PhantomData;

use crate::{
    config::settings::Caps,
    exposition::{
        Collect, Exposition,
        detail::{Extra, Family, Samples},
    },
    store::{Context, Key, Kind, Tally, tally::Nothing},
    wire::{
        Decode,
        meta::{Object, Partial},
    },
};

/// A kind of object of which every store's counts, in all and by namespace, are enough.
pub trait Counted: Send + Sync + 'static {
    /// The object as far as it is read; without its per-object series that is its metadata.
    type Object<'a>: Decode<'a> + Object;
    /// The families of per-object series, in the order of the exposition.
    const FAMILIES: &'static [Family] = &[];

    /// Says what one object shows of these families; `out` has begun none yet.
    fn detail(_object: &Self::Object<'_>, _extra: &Extra, _out: &mut Samples) {}
}

/// A [`Counted`] kind for a store.
pub struct OnlyCounted<K>(PhantomData<K>);

/// Objects of any kind, of which only the metadata is read.
pub struct Metadata;

impl Counted for Metadata {
    type Object<'a> = Partial<'a>;
}

impl<K: Counted> Kind for OnlyCounted<K> {
    type Object<'a> = K::Object<'a>;
    type Facts = ();
    type Tally = Nothing;
    const FAMILIES: &'static [Family] = K::FAMILIES;

    fn detail(object: &K::Object<'_>, extra: &Extra, out: &mut Samples) {
        K::detail(object, extra, out);
    }

    fn fold(_: &mut Nothing, _: &Key, _: Option<&()>, _: &K::Object<'_>, _: &mut Context<'_>) {}

    fn forget(_: &mut Nothing, _: &Key, (): &(), _: &Context<'_>) {}
}

impl Tally for Nothing {
    type Shown = Self;

    fn new(_: &Caps) -> Self {
        Self
    }

    fn shown(&self) -> Self {
        Self
    }
}

impl Collect for Nothing {
    fn collect(&self, _: &mut Exposition) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{store::testing::Rig, watch::Op};

    #[test]
    fn objects_are_counted_in_all_and_by_namespace() {
        let object = |namespace: &str, name: &str| json!({"metadata": {"namespace": namespace, "name": name, "uid": name}});
        let mut rig =
            Rig::<OnlyCounted<Metadata>>::synced(&[object("shop", "a"), object("shop", "b")]);
        rig.live(Op::Added, &object("pay", "a")).live(Op::Deleted, &object("shop", "b"));
        assert_eq!(rig.family("kubetally_objects"), ["kubetally_objects{resource=\"things\"} 2"]);
        assert_eq!(
            rig.family("kubetally_namespace_objects"),
            [
                "kubetally_namespace_objects{namespace=\"pay\",resource=\"things\"} 1",
                "kubetally_namespace_objects{namespace=\"shop\",resource=\"things\"} 1",
            ]
        );
    }
}
