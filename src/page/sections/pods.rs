//! Pods by phase, and what keeps them from being well.

use std::collections::BTreeMap;

use super::{nothing, share, sum, titled};
use crate::{
    exposition::catalogue::{
        CONTAINERS_WAITING, PODS, PODS_READY, PODS_TERMINATING, PODS_UNSCHEDULABLE,
    },
    kinds::pod::Phase,
    page::{
        Moment, ROWS,
        html::{Cell, Html},
    },
    words::{many, number, percent},
};

/// All pods.
#[derive(Debug)]
pub struct Pods {
    /// How many are in each phase; nothing where they are not counted.
    phases: Option<Vec<(&'static str, u64)>>,
    ready: u64,
    unschedulable: u64,
    terminating: u64,
    /// The reasons for which most containers wait.
    waiting: Vec<(String, u64)>,
}

impl Pods {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let readings = moment.readings;
        let of_phase = |phase: &'static str| {
            let of = readings.of(&PODS).iter().filter(|reading| reading.label(1) == phase);
            (phase, of.map(|reading| reading.count()).sum())
        };
        let counted = sum(readings, &PODS).is_some();
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for reading in readings.of(&CONTAINERS_WAITING) {
            *reasons.entry(reading.label(1)).or_default() += reading.count();
        }
        let mut waiting: Vec<_> = reasons
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(reason, n)| (reason.to_owned(), n))
            .collect();
        waiting.sort_by_key(|(_, n)| u64::MAX - n);
        waiting.truncate(ROWS);
        Self {
            phases: counted.then(|| Phase::VALUES.iter().map(|phase| of_phase(phase)).collect()),
            ready: sum(readings, &PODS_READY).unwrap_or(0),
            unschedulable: sum(readings, &PODS_UNSCHEDULABLE).unwrap_or(0),
            terminating: sum(readings, &PODS_TERMINATING).unwrap_or(0),
            waiting,
        }
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("pods", "Pods by phase");
        let Some(phases) = &self.phases else {
            nothing(&mut out, "Pods are not counted, or not yet.");
            return out;
        };
        let all = phases.iter().map(|(_, n)| n).sum();
        stack(&mut out, phases, all);
        let rows = phases.iter().map(|(phase, n)| {
            let mut name = Html::default();
            name.put("<span class=\"key phase-{}\"></span>{}", &[phase, phase]);
            vec![Cell::Head(name), Cell::Number(number(*n)), Cell::Number(percent(share(*n, all)))]
        });
        out.table("All pods, each in one phase", &["Phase", "#Pods", "#Share"], rows);
        out.put(
            "<p class=\"note\">{} ready, {} unschedulable, {} terminating</p>",
            &[&number(self.ready), &number(self.unschedulable), &number(self.terminating)],
        );
        if !self.waiting.is_empty() {
            out.put("<h3>Containers that wait</h3><ul class=\"chips\">", &[]);
            for (reason, n) in &self.waiting {
                let reason = if reason.is_empty() { "no reason given" } else { reason };
                out.put("<li>{} <b>{}</b></li>", &[&reason, &number(*n)]);
            }
            out.put("</ul>", &[]);
        }
        out
    }
}

/// The phases side by side, as far as they are drawn in proportion.
fn stack(out: &mut Html, phases: &[(&'static str, u64)], all: u64) {
    out.put(
        "<svg class=\"stack\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">",
        &[&many(all, "pod", "pods")],
    );
    let mut from = 0.0;
    for (phase, n) in phases {
        let width = share(*n, all) * 100.0;
        let (x, w) = (format!("{from:.2}"), format!("{width:.2}"));
        out.put("<rect class=\"phase-{}\" x=\"{}\" width=\"{}\" height=\"1\"/>", &[phase, &x, &w]);
        from += width;
    }
    out.put("</svg>", &[]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{Scene, has};

    #[test]
    fn phases_are_summed_over_namespaces() {
        let mut scene = Scene::default();
        for namespace in ["a", "b"] {
            scene.sample(&PODS, &[namespace, "Running"], 15_u64);
            scene.sample(&PODS, &[namespace, "Pending"], 5_u64);
            scene.sample(&PODS_READY, &[namespace], 14_u64);
            scene.sample(&CONTAINERS_WAITING, &[namespace, "<CrashLoopBackOff>"], 2_u64);
            scene.sample(&CONTAINERS_WAITING, &[namespace, ""], 0_u64);
        }
        has(
            &scene.at(Pods::at).html(),
            &[
                "aria-label=\"40 pods\"",
                "<rect class=\"phase-Running\" x=\"25.00\" width=\"75.00\" height=\"1\"/>",
                "</span>Running</th><td class=\"number\">30</td>\
                 <td class=\"number\">75 %</td>",
                "28 ready, 0 unschedulable",
                "<li>&lt;CrashLoopBackOff&gt; <b>4</b></li>",
            ],
        );
    }

    #[test]
    fn pods_that_are_not_counted_are_no_pods_at_all() {
        has(&Scene::default().at(Pods::at).html(), &["not counted"]);
    }
}
