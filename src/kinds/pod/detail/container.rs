//! Containers and init containers: the same series under two names.

use super::{
    super::object::{Container, ContainerStatus, Pod, State},
    Series,
};
use crate::{
    exposition::detail::{Samples, labels::sanitize, resources::units},
    kinds::shown::number,
    wire::values::Quantities,
};

/// The families that containers and init containers both have.
struct Families {
    limits: Series,
    requests: Series,
    last_terminated_reason: Series,
    ready: Series,
    restarts: Series,
    running: Series,
    terminated: Series,
    terminated_reason: Series,
    waiting: Series,
    waiting_reason: Series,
}

const CONTAINERS: Families = Families {
    limits: Series::ContainerLimits,
    requests: Series::ContainerRequests,
    last_terminated_reason: Series::ContainerLastTerminatedReason,
    ready: Series::ContainerReady,
    restarts: Series::ContainerRestarts,
    running: Series::ContainerRunning,
    terminated: Series::ContainerTerminated,
    terminated_reason: Series::ContainerTerminatedReason,
    waiting: Series::ContainerWaiting,
    waiting_reason: Series::ContainerWaitingReason,
};

const INIT_CONTAINERS: Families = Families {
    limits: Series::InitLimits,
    requests: Series::InitRequests,
    last_terminated_reason: Series::InitLastTerminatedReason,
    ready: Series::InitReady,
    restarts: Series::InitRestarts,
    running: Series::InitRunning,
    terminated: Series::InitTerminated,
    terminated_reason: Series::InitTerminatedReason,
    waiting: Series::InitWaiting,
    waiting_reason: Series::InitWaitingReason,
};

/// Says what a pod's containers show.
pub(super) fn detail(pod: &Pod<'_>, out: &mut Samples) {
    let Pod { spec, status, .. } = pod;
    for (families, containers, statuses) in [
        (&CONTAINERS, &spec.containers, &status.container_statuses),
        (&INIT_CONTAINERS, &spec.init_containers, &status.init_container_statuses),
    ] {
        for container in containers {
            families.resources(container, &spec.node_name, out);
        }
        for status in statuses {
            families.status(status, out);
        }
    }
    for (container, status) in pairs(&spec.containers, &status.container_statuses) {
        out.add(Series::ContainerInfo, &identity(container, status), 1.0);
    }
    for (container, status) in pairs(&spec.init_containers, &status.init_container_statuses) {
        let [name, spec, image, image_id, id] = identity(container, status);
        let policy = ("restart_policy", &*container.restart_policy);
        out.add(Series::InitInfo, &[name, spec, image, image_id, id, policy], 1.0);
    }
    for status in &status.container_statuses {
        times(status, out);
    }
    out.maybe(Series::CompletionTime, completed(&status.container_statuses));
}

impl Families {
    fn resources(&self, container: &Container<'_>, node: &str, out: &mut Samples) {
        let resources = &container.resources;
        amounts(self.limits, &resources.limits, &container.name, node, out);
        amounts(self.requests, &resources.requests, &container.name, node, out);
    }

    fn status(&self, status: &ContainerStatus<'_>, out: &mut Samples) {
        let State { waiting, running, terminated } = &status.state;
        let last = &status.last_state.terminated;
        let name = ("container", &*status.name);
        out.add(self.ready, &[name], f64::from(status.ready));
        out.add(self.restarts, &[name], number(status.restart_count));
        out.add(self.running, &[name], f64::from(running.is_some()));
        out.add(self.terminated, &[name], f64::from(terminated.is_some()));
        out.add(self.waiting, &[name], f64::from(waiting.is_some()));
        for (family, reason) in [
            (self.waiting_reason, waiting.as_ref().map(|waiting| &waiting.reason)),
            (self.terminated_reason, terminated.as_ref().map(|end| &end.reason)),
            (self.last_terminated_reason, last.as_ref().map(|end| &end.reason)),
        ] {
            if let Some(reason) = reason {
                out.add(family, &[name, ("reason", reason)], 1.0);
            }
        }
    }
}

fn amounts(
    family: Series,
    amounts: &Quantities<'_>,
    container: &str,
    node: &str,
    out: &mut Samples,
) {
    for (resource, amount) in &amounts.0 {
        let name = sanitize(resource);
        for unit in units(resource) {
            let value = if unit == "core" { amount.decimal() } else { amount.whole() };
            let labels =
                [("container", container), ("node", node), ("resource", &*name), ("unit", unit)];
            if let Some(value) = value {
                out.add(family, &labels, value);
            }
        }
    }
}

/// Containers with their statuses, by name.
fn pairs<'p, 'a>(
    containers: &'p [Container<'a>],
    statuses: &'p [ContainerStatus<'a>],
) -> impl Iterator<Item = (&'p Container<'a>, &'p ContainerStatus<'a>)> {
    containers.iter().flat_map(move |container| {
        let same = |status: &&ContainerStatus<'_>| status.name == container.name;
        statuses.iter().filter(same).map(move |status| (container, status))
    })
}

fn identity<'p>(
    container: &'p Container<'_>,
    status: &'p ContainerStatus<'_>,
) -> [(&'static str, &'p str); 5] {
    [
        ("container", &status.name),
        ("image_spec", &container.image),
        ("image", &status.image),
        ("image_id", &status.image_id),
        ("container_id", &status.container_id),
    ]
}

/// What of its past is shown of a container, and not of an init container.
fn times(status: &ContainerStatus<'_>, out: &mut Samples) {
    let name = [("container", &*status.name)];
    let State { running, terminated, .. } = &status.state;
    let running = running.as_ref().map(|running| running.started_at);
    if let Some(started) = running.or(terminated.as_ref().map(|end| end.started_at)) {
        out.add(Series::ContainerStarted, &name, started.unix());
    }
    if let Some(end) = &status.last_state.terminated {
        out.add(Series::ContainerLastTerminatedExitcode, &name, number(end.exit_code));
        out.add(Series::ContainerLastTerminatedTimestamp, &name, end.finished_at.unix());
    }
}

/// When the last one of the containers that ended did so.
fn completed(statuses: &[ContainerStatus<'_>]) -> Option<f64> {
    let ends = statuses.iter().filter_map(|status| status.state.terminated.as_ref());
    ends.map(|end| end.finished_at.unix()).filter(|time| *time > 0.0).reduce(f64::max)
}
