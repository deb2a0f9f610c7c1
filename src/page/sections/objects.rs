//! Objects by namespace and kind.

use std::collections::BTreeMap;

use super::{more, nothing, titled};
use crate::{
    exposition::catalogue::{NAMESPACE_OBJECTS, OBJECTS},
    page::{
        Moment, ROWS,
        html::{Cell, Html},
    },
    store::tally::OTHER,
    words::number,
};

/// What is held, by namespace.
#[derive(Debug)]
pub struct Objects {
    /// The kinds, in the order in which they are watched, and how many there are of each.
    kinds: Vec<(String, u64)>,
    /// The namespaces with most objects, and how many each has of each kind.
    namespaces: Vec<(String, Vec<u64>)>,
    /// How many others there are.
    left: usize,
}

impl Objects {
    /// Those of a moment.
    #[must_use]
    pub fn at(moment: &Moment<'_>) -> Self {
        let counted = moment.readings.of(&NAMESPACE_OBJECTS);
        let kinds: Vec<_> = moment
            .readings
            .of(&OBJECTS)
            .iter()
            .map(|reading| (reading.label(0).to_owned(), reading.count()))
            .collect();
        let mut namespaces: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for reading in counted {
            let row = namespaces.entry(reading.label(0)).or_insert_with(|| vec![0; kinds.len()]);
            let cell = kinds.iter().position(|(kind, _)| kind == reading.label(1));
            if let Some(cell) = cell.and_then(|at| row.get_mut(at)) {
                *cell += reading.count();
            }
        }
        let mut namespaces: Vec<_> =
            namespaces.into_iter().map(|(name, row)| (name.to_owned(), row)).collect();
        // What is beyond the caps comes last, however much it is; else who has most comes first.
        namespaces.sort_by_key(|(name, row)| (name == OTHER, u64::MAX - row.iter().sum::<u64>()));
        let left = namespaces.len().saturating_sub(ROWS);
        namespaces.truncate(ROWS);
        Self { kinds, namespaces, left }
    }

    /// What is shown of them.
    #[must_use]
    pub fn html(&self) -> Html {
        let mut out = titled("objects", "Objects by kind and namespace");
        if self.kinds.is_empty() {
            nothing(&mut out, "No list is complete yet.");
            return out;
        }
        let heads: Vec<String> = self.kinds.iter().map(|(kind, _)| format!("#{kind}")).collect();
        let columns: Vec<&str> =
            std::iter::once("Namespace").chain(heads.iter().map(String::as_str)).collect();
        let all = self.kinds.iter().map(|(_, count)| *count).collect();
        let rows = std::iter::once(("in all".to_owned(), all)).chain(self.namespaces.clone());
        let cells = |(name, counts): (String, Vec<u64>)| {
            let name = if name == OTHER { "others, beyond the cap".into() } else { name };
            let counts = counts.into_iter().map(|count| Cell::Number(shown(count)));
            std::iter::once(Cell::Name(name)).chain(counts).collect()
        };
        out.table("Objects held, by namespace", &columns, rows.map(cells));
        more(&mut out, self.left, "namespaces");
        out
    }
}

/// A table of zeros is hard to read.
fn shown(count: u64) -> String {
    if count == 0 { "·".into() } else { number(count) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{Scene, has};

    #[test]
    fn namespaces_with_most_come_first_and_what_is_beyond_the_caps_last() {
        let mut scene = Scene::default();
        scene.sample(&OBJECTS, &["pods"], 1_111_u64);
        scene.sample(&OBJECTS, &["nodes"], 3_u64);
        for (namespace, count) in [(OTHER, 1_000_u64), ("<b>", 10), ("a", 1)] {
            scene.sample(&NAMESPACE_OBJECTS, &[namespace, "pods"], count);
        }
        let objects = scene.at(Objects::at);
        let names: Vec<_> = objects.namespaces.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["<b>", "a", OTHER]);
        has(
            &objects.html(),
            &[
                "<th scope=\"col\" class=\"number\">nodes</th>",
                "in all</th><td class=\"number\">1,111</td><td class=\"number\">3</td>",
                "&lt;b&gt;</th><td class=\"number\">10</td><td class=\"number\">·</td>",
                "others, beyond the cap",
            ],
        );
    }

    #[test]
    fn a_large_cluster_makes_no_long_page() {
        let mut scene = Scene::default();
        scene.sample(&OBJECTS, &["pods"], 500_u64);
        for n in 0..500 {
            scene.sample(&NAMESPACE_OBJECTS, &[&format!("n{n}"), "pods"], 1_u64);
        }
        let objects = scene.at(Objects::at);
        assert_eq!(objects.namespaces.len(), ROWS);
        has(&objects.html(), &["and 490 more namespaces"]);
    }

    #[test]
    fn nothing_is_no_zero() {
        has(&Scene::default().at(Objects::at).html(), &["No list is complete yet."]);
    }
}
