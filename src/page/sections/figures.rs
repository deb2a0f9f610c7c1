//! The cluster at a glance: some figures, each unknown rather than 0.

use super::{is_listed, sum};
use crate::{
    exposition::{
        catalogue::{
            CONTAINER_RESTARTS_TOTAL, CONTAINER_TERMINATIONS_TOTAL, EVENT_OCCURRENCES_TOTAL,
            Metric, NODES, PODS, PODS_READY,
        },
        readings::Readings,
    },
    page::{Moment, html::Html, past::SPAN},
    words::{latency, number},
};

/// The condition of a node that is well.
const READY: &str = "Ready";

/// The figures, in their order.
#[derive(Debug)]
pub struct Figures(Vec<Figure>);

/// One figure.
#[derive(Debug)]
struct Figure {
    /// What it is of.
    what: &'static str,
    /// What is known of it.
    value: Option<String>,
    /// What it is to be seen beside.
    beside: String,
    /// Whether it is nothing to be glad of.
    bad: bool,
}

impl Figures {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let readings = moment.readings;
        let pods = sum(readings, &PODS);
        let ready = sum(readings, &PODS_READY);
        let (nodes, well) = nodes(readings);
        let lately = |what, metric, of| {
            let value = growth(moment, metric, of);
            let bad = value.is_some_and(|growth| growth > 0);
            Figure { what, value: value.map(number), beside: format!("in {SPAN}"), bad }
        };
        let last = moment.past.latency.last().and_then(|point| Some((point.median?, point.slow?)));
        Self(vec![
            Figure {
                what: "Pods ready",
                value: ready.map(number),
                beside: pods.map(|all| format!("of {}", number(all))).unwrap_or_default(),
                bad: false,
            },
            Figure {
                what: "Nodes ready",
                value: well.map(number),
                beside: nodes.map(|all| format!("of {}", number(all))).unwrap_or_default(),
                bad: nodes != well,
            },
            lately("Warnings", &EVENT_OCCURRENCES_TOTAL, "events"),
            lately("Restarts", &CONTAINER_RESTARTS_TOTAL, "pods"),
            lately("OOM kills", &CONTAINER_TERMINATIONS_TOTAL, "pods"),
            Figure {
                what: "API latency",
                value: last.map(|(median, _)| latency(median)),
                beside: last
                    .map(|(_, slow)| format!("99 of 100 within {}", latency(slow)))
                    .unwrap_or_default(),
                bad: false,
            },
        ])
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = Html::default();
        out.put("<dl>", &[]);
        for Figure { what, value, beside, bad } in &self.0 {
            let class = if *bad { "bad" } else { "fine" };
            let value = value.as_deref().unwrap_or("–");
            out.put(
                "<div class=\"{}\"><dt>{}</dt><dd><b>{}</b> <small>{}</small></dd></div>",
                &[&class, what, &value, beside],
            );
        }
        out.put("</dl>", &[]);
        out
    }
}

/// How many nodes there are, and how many of them are ready; `None` where they are not counted.
fn nodes(readings: &Readings) -> (Option<u64>, Option<u64>) {
    let all = readings.of(&NODES).iter().filter(|of| of.label(0) == READY);
    let (mut nodes, mut ready) = (None, None);
    for reading in all {
        *nodes.get_or_insert(0) += reading.count();
        *ready.get_or_insert(0) += if reading.label(1) == "True" { reading.count() } else { 0 };
    }
    (nodes, ready)
}

/// How much the counters of a family that are shown have grown of late; `None` where what they are
/// of is not listed.
fn growth(moment: &Moment<'_>, metric: &'static Metric, of: &str) -> Option<u64> {
    let counters = moment.past.counters(metric, moment.readings);
    is_listed(moment.readings, of).then(|| counters.map(|(_, growth)| growth).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exposition::catalogue::OBJECTS,
        page::testing::{NOW, Scene, has},
    };

    #[test]
    fn figures_are_beside_what_they_are_of() {
        let mut scene = Scene::default();
        scene.sample(&OBJECTS, &["pods"], 1_234_u64);
        scene.sample(&PODS, &["a", "Running"], 1_000_u64);
        scene.sample(&PODS, &["a", "Pending"], 234_u64);
        scene.sample(&PODS_READY, &["a"], 990_u64);
        for (holds, n) in [("True", 4_u64), ("False", 1), ("Unknown", 0)] {
            scene.sample(&NODES, &["Ready", holds], n);
            scene.sample(&NODES, &["DiskPressure", holds], 7_u64);
        }
        scene.step(NOW);
        scene.sample(&CONTAINER_RESTARTS_TOTAL, &["a"], 3_u64);
        has(
            &scene.at(Figures::at).html(),
            &[
                "<dt>Pods ready</dt><dd><b>990</b> <small>of 1,234</small>",
                "<div class=\"bad\"><dt>Nodes ready</dt><dd><b>4</b> <small>of 5</small>",
                "<div class=\"bad\"><dt>Restarts</dt><dd><b>3</b> \
                 <small>in the last 5 minutes</small>",
                "<div class=\"fine\"><dt>OOM kills</dt><dd><b>0</b>",
                "<dt>Warnings</dt><dd><b>–</b>",
            ],
        );
    }

    #[test]
    fn what_is_not_counted_is_unknown() {
        let html = Scene::default().at(Figures::at).html();
        assert_eq!(html.as_str().matches("<b>–</b>").count(), 6, "{}", html.as_str());
        assert!(!html.as_str().contains("bad"));
    }
}
