//! Pods.

use serde_json::{Map, Value, json};

use super::{ADDRESSES, REASONS, Random};

impl Random {
    pub(super) fn pod(&mut self) -> Value {
        let (containers, init_containers) = (self.containers(), self.containers());
        let spec = [
            ("nodeName", self.word().into()),
            ("hostNetwork", self.0.bool().into()),
            ("restartPolicy", self.word().into()),
            ("serviceAccountName", self.word().into()),
            ("schedulerName", self.word().into()),
            ("priorityClassName", self.word().into()),
            ("runtimeClassName", self.word().into()),
            ("overhead", self.quantities()),
            ("tolerations", self.tolerations()),
            ("nodeSelector", self.words_by_name()),
            ("volumes", self.volumes()),
            ("containers", containers),
            ("initContainers", init_containers),
        ];
        let spec = self.some(spec);
        let kinds = ["Ready", "PodScheduled", "Initialized", "ContainersReady", "Other"];
        // With one that cannot be read, kube-state-metrics panics; a real server has the first one as
        // `podIP`, too.
        let ips = self.subset(&ADDRESSES[..5], |_, ip| json!({"ip": ip}));
        let status = [
            ("phase", self.pick(&["Pending", "Running", "Succeeded", "Failed", "Odd", ""]).into()),
            ("reason", self.pick(&REASONS).into()),
            ("qosClass", self.pick(&["BestEffort", "Burstable", "Guaranteed", ""]).into()),
            ("hostIP", self.pick(&ADDRESSES).into()),
            ("podIP", self.pick(&ADDRESSES[..5]).into()),
            ("podIPs", ips),
            ("startTime", self.time()),
            ("conditions", self.conditions(&kinds)),
            ("containerStatuses", self.container_statuses()),
            ("initContainerStatuses", self.container_statuses()),
        ];
        let status = self.some(status);
        self.object(spec, status)
    }

    fn containers(&mut self) -> Value {
        self.many(3, |random, at| {
            let resources = [("limits", random.quantities()), ("requests", random.quantities())];
            let fields = [
                ("image", random.word().into()),
                ("restartPolicy", random.pick(&["Always", ""]).into()),
                ("resources", random.some(resources)),
            ];
            let mut container = random.some(fields);
            container["name"] = format!("c-{at}").into();
            container
        })
    }

    fn container_statuses(&mut self) -> Value {
        self.many(3, |random, at| {
            let fields = [
                ("ready", random.0.bool().into()),
                ("restartCount", random.int32().into()),
                ("image", random.word().into()),
                ("imageID", random.word().into()),
                ("containerID", random.word().into()),
                ("state", random.container_state()),
                ("lastState", random.container_state()),
            ];
            let mut status = random.some(fields);
            status["name"] = format!("c-{at}").into();
            status
        })
    }

    fn container_state(&mut self) -> Value {
        let state = match self.0.u8(0..4) {
            0 => return json!({}),
            1 => ("waiting", [("reason", self.pick(&REASONS).into())].to_vec()),
            2 => ("running", [("startedAt", self.time())].to_vec()),
            _ => {
                let end = [
                    ("exitCode", self.int32().into()),
                    ("reason", self.pick(&REASONS).into()),
                    ("startedAt", self.time()),
                    ("finishedAt", self.time()),
                ];
                ("terminated", end.to_vec())
            }
        };
        let fields: Map<_, _> = state.1.into_iter().map(|(name, v)| (name.to_owned(), v)).collect();
        json!({state.0: fields})
    }

    fn tolerations(&mut self) -> Value {
        self.many(3, |random, _| {
            let fields = [
                ("key", random.word().into()),
                ("operator", random.pick(&["Exists", "Equal"]).into()),
                ("value", random.word().into()),
                ("effect", random.pick(&["NoSchedule", "NoExecute", ""]).into()),
                ("tolerationSeconds", random.int64().into()),
            ];
            random.some(fields)
        })
    }

    fn volumes(&mut self) -> Value {
        self.many(3, |random, at| {
            let claim = [("claimName", random.word().into()), ("readOnly", random.0.bool().into())];
            let mut volume = match random.0.bool() {
                true => json!({"persistentVolumeClaim": random.some(claim)}),
                false => json!({"emptyDir": {}}),
            };
            volume["name"] = format!("v-{at}").into();
            volume
        })
    }
}
