//! What one pod shows: the families of kube-state-metrics, 2.18.
//!
//! Where it shows a time that is missing, in a state that has one, as the beginning of the year 1,
//! so do we. Where it shows a series twice or cannot go on (an owner that is repeated, an IP that
//! is none), we show it once or leave it out.

mod container;
mod families;

use core::net::Ipv6Addr;

pub(super) use families::Series;

use super::object::{Condition, Pod, Spec, Status};
use crate::{
    exposition::detail::{Extra, Names, Samples},
    kinds::shown::{self, boolean, one_of},
};

/// Reasons that are shown of every pod, 1 where it is the pod's.
const REASONS: [&str; 5] =
    ["Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"];
const PHASES: [&str; 5] = ["Pending", "Succeeded", "Failed", "Unknown", "Running"];
const QOS_CLASSES: [&str; 3] = ["BestEffort", "Burstable", "Guaranteed"];

/// Says what a pod shows.
pub(super) fn detail(pod: &Pod<'_>, extra: &Extra, out: &mut Samples) {
    let meta = &pod.metadata;
    out.begin(&[("namespace", &meta.namespace), ("pod", &meta.name), ("uid", &meta.uid)]);
    out.maybe(Series::Created, meta.creation_timestamp.sample());
    out.maybe(Series::DeletionTimestamp, meta.deletion_timestamp.sample());
    shown::names(meta, extra, Series::Labels, Series::Annotations, out);
    shown::owners(Series::Owner, meta, out);
    info(pod, out);
    spec(&pod.spec, out);
    volumes(&pod.spec, out);
    tolerations(&pod.spec, out);
    status(&pod.status, out);
    for condition in &pod.status.conditions {
        conditions(condition, out);
    }
    container::detail(pod, out);
}

fn info(pod: &Pod<'_>, out: &mut Samples) {
    let Pod { metadata, spec, status } = pod;
    let (kind, name) = metadata.controller().map_or(("", ""), |owner| (&*owner.kind, &*owner.name));
    let labels = [
        ("host_ip", &*status.host_ip),
        ("pod_ip", &*status.pod_ip),
        ("node", &*spec.node_name),
        ("created_by_kind", kind),
        ("created_by_name", name),
        ("priority_class", &*spec.priority_class_name),
        ("host_network", boolean(spec.host_network)),
    ];
    out.add(Series::Info, &labels, 1.0);
}

fn spec(spec: &Spec<'_>, out: &mut Samples) {
    out.add(Series::RestartPolicy, &[("type", &spec.restart_policy)], 1.0);
    out.add(Series::ServiceAccount, &[("service_account", &spec.service_account_name)], 1.0);
    out.names(Series::NodeSelectors, "nodeselector", spec.node_selector.iter(), &Names::All);
    out.add(Series::Scheduler, &[("name", &spec.scheduler_name)], 1.0);
    if let Some(name) = &spec.runtime_class_name {
        out.add(Series::RuntimeclassNameInfo, &[("runtimeclass_name", name)], 1.0);
    }
    for (resource, amount) in &spec.overhead.0 {
        match &**resource {
            "cpu" => out.maybe(Series::OverheadCpuCores, amount.decimal()),
            "memory" => out.maybe(Series::OverheadMemoryBytes, amount.whole()),
            _ => {}
        }
    }
}

fn volumes(spec: &Spec<'_>, out: &mut Samples) {
    for volume in &spec.volumes {
        if let Some(claim) = &volume.claim {
            let labels = [("volume", &*volume.name), ("persistentvolumeclaim", &*claim.name)];
            out.add(Series::ClaimInfo, &labels, 1.0);
            out.add(Series::ClaimReadonly, &labels, claim.read_only.into());
        }
    }
}

fn tolerations(spec: &Spec<'_>, out: &mut Samples) {
    for toleration in &spec.tolerations {
        let seconds = toleration.seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let labels = [
            ("key", &*toleration.key),
            ("operator", &*toleration.operator),
            ("value", &*toleration.value),
            ("effect", &*toleration.effect),
            ("toleration_seconds", &*seconds),
        ];
        out.add(Series::Tolerations, &labels, 1.0);
    }
}

fn status(status: &Status<'_>, out: &mut Samples) {
    out.maybe(Series::StartTime, status.start_time.sample());
    one_of(Series::Phase, "phase", &PHASES, &status.phase, out);
    one_of(Series::QosClass, "qos_class", &QOS_CLASSES, &status.qos_class, out);
    for reason in REASONS {
        out.add(Series::Reason, &[("reason", reason)], status.has_reason(reason).into());
    }
    for ip in &status.pod_ips {
        if let Some(family) = ip_family(&ip.ip) {
            out.add(Series::Ips, &[("ip", &ip.ip), ("ip_family", family)], 1.0);
        }
    }
}

fn conditions(condition: &Condition<'_>, out: &mut Samples) {
    let since = condition.last_transition_time.unix();
    let status = |family, out: &mut Samples| {
        shown::condition(family, &[], "condition", &condition.status, out);
    };
    match (&*condition.kind, &*condition.status) {
        ("Initialized", "True") => out.add(Series::InitializedTime, &[], since),
        ("ContainersReady", "True") => out.add(Series::ContainerReadyTime, &[], since),
        ("Ready", is) => {
            status(Series::Ready, out);
            out.maybe(Series::ReadyTime, (is == "True").then_some(since));
        }
        ("PodScheduled", is) => {
            status(Series::Scheduled, out);
            out.maybe(Series::ScheduledTime, (is == "True").then_some(since));
            out.maybe(Series::Unschedulable, (is == "False").then_some(1.0));
            out.maybe(Series::UnscheduledTime, (is == "False").then_some(since));
        }
        _ => {}
    }
}

impl Status<'_> {
    /// Whether the pod, one of its conditions or a container's end has this reason.
    fn has_reason(&self, reason: &str) -> bool {
        *self.reason == *reason
            || self.conditions.iter().any(|condition| *condition.reason == *reason)
            || self.container_statuses.iter().any(|status| {
                status.state.terminated.as_ref().is_some_and(|end| *end.reason == *reason)
            })
    }
}

/// `4` or `6`; `None` where it is no address. An IPv4 address may have leading zeros, as Kubernetes
/// used to admit them, and may be written as one of IPv6.
fn ip_family(ip: &str) -> Option<&'static str> {
    if let Ok(address) = ip.parse::<Ipv6Addr>() {
        return Some(if address.to_ipv4_mapped().is_some() { "4" } else { "6" });
    }
    let number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok();
    (ip.split('.').count() == 4 && ip.split('.').all(number)).then_some("4")
}

#[cfg(test)]
mod tests;
