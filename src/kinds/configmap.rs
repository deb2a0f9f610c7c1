//! Config maps: how many there are. Their data is never asked for, and nothing that is shown of
//! one needs it.

use super::{counted::Counted, shown};
use crate::{
    exposition::detail::{Extra, Family, Samples, families},
    wire::meta::Partial,
};

/// Config maps.
pub struct ConfigMaps;

families! {
    /// The families of a config map, as kube-state-metrics 2.18 has them.
    pub enum Series {
        Annotations = "kube_configmap_annotations", gauge, Experimental,
            "The config map's annotations that are asked for, 1.";
        Labels = "kube_configmap_labels", gauge, Stable,
            "The config map's labels that are asked for, 1.";
        Info = "kube_configmap_info", gauge, Stable,
            "A config map, 1.";
        Created = "kube_configmap_created", gauge, Stable,
            "When the config map was created, in seconds since 1970.";
        ResourceVersion = "kube_configmap_metadata_resource_version", gauge, Experimental,
            "The config map's resourceVersion: grows with each change.";
    }
}

impl Counted for ConfigMaps {
    type Object<'a> = Partial<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    fn detail(config_map: &Partial<'_>, extra: &Extra, out: &mut Samples) {
        let meta = &config_map.metadata;
        out.begin(&[("namespace", &meta.namespace), ("configmap", &meta.name)]);
        shown::names(meta, extra, Series::Labels, Series::Annotations, out);
        out.add(Series::Info, &[], 1.0);
        out.maybe(Series::Created, meta.creation_timestamp.sample());
        out.maybe(Series::ResourceVersion, meta.resource_version.parse().ok());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        exposition::detail::Names,
        kinds::{
            counted::OnlyCounted,
            shown::testing::{assert_as_recorded, scrape},
        },
    };

    #[test]
    fn every_series_is_that_of_kube_state_metrics() {
        let objects = include_str!("../../tests/data/ksm/configmaps.json");
        let reference = include_str!("../../tests/data/ksm/configmaps.txt");
        assert_as_recorded::<OnlyCounted<ConfigMaps>>(objects, reference, &Extra::default());
    }

    #[test]
    fn names_are_shown_where_they_are_asked_for() {
        let config_map = json!({"metadata": {
            "namespace": "shop", "name": "web", "resourceVersion": "12345678901",
            "labels": {"app": "web"}, "annotations": {"note": "a\nb", "other": "x"},
        }});
        let extra = Extra {
            labels: Names::All,
            annotations: Names::Some(vec!["note".into()]),
            ..Extra::default()
        };
        let text = scrape::<OnlyCounted<ConfigMaps>>(&[config_map], &extra);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            r#"_annotations{namespace="shop",configmap="web",annotation_note="a\nb"} 1"#,
            r#"_labels{namespace="shop",configmap="web",label_app="web"} 1"#,
            r#"_info{namespace="shop",configmap="web"} 1"#,
            r#"_metadata_resource_version{namespace="shop",configmap="web"} 12345678901"#,
        ];
        assert_eq!(samples, expected.map(|rest| format!("kube_configmap{rest}")));
    }
}
