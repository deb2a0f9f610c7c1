//! Restarts of containers, and those killed for want of memory.

use std::collections::BTreeMap;

use super::{more, nothing, titled};
use crate::{
    exposition::catalogue::{CONTAINER_RESTARTS_TOTAL, CONTAINER_TERMINATIONS_TOTAL, Metric},
    page::{
        Moment, ROWS,
        html::{Cell, Html},
        past::SPAN,
    },
    store::tally::OTHER,
    words::number,
};

/// Restarts and kills, by namespace.
#[derive(Debug)]
pub struct Restarts {
    namespaces: Vec<(String, Row)>,
    left: usize,
}

/// Those of a namespace.
#[derive(Debug, Default)]
struct Row {
    restarts: Growth,
    kills: Growth,
}

/// How often something has happened.
#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    lately: u64,
    total: u64,
}

impl Restarts {
    /// Those of a moment: first where most has happened of late, then where anything has.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let mut namespaces: BTreeMap<String, Row> = BTreeMap::new();
        for (namespace, restarts) in by_namespace(moment, &CONTAINER_RESTARTS_TOTAL) {
            namespaces.entry(namespace).or_default().restarts = restarts;
        }
        for (namespace, kills) in by_namespace(moment, &CONTAINER_TERMINATIONS_TOTAL) {
            namespaces.entry(namespace).or_default().kills = kills;
        }
        let mut namespaces: Vec<_> = namespaces.into_iter().collect();
        namespaces.sort_by_key(|(_, Row { restarts, kills })| {
            let lately = restarts.lately + kills.lately;
            std::cmp::Reverse((lately, restarts.total + kills.total))
        });
        let left = namespaces.len().saturating_sub(ROWS);
        namespaces.truncate(ROWS);
        Self { namespaces, left }
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("restarts", "Restarts and OOM kills");
        if self.namespaces.is_empty() {
            nothing(&mut out, "No container has restarted since this daemon started.");
            return out;
        }
        let columns = ["Namespace", "#Restarts", "#In all", "#OOM kills", "#In all"];
        let caption =
            format!("Restarts and OOM kills: first those of {SPAN}, then all since the start");
        out.table(&caption, &columns, self.namespaces.iter().map(row));
        more(&mut out, self.left, "namespaces");
        out
    }
}

/// What has happened in each namespace where anything has.
fn by_namespace<'m>(
    moment: &Moment<'m>,
    metric: &'static Metric,
) -> impl Iterator<Item = (String, Growth)> + use<'m> {
    let counters = moment.past.counters(metric, moment.readings);
    let happened = counters.filter(|(reading, _)| reading.value > 0.0);
    happened.map(|(reading, lately)| {
        (reading.label(0).to_owned(), Growth { lately, total: reading.count() })
    })
}

fn row((namespace, row): &(String, Row)) -> Vec<Cell> {
    let name = if namespace == OTHER { "others, beyond the cap" } else { namespace };
    let numbers =
        [row.restarts.lately, row.restarts.total, row.kills.lately, row.kills.total].map(number);
    std::iter::once(Cell::Name(name.into())).chain(numbers.map(Cell::Number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{NOW, Scene, has};

    #[test]
    fn a_kill_for_want_of_memory_is_told_from_other_ends() {
        let mut scene = Scene::default();
        scene.sample(&CONTAINER_RESTARTS_TOTAL, &["quiet"], 40_u64);
        scene.sample(&CONTAINER_RESTARTS_TOTAL, &["never"], 0_u64);
        scene.sample(&CONTAINER_TERMINATIONS_TOTAL, &["shop", "Error"], 7_u64);
        scene.step(NOW);
        scene.sample(&CONTAINER_RESTARTS_TOTAL, &["shop"], 3_u64);
        scene.sample(&CONTAINER_TERMINATIONS_TOTAL, &["shop", "OOMKilled"], 2_u64);
        let restarts = scene.at(Restarts::at);
        let names: Vec<_> = restarts.namespaces.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["shop", "quiet"]);
        has(
            &restarts.html(),
            &["shop</th><td class=\"number\">3</td><td class=\"number\">3</td>\
            <td class=\"number\">2</td><td class=\"number\">2</td>"],
        );
    }

    #[test]
    fn nothing_restarted_is_said() {
        has(&Scene::default().at(Restarts::at).html(), &["No container has restarted"]);
    }
}
