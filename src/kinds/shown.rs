//! What objects of many kinds show alike, a series an object.

#[cfg(test)]
pub(super) mod testing;

use crate::{
    exposition::detail::{Extra, Samples},
    wire::meta::Meta,
};

/// The statuses of a condition, as it has them and as labels have them.
const CONDITION_STATUSES: [(&str, &str); 3] =
    [("True", "true"), ("False", "false"), ("Unknown", "unknown")];

/// Labels and annotations of an object, as far as they are asked for.
pub(super) fn names(
    meta: &Meta<'_>,
    extra: &Extra,
    labels: impl Into<u8>,
    annotations: impl Into<u8>,
    out: &mut Samples,
) {
    out.names(labels, "label", meta.labels.iter(), &extra.labels);
    out.names(annotations, "annotation", meta.annotations.iter(), &extra.annotations);
}

/// A sample for each owner, one with empty labels where there is none.
pub(super) fn owners(family: impl Into<u8> + Copy, meta: &Meta<'_>, out: &mut Samples) {
    let mut owner = |kind, name, controller| {
        let labels =
            [("owner_kind", kind), ("owner_name", name), ("owner_is_controller", controller)];
        out.add(family, &labels, 1.0);
    };
    if meta.owner_references.is_empty() {
        owner("", "", "");
    }
    for one in &meta.owner_references {
        owner(&one.kind, &one.name, boolean(one.controller));
    }
}

/// A sample for each status that a condition can have; `labels` come first, then that of the
/// status, which is `label`.
pub(super) fn condition(
    family: impl Into<u8> + Copy,
    labels: &[(&str, &str)],
    label: &str,
    status: &str,
    out: &mut Samples,
) {
    for (known, text) in CONDITION_STATUSES {
        let labels = [labels, &[(label, text)]].concat();
        out.add(family, &labels, f64::from(status == known));
    }
}

/// A sample for each value that can be, where there is any.
pub(super) fn one_of(
    family: impl Into<u8> + Copy,
    label: &str,
    values: &[&str],
    value: &str,
    out: &mut Samples,
) {
    for known in values.iter().filter(|_| !value.is_empty()) {
        out.add(family, &[(label, known)], f64::from(*known == value));
    }
}

/// A sample for each of these numbers.
pub(super) fn numbers<const N: usize, F: Into<u8>>(samples: [(F, i64); N], out: &mut Samples) {
    for (family, value) in samples {
        out.add(family, &[], number(value));
    }
}

/// As a label has it.
pub(super) const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// As a sample has it.
#[expect(clippy::cast_precision_loss, reason = "a sample is a float")]
pub(super) const fn number(number: i64) -> f64 {
    number as f64
}
