//! Pods as a large production cluster has them: some 7 KB of JSON each, two containers, probes,
//! `managedFields` and all. What is measured is measured with these.
//!
//! Pure: a pod's number decides who it is, the number of its restarts how it is.

use std::time::{Duration, SystemTime};

use fastrand::Rng;
use serde_json::{Value, json};

use super::{objects::seconds, state::uuid};

/// How many applications share the pods.
const APPS: u32 = 400;
/// How many namespaces there are.
const NAMESPACES: u32 = 100;
/// How many nodes there are.
const NODES: u32 = 500;
/// One pod of so many does not run: it waits for a node, or has ended.
const IDLE: u32 = 50;
/// The image of every pod's second container.
const PROXY: &str = "registry.example.com/mesh/proxy:v2.14.1";

/// The pod of a number. Its first container was restarted so many times; where that is odd it has
/// just crashed and waits to be started again.
#[must_use]
pub fn pod(at: u32, restarts: u32, now: SystemTime) -> Value {
    let mut random = Rng::with_seed(at.into());
    let app = format!("svc-{:03}", at % APPS);
    let hash = letters(&mut random, 9);
    let image = format!("registry.example.com/{}/{app}:v1.{}.{}", team(at), at % 9, at % 13);
    let life = Life::new(at, restarts, now);
    let containers = [("app", &*image), ("proxy", PROXY)];
    let created = time(&mut random, now);
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(at, &app, &hash, &created, &mut random),
        "spec": spec(at, &app, &hash, containers),
    });
    pod["status"] = status(at, &life, &created, containers, &mut random);
    pod
}

/// How a pod is.
struct Life {
    phase: &'static str,
    /// When its first container crashed, if that is how it is.
    crashed: Option<String>,
    restarts: u32,
    /// When its containers were started, and when what changed last did so.
    since: String,
}

impl Life {
    fn new(at: u32, restarts: u32, now: SystemTime) -> Self {
        let mut random = Rng::with_seed(u64::from(at) << 32 | u64::from(restarts));
        let phase = match at % (3 * IDLE) {
            0 => "Pending",
            IDLE => "Succeeded",
            other if other == 2 * IDLE => "Failed",
            _ => "Running",
        };
        let since = time(&mut random, now);
        let crashed = (restarts % 2 == 1).then(|| time(&mut random, now));
        Self { phase, crashed, restarts, since }
    }

    fn runs(&self) -> bool {
        self.phase == "Running"
    }
}

fn metadata(at: u32, app: &str, hash: &str, created: &str, random: &mut Rng) -> Value {
    let namespace = format!("ns-{:03}", at % NAMESPACES);
    let owner = format!("{app}-{hash}");
    json!({
        "name": format!("{owner}-{}", letters(random, 5)),
        "generateName": format!("{owner}-"),
        "namespace": namespace,
        "uid": uuid(random),
        "resourceVersion": "",
        "creationTimestamp": created,
        "labels": {
            "app.kubernetes.io/name": app,
            "app.kubernetes.io/instance": format!("{app}-prod"),
            "pod-template-hash": hash,
            "team": team(at),
            "version": format!("v1.{}.{}", at % 9, at % 13),
        },
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "8080",
            "kubectl.kubernetes.io/restartedAt": created,
            "checksum/config": digest(random),
        },
        "ownerReferences": [{
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": owner,
            "uid": uuid(random),
            "controller": true,
            "blockOwnerDeletion": true,
        }],
        "managedFields": managed_fields(created, random),
    })
}

fn managed_fields(time: &str, random: &mut Rng) -> Value {
    let owner = format!("k:{{\"uid\":\"{}\"}}", uuid(random));
    let container = |name: &str| (format!("k:{{\"name\":\"{name}\"}}"), managed_container());
    let containers: serde_json::Map<_, _> = ["app", "proxy"].map(container).into_iter().collect();
    let metadata = json!({
        "f:generateName": {},
        "f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/instance": {},
            "f:pod-template-hash": {}, "f:team": {}, "f:version": {}},
        "f:ownerReferences": {".": {}, owner: {}},
    });
    let spec = json!({
        "f:containers": containers, "f:dnsPolicy": {}, "f:enableServiceLinks": {},
        "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {},
        "f:terminationGracePeriodSeconds": {},
    });
    let condition = json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {},
        "f:status": {}, "f:type": {}});
    let status = json!({
        "f:conditions": {"k:{\"type\":\"Ready\"}": condition, "k:{\"type\":\"Initialized\"}": condition},
        "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {},
        "f:podIPs": {".": {}, "k:{\"ip\":\"10.1.2.3\"}": {".": {}, "f:ip": {}}}, "f:startTime": {},
    });
    let entry = |manager: &str, fields: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let controller = json!({"f:metadata": metadata, "f:spec": spec});
    let mut kubelet = entry("kubelet", json!({"f:status": status}));
    kubelet["subresource"] = "status".into();
    json!([entry("kube-controller-manager", controller), kubelet])
}

fn managed_container() -> Value {
    json!({
        ".": {},
        "f:env": {".": {}, "k:{\"name\":\"LOG_LEVEL\"}": {".": {}, "f:name": {}, "f:value": {}}},
        "f:image": {},
        "f:livenessProbe": {".": {}, "f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {},
            "f:port": {}, "f:scheme": {}}, "f:periodSeconds": {}, "f:successThreshold": {},
            "f:timeoutSeconds": {}},
        "f:name": {},
        "f:ports": {".": {}, "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {},
            "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
        "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}, "f:memory": {}},
            "f:requests": {".": {}, "f:cpu": {}, "f:memory": {}}},
        "f:terminationMessagePath": {},
        "f:terminationMessagePolicy": {},
    })
}

