//! Text and OpenMetrics: families of samples, collected from whoever holds state, written once.

pub mod blocks;
pub mod catalogue;
pub mod deflate;
pub mod detail;
pub mod gzip;
pub mod pieces;
pub mod readings;
mod writer;

use bytes::Bytes;
use catalogue::{ALL, Metric};
use pieces::{Detail, Pieces};
use readings::{Reading, Readings};
use writer::{label_value, number};

/// Whoever has samples to show. Called once a scrape; must not block on I/O.
pub trait Collect: Send + Sync {
    /// Adds the samples of this scrape to `out`.
    fn collect(&self, out: &mut Exposition);
}

/// The two formats that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8; escaping=values",
            Self::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
            }
        }
    }
}

impl Format {
    /// Name and type of a family whose samples have this name and type. OpenMetrics names a
    /// counter's without `_total`, and has a type for what ends in `_info`, which it names without
    /// that. It has one for sets of states too, but not for ours: there the label would have to be
    /// called as the family is, and everyone asks for `kube_pod_status_phase{phase="Running"}`.
    #[must_use]
    pub fn family<'n>(self, name: &'n str, kind: &'n str) -> (&'n str, &'n str) {
        let without =
            |suffix| (self == Self::OpenMetrics).then(|| name.strip_suffix(suffix)).flatten();
        match kind {
            "counter" => (without("_total").unwrap_or(name), kind),
            "gauge" => without("_info").map_or((name, kind), |name| (name, "info")),
            _ => (name, kind),
        }
    }
}

/// The value of a sample: integers are written as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(u64),
    /// Any number.
    Float(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// One scrape in the making: a buffer of sample lines for each family of the catalogue, so that a
/// family stands together though several holders add to it.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    families: Vec<Family>,
    wanted: Wanted,
    details: Vec<Detail>,
    /// Whether values are asked for, and no text.
    reading: bool,
}

/// What a scrape asks for; nothing asked for is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Families, by their full names.
    pub families: Vec<String>,
    /// Resources: the per-object series of these, and no tallies but those that are named.
    pub resources: Vec<&'static str>,
    /// Resources whose per-object series are left out.
    pub excluded: Vec<&'static str>,
}

impl Wanted {
    fn has(&self, family: &str) -> bool {
        self.families.is_empty() || self.families.iter().any(|name| name == family)
    }

    fn has_tally(&self, family: &str) -> bool {
        self.has(family) && (self.resources.is_empty() || !self.families.is_empty())
    }

    fn has_details(&self, resource: &str) -> bool {
        let named = self.resources.is_empty() || self.resources.contains(&resource);
        named && !self.excluded.contains(&resource)
    }
}

#[derive(Debug)]
struct Family {
    wanted: bool,
    samples: Vec<u8>,
    /// The same, where values are asked for and no text.
    readings: Vec<Reading>,
    /// How much of it went into `_other`, where it has a capped label.
    overflow: Option<u64>,
}

impl Exposition {
    /// An empty scrape of the families that are named, or of all if none is.
    #[must_use]
    pub fn new(format: Format, names: &[String]) -> Self {
        Self::of(format, Wanted { families: names.to_vec(), ..Wanted::default() })
    }

    /// An empty scrape of what is asked for.
    #[must_use]
    pub fn of(format: Format, wanted: Wanted) -> Self {
        let family = |metric: &&Metric| Family {
            wanted: wanted.has_tally(metric.name),
            samples: Vec::new(),
            readings: Vec::new(),
            overflow: None,
        };
        let families = ALL.iter().map(family).collect();
        Self { format, families, wanted, details: Vec::new(), reading: false }
    }

