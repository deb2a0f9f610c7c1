//! Services: how many there are of which type.

use super::{
    shown,
    stated::{Stated, place},
};
use crate::{
    exposition::{
        catalogue::{self, Metric},
        detail::{Extra, Family, Samples, families},
    },
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
        3 "status" status: Status<'a>,
    }
}

object!(Service);

message! {
    struct Spec<'a> {
        3 "clusterIP" cluster_ip: Text<'a>,
        4 "type" kind: Text<'a>,
        5 "externalIPs" external_ips: Vec<Text<'a>>,
        8 "loadBalancerIP" load_balancer_ip: Text<'a>,
        10 "externalName" external_name: Text<'a>,
        11 "externalTrafficPolicy" external_traffic_policy: Text<'a>,
    }
}

message! {
    struct Status<'a> {
        1 "loadBalancer" load_balancer: LoadBalancer<'a>,
    }
}

message! {
    struct LoadBalancer<'a> {
        1 "ingress" ingress: Vec<Ingress<'a>>,
    }
}

message! {
    struct Ingress<'a> {
        1 "ip" ip: Text<'a>,
        2 "hostname" hostname: Text<'a>,
    }
}

families! {
    /// The families of a service, as kube-state-metrics 2.18 has them.
    pub enum Series {
        Info = "kube_service_info", gauge, Stable,
            "Addresses of the service, 1.";
        Created = "kube_service_created", gauge, Stable,
            "When the service was created, in seconds since 1970.";
        SpecType = "kube_service_spec_type", gauge, Stable,
            "How the service is reached, 1.";
        Annotations = "kube_service_annotations", gauge, Experimental,
            "The service's annotations that are asked for, 1.";
        Labels = "kube_service_labels", gauge, Stable,
            "The service's labels that are asked for, 1.";
        ExternalIp = "kube_service_spec_external_ip", gauge, Stable,
            "An IP address outside the cluster's keeping that the service takes, 1.";
        LoadBalancerIngress = "kube_service_status_load_balancer_ingress", gauge, Stable,
            "Where the service's load balancer is reached, 1.";
        DeletionTimestamp = "kube_service_deletion_timestamp", gauge, Experimental,
            "When the service's deletion was asked for, in seconds since 1970.";
    }
}

impl Stated for Services {
    type Object<'a> = Service<'a>;
    const METRIC: &'static Metric = &catalogue::SERVICES;
    const STATES: &'static [&'static str] = ServiceType::VALUES;
    const FAMILIES: &'static [Family] = Series::FAMILIES;

    fn detail(service: &Service<'_>, extra: &Extra, out: &mut Samples) {
        let Service { metadata, spec, status } = service;
        let Meta { namespace, name, uid, .. } = metadata;
        out.begin(&[("namespace", namespace), ("service", name), ("uid", uid)]);
        let info = [
            ("cluster_ip", &*spec.cluster_ip),
            ("external_name", &spec.external_name),
            ("load_balancer_ip", &spec.load_balancer_ip),
            ("external_traffic_policy", &spec.external_traffic_policy),
        ];
        out.add(Series::Info, &info, 1.0);
        out.maybe(Series::Created, metadata.creation_timestamp.sample());
        out.add(Series::SpecType, &[("type", &spec.kind)], 1.0);
        shown::names(metadata, extra, Series::Labels, Series::Annotations, out);
        for ip in &spec.external_ips {
            out.add(Series::ExternalIp, &[("external_ip", ip)], 1.0);
        }
        for Ingress { ip, hostname } in &status.load_balancer.ingress {
            let labels = [("ip", &**ip), ("hostname", hostname)];
            out.add(Series::LoadBalancerIngress, &labels, 1.0);
        }
        out.maybe(Series::DeletionTimestamp, metadata.deletion_timestamp.sample());
    }

    /// Without a type it is reached inside the cluster: the API's default.
    fn state(service: &Service<'_>) -> usize {
        place(Self::STATES, &service.spec.kind, ServiceType::ClusterIp as usize)
    }
}

#[cfg(test)]
mod tests;
