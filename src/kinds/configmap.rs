//! Config maps: how many there are. Their data is never asked for.

use super::counted::Counted;
use crate::wire::meta::Partial;

/// Config maps.
pub struct ConfigMaps;

impl Counted for ConfigMaps {
    type Object<'a> = Partial<'a>;
}