fn spec(at: u32, app: &str, hash: &str, containers: [(&str, &str); 2]) -> Value {
    let token = format!("kube-api-access-{}", &hash[..5]);
    let toleration = |key: &str| {
        json!({"key": format!("node.kubernetes.io/{key}"), "operator": "Exists",
            "effect": "NoExecute", "tolerationSeconds": 300})
    };
    let tolerations = ["not-ready", "unreachable"].map(toleration);
    json!({
        "volumes": [
            {"name": "config", "configMap": {"name": format!("{app}-config"), "defaultMode": 420}},
            {"name": token, "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ]}},
        ],
        "containers": containers.map(|(name, image)| container(name, image, app, &token)),
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": app,
        "serviceAccount": app,
        "nodeName": format!("node-{:04}", at % NODES),
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
        "tolerations": tolerations,
        "priority": 0,
        "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority",
    })
}

fn container(name: &str, image: &str, app: &str, token: &str) -> Value {
    json!({
        "name": name,
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "POD_NAME", "valueFrom": {"fieldRef":
                {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef":
                {"name": format!("{app}-db"), "key": "password"}}},
        ],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/app", "readOnly": true},
            {"name": token, "readOnly": true,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
            "initialDelaySeconds": 10, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true,
            "allowPrivilegeEscalation": false},
    })
}

fn status(
    at: u32,
    life: &Life,
    created: &str,
    containers: [(&str, &str); 2],
    random: &mut Rng,
) -> Value {
    let is_ready = life.runs() && life.crashed.is_none();
    let condition = |kind: &str| {
        let follows = kind.contains("Ready") && kind != "PodReadyToStartContainers";
        let (status, since) = match follows {
            true => (is_ready, &*life.since),
            false => (life.phase != "Pending", created),
        };
        json!({"type": kind, "status": if status { "True" } else { "False" },
            "lastProbeTime": null, "lastTransitionTime": since})
    };
    let conditions =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    let [_, a, b, c] = at.to_be_bytes();
    let (ip, host) = (format!("10.{a}.{b}.{c}"), format!("192.0.2.{}", at % 250));
    let mut statuses = containers.map(|(name, image)| container_status(name, image, life, random));
    if life.phase == "Pending" {
        return json!({"phase": life.phase, "qosClass": "Burstable",
            "conditions": [condition("PodScheduled")]});
    }
    statuses[1]["restartCount"] = 0.into();
    json!({
        "phase": life.phase,
        "conditions": conditions.map(condition),
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": created,
        "qosClass": "Burstable",
        "containerStatuses": statuses,
    })
}

fn container_status(name: &str, image: &str, life: &Life, random: &mut Rng) -> Value {
    let id = format!("containerd://{}", digest(random));
    let repository = image.split(':').next().unwrap_or(image);
    let ended = |reason: &str, code: u32, finished: &str| {
        json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": life.since,
            "finishedAt": finished, "containerID": id}})
    };
    let crashed = life.crashed.as_deref().filter(|_| name == "app" && life.runs());
    let (state, last) = match (life.phase, crashed) {
        ("Succeeded", _) => (ended("Completed", 0, &life.since), json!({})),
        ("Failed", _) => (ended("Error", 1, &life.since), json!({})),
        (_, Some(at)) => (
            json!({"waiting": {"reason": "CrashLoopBackOff",
                "message": "back-off 5m0s restarting failed container"}}),
            ended("Error", 1, at),
        ),
        _ => (json!({"running": {"startedAt": life.since}}), json!({})),
    };
    json!({
        "name": name,
        "ready": state["running"].is_object(),
        "started": state["running"].is_object(),
        "state": state,
        "lastState": last,
        "restartCount": life.restarts,
        "image": image,
        "imageID": format!("{repository}@sha256:{}", digest(random)),
        "containerID": id,
    })
}

fn team(at: u32) -> String {
    format!("team-{}", at % 20)
}

/// A time of the hour before.
fn time(random: &mut Rng, now: SystemTime) -> String {
    seconds(now - Duration::from_secs(random.u64(..3600)))
}

fn letters(random: &mut Rng, length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..length).map(|_| char::from(LETTERS[random.usize(..LETTERS.len())])).collect()
}

fn digest(random: &mut Rng) -> String {
    (0..4).map(|_| format!("{:016x}", random.u64(..))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: u32, restarts: u32) -> Value {
        pod(at, restarts, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_454_721))
    }

    #[test]
    fn a_pod_is_as_large_as_a_real_one() {
        let size = written(1, 0).to_string().len();
        assert!((6_500..8_000).contains(&size), "{size} bytes");
    }

    #[test]
    fn a_number_is_one_pod_for_ever() {
        assert_eq!(written(7, 3), written(7, 3));
        assert_ne!(written(7, 0)["metadata"]["uid"], written(8, 0)["metadata"]["uid"]);
        for (at, restarts) in [(0, 1), (1, 1), (1, 2), (50, 1)] {
            let (before, after) = (written(at, 0), written(at, restarts));
            assert_eq!(before["metadata"], after["metadata"]);
            assert_eq!(before["spec"], after["spec"]);
        }
    }

    #[test]
    fn a_restart_shows() {
        let status = |restarts| written(1, restarts)["status"].clone();
        assert_eq!(status(0)["containerStatuses"][0]["ready"], true);
        assert_eq!(status(1)["containerStatuses"][0]["ready"], false);
        assert_eq!(status(1)["conditions"][2]["status"], "False");
        assert_eq!(status(2)["containerStatuses"][0]["restartCount"], 2);
        assert_ne!(status(2)["conditions"][2], status(0)["conditions"][2]);
        assert_eq!(status(1)["containerStatuses"][1]["ready"], true);
    }
}
