//! Every metric, declared once: name, type, labels, bound, help, stability. The exposition, the
//! daemon's own registry, `kubetally metrics` and `docs/metrics.md` come from here.

mod families;
pub mod print;

pub use families::*;

use crate::{api::ASKED, config::settings::Caps};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
    /// Observations in these buckets (upper bounds, ascending, without `+Inf`).
    Histogram(&'static [f64]),
}

impl Type {
    /// As `# TYPE` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram(_) => "histogram",
        }
    }

    /// A histogram's upper bounds, ascending, without `+Inf`; none for the other types.
    #[must_use]
    pub const fn buckets(self) -> &'static [f64] {
        match self {
            Self::Histogram(bounds) => bounds,
            Self::Gauge | Self::Counter => &[],
        }
    }
}

/// How many values a label can have, and which.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Exactly these.
    Fixed(&'static [&'static str]),
    /// The resources being watched.
    Resources,
    /// The resources being watched, and what else the API server is asked for.
    Asked,
    /// Namespaces, up to the cap of the settings, then `_other`.
    Namespaces,
    /// Free-form reasons and kinds, up to the cap of the settings, then `_other`.
    Reasons,
    /// These, and other free-form ones up to the same cap, then `_other`.
    ReasonsBeside(&'static [&'static str]),
    /// Nodes, up to the cap of the settings, then `_other`.
    Nodes,
    /// So many at most: names that are configured, or first come.
    AtMost(usize),
    /// Free-form combinations of this label and those that are [`Values::Implied`] beside it, up to
    /// the cap of reasons, then `_other`.
    Combinations,
    /// Service accounts, up to the cap of namespaces, then `_other`.
    ServiceAccounts,
    /// What a label beside it counts already: it makes no more series.
    Implied,
    /// One value a process, such as a version.
    One,
}

impl Values {
    /// How many values there can be, `_other` included.
    #[must_use]
    pub const fn bound(self, caps: &Caps, resources: usize) -> usize {
        match self {
            Self::Fixed(values) => values.len(),
            Self::Resources => resources,
            Self::Asked => resources + ASKED.len(),
            Self::ReasonsBeside(known) => known.len() + caps.reasons + 1,
            Self::Namespaces | Self::ServiceAccounts => caps.namespaces + 1,
            Self::Reasons | Self::Combinations => caps.reasons + 1,
            Self::Nodes => caps.nodes + 1,
            Self::AtMost(values) => values,
            Self::Implied | Self::One => 1,
        }
    }
}

/// A label and the values it can take.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The label's name.
    pub name: &'static str,
    /// What it can be.
    pub values: Values,
}

/// How long a metric can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Changes only with a major release.
    Stable,
    /// May change in any release.
    Experimental,
}

/// The declaration of one family.
#[derive(Debug)]
pub struct Metric {
    /// Its place in [`ALL`].
    pub(super) index: usize,
    /// The full name, `_total` included.
    pub name: &'static str,
    /// What it is.
    pub kind: Type,
    /// Its labels, in the order in which samples give their values.
    pub labels: &'static [Label],
    /// One sentence or more, ending in a full stop.
    pub help: &'static str,
    /// Whether it can be relied on.
    pub stability: Stability,
}

impl Metric {
    /// How many series the family can have, whatever the cluster's size.
    #[must_use]
    pub fn bound(&self, caps: &Caps, resources: usize) -> usize {
        let labels = self.labels.iter().map(|label| label.values.bound(caps, resources));
        let series = match self.kind {
            // The buckets, +Inf, the sum and the count.
            Type::Histogram(bounds) => bounds.len() + 3,
            Type::Gauge | Type::Counter => 1,
        };
        labels.product::<usize>() * series
    }

    /// The names of its labels.
    #[must_use]
    pub fn label_names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    const fn new(
        index: usize,
        name: &'static str,
        kind: Type,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        Self { index, name, kind, labels, help, stability: Stability::Stable }
    }
}

/// The status codes that are label values, others go by their class.
pub const CODES: &[&str] = &[
    "200", "201", "400", "401", "403", "404", "405", "406", "409", "410", "415", "422", "429",
    "500", "502", "503", "504", "2xx", "3xx", "4xx", "5xx",
];

/// The label value of an HTTP status.
#[must_use]
pub fn code(status: u16) -> &'static str {
    let class = match status {
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
        _ => "2xx",
    };
    let text = status.to_string();
    CODES.iter().find(|code| **code == text).copied().unwrap_or(class)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_as_prometheus_wants_them() {
        let mut seen = BTreeSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(name.starts_with("kubetally_") || name.starts_with("process_"), "{name}");
            assert_eq!(metric.kind == Type::Counter, name.ends_with("_total"), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            for unit in ["_ms", "_milliseconds", "_minutes", "_kilobytes"] {
                assert!(!name.contains(unit), "{name} is not in a base unit");
            }
            if let Type::Histogram(bounds) = metric.kind {
                assert!(name.ends_with("_seconds"), "{name}");
                assert!(!bounds.is_empty() && bounds.is_sorted(), "{name}");
            }
        }
    }

    #[test]
    fn every_family_knows_its_place() {
        for (at, metric) in ALL.iter().enumerate() {
            assert_eq!(metric.index, at, "{}", metric.name);
        }
    }

    #[test]
    fn labels_hold_no_object_names() {
        for metric in ALL {
            for label in metric.label_names() {
                assert!(!["pod", "name", "event", "uid", "url", "message", "le"].contains(&label));
            }
        }
    }

    #[test]
    fn every_histogram_has_the_slo_edges_where_it_times_requests() {
        let Type::Histogram(bounds) = API_REQUEST_DURATION_SECONDS.kind else { panic!() };
        assert!(bounds.contains(&1.0) && bounds.contains(&30.0));
    }

    #[test]
    fn bounds_multiply() {
        let caps = Caps { namespaces: 9, reasons: 4, nodes: 2 };
        assert_eq!(PODS.bound(&caps, 2), 10 * 5);
        assert_eq!(CONTAINERS_WAITING.bound(&caps, 2), 10 * 5);
        assert_eq!(NODE_PODS.bound(&caps, 2), 3);
        assert_eq!(API_RETRY_AFTER_SECONDS.bound(&caps, 2), 15 + 3);
    }

    #[test]
    fn codes() {
        let text = [200, 202, 302, 403, 418, 429, 504, 599].map(code);
        assert_eq!(text, ["200", "2xx", "3xx", "403", "4xx", "429", "504", "5xx"]);
    }
}