    /// An empty scrape of these families that keeps their values and writes no text.
    #[must_use]
    pub fn reading(metrics: &[&'static Metric]) -> Self {
        let names: Vec<_> = metrics.iter().map(|metric| metric.name.to_owned()).collect();
        Self { reading: true, ..Self::new(Format::Text, &names) }
    }

    /// Adds the per-object series of a resource.
    pub fn details(&mut self, resource: &str, snapshot: &blocks::Snapshot) {
        if self.wanted.has_details(resource) {
            let wanted =
                Detail::all(snapshot).filter(|detail| self.wanted.has(detail.family().name));
            self.details.extend(wanted);
        }
    }

    /// Adds a sample of a gauge or counter. `labels` are the values, in the order in which the
    /// metric declares its labels.
    pub fn sample(&mut self, metric: &'static Metric, labels: &[&str], value: impl Into<Value>) {
        let reading = self.reading;
        let Some(family) = self.family(metric, labels) else {
            return;
        };
        if reading {
            family.readings.push(Reading::sample(labels, value.into()));
            return;
        }
        let out = &mut family.samples;
        write_name(out, metric, "", labels, None);
        number(out, value.into());
        out.push(b'\n');
    }

    /// Adds a histogram: the cumulative counts of its buckets without `+Inf`, the sum and the
    /// number of its observations.
    pub fn histogram(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        buckets: &[u64],
        sum: f64,
        count: u64,
    ) {
        let (format, reading) = (self.format, self.reading);
        let Some(family) = self.family(metric, labels) else {
            return;
        };
        if reading {
            family.readings.push(Reading::histogram(labels, buckets, sum, count));
            return;
        }
        let out = &mut family.samples;
        let bounds = metric.kind.buckets().iter().copied().chain([f64::INFINITY]);
        for (bound, n) in bounds.zip(buckets.iter().copied().chain([count])) {
            write_name(out, metric, "_bucket", labels, Some((bound, format)));
            number(out, Value::Integer(n));
            out.push(b'\n');
        }
        for (suffix, value) in [("_sum", Value::Float(sum)), ("_count", Value::Integer(count))] {
            write_name(out, metric, suffix, labels, None);
            number(out, value);
            out.push(b'\n');
        }
    }

    /// Adds to how many observations of a family went into `_other`: several holders may show
    /// parts of one family.
    pub fn overflow(&mut self, metric: &'static Metric, n: u64) {
        *self.families[metric.index].overflow.get_or_insert(0) += n;
    }

    /// The values, where those are what was asked for.
    #[must_use]
    pub fn readings(self) -> Readings {
        Readings::new(self.families.into_iter().map(|family| family.readings))
    }

    /// The whole text at once.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.pieces(false).collect::<Vec<_>>().concat().into()
    }

    /// The text piece by piece, compressed or not: each family that has samples, once, after its
    /// HELP and TYPE.
    #[must_use]
    pub fn pieces(mut self, gzip: bool) -> Pieces {
        let tallies = self.tallies();
        Pieces::new(self.format, tallies, self.details, gzip)
    }

    fn tallies(&mut self) -> Bytes {
        for metric in ALL {
            if let Some(n) = self.families[metric.index].overflow {
                self.sample(&catalogue::LABEL_OVERFLOW_TOTAL, &[metric.name], n);
            }
        }
        let size: usize = self.families.iter().map(|family| family.samples.len()).sum();
        let mut out = Vec::with_capacity(size + 160 * self.families.len());
        let shown = ALL.iter().zip(&self.families).filter(|(_, f)| !f.samples.is_empty());
        for (metric, family) in shown {
            self.header(metric, &mut out);
            out.extend_from_slice(&family.samples);
        }
        out.into()
    }

    fn header(&self, metric: &Metric, out: &mut Vec<u8>) {
        let (name, kind) = self.format.family(metric.name, metric.kind.as_str());
        let help = metric.help;
        out.extend_from_slice(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").as_bytes());
    }

    /// A wanted family; `None` for any other, and for values that do not fit the labels, of which
    /// a wrong series would be worse than none.
    fn family(&mut self, metric: &'static Metric, labels: &[&str]) -> Option<&mut Family> {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let family = &mut self.families[metric.index];
        (family.wanted && metric.labels.len() == labels.len()).then_some(family)
    }
}

fn write_name(
    out: &mut Vec<u8>,
    metric: &Metric,
    suffix: &str,
    labels: &[&str],
    le: Option<(f64, Format)>,
) {
    out.extend_from_slice(metric.name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    let mut open = b'{';
    for (label, value) in metric.labels.iter().zip(labels) {
        out.push(open);
        out.extend_from_slice(label.name.as_bytes());
        out.extend_from_slice(b"=\"");
        label_value(out, value);
        out.push(b'"');
        open = b',';
    }
    if let Some((bound, format)) = le {
        out.push(open);
        out.extend_from_slice(b"le=\"");
        writer::bound(out, bound, format);
        out.push(b'"');
        open = b',';
    }
    if open == b',' {
        out.push(b'}');
    }
    out.push(b' ');
}

#[cfg(test)]
mod tests;
