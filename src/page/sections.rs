//! The sections of the page: each a file that says what it takes of a moment and how it shows it.

pub mod figures;
pub mod identity;
pub mod objects;
pub mod pods;
pub mod process;
pub mod refusals;
pub mod requests;
pub mod restarts;
pub mod rights;
pub mod verdict;
pub mod warnings;
pub mod watches;

use super::html::Html;
use crate::exposition::{
    catalogue::{Metric, OBJECTS},
    readings::Readings,
};

/// A section with its heading, which the section's element is labelled by.
fn titled(id: &'static str, title: &'static str) -> Html {
    let mut out = Html::default();
    out.put("<h2 id=\"{}-title\">{}</h2>", &[&id, &title]);
    out
}

/// What there is to say where there is nothing to show.
fn nothing(out: &mut Html, why: &str) {
    out.put("<p class=\"nothing\">{}</p>", &[&why]);
}

/// How much of a list is not shown.
fn more(out: &mut Html, left: usize, what: &str) {
    if left > 0 {
        out.put("<p class=\"note\">and {} more {}</p>", &[&left, &what]);
    }
}

/// The sum of a family; `None` where it has no samples, as nothing is known of it then.
fn sum(readings: &Readings, metric: &Metric) -> Option<u64> {
    match readings.of(metric) {
        [] => None,
        all => Some(all.iter().map(|reading| reading.count()).sum()),
    }
}

/// Whether a kind is listed, so that what is counted of it is known.
fn is_listed(readings: &Readings, resource: &str) -> bool {
    readings.of(&OBJECTS).iter().any(|reading| reading.label(0) == resource)
}

/// A share of one; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "it is drawn some hundred pixels wide")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
