//! Claims to volumes: how many there are.

use super::{
    counted::Counted,
    shown::{self, one_of},
};
use crate::{
    exposition::detail::{Extra, Family, Samples, families},
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
        values::Quantities,
    },
};

/// Claims to volumes.
pub struct PersistentVolumeClaims;

message! {
    /// A claim to a volume, as far as it is read.
    pub struct PersistentVolumeClaim<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec<'a>,
        3 "status" status: Status<'a>,
    }
}

object!(PersistentVolumeClaim);

message! {
    struct Spec<'a> {
        1 "accessModes" access_modes: Vec<Text<'a>>,
        2 "resources" resources: Resources<'a>,
        3 "volumeName" volume_name: Text<'a>,
        5 "storageClassName" storage_class: Text<'a>,
        6 "volumeMode" volume_mode: Text<'a>,
    }
}

message! {
    struct Resources<'a> {
        2 "requests" requests: Quantities<'a>,
    }
}

message! {
    struct Status<'a> {
        1 "phase" phase: Text<'a>,
        4 "conditions" conditions: Vec<Condition<'a>>,
    }
}

message! {
    struct Condition<'a> {
        1 "type" kind: Text<'a>,
        2 "status" status: Text<'a>,
    }
}

families! {
    /// The families of a claim, as kube-state-metrics 2.18 has them.
    pub enum Series {
        Labels = "kube_persistentvolumeclaim_labels", gauge, Stable,
            "The claim's labels that are asked for, 1.";
        Annotations = "kube_persistentvolumeclaim_annotations", gauge, Experimental,
            "The claim's annotations that are asked for, 1.";
        Info = "kube_persistentvolumeclaim_info", gauge, Stable,
            "The claim's class, volume and volume mode, 1.";
        Phase = "kube_persistentvolumeclaim_status_phase", gauge, Stable,
            "Whether the claim is in this phase.";
        Storage = "kube_persistentvolumeclaim_resource_requests_storage_bytes", gauge, Stable,
            "How much storage the claim asks for, in bytes.";
        AccessMode = "kube_persistentvolumeclaim_access_mode", gauge, Stable,
            "A way in which the claim's volume is to be mounted, 1.";
        StatusCondition = "kube_persistentvolumeclaim_status_condition", gauge, Experimental,
            "Whether this is the status of a condition of the claim.";
        Created = "kube_persistentvolumeclaim_created", gauge, Experimental,
            "When the claim was created, in seconds since 1970.";
        DeletionTimestamp = "kube_persistentvolumeclaim_deletion_timestamp", gauge, Experimental,
            "When the claim's deletion was asked for, in seconds since 1970.";
    }
}

const PHASES: [&str; 3] = ["Lost", "Bound", "Pending"];
/// The annotation that named the class before there was a field for it, and goes before the field.
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

impl Counted for PersistentVolumeClaims {
    type Object<'a> = PersistentVolumeClaim<'a>;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    fn detail(claim: &PersistentVolumeClaim<'_>, extra: &Extra, out: &mut Samples) {
        let PersistentVolumeClaim { metadata, spec, status } = claim;
        out.begin(&[("namespace", &metadata.namespace), ("persistentvolumeclaim", &metadata.name)]);
        shown::names(metadata, extra, Series::Labels, Series::Annotations, out);
        let info = [
            ("storageclass", &**metadata.annotations.get(CLASS).unwrap_or(&spec.storage_class)),
            ("volumename", &spec.volume_name),
            ("volumemode", &spec.volume_mode),
        ];
        out.add(Series::Info, &info, 1.0);
        one_of(Series::Phase, "phase", &PHASES, &status.phase, out);
        let storage = spec.resources.requests.0.iter().find(|(name, _)| &**name == "storage");
        out.maybe(Series::Storage, storage.and_then(|(_, amount)| amount.whole()));
        for mode in &spec.access_modes {
            out.add(Series::AccessMode, &[("access_mode", mode)], 1.0);
        }
        for condition in &status.conditions {
            let labels = [("condition", &*condition.kind)];
            shown::condition(Series::StatusCondition, &labels, "status", &condition.status, out);
        }
        out.maybe(Series::Created, metadata.creation_timestamp.sample());
        out.maybe(Series::DeletionTimestamp, metadata.deletion_timestamp.sample());
    }
}

#[cfg(test)]
mod tests;
