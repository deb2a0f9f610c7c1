//! Random objects of every kind that has per-object series: as the API could hold them, and odder.

mod others;
mod pod;
mod workloads;

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// A kind, by its plural, and how one of its objects is made.
pub type Maker = (&'static str, fn(&mut Random) -> Value);

/// Every kind.
pub const KINDS: [Maker; 12] = [
    ("pods", Random::pod),
    ("namespaces", Random::namespace),
    ("nodes", Random::node),
    ("services", Random::service),
    ("deployments", Random::deployment),
    ("jobs", Random::job),
    ("replicasets", Random::replica_set),
    ("statefulsets", Random::stateful_set),
    ("daemonsets", Random::daemon_set),
    ("cronjobs", Random::cron_job),
    ("persistentvolumeclaims", Random::claim),
    ("configmaps", Random::config_map),
];

/// Where random objects come from.
pub struct Random(Rng);

const WORDS: [&str; 12] = [
    "",
    "a",
    "web",
    "x\"y",
    "back\\slash",
    "line\nbreak",
    "\\n",
    "größe",
    "日本",
    "a,b=\"c\"",
    "{}",
    " ",
];
const NAMES: [&str; 20] = [
    "app",
    "App",
    "app.kubernetes.io/name",
    "app.kubernetes.io/partOf",
    "a-b",
    "a.b",
    "a_b",
    "a/b",
    "aB",
    "AB",
    "a1B",
    "1st",
    "_",
    "größe",
    "x.io/some-Long.Name_1",
    "HTTPServer",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/",
    "kubernetes.io/role",
    "topology.kubernetes.io/zone",
];
const RESOURCES: [&str; 13] = [
    "cpu",
    "memory",
    "storage",
    "ephemeral-storage",
    "hugepages-2Mi",
    "attachable-volumes-csi",
    "nvidia.com/gpu",
    "x.io/Some_thing",
    "pods",
    "kubernetes.io/batch",
    "requests.x.io/y",
    "hugepages-x.io/y",
    "-x.io/y",
];
/// With the powers of ten that they come to.
const SUFFIXES: [(&str, i8); 16] = [
    ("", 0),
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
    ("Ki", 3),
    ("Mi", 6),
    ("Gi", 9),
    ("Ti", 12),
    ("Pi", 15),
    // More than 63 bits are cut off.
    ("Ei", 0),
];
const REASONS: [&str; 14] = [
    "",
    "Evicted",
    "NodeLost",
    "Shutdown",
    "OOMKilled",
    "Error",
    "CrashLoopBackOff",
    "DeadlineExceeded",
    "BackoffLimitExceeded",
    "MinimumReplicasAvailable",
    "NewReplicaSetAvailable",
    "FailedCreate",
    "ReplicaSetUpdated",
    "x\"y",
];
const STATUSES: [&str; 5] = ["True", "False", "Unknown", "", "true"];
/// The first five are addresses.
const ADDRESSES: [&str; 9] = [
    "10.0.0.1",
    "010.0.0.1",
    "fd00::1",
    "::ffff:10.0.0.2",
    "::",
    "10.0.0",
    "",
    "fe80::1%eth0",
    "1.2.3.256",
];

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    fn chance(&mut self, of: u32) -> bool {
        self.0.u32(0..of) == 0
    }

    fn pick<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.0.usize(0..values.len())]
    }

    fn word(&mut self) -> &'static str {
        self.pick(&WORDS)
    }

    fn int32(&mut self) -> i32 {
        match self.0.u8(0..8) {
            0 => i32::MAX,
            1 => -1,
            2 | 3 => 0,
            _ => self.0.i32(0..1_000),
        }
    }

    fn int64(&mut self) -> i64 {
        match self.0.u8(0..8) {
            0 => i64::MAX,
            1 => (1 << 53) + 1,
            2 => i64::MIN,
            _ => self.int32().into(),
        }
    }

    fn some<const N: usize>(&mut self, fields: [(&str, Value); N]) -> Value {
        let mut object = Map::new();
        for (name, value) in fields {
            match self.0.u8(0..10) {
                0 => {}
                1 => drop(object.insert(name.into(), Value::Null)),
                _ => drop(object.insert(name.into(), value)),
            }
        }
        object.into()
    }

    fn many(&mut self, most: usize, mut one: impl FnMut(&mut Self, usize) -> Value) -> Value {
        (0..self.0.usize(0..=most)).map(|at| one(self, at)).collect()
    }

    fn subset(&mut self, values: &[&str], mut one: impl FnMut(&mut Self, &str) -> Value) -> Value {
        let mut chosen = values.to_vec();
        self.0.shuffle(&mut chosen);
        chosen.truncate(self.0.usize(0..=values.len()));
        chosen.iter().map(|value| one(self, value)).collect()
    }

    fn time(&mut self) -> Value {
        let (hour, minute, second) = (self.0.u8(0..24), self.0.u8(0..60), self.0.u8(0..60));
        let (month, day) = (self.0.u8(1..=12), self.0.u8(1..=28));
        let year = match self.0.u8(0..12) {
            0 => self.0.u16(2..1970),
            1 => self.0.u16(2100..=9999),
            2 => return Value::Null,
            _ => self.0.u16(1970..2100),
        };
        let fraction = self.pick(&["", "", "", ".5", ".999999999", ".000001"]);
        let zone = self.pick(&["Z", "Z", "Z", "+05:30", "-11:00"]);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
            .into()
    }

    fn quantity(&mut self) -> Value {
        if self.chance(8) {
            return self.0.u32(0..10_000).into();
        }
        let suffix = self.0.usize(0..SUFFIXES.len() + 3);
        let (suffix, power) = match SUFFIXES.get(suffix) {
            Some((suffix, power)) => ((*suffix).to_owned(), *power),
            None => {
                let power = self.0.i8(-12..=12);
                (format!("{}{power}", self.pick(&["e", "E"])), power)
            }
        };
        let digits = self.0.u8(0..=u8::try_from((17 - power).clamp(0, 18)).unwrap_or(18));
        let whole = match digits {
            0 => String::new(),
            digits => self.0.u64(0..10_u64.pow(digits.into())).to_string(),
        };
        let fraction = match self.0.u8(0..4) {
            0 => format!(".{}", self.0.u32(0..1_000_000)),
            _ if whole.is_empty() => ".5".to_owned(),
            _ => String::new(),
        };
        let sign = self.pick(&["", "", "", "+"]);
        format!("{sign}{whole}{fraction}{suffix}").into()
    }

    fn quantities(&mut self) -> Value {
        let mut amounts = Map::new();
        for resource in RESOURCES {
            if self.chance(3) {
                amounts.insert(resource.into(), self.quantity());
            }
        }
        amounts.into()
    }

    fn words_by_name(&mut self) -> Value {
        let mut pairs = Map::new();
        for _ in 0..self.0.usize(0..8) {
            let name = self.pick(&NAMES).to_owned();
            pairs.insert(name, self.word().into());
        }
        pairs.into()
    }

    fn owners(&mut self) -> Value {
        self.many(3, |random, _| {
            let mut owner = json!({
                "apiVersion": "apps/v1",
                "kind": random.pick(&["ReplicaSet", "Job", ""]),
                "name": random.pick(&["web", "x\"y"]),
                "uid": "u",
            });
            if random.chance(2) {
                owner["controller"] = random.0.bool().into();
            }
            owner
        })
    }

    fn conditions(&mut self, kinds: &[&str]) -> Value {
        self.subset(kinds, |random, kind| {
            let (status, reason) = (random.pick(&STATUSES), random.pick(&REASONS));
            let time = random.time();
            json!({"type": kind, "status": status, "reason": reason, "lastTransitionTime": time})
        })
    }

    fn object(&mut self, spec: Value, status: Value) -> Value {
        let fields = [
            ("generation", self.int64().into()),
            ("labels", self.words_by_name()),
            ("annotations", self.words_by_name()),
            ("ownerReferences", self.owners()),
        ];
        let mut metadata = self.some(fields);
        metadata["creationTimestamp"] = self.time();
        if self.chance(4) {
            metadata["deletionTimestamp"] = self.time();
        }
        json!({"metadata": metadata, "spec": spec, "status": status})
    }
}
