//! Nodes: how many are in which condition.

mod detail;
mod object;

use std::{ops::AddAssign, sync::Arc};

use object::Condition;
pub use object::Node;

use super::stated::place;
use crate::{
    config::settings::Caps,
    exposition::{
        Collect, Exposition, catalogue,
        detail::{Extra, Family, Samples},
    },
    label::label,
    store::{Context, Key, Kind, Tally, tally::Table},
};

label! {
    /// Whether a condition holds (Kubernetes, "Node Status").
    pub enum Holds {
        /// It does.
        True = "True",
        /// It does not.
        False = "False",
        /// Nobody has said for a while.
        Unknown = "Unknown",
    }
}

/// The name that `spec.unschedulable` is shown by.
const UNSCHEDULABLE: &str = "Unschedulable";

/// The conditions that are always shown by name, whoever makes up others: the one above and those
/// of the kubelet and the node controller (Kubernetes, "Node Status").
pub const KNOWN: &[&str] = &[
    UNSCHEDULABLE,
    "Ready",
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// Nodes.
pub struct Nodes;

/// What is kept of a node: its conditions, each once, and whether they hold.
pub type Facts = Box<[(Arc<str>, usize)]>;

/// Nodes by condition. Anybody may write conditions, so their names are capped.
#[derive(Clone, Debug)]
pub struct Counted(Table<Row>);

#[derive(Clone, Copy, Debug, Default)]
struct Row([u64; Holds::ALL.len()]);

impl Kind for Nodes {
    type Object<'a> = Node<'a>;
    type Facts = Facts;
    type Tally = Counted;
    const FAMILIES: &'static [Family] = detail::Series::FAMILIES;

    fn detail(node: &Node<'_>, extra: &Extra, out: &mut Samples) {
        detail::detail(node, extra, out);
    }

    fn fold(
        tally: &mut Counted,
        key: &Key,
        old: Option<&Facts>,
        node: &Node<'_>,
        context: &mut Context<'_>,
    ) -> Facts {
        let unschedulable = if node.spec.unschedulable { Holds::True } else { Holds::False };
        let mut facts = vec![(context.intern.intern(UNSCHEDULABLE), unschedulable as usize)];
        for Condition { kind, status } in &node.status.conditions {
            if facts.iter().all(|(known, _)| **known != **kind) {
                let holds = place(Holds::VALUES, status, Holds::Unknown as usize);
                facts.push((context.intern.intern(kind), holds));
            }
        }
        for (kind, holds) in &facts {
            tally.0.enter(kind).0[*holds] += 1;
        }
        if let Some(old) = old {
            Self::forget(tally, key, old, context);
        }
        facts.into()
    }

    fn forget(tally: &mut Counted, _: &Key, facts: &Facts, _: &Context<'_>) {
        for (kind, holds) in facts {
            tally.0.leave(kind, |row| row.0[*holds] -= 1);
        }
    }
}

impl Tally for Counted {
    type Shown = Self;

    fn new(caps: &Caps) -> Self {
        Self(Table::reserving(KNOWN, caps.reasons))
    }

    fn shown(&self) -> Self {
        self.clone()
    }
}

impl Collect for Counted {
    fn collect(&self, out: &mut Exposition) {
        self.0.each(|condition, _, row| {
            for (holds, n) in Holds::VALUES.iter().zip(row.0) {
                out.sample(&catalogue::NODES, &[condition, holds], n);
            }
        });
        self.0.overflow(&catalogue::NODES, out);
    }
}

impl AddAssign<&Self> for Row {
    fn add_assign(&mut self, other: &Self) {
        for (n, more) in self.0.iter_mut().zip(other.0) {
            *n += more;
        }
    }
}

#[cfg(test)]
mod tests;
