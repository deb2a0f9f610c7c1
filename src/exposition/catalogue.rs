//! Every metric, declared once: name, type, labels, bound, help, stability.

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

/// How many values a label can have, and which.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Exactly these.
    Fixed(&'static [&'static str]),
    /// The resources being watched.
    Resources,
    /// Namespaces, up to the cap of the settings, then `_other`.
    Namespaces,
    /// Free-form reasons and kinds, up to the cap of the settings, then `_other`.
    Reasons,
    /// Nodes, up to the cap of the settings, then `_other`.
    Nodes,
    /// One value a process, such as a version.
    One,
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
    /// The full name, `_total` included.
    pub name: &'static str,
    /// What it is.
    pub kind: Type,
    /// Its labels, in the order in which samples give their values.
    pub labels: &'static [Label],
    /// One sentence, ending in a full stop.
    pub help: &'static str,
    /// Whether it can be relied on.
    pub stability: Stability,
}

/// Pods by phase.
pub static PODS: Metric = Metric {
    name: "kubetally_pods",
    kind: Type::Gauge,
    labels: &[
        Label {
            name: "namespace",
            values: Values::Namespaces,
        },
        Label {
            name: "phase",
            values: Values::Fixed(&["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
        },
    ],
    help: "Pods by phase.",
    stability: Stability::Stable,
};

/// Every family, in the order of the exposition.
pub static ALL: &[&Metric] = &[&PODS];
