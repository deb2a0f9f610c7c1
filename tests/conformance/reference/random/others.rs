//! Namespaces, nodes, services, claims, config maps.

use serde_json::{Value, json};

use super::{ADDRESSES, Random};

impl Random {
    pub(super) fn namespace(&mut self) -> Value {
        let status = [
            ("phase", self.pick(&["Active", "Terminating", "", "Odd"]).into()),
            ("conditions", self.conditions(&["NamespaceDeletionContentFailure", "Odd"])),
        ];
        let status = self.some(status);
        self.object(json!({}), status)
    }

    pub(super) fn node(&mut self) -> Value {
        let taints = self.subset(&["a", "b", "x\"y"], |random, key| {
            let fields = [
                ("value", random.word().into()),
                ("effect", random.pick(&["NoSchedule", "NoExecute", ""]).into()),
            ];
            let mut taint = random.some(fields);
            taint["key"] = key.into();
            taint
        });
        let spec = [
            ("podCIDR", self.word().into()),
            ("providerID", self.word().into()),
            ("unschedulable", self.0.bool().into()),
            ("taints", taints),
        ];
        let spec = self.some(spec);
        let info =
            ["kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion", "systemUUID"]
                .map(|name| (name, self.word().into()));
        let addresses = self.subset(&ADDRESSES, |random, address| {
            let kind = random.pick(&["InternalIP", "ExternalIP", "Hostname", "InternalDNS"]);
            json!({"type": kind, "address": address})
        });
        let status = [
            ("capacity", self.quantities()),
            ("allocatable", self.quantities()),
            ("conditions", self.conditions(&["Ready", "DiskPressure", "Odd"])),
            ("addresses", addresses),
            ("nodeInfo", self.some(info)),
        ];
        let status = self.some(status);
        self.object(spec, status)
    }

    pub(super) fn service(&mut self) -> Value {
        let spec = [
            ("clusterIP", self.pick(&ADDRESSES).into()),
            ("type", self.pick(&["ClusterIP", "NodePort", "LoadBalancer", "", "Odd"]).into()),
            ("externalIPs", self.subset(&ADDRESSES, |_, ip| ip.into())),
            ("loadBalancerIP", self.pick(&ADDRESSES).into()),
            ("externalName", self.word().into()),
            ("externalTrafficPolicy", self.word().into()),
        ];
        let spec = self.some(spec);
        let ingress = self.subset(&ADDRESSES, |random, ip| {
            let hostname = random.word();
            random.some([("ip", ip.into()), ("hostname", hostname.into())])
        });
        let balancer = self.some([("ingress", ingress)]);
        let status = self.some([("loadBalancer", balancer)]);
        self.object(spec, status)
    }

    pub(super) fn claim(&mut self) -> Value {
        let requests = self.quantities();
        let resources = self.some([("requests", requests)]);
        let spec = [
            (
                "accessModes",
                self.subset(&["ReadWriteOnce", "ReadOnlyMany", "x\"y"], |_, m| m.into()),
            ),
            ("storageClassName", self.word().into()),
            ("volumeName", self.word().into()),
            ("volumeMode", self.word().into()),
            ("resources", resources),
        ];
        let spec = self.some(spec);
        let status = [
            ("phase", self.pick(&["Bound", "Pending", "Lost", "", "Odd"]).into()),
            ("conditions", self.conditions(&["Resizing", "FileSystemResizePending", "Odd"])),
        ];
        let status = self.some(status);
        self.object(spec, status)
    }

    pub(super) fn config_map(&mut self) -> Value {
        let mut map = self.object(Value::Null, Value::Null);
        map["data"] = json!({"secret": "never shown"});
        map
    }
}
