//! For the tests of sections: a moment as a test wants it.

use super::*;
use crate::{
    access::Missing,
    exposition::{Exposition, Value},
    http::health::Verdict,
};

/// The present, in seconds since 1970.
pub const NOW: f64 = 1_795_435_200.0;

/// What a moment is made of.
#[derive(Default)]
pub struct Scene {
    samples: Vec<(&'static Metric, Vec<String>, Value)>,
    pub checks: Vec<Check>,
    pub missing: AllMissing,
    pub past: Past,
}

impl Scene {
    /// Adds a sample.
    pub fn sample(&mut self, metric: &'static Metric, labels: &[&str], value: impl Into<Value>) {
        let labels = labels.iter().map(ToString::to_string).collect();
        self.samples.push((metric, labels, value.into()));
    }

    /// A right is missing.
    pub fn miss(&mut self, resource: &str, namespace: Option<&str>) {
        let rules = vec![format!("{{resources: [{resource}]}}")];
        let missing = Missing { role: "a ClusterRole".into(), rules };
        self.missing.insert((resource.into(), namespace.map(str::to_owned)), missing);
    }

    /// Takes a step as the samples stand now.
    pub fn step(&mut self, at: f64) {
        let readings = self.readings();
        self.past.step(at, &readings);
    }

    /// What a section makes of it.
    pub fn at<T>(&self, section: impl Fn(&Moment<'_>) -> T) -> T {
        let readings = self.readings();
        let Self { checks, missing, past, .. } = self;
        section(&Moment { now: NOW, readings: &readings, checks, missing, past })
    }

    /// The latest sample of each series.
    pub fn readings(&self) -> Readings {
        let mut out = Exposition::reading(FAMILIES);
        for (at, (metric, labels, value)) in self.samples.iter().enumerate() {
            let later = self.samples[at + 1..].iter();
            if later.clone().any(|(of, with, _)| of.name == metric.name && with == labels) {
                continue;
            }
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            out.sample(metric, &labels, *value);
        }
        out.readings()
    }
}

/// A check whose detail is its name and that it is told.
pub fn check(name: &str, resource: Option<&str>, verdict: Verdict) -> Check {
    let resource = resource.map(str::to_owned);
    Check { name: name.into(), resource, verdict, detail: format!("{name} is told") }
}

/// Asserts that a piece has all of these parts.
#[track_caller]
pub fn has(html: &Html, parts: &[&str]) {
    for part in parts {
        assert!(html.as_str().contains(part), "no {part} in {}", html.as_str());
    }
}
