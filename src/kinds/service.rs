//! Services: how many there are of which type.

use super::stated::{Stated, place};
use crate::{
    exposition::catalogue::{self, Metric},
    label::label,
    wire::{
        message::{message, object},
        meta::Meta,
        text::Text,
    },
};

label! {
    /// How a service is reached (Kubernetes, "Service", "Service type").
    pub enum ServiceType {
        /// Inside the cluster.
        ClusterIp = "ClusterIP",
        /// At a port of each node.
        NodePort = "NodePort",
        /// By a load balancer of the cloud.
        LoadBalancer = "LoadBalancer",
        /// By another name.
        ExternalName = "ExternalName",
    }
}

/// Services.
pub struct Services;

message! {
    /// A service, as far as it is read.
    pub struct Service<'a> {
        1 "metadata" metadata: Meta<'a>,
        2 "spec" spec: Spec<'a>,
    }
}

object!(Service);

message! {
    struct Spec<'a> {
        4 "type" kind: Text<'a>,
    }
}

impl Stated for Services {
    type Object<'a> = Service<'a>;
    const METRIC: &'static Metric = &catalogue::SERVICES;
    const STATES: &'static [&'static str] = ServiceType::VALUES;

    /// Without a type it is reached inside the cluster: the API's default.
    fn state(service: &Service<'_>) -> usize {
        place(Self::STATES, &service.spec.kind, ServiceType::ClusterIp as usize)
    }
}
