use std::collections::BTreeSet;

use rstest::rstest;

use super::*;

#[test]
fn every_resource_has_a_name_of_its_own() {
    let names: BTreeSet<_> = TABLE.iter().map(|resource| &*resource.name).collect();
    assert_eq!(names.len(), TABLE.len());
}

#[rstest]
#[case("pods", true, true)]
#[case("jobs", true, true)]
#[case("replicasets", false, true)]
#[case("configmaps", false, false)]
#[case("secrets", false, false)]
fn whole_objects_are_asked_for_where_they_are_read(
    #[case] name: &str,
    #[case] alone: bool,
    #[case] detailed: bool,
) {
    let extent = find(name).expect("a known resource").extent;
    assert_eq!([extent.is_whole(false), extent.is_whole(true)], [alone, detailed]);
}

#[test]
fn what_is_counted_beyond_how_many_is_watched_by_default() {
    let key = crate::config::keys::find("watch.resources").expect("a setting");
    let names: Vec<_> = defaults().map(|resource| &*resource.name).collect();
    assert_eq!(key.default, names.join(","));
}
